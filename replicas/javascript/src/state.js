/** The whole market as one value, to hand to another replica, and back. */

import { Market } from "./market.js";
import { buyerKey, buyerOfKey, buyerText, SHARE_TYPES, shareText } from "./names.js";

/** @import { HoldingState, MarketState, ShareState } from "./types.js" */

/** Most units of one share. */
const CAPACITY_MAX = 1_000_000;

/** A state that no market can be in. The message says in words what is wrong with it. */
export class BrokenState extends Error {}

/**
 * @param {Market} market
 * @returns {MarketState}
 */
export function exportState(market) {
  /** @type {MarketState} */
  const state = { shares: [], holdings: [] };
  for (const shareType of SHARE_TYPES) {
    for (const { name, capacity, available } of market.sharesOf(shareType)) {
      state.shares.push({ share: name, capacity, available });
    }
  }
  for (const [key, shares] of market.portfolios()) {
    const buyer = buyerOfKey(key);
    for (const share of shares) {
      state.holdings.push({ buyer, share: share.name, units: share.unitsOf(key) });
    }
  }
  return state;
}

/**
 * A new market in the given state. A state that breaks an invariant is refused, and the caller still has the market
 * from before.
 *
 * @param {MarketState} state
 * @returns {Market}
 * @throws {BrokenState}
 */
export function importState({ shares, holdings }) {
  const market = new Market();
  for (const share of shares) {
    addShare(market, share);
  }
  // Taken off the list one by one, so that each is freed before the next: a large state is not in memory twice.
  for (let holding = holdings.pop(); holding; holding = holdings.pop()) {
    addHolding(market, holding);
  }
  // All the units are handed out now, so what is left of each share has to be what the state says.
  for (const { share: name, available } of shares) {
    const left = market.find(name)?.available;
    if (left !== available) {
      throw new BrokenState(`${shareText(name)} has ${available} units available, but its holdings leave ${left}`);
    }
  }
  return market;
}

/**
 * @param {Market} market
 * @param {ShareState} state
 */
function addShare(market, { share: name, capacity }) {
  if (market.find(name)) {
    throw new BrokenState(`${shareText(name)} is listed twice`);
  }
  if (capacity < 1 || capacity > CAPACITY_MAX) {
    throw new BrokenState(`${shareText(name)} has a capacity of ${capacity}, which is not within 1 to ${CAPACITY_MAX}`);
  }
  market.add(name, capacity);
}

/**
 * @param {Market} market
 * @param {HoldingState} state
 */
function addHolding(market, { buyer, share: name, units }) {
  const share = market.find(name);
  if (!share) {
    throw new BrokenState(`${buyerText(buyer)} holds ${shareText(name)}, which is not listed`);
  }
  if (units < 1) {
    throw new BrokenState(`${buyerText(buyer)} holds ${shareText(name)}, but not 1 to ${CAPACITY_MAX} units of it`);
  }
  const key = buyerKey(buyer);
  if (share.unitsOf(key) > 0) {
    throw new BrokenState(`${buyerText(buyer)} holds ${shareText(name)} twice`);
  }
  if (units > share.available) {
    throw new BrokenState(`more units of ${shareText(name)} are held than its capacity of ${share.capacity}`);
  }
  market.give(key, share, units);
}
