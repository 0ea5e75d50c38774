/** @import { Market } from "../market.js" */
/** @import { AvailableShare, Outcome, ShareType } from "../types.js" */

/**
 * Lists every share of one type in all three markets, sold-out ones included.
 *
 * @param {Market} market
 * @param {ShareType} shareType
 * @returns {Outcome}
 */
export function listShareAvailability(market, shareType) {
  /** @type {AvailableShare[]} */
  const shares = [];
  for (const { name, available } of market.sharesOf(shareType)) {
    shares.push({ id: name.id, available });
  }
  return { tag: "availability", val: { shareType, shares } };
}
