/** sell-share. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { holdings, refused, Script, sold } from "./script.js";

test("units that are sold become available, and a holding of none disappears", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 1), sold("Equity", 1, 3, 7));
  assert.deepEqual(script.holdings("NYKB1001"), holdings({ "NYKM100925 Equity": 3 }));
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 3), sold("Equity", 3, 0, 10));
  assert.deepEqual(script.holdings("NYKB1001"), holdings({}));
});

test("what is not owned cannot be sold, whether it is listed or not", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB1002", "NYKM100925 Equity", 4);
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 1), refused("not-owned"));
  assert.deepEqual(script.sell("NYKB1001", "NYKM110925", 1), refused("not-owned"));
});

test("the first type of which enough is owned is sold, in the order equity, bonus, dividend", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM100925 Bonus", "NYKM100925 Dividend");
  script.purchase("NYKB1001", "NYKM100925 Dividend", 5);
  script.purchase("NYKB1001", "NYKM100925 Bonus", 4);
  script.purchase("NYKB1001", "NYKM100925 Equity", 2);
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 2), sold("Equity", 2, 0, 10));
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 5), sold("Dividend", 5, 0, 10));
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 1), sold("Bonus", 1, 3, 7));
});

test("of two types with enough, the first is sold", () => {
  const script = Script.withShares("NYKM100925 Dividend", "NYKM100925 Bonus", "NYKM100925 Equity");
  for (const shareType of ["Dividend", "Bonus", "Equity"]) {
    script.purchase("NYKB1001", `NYKM100925 ${shareType}`, 3);
  }
  for (const shareType of ["Equity", "Bonus", "Dividend"]) {
    assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 3), sold(shareType, 3, 0, 10));
  }
});

test("units of several types are never sold together, and the refusal tells the most of one type", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM100925 Bonus", "NYKM100925 Dividend");
  script.purchase("NYKB1001", "NYKM100925 Equity", 2);
  script.purchase("NYKB1001", "NYKM100925 Bonus", 4);
  script.purchase("NYKB1001", "NYKM100925 Dividend", 3);
  assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 5), refused("insufficient-owned", { owned: 4 }));
  const all = { "NYKM100925 Equity": 2, "NYKM100925 Bonus": 4, "NYKM100925 Dividend": 3 };
  assert.deepEqual(script.holdings("NYKB1001"), holdings(all));
});
