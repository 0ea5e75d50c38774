/**
 * What identifies a share, a buyer and a week: as a key of a Map, and as text for people.
 *
 * Objects make poor keys, since two records that say the same are two keys. So each identifier becomes a short string.
 * An integer would look cheaper, but QuickJS hashes integers below 2^20 so that most of them collide: with ten thousand
 * of them in one Map, each look-up costs some twenty times as much as with strings.
 */

/** @import { BuyerId, CalendarDate, MarketCode, ShareId, ShareName, ShareType, Slot } from "./types.js" */

/**
 * A buyer as the key of a Map, such as `nyk 1234`; in the market itself, buyers are known by it.
 *
 * @typedef {string} BuyerKey
 */

/** @type {readonly MarketCode[]} */
export const MARKETS = ["nyk", "lon", "tok"];

/** @type {readonly Slot[]} */
export const SLOTS = ["morning", "afternoon", "evening"];

/** In the order in which `sell-share` looks through them. @type {readonly ShareType[]} */
export const SHARE_TYPES = ["equity", "bonus", "dividend"];

const DAY_MS = 24 * 60 * 60 * 1000;

/** The first Monday of the calendar that weeks are counted from: 27-12-1999, in the week before the first share. */
const FIRST_MONDAY = Date.UTC(1999, 11, 27);

/**
 * @param {ShareId} id
 * @returns {string} such as `nyk morning 20250910`; the type of the share is not in it
 */
export function shareIdKey({ market, slot, date: { year, month, day } }) {
  return `${market} ${slot} ${year * 10000 + month * 100 + day}`;
}

/**
 * @param {ShareName} one
 * @param {ShareName} other
 */
export function isSameShare(one, other) {
  return one.shareType === other.shareType && shareIdKey(one.id) === shareIdKey(other.id);
}

/**
 * @param {BuyerId} buyer
 * @returns {BuyerKey}
 */
export function buyerKey({ market, number }) {
  return `${market} ${number}`;
}

/**
 * The buyer whose key this is.
 *
 * Only keys are kept, and no record that came with a request: such records, each a few words long, would stay behind
 * scattered over the memory that the request took, and keep the rest of it from being used again.
 *
 * @param {BuyerKey} key
 * @returns {BuyerId}
 */
export function buyerOfKey(key) {
  const [market, number] = key.split(" ");
  return { market: /** @type {MarketCode} */ (market), number: Number(number) };
}

/**
 * The week of a date, as a number that is the same from Monday to Sunday and one more in the week after.
 *
 * The rules only ask whether two dates lie in the same ISO week. Those weeks run from Monday to Sunday whatever year it
 * is, so counting Mondays answers that, and New Year needs no special case. `Date.UTC` reads no clock.
 *
 * @param {CalendarDate} date
 */
export function weekOf({ year, month, day }) {
  return Math.floor((Date.UTC(year, month - 1, day) - FIRST_MONDAY) / (7 * DAY_MS));
}

/**
 * @param {BuyerKey} buyer
 * @param {number} week of `weekOf`
 * @returns {string} such as `nyk 1234 1341`
 */
export function buyerWeekKey(buyer, week) {
  return `${buyer} ${week}`;
}

/**
 * Whether a share is of another market than the buyer's home market.
 *
 * @param {BuyerKey} buyer
 * @param {ShareName} share
 */
export function isForeign(buyer, share) {
  return !buyer.startsWith(share.id.market);
}

/**
 * A share as people write it, such as `NYKM100925 Equity`.
 *
 * @param {ShareName} share
 */
export function shareText({ shareType, id: { market, slot, date } }) {
  const digits = [date.day, date.month, date.year - 2000].map((part) => String(part).padStart(2, "0")).join("");
  const type = shareType[0].toUpperCase() + shareType.slice(1);
  return `${market.toUpperCase()}${slot[0].toUpperCase()}${digits} ${type}`;
}

/**
 * A buyer as people write it, such as `TOKB5678`.
 *
 * @param {BuyerId} buyer
 */
export function buyerText({ market, number }) {
  return `${market.toUpperCase()}B${String(number).padStart(4, "0")}`;
}
