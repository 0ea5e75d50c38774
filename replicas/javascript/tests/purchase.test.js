/** purchase-share and get-shares; the limits have a file of their own. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { holdings, purchased, refused, Script } from "./script.js";

test("a purchase buys what is asked for", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Equity", 4), purchased(4, 4, 6));
  assert.deepEqual(script.holdings("NYKB1001"), holdings({ "NYKM100925 Equity": 4 }));
});

test("a purchase beyond what is available buys the rest", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 7);
  assert.deepEqual(script.purchase("NYKB1002", "NYKM100925 Equity", 1_000_000), purchased(1_000_000, 3, 0));
  assert.deepEqual(script.purchase("NYKB1003", "NYKM100925 Equity", 1), refused("sold-out"));
});

test("what is not listed cannot be bought", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Bonus"), refused("not-found"));
});

test("what is owned cannot be bought again until all of it is sold", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Equity", 1), refused("already-owned"));
  script.sell("NYKB1001", "NYKM100925", 3);
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Equity", 1), refused("already-owned"));
  script.sell("NYKB1001", "NYKM100925", 1);
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Equity", 1), purchased(1, 1, 9));
});

test("the same digits in another market are another buyer", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB0001", "NYKM100925 Equity", 4);
  assert.deepEqual(script.holdings("LONB0001"), holdings({}));
  assert.deepEqual(script.holdings("NYKB0010"), holdings({}));
});

test("refusals come in order: already-owned, daily-limit, weekly-limit, sold-out", () => {
  const script = Script.withShares(
    "LONM080925 Equity",
    "LONM090925 Equity",
    "LONM100925 Equity",
    "LONA100925 Equity",
    "LONM110925 Equity",
  );
  script.purchase("NYKB1001", "LONM080925 Equity", 1);
  script.purchase("NYKB1001", "LONM090925 Equity", 1);
  script.purchase("NYKB1001", "LONM100925 Equity", 1);
  // Everything else is sold out now.
  for (const [number, id] of ["LONM100925", "LONA100925", "LONM110925"].entries()) {
    script.purchase(`TOKB200${number}`, `${id} Equity`, 10);
  }
  assert.deepEqual(script.purchase("NYKB1001", "LONM100925 Equity"), refused("already-owned"));
  assert.deepEqual(script.purchase("NYKB1001", "LONA100925 Equity"), refused("daily-limit"));
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), refused("weekly-limit"));
  assert.deepEqual(script.purchase("NYKB1002", "LONM110925 Equity"), refused("sold-out"));
});

test("a refusal changes nothing", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKA100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  script.purchase("NYKB1001", "NYKA100925 Equity", 4);
  assert.deepEqual(script.holdings("NYKB1001"), holdings({ "NYKM100925 Equity": 4 }));
  assert.deepEqual(script.purchase("NYKB1002", "NYKA100925 Equity", 10), purchased(10, 10, 0));
});
