/** One share on the market. It knows its owners itself; the market finds shares, and a share finds owners. */

import { shareText, weekOf } from "./names.js";

/** @import { BuyerKey } from "./names.js" */
/** @import { ShareName } from "./types.js" */

export class Share {
  /** Units by owner. Never 0: who owns nothing is not in here. @type {Map<BuyerKey, number>} */
  #owners = new Map();

  /**
   * A new share, all of it available.
   *
   * @param {ShareName} name
   * @param {number} capacity
   */
  constructor(name, capacity) {
    this.name = name;
    this.capacity = capacity;
    this.available = capacity;
    this.week = weekOf(name.id.date);
  }

  /** How many buyers own units. */
  get ownerCount() {
    return this.#owners.size;
  }

  /** The buyers who own units. */
  owners() {
    return this.#owners.keys();
  }

  /**
   * @param {BuyerKey} buyer
   * @returns {number} 0 for a buyer who owns none
   */
  unitsOf(buyer) {
    return this.#owners.get(buyer) ?? 0;
  }

  /**
   * Moves available units to a buyer who owns none. No rule lets an owner acquire more.
   *
   * @param {BuyerKey} buyer
   * @param {number} units
   */
  give(buyer, units) {
    if (units < 1 || units > this.available) {
      throw new Error(`bug: ${units} units given of ${shareText(this.name)}, which has ${this.available} available`);
    }
    if (this.#owners.has(buyer)) {
      throw new Error(`bug: ${units} units given of ${shareText(this.name)}, of which ${buyer} owns some already`);
    }
    this.available -= units;
    this.#owners.set(buyer, units);
  }

  /**
   * Moves units of a buyer back to those available.
   *
   * @param {BuyerKey} buyer
   * @param {number} units
   * @returns {boolean} whether the buyer owns none any more
   */
  takeBack(buyer, units) {
    const owned = this.unitsOf(buyer);
    if (units < 1 || units > owned) {
      throw new Error(`bug: ${units} units taken back of ${shareText(this.name)}, of which ${owned} are owned`);
    }
    this.available += units;
    if (units < owned) {
      this.#owners.set(buyer, owned - units);
      return false;
    }
    this.#owners.delete(buyer);
    return true;
  }
}
