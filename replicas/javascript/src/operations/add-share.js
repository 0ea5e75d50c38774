import { refused } from "../refused.js";

/** @import { Market } from "../market.js" */
/** @import { AddShare, Outcome } from "../types.js" */

/**
 * Puts a new share on the market, all of it available.
 *
 * @param {Market} market
 * @param {AddShare} request
 * @returns {Outcome}
 */
export function addShare(market, { share, capacity }) {
  if (market.find(share)) {
    return refused("already-exists");
  }
  market.add(share, capacity);
  return { tag: "added", val: { capacity } };
}
