import { limitOn } from "../limits.js";
import { buyerKey, isSameShare } from "../names.js";
import { refused } from "../refused.js";

/** @import { Market } from "../market.js" */
/** @import { Outcome, SwapShares } from "../types.js" */

/**
 * Exchanges all units of an old share for as many of a new one, in one step or not at all.
 *
 * @param {Market} market
 * @param {SwapShares} request
 * @returns {Outcome}
 */
export function swapShares(market, { buyer, old: oldName, new: newName }) {
  if (isSameShare(oldName, newName)) {
    return refused("same-share");
  }
  const key = buyerKey(buyer);
  const oldShare = market.find(oldName);
  const units = oldShare?.unitsOf(key) ?? 0;
  if (!oldShare || units === 0) {
    return refused("not-owned");
  }
  const newShare = market.find(newName);
  if (!newShare) {
    return refused("new-not-found");
  }
  const limit = limitOn(market, key, newShare, oldShare);
  if (limit) {
    return refused(limit);
  }
  const { available } = newShare;
  if (available < units) {
    return { tag: "refused", val: { tag: "insufficient-new", val: { available, needed: units } } };
  }
  market.takeBack(key, oldShare, units);
  market.give(key, newShare, units);
  return { tag: "swapped", val: { units } };
}
