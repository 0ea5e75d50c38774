/** add-share, remove-share and list-share-availability. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { availability, holdings, purchased, refused, Script } from "./script.js";

test("a new share has all of its capacity available", () => {
  const script = new Script();
  assert.deepEqual(script.add("NYKM100925 Equity", 100), { tag: "added", val: { capacity: 100 } });
  assert.deepEqual(script.list("Equity"), availability("Equity", { NYKM100925: 100 }));
});

test("a share that exists cannot be added again, and keeps its capacity", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.add("NYKM100925 Equity", 99), refused("already-exists"));
  assert.deepEqual(script.list("Equity"), availability("Equity", { NYKM100925: 10 }));
});

test("the same id under another type, slot, market or date is another share", () => {
  Script.withShares(
    "NYKM100925 Equity",
    "NYKM100925 Bonus",
    "NYKA100925 Equity",
    "LONM100925 Equity",
    "NYKM110925 Equity",
    "NYKM101025 Equity",
    "NYKM100926 Equity",
  );
});

test("a removed share tells what it was, and goes with the holdings of local and foreign buyers", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM110925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 3);
  script.purchase("LONB1001", "NYKM100925 Equity", 2);
  script.purchase("LONB1001", "NYKM110925 Equity", 1);
  assert.deepEqual(script.remove("NYKM100925 Equity"), { tag: "removed", val: { available: 5, holders: 2, units: 5 } });
  assert.deepEqual(script.holdings("NYKB1001"), holdings({}));
  assert.deepEqual(script.holdings("LONB1001"), holdings({ "NYKM110925 Equity": 1 }));
  assert.deepEqual(script.remove("NYKM100925 Equity"), refused("not-found"));
});

test("a share that is added again after its removal is owned by nobody", () => {
  const script = Script.withShares("NYKM100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 3);
  script.remove("NYKM100925 Equity");
  script.add("NYKM100925 Equity", 7);
  assert.deepEqual(script.holdings("NYKB1001"), holdings({}));
  assert.deepEqual(script.purchase("NYKB1001", "NYKM100925 Equity", 3), purchased(3, 3, 4));
});

test("removing a share frees the weekly limit", () => {
  const script = Script.withShares(
    "LONM080925 Equity",
    "LONM090925 Equity",
    "LONM100925 Equity",
    "LONM110925 Equity",
  );
  script.purchase("NYKB1001", "LONM080925 Equity");
  script.purchase("NYKB1001", "LONM090925 Equity");
  script.purchase("NYKB1001", "LONM100925 Equity");
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), refused("weekly-limit"));
  script.remove("LONM080925 Equity");
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), purchased(1, 1, 9));
});

test("an availability lists one type in all markets, sold-out shares with 0", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM100925 Bonus", "TOKE100925 Equity", "LONA100925 Equity");
  script.purchase("LONB1001", "LONA100925 Equity", 10);
  const all = { NYKM100925: 10, TOKE100925: 10, LONA100925: 0 };
  assert.deepEqual(script.list("Equity"), availability("Equity", all));
  assert.deepEqual(script.list("Dividend"), availability("Dividend", {}));
});
