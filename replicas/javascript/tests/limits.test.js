/** The daily and the weekly limit. 08-09-2025 is a Monday, 14-09-2025 the Sunday of the same week. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { weekOf } from "../src/names.js";
import { purchased, refused, Script, shareId } from "./script.js";

const bought = purchased(1, 1, 9);

test("one share of a type a day, whatever the market and the slot", () => {
  const ids = ["NYK", "LON", "TOK"].flatMap((market) => ["M", "A", "E"].map((slot) => `${market}${slot}100925`));
  const script = Script.withShares(...ids.map((id) => `${id} Equity`));
  for (const id of ids) {
    assert.deepEqual(script.purchase("NYKB1001", `${id} Equity`), bought);
    for (const other of ids.filter((other) => other !== id)) {
      assert.deepEqual(script.purchase("NYKB1001", `${other} Equity`), refused("daily-limit"), `${id}, then ${other}`);
    }
    script.sell("NYKB1001", id);
  }
});

test("the daily limit is each buyer's own", () => {
  const script = Script.withShares("NYKM100925 Equity", "NYKA100925 Equity");
  script.purchase("NYKB1001", "NYKM100925 Equity");
  assert.deepEqual(script.purchase("NYKB1002", "NYKA100925 Equity"), bought);
});

test("the daily limit does not count other types and other days", () => {
  const names = [
    "NYKM100925 Equity",
    "NYKM100925 Bonus",
    "NYKA100925 Dividend",
    "NYKM110925 Equity",
    "NYKM101025 Equity",
    "NYKM100926 Equity",
  ];
  const script = Script.withShares(...names);
  for (const name of names) {
    assert.deepEqual(script.purchase("NYKB1001", name), bought, name);
  }
});

test("three foreign shares a week, of both markets and all types together, whatever their units", () => {
  const script = Script.withShares(
    "LONM080925 Equity",
    "TOKM090925 Equity",
    "LONM080925 Bonus",
    "TOKM140925 Equity",
    "TOKM150925 Equity",
    "TOKM070925 Equity",
    "NYKM110925 Equity",
  );
  assert.deepEqual(script.purchase("NYKB1001", "LONM080925 Equity", 10), purchased(10, 10, 0));
  assert.deepEqual(script.purchase("NYKB1001", "TOKM090925 Equity"), bought);
  assert.deepEqual(script.purchase("NYKB1001", "LONM080925 Bonus"), bought);
  assert.deepEqual(script.purchase("NYKB1001", "TOKM140925 Equity"), refused("weekly-limit"));
  // The Monday after, the Sunday before, and the home market.
  assert.deepEqual(script.purchase("NYKB1001", "TOKM150925 Equity"), bought);
  assert.deepEqual(script.purchase("NYKB1001", "TOKM070925 Equity"), bought);
  assert.deepEqual(script.purchase("NYKB1001", "NYKM110925 Equity"), bought);
});

test("what is foreign depends on the buyer's home market", () => {
  const names = ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity", "LONM110925 Equity"];
  const script = Script.withShares(...names);
  const outcomes = (who) => names.map((name) => script.purchase(who, name).tag);
  assert.deepEqual(outcomes("LONB1001"), ["purchased", "purchased", "purchased", "purchased"]);
  assert.deepEqual(outcomes("TOKB1001"), ["purchased", "purchased", "purchased", "refused"]);
});

test("selling all of a foreign share frees the weekly limit, selling some of it does not", () => {
  const names = ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity"];
  const script = Script.withShares(...names, "LONM110925 Equity");
  for (const name of names) {
    script.purchase("NYKB1001", name, 2);
  }
  script.sell("NYKB1001", "LONM080925", 1);
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), refused("weekly-limit"));
  script.sell("NYKB1001", "LONM080925", 1);
  assert.deepEqual(script.purchase("NYKB1001", "LONM110925 Equity"), bought);
});

test("weeks run from Monday to Sunday, over the ends of months and years", () => {
  const sameWeek = [
    ["080925", "140925"],
    ["290925", "051025"],
    ["311226", "010127"], // 2026-W53
    ["281226", "030127"], // the Monday and the Sunday of 2026-W53
    ["301224", "050125"], // 2025-W01 begins in 2024
    ["260228", "270228"],
    ["280228", "290228"], // a leap day
    ["010100", "020100"], // the first days there are: a Saturday and a Sunday, of 1999-W52
    ["281299", "311299"], // the last days there are
  ];
  const otherWeek = [
    ["070925", "080925"],
    ["140925", "150925"],
    ["030127", "040127"],
    ["291224", "301224"],
    ["020100", "030100"],
    ["100925", "100926"],
    ["010125", "010126"],
    ["271299", "281299"],
  ];
  const week = (digits) => weekOf(shareId(`NYKM${digits}`).date);
  for (const [one, other] of sameWeek) {
    assert.equal(week(one), week(other), `${one} and ${other}`);
  }
  for (const [one, other] of otherWeek) {
    assert.notEqual(week(one), week(other), `${one} and ${other}`);
  }
});

test("the weekly limit counts across New Year", () => {
  const names = ["LONM281226 Equity", "LONM311226 Equity", "LONM010127 Equity"];
  const script = Script.withShares(...names, "LONM030127 Equity", "LONM040127 Equity");
  for (const name of names) {
    assert.deepEqual(script.purchase("NYKB1001", name), bought);
  }
  assert.deepEqual(script.purchase("NYKB1001", "LONM030127 Equity"), refused("weekly-limit"));
  assert.deepEqual(script.purchase("NYKB1001", "LONM040127 Equity"), bought);
});
