/** What a buyer may come to hold: the rules that a purchase and a swap share. */

import { isForeign } from "./names.js";

/** @import { Market } from "./market.js" */
/** @import { BuyerKey } from "./names.js" */
/** @import { Share } from "./share.js" */
/** @import { PlainRefusal } from "./types.js" */

/** Distinct shares outside the home market that a buyer may hold of one week. */
const FOREIGN_SHARES_A_WEEK_MAX = 3;

/**
 * The first rule that keeps a buyer from acquiring a share, if there is one.
 *
 * @param {Market} market
 * @param {BuyerKey} buyer
 * @param {Share} wanted
 * @param {Share} [given] a share that the buyer holds, and gives for the wanted one: judge as if it were gone
 * @returns {PlainRefusal | undefined}
 */
export function limitOn(market, buyer, wanted, given) {
  if (wanted.unitsOf(buyer) > 0) {
    return "already-owned";
  }
  // The wanted share itself is among them, but the buyer holds none of it.
  if (market.sharesOfSameDay(wanted).some((share) => share !== given && share.unitsOf(buyer) > 0)) {
    return "daily-limit";
  }
  if (isForeign(buyer, wanted.name)) {
    const isGivenCounted = given !== undefined && isForeign(buyer, given.name) && given.week === wanted.week;
    const held = market.foreignSharesHeld(buyer, wanted.week) - (isGivenCounted ? 1 : 0);
    if (held >= FOREIGN_SHARES_A_WEEK_MAX) {
      return "weekly-limit";
    }
  }
  return undefined;
}
