/** swap-shares. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { availability, holdings, refused, Script, swapped } from "./script.js";

test("a swap exchanges all units, and the types may differ", () => {
  const script = Script.withShares("NYKM100925 Equity", "LONM110925 Bonus");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  assert.deepEqual(script.swap("NYKB1001", "NYKM100925 Equity", "LONM110925 Bonus"), swapped(4));
  assert.deepEqual(script.holdings("NYKB1001"), holdings({ "LONM110925 Bonus": 4 }));
  assert.deepEqual(script.list("Equity"), availability("Equity", { NYKM100925: 10 }));
  assert.deepEqual(script.list("Bonus"), availability("Bonus", { LONM110925: 6 }));
});

test("a swap needs enough of the new share, and changes nothing with one too few", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM110925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  script.purchase("NYKB1002", "NYKM110925 Equity", 7);
  const swap = () => script.swap("NYKB1001", "NYKM100925 Equity", "NYKM110925 Equity");
  assert.deepEqual(swap(), refused("insufficient-new", { available: 3, needed: 4 }));
  assert.deepEqual(script.holdings("NYKB1001"), holdings({ "NYKM100925 Equity": 4 }));
  assert.deepEqual(script.list("Equity"), availability("Equity", { NYKM100925: 6, NYKM110925: 3 }));
  script.sell("NYKB1002", "NYKM110925", 1);
  assert.deepEqual(swap(), swapped(4));
  assert.deepEqual(script.list("Equity"), availability("Equity", { NYKM100925: 10, NYKM110925: 0 }));
});

test("refusals come in order", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM110925 Equity", "NYKA110925 Equity");
  const swap = (oldName, newName) => script.swap("NYKB1001", oldName, newName);
  // Neither listed nor owned, but the same.
  assert.deepEqual(swap("NYKM010125 Equity", "NYKM010125 Equity"), refused("same-share"));
  assert.deepEqual(swap("NYKM010125 Equity", "NYKM020125 Equity"), refused("not-owned"));
  assert.deepEqual(swap("NYKM100925 Equity", "NYKM020125 Equity"), refused("not-owned"));
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  script.purchase("NYKB1001", "NYKM110925 Equity", 8);
  assert.deepEqual(swap("NYKM100925 Equity", "NYKM020125 Equity"), refused("new-not-found"));
  // Too few are available of both, but that is checked last.
  script.purchase("NYKB1002", "NYKA110925 Equity", 9);
  assert.deepEqual(swap("NYKM100925 Equity", "NYKM110925 Equity"), refused("already-owned"));
  assert.deepEqual(swap("NYKM100925 Equity", "NYKA110925 Equity"), refused("daily-limit"));
});

test("the old holding does not count for the daily limit", () => {
  const script = Script.withShares("NYKM100925 Equity", "LONE100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 4);
  assert.deepEqual(script.swap("NYKB1001", "NYKM100925 Equity", "LONE100925 Equity"), swapped(4));
});

test("the old holding does not count for the weekly limit if it is foreign and of that week", () => {
  const full = ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity"];
  const script = Script.withShares(...full, "TOKM110925 Equity", "LONM150925 Equity", "NYKM120925 Equity");
  for (const name of [...full, "LONM150925 Equity", "NYKM120925 Equity"]) {
    script.purchase("NYKB1001", name, 2);
  }
  const swapForTokyo = (oldName) => script.swap("NYKB1001", oldName, "TOKM110925 Equity");
  assert.deepEqual(swapForTokyo("LONM150925 Equity"), refused("weekly-limit"), "of another week");
  assert.deepEqual(swapForTokyo("NYKM120925 Equity"), refused("weekly-limit"), "of the home market");
  assert.deepEqual(swapForTokyo("LONM080925 Equity"), swapped(2));
  // The week is as full as before.
  assert.deepEqual(script.purchase("NYKB1001", "LONM080925 Equity"), refused("weekly-limit"));
});

test("the same id under another type is another share", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM100925 Bonus");
  script.purchase("NYKB1001", "NYKM100925 Equity", 5);
  assert.deepEqual(script.swap("NYKB1001", "NYKM100925 Equity", "NYKM100925 Bonus"), swapped(5));
});

test("two swaps that cross both succeed", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKM110925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity", 5);
  script.purchase("NYKB1002", "NYKM110925 Equity", 5);
  assert.deepEqual(script.swap("NYKB1001", "NYKM100925 Equity", "NYKM110925 Equity"), swapped(5));
  assert.deepEqual(script.swap("NYKB1002", "NYKM110925 Equity", "NYKM100925 Equity"), swapped(5));
});
