import { buyerKey, SHARE_TYPES } from "../names.js";
import { refused } from "../refused.js";

/** @import { Market } from "../market.js" */
/** @import { Outcome, SellShare } from "../types.js" */

/**
 * Sells units held under a share id, from the first type of which the buyer holds enough.
 *
 * @param {Market} market
 * @param {SellShare} request
 * @returns {Outcome}
 */
export function sellShare(market, { buyer, id, count }) {
  const key = buyerKey(buyer);
  let largest = 0;
  for (const shareType of SHARE_TYPES) {
    const share = market.find({ shareType, id });
    const owned = share?.unitsOf(key) ?? 0;
    if (share && owned >= count) {
      market.takeBack(key, share, count);
      return { tag: "sold", val: { shareType, sold: count, remaining: owned - count, available: share.available } };
    }
    largest = Math.max(largest, owned);
  }
  if (largest === 0) {
    return refused("not-owned");
  }
  return { tag: "refused", val: { tag: "insufficient-owned", val: { owned: largest } } };
}
