/** Who may ask for what. These checks come before those of any operation. */

/** @import { BuyerId, Caller, MarketCode, PlainRefusal, Request } from "./types.js" */

/**
 * Why the caller may not ask for this, if that is so.
 *
 * @param {Request} request
 * @returns {PlainRefusal | undefined}
 */
export function permissionRefusal({ caller, operation }) {
  switch (operation.tag) {
    case "add-share":
      return unlessAdminOf(operation.val.share.id.market, caller);
    case "remove-share":
      return unlessAdminOf(operation.val.id.market, caller);
    case "list-share-availability":
      return caller.tag === "admin" ? undefined : "forbidden";
    case "get-shares":
      return unlessActingFor(operation.val, caller);
    case "purchase-share":
    case "sell-share":
    case "swap-shares":
      return unlessActingFor(operation.val.buyer, caller);
  }
}

/**
 * @param {MarketCode} market
 * @param {Caller} caller
 * @returns {PlainRefusal | undefined}
 */
function unlessAdminOf(market, caller) {
  if (caller.tag !== "admin") {
    return "forbidden";
  }
  return caller.val.market === market ? undefined : "wrong-market";
}

/**
 * A buyer is acted for by that buyer, and by any admin of the home market.
 *
 * @param {BuyerId} buyer
 * @param {Caller} caller
 * @returns {PlainRefusal | undefined}
 */
function unlessActingFor(buyer, caller) {
  const isOfHomeMarket = caller.val.market === buyer.market;
  const mayAct = isOfHomeMarket && (caller.tag === "admin" || caller.val.number === buyer.number);
  return mayAct ? undefined : "forbidden";
}
