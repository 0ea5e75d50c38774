/** Who may ask, and that this is checked before everything else. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { availability, holdings, purchased, refused, Script, sold, swapped } from "./script.js";

test("a buyer may not do what an admin does", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.add("NYKM110925 Equity", 1, "NYKB1001"), refused("forbidden"));
  assert.deepEqual(script.remove("NYKM100925 Equity", "NYKB1001"), refused("forbidden"));
  assert.deepEqual(script.list("Equity", "NYKB1001"), refused("forbidden"));
});

test("an admin adds and removes shares of the own market only, and lists all", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.add("NYKM110925 Equity", 1, "LONA1001"), refused("wrong-market"));
  assert.deepEqual(script.remove("NYKM100925 Equity", "LONA1001"), refused("wrong-market"));
  assert.deepEqual(script.list("Equity", "LONA1001"), availability("Equity", { NYKM100925: 10 }));
});

test("forbidden comes before wrong-market, and wrong-market before the checks of the operation", () => {
  const script = Script.withShares("NYKM100925 Equity");
  assert.deepEqual(script.add("NYKM100925 Equity", 1, "LONB1001"), refused("forbidden"));
  assert.deepEqual(script.add("NYKM100925 Equity", 1, "LONA1001"), refused("wrong-market"));
  assert.deepEqual(script.remove("NYKM110925 Equity", "LONA1001"), refused("wrong-market"));
});

for (const stranger of ["NYKB1002", "LONB1001", "LONA1001"]) {
  test(`${stranger} may not act for NYKB1001`, () => {
    const script = Script.withShares("NYKM100925 Equity");
    assert.deepEqual(script.purchase("NYKB1001", "NYKM110925 Equity", 1, stranger), refused("forbidden"));
    assert.deepEqual(script.holdings("NYKB1001", stranger), refused("forbidden"));
    assert.deepEqual(script.sell("NYKB1001", "NYKM100925", 1, stranger), refused("forbidden"));
    const same = "NYKM100925 Equity";
    assert.deepEqual(script.swap("NYKB1001", same, same, stranger), refused("forbidden"));
  });
}

test("an admin of the home market may act for a buyer, with shares of any market", () => {
  const script = Script.withShares("LONM100925 Equity", "TOKM110925 Equity");
  const admin = "NYKA9999";
  assert.deepEqual(script.purchase("NYKB1001", "LONM100925 Equity", 2, admin), purchased(2, 2, 8));
  assert.deepEqual(script.holdings("NYKB1001", admin), holdings({ "LONM100925 Equity": 2 }));
  assert.deepEqual(script.swap("NYKB1001", "LONM100925 Equity", "TOKM110925 Equity", admin), swapped(2));
  assert.deepEqual(script.sell("NYKB1001", "TOKM110925", 2, admin), sold("Equity", 2, 0, 10));
});
