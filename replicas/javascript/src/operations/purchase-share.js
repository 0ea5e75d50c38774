import { limitOn } from "../limits.js";
import { buyerKey } from "../names.js";
import { refused } from "../refused.js";

/** @import { Market } from "../market.js" */
/** @import { Outcome, PurchaseShare } from "../types.js" */

/**
 * Buys as many units as asked for, or as many as are available if those are fewer.
 *
 * @param {Market} market
 * @param {PurchaseShare} request
 * @returns {Outcome}
 */
export function purchaseShare(market, { buyer, share: name, count }) {
  const share = market.find(name);
  if (!share) {
    return refused("not-found");
  }
  const key = buyerKey(buyer);
  const limit = limitOn(market, key, share);
  if (limit) {
    return refused(limit);
  }
  if (share.available === 0) {
    return refused("sold-out");
  }
  const bought = Math.min(count, share.available);
  market.give(key, share, bought);
  return { tag: "purchased", val: { requested: count, bought, available: share.available } };
}
