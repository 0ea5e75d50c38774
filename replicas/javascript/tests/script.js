/** What the tests have in common: identifiers written as people write them, and a market that is asked in one line. */

import assert from "node:assert/strict";

import { execute } from "../src/execute.js";
import { Market } from "../src/market.js";

const SLOT_OF_LETTER = { M: "morning", A: "afternoon", E: "evening" };

/** `NYKM100925` */
export function shareId(text) {
  const [, market, slot, day, month, year] = /^(NYK|LON|TOK)([MAE])(\d\d)(\d\d)(\d\d)$/.exec(text);
  const date = { year: 2000 + Number(year), month: Number(month), day: Number(day) };
  return { market: market.toLowerCase(), slot: SLOT_OF_LETTER[slot], date };
}

/** `NYKM100925 Equity` */
export function share(text) {
  const [id, shareType] = text.split(" ");
  return { shareType: shareType.toLowerCase(), id: shareId(id) };
}

/** `NYKB1234` */
export function buyer(text) {
  return caller(text).val;
}

/** `NYKA1001` or `NYKB1234` */
export function caller(text) {
  const [, market, role, number] = /^(NYK|LON|TOK)([AB])(\d{4})$/.exec(text);
  return { tag: role === "A" ? "admin" : "buyer", val: { market: market.toLowerCase(), number: Number(number) } };
}

/**
 * A market, and a method for each operation. Who asks is the buyer, or an admin of the market of the share, unless `as`
 * names somebody else.
 */
export class Script {
  constructor(market = new Market()) {
    this.market = market;
  }

  ask(as, tag, val) {
    return execute(this.market, { caller: caller(as), operation: { tag, val } });
  }

  add(name, capacity, as = `${name.slice(0, 3)}A1001`) {
    return this.ask(as, "add-share", { share: share(name), capacity });
  }

  remove(name, as = `${name.slice(0, 3)}A1001`) {
    return this.ask(as, "remove-share", share(name));
  }

  list(shareType, as = "NYKA1001") {
    return this.ask(as, "list-share-availability", shareType.toLowerCase());
  }

  purchase(who, name, count = 1, as = who) {
    return this.ask(as, "purchase-share", { buyer: buyer(who), share: share(name), count });
  }

  holdings(who, as = who) {
    return this.ask(as, "get-shares", buyer(who));
  }

  sell(who, id, count = 1, as = who) {
    return this.ask(as, "sell-share", { buyer: buyer(who), id: shareId(id), count });
  }

  swap(who, oldName, newName, as = who) {
    return this.ask(as, "swap-shares", { buyer: buyer(who), old: share(oldName), new: share(newName) });
  }

  /** A market with these shares, 10 units each. */
  static withShares(...names) {
    const script = new Script();
    for (const name of names) {
      assert.deepEqual(script.add(name, 10), { tag: "added", val: { capacity: 10 } });
    }
    return script;
  }
}

export function refused(tag, val) {
  return { tag: "refused", val: val === undefined ? { tag } : { tag, val } };
}

export function purchased(requested, bought, available) {
  return { tag: "purchased", val: { requested, bought, available } };
}

export function sold(shareType, count, remaining, available) {
  return { tag: "sold", val: { shareType: shareType.toLowerCase(), sold: count, remaining, available } };
}

export function swapped(units) {
  return { tag: "swapped", val: { units } };
}

/** The outcome of `get-shares`: `{ "NYKM100925 Equity": 4 }`. */
export function holdings(units) {
  return { tag: "holdings", val: Object.entries(units).map(([name, count]) => ({ share: share(name), units: count })) };
}

/** The outcome of `list-share-availability`: `{ NYKM100925: 4 }`. */
export function availability(shareType, units) {
  const shares = Object.entries(units).map(([id, available]) => ({ id: shareId(id), available }));
  return { tag: "availability", val: { shareType: shareType.toLowerCase(), shares } };
}
