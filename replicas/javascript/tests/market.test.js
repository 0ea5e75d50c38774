/** The state itself: its keys, its indices, and that it notices a bug in the rules above it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Market } from "../src/market.js";
import { buyerKey, buyerOfKey, shareIdKey, shareText, buyerText } from "../src/names.js";
import { buyer, Script, share, shareId } from "./script.js";

/** A market with one share of 10 units, of which `nyk 1001` owns 4. */
function marketWithOwner() {
  const market = new Market();
  market.add(share("NYKM100925 Equity"), 10);
  const listed = market.find(share("NYKM100925 Equity"));
  market.give("nyk 1001", listed, 4);
  return { market, listed };
}

test("every share id has a key of its own", () => {
  const keys = new Set();
  let count = 0;
  for (const market of ["NYK", "LON", "TOK"]) {
    for (const slot of ["M", "A", "E"]) {
      for (let month = 1; month <= 12; month++) {
        for (let day = 1; day <= 31; day++) {
          for (const year of ["00", "01", "10", "99"]) {
            const digits = [day, month].map((part) => String(part).padStart(2, "0")).join("") + year;
            keys.add(shareIdKey(shareId(market + slot + digits)));
            count++;
          }
        }
      }
    }
  }
  assert.equal(keys.size, count);
});

test("a buyer is found again from the key", () => {
  for (const text of ["NYKB0000", "LONB0042", "TOKB9999"]) {
    assert.deepEqual(buyerOfKey(buyerKey(buyer(text))), buyer(text));
  }
});

test("identifiers are printed as people write them", () => {
  assert.equal(shareText(share("LONE010203 Dividend")), "LONE010203 Dividend");
  assert.equal(buyerText(buyer("TOKB0042")), "TOKB0042");
});

test("a buyer who sold everything leaves nothing behind", () => {
  const script = Script.withShares("LONM100925 Equity");
  script.purchase("NYKB1001", "LONM100925 Equity", 2);
  script.sell("NYKB1001", "LONM100925", 2);
  assert.deepEqual([...script.market.portfolios()], []);
});

test("units that are not there cannot be given", () => {
  const { market, listed } = marketWithOwner();
  assert.throws(() => market.give("nyk 1002", listed, 7), /bug: 7 units given of NYKM100925 Equity, which has 6/);
  assert.throws(() => market.give("nyk 1002", listed, 0), /bug: 0 units given/);
  assert.throws(() => market.give("nyk 1001", listed, 1), /bug: 1 units given .* nyk 1001 owns some already/);
});

test("units that are not owned cannot be taken back", () => {
  const { market, listed } = marketWithOwner();
  assert.throws(() => market.takeBack("nyk 1001", listed, 5), /bug: 5 units taken back .*, of which 4 are owned/);
  assert.throws(() => market.takeBack("nyk 1002", listed, 1), /bug: 1 units taken back .*, of which 0 are owned/);
});
