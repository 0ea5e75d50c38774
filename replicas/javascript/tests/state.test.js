/** export-state and import-state, by way of what the host calls. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { market } from "../src/replica.js";
import { execute } from "../src/execute.js";
import { exportState, importState } from "../src/state.js";
import { buyer, caller, refused, Script, share } from "./script.js";

const listed = (name, capacity, available) => ({ share: share(name), capacity, available });
const held = (who, name, units) => ({ buyer: buyer(who), share: share(name), units });

/** A state of two shares and three holdings; each time a new one, since an import may take its state apart. */
const good = () => ({
  shares: [listed("NYKM100925 Equity", 10, 4), listed("LONE311299 Dividend", 1_000_000, 999_999)],
  holdings: [
    held("NYKB0000", "NYKM100925 Equity", 1),
    held("LONB9999", "NYKM100925 Equity", 5),
    held("NYKB0000", "LONE311299 Dividend", 1),
  ],
});

/** Lists may come in any order. */
const sorted = ({ shares, holdings }) => {
  const inOrder = (list) => [...list].sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
  return { shares: inOrder(shares), holdings: inOrder(holdings) };
};

const assertIsGood = () => assert.deepEqual(sorted(market.exportState()), sorted(good()));

beforeEach(() => market.importState(good()));

test("what is imported is exported", assertIsGood);

test("an import replaces the whole market", () => {
  market.importState({ shares: [], holdings: [] });
  assert.deepEqual(market.exportState(), { shares: [], holdings: [] });
});

test("a market goes on from an imported state as the one that exported it", () => {
  const names = ["NYKM080925 Equity", "LONM090925 Equity", "LONA090925 Equity", "TOKE100925 Bonus", "LONM110925 Bonus"];
  const buyers = ["NYKB1001", "LONB1001", "TOKB1001"];
  let seed = 1;
  const draw = (list) => {
    seed = (seed * 48271) % 2147483647;
    return list[seed % list.length];
  };
  const script = Script.withShares(...names);
  let imported = script;
  for (let step = 0; step < 2000; step++) {
    const [who, one, other] = [draw(buyers), draw(names), draw(names)];
    const count = draw([1, 2, 3, 9]);
    const ask = draw([
      (to) => to.purchase(who, one, count),
      (to) => to.sell(who, one.slice(0, 10), count),
      (to) => to.swap(who, one, other),
      (to) => (count === 9 ? to.remove(one) : to.add(one, count)),
      (to) => to.list("Equity"),
      (to) => to.holdings(who),
    ]);
    const sortedOutcome = (outcome) => {
      const list = outcome.tag === "holdings" ? outcome.val : outcome.val.shares;
      list?.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      return outcome;
    };
    assert.deepEqual(sortedOutcome(ask(imported)), sortedOutcome(ask(script)));
    if (step % 10 === 0) {
      imported = new Script(importState(exportState(imported.market)));
      assert.deepEqual(sorted(exportState(imported.market)), sorted(exportState(script.market)));
    }
  }
});

test("the limits hold for what was imported", () => {
  const names = [8, 9, 10, 11].map((day) => `LONM${String(day).padStart(2, "0")}0925 Equity`);
  names.push("TOKM100925 Equity");
  const script = new Script(
    importState({
      shares: names.map((name, index) => listed(name, 10, index < 3 ? 9 : 10)),
      holdings: names.slice(0, 3).map((name) => held("NYKB1001", name, 1)),
    }),
  );
  assert.deepEqual(script.purchase("NYKB1001", "LONM080925 Equity"), refused("already-owned"));
  assert.deepEqual(script.purchase("NYKB1001", "TOKM100925 Equity"), refused("daily-limit"));
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), refused("weekly-limit"));
});

const broken = {
  "a share twice": [(state) => state.shares.push(state.shares[0]), /NYKM100925 Equity is listed twice/],
  "a capacity of 0": [
    (state) => state.shares.push(listed("NYKM010125 Equity", 0, 0)),
    /NYKM010125 Equity has a capacity of 0/,
  ],
  "a capacity above 1,000,000": [
    (state) => state.shares.push(listed("NYKM010125 Equity", 1_000_001, 1_000_001)),
    /NYKM010125 Equity has a capacity of 1000001/,
  ],
  "more available than are left": [(state) => (state.shares[0].available = 5), /its holdings leave 4/],
  "less available than are left": [(state) => (state.shares[0].available = 3), /its holdings leave 4/],
  "more held than the capacity": [(state) => (state.holdings[1].units = 10), /more units of NYKM100925 Equity/],
  "a holding of 0 units": [(state) => (state.holdings[2].units = 0), /NYKB0000 holds LONE311299 Dividend, but not/],
  "units from 2^31 on, which arrive negative": [(state) => (state.holdings[2].units = -1), /not 1 to 1000000 units/],
  "a holding twice": [
    (state) => state.holdings.push(held("NYKB0000", "NYKM100925 Equity", 1)),
    /NYKB0000 holds NYKM100925 Equity twice/,
  ],
  "a holding of no listed share": [
    (state) => state.holdings.push(held("NYKB0000", "NYKM100925 Bonus", 1)),
    /NYKB0000 holds NYKM100925 Bonus, which is not listed/,
  ],
  "a missing holding": [(state) => state.holdings.pop(), /LONE311299 Dividend has 999999 units available/],
  "a missing share": [(state) => state.shares.pop(), /LONE311299 Dividend, which is not listed/],
};

for (const [what, [spoil, words]] of Object.entries(broken)) {
  test(`a state with ${what} is refused in words, and the market stays as it was`, () => {
    const state = good();
    spoil(state);
    // The contract's error: a string that is thrown.
    assert.throws(() => market.importState(state), (error) => typeof error === "string" && words.test(error));
    assertIsGood();
  });
}

test("a bug in an import is not taken for a refusal", () => {
  const isBug = (thrown) => {
    assert.throws(() => thrown.payload, TypeError);
    return true;
  };
  assert.throws(() => market.importState({ shares: [null], holdings: [] }), isBug);
  assertIsGood();
});

test("the host's execute works on the imported market", () => {
  const request = { caller: caller("LONB9999"), operation: { tag: "get-shares", val: buyer("LONB9999") } };
  const outcome = market.execute({ sequenceNumber: 7, timeMs: 0 }, request);
  assert.deepEqual(outcome, { tag: "holdings", val: [{ share: share("NYKM100925 Equity"), units: 5 }] });
  assert.deepEqual(execute(importState(good()), request), outcome);
});
