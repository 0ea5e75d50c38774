/**
 * The state: every share with its owners, and two indices over them, so that no operation has to search the market.
 *
 * Units move here and nowhere else, and both indices move with them. The rules, which decide whether units may move,
 * are in `operations/` and `limits.js`.
 */

import { buyerWeekKey, isForeign, MARKETS, shareIdKey, shareText, SLOTS } from "./names.js";
import { Share } from "./share.js";

/** @import { BuyerKey } from "./names.js" */
/** @import { ShareName, ShareType } from "./types.js" */

export class Market {
  /** The shares themselves, by the key of their id. @type {Record<ShareType, Map<string, Share>>} */
  #shares = { equity: new Map(), bonus: new Map(), dividend: new Map() };

  /**
   * Index: by buyer, the shares that the buyer holds; no entry where there are none. How many units they are is in the
   * shares.
   *
   * @type {Map<BuyerKey, Set<Share>>}
   */
  #portfolios = new Map();

  /**
   * Index for the weekly limit: by buyer and week, how many distinct shares of that week the buyer holds outside the
   * home market; no entry where there are none.
   *
   * @type {Map<string, number>}
   */
  #foreignPurchases = new Map();

  /**
   * @param {ShareName} name
   * @returns {Share | undefined}
   */
  find(name) {
    return this.#shares[name.shareType].get(shareIdKey(name.id));
  }

  /**
   * Every share of one type.
   *
   * @param {ShareType} shareType
   */
  sharesOf(shareType) {
    return this.#shares[shareType].values();
  }

  /**
   * The shares of the same type and date, in all markets and slots, with the given share among them. There are at most
   * nine, so looking for each is quicker than looking through what a buyer holds.
   *
   * @param {Share} share
   * @returns {Share[]}
   */
  sharesOfSameDay({ name: { shareType, id } }) {
    const found = [];
    for (const market of MARKETS) {
      for (const slot of SLOTS) {
        const share = this.find({ shareType, id: { market, slot, date: id.date } });
        if (share) {
          found.push(share);
        }
      }
    }
    return found;
  }

  /** Every buyer who holds anything, with the shares that are held. */
  portfolios() {
    return this.#portfolios.entries();
  }

  /**
   * The shares of which a buyer holds units.
   *
   * @param {BuyerKey} buyer
   * @returns {Share[]}
   */
  sharesHeldBy(buyer) {
    return [...(this.#portfolios.get(buyer) ?? [])];
  }

  /**
   * How many distinct shares of one week a buyer holds outside the home market.
   *
   * @param {BuyerKey} buyer
   * @param {number} week
   */
  foreignSharesHeld(buyer, week) {
    return this.#foreignPurchases.get(buyerWeekKey(buyer, week)) ?? 0;
  }

  /**
   * Puts a share on the market that is not there yet.
   *
   * @param {ShareName} name
   * @param {number} capacity
   */
  add(name, capacity) {
    this.#shares[name.shareType].set(shareIdKey(name.id), new Share(name, capacity));
  }

  /**
   * Takes a share off the market. Its owners lose it.
   *
   * @param {Share} share
   */
  remove(share) {
    for (const owner of share.owners()) {
      this.#removeFromIndices(owner, share);
    }
    this.#shares[share.name.shareType].delete(shareIdKey(share.name.id));
  }

  /**
   * Moves available units to a buyer who owns none.
   *
   * @param {BuyerKey} buyer
   * @param {Share} share
   * @param {number} units
   */
  give(buyer, share, units) {
    share.give(buyer, units);
    const portfolio = this.#portfolios.get(buyer);
    if (portfolio) {
      portfolio.add(share);
    } else {
      this.#portfolios.set(buyer, new Set([share]));
    }
    this.#countForeign(buyer, share, +1);
  }

  /**
   * Moves units of a buyer back to those available.
   *
   * @param {BuyerKey} buyer
   * @param {Share} share
   * @param {number} units
   */
  takeBack(buyer, share, units) {
    const isFormerOwner = share.takeBack(buyer, units);
    if (isFormerOwner) {
      this.#removeFromIndices(buyer, share);
    }
  }

  /**
   * @param {BuyerKey} buyer
   * @param {Share} share
   */
  #removeFromIndices(buyer, share) {
    const portfolio = this.#portfolios.get(buyer);
    if (!portfolio?.delete(share)) {
      throw new Error(`bug: ${buyer} held ${shareText(share.name)}, which was not in the index`);
    }
    if (portfolio.size === 0) {
      this.#portfolios.delete(buyer);
    }
    this.#countForeign(buyer, share, -1);
  }

  /**
   * @param {BuyerKey} buyer
   * @param {Share} share
   * @param {number} difference
   */
  #countForeign(buyer, share, difference) {
    if (!isForeign(buyer, share.name)) {
      return;
    }
    const key = buyerWeekKey(buyer, share.week);
    const count = (this.#foreignPurchases.get(key) ?? 0) + difference;
    if (count === 0) {
      this.#foreignPurchases.delete(key);
    } else {
      this.#foreignPurchases.set(key, count);
    }
  }
}
