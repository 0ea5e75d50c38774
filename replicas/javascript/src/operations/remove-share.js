import { refused } from "../refused.js";

/** @import { Market } from "../market.js" */
/** @import { Outcome, ShareName } from "../types.js" */

/**
 * Takes a share off the market, together with every holding of it.
 *
 * @param {Market} market
 * @param {ShareName} name
 * @returns {Outcome}
 */
export function removeShare(market, name) {
  const share = market.find(name);
  if (!share) {
    return refused("not-found");
  }
  // What the outcome tells is how the share stood before it went.
  const { available, ownerCount: holders } = share;
  const units = share.capacity - available;
  market.remove(share);
  return { tag: "removed", val: { available, holders, units } };
}
