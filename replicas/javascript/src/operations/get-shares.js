import { buyerKey } from "../names.js";

/** @import { Market } from "../market.js" */
/** @import { BuyerId, Outcome } from "../types.js" */

/**
 * Lists every holding of a buyer, in all markets.
 *
 * @param {Market} market
 * @param {BuyerId} buyer
 * @returns {Outcome}
 */
export function getShares(market, buyer) {
  const key = buyerKey(buyer);
  const holdings = market.sharesHeldBy(key).map((share) => ({ share: share.name, units: share.unitsOf(key) }));
  return { tag: "holdings", val: holdings };
}
