/** From a request to the file that carries it out: one for each operation, in `operations/`. */

import { addShare } from "./operations/add-share.js";
import { getShares } from "./operations/get-shares.js";
import { listShareAvailability } from "./operations/list-share-availability.js";
import { purchaseShare } from "./operations/purchase-share.js";
import { removeShare } from "./operations/remove-share.js";
import { sellShare } from "./operations/sell-share.js";
import { swapShares } from "./operations/swap-shares.js";
import { permissionRefusal } from "./permission.js";
import { refused } from "./refused.js";

/** @import { Market } from "./market.js" */
/** @import { Outcome, Request } from "./types.js" */

/**
 * @param {Market} market
 * @param {Request} request
 * @returns {Outcome}
 */
export function execute(market, request) {
  const refusal = permissionRefusal(request);
  if (refusal) {
    return refused(refusal);
  }
  const { operation } = request;
  switch (operation.tag) {
    case "add-share":
      return addShare(market, operation.val);
    case "remove-share":
      return removeShare(market, operation.val);
    case "list-share-availability":
      return listShareAvailability(market, operation.val);
    case "purchase-share":
      return purchaseShare(market, operation.val);
    case "get-shares":
      return getShares(market, operation.val);
    case "sell-share":
      return sellShare(market, operation.val);
    case "swap-shares":
      return swapShares(market, operation.val);
  }
}
