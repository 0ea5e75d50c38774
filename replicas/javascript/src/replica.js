/**
 * The entry: what the host calls. It exports the interface `market` of `wit/replica.wit`, and holds the one market of
 * this instance. The host makes one call at a time.
 *
 * An error that nobody catches ends the instance. The runtime then writes its message and stack to standard error, with
 * the files and lines of this directory, and the host shows them; there is nothing to do for it here.
 */

import { execute } from "./execute.js";
import { Market } from "./market.js";
import { BrokenState, exportState, importState } from "./state.js";

/** @import { Context, MarketState, Outcome, Request } from "./types.js" */

let current = new Market();

export const market = {
  /**
   * @param {Context} _context the rules of the market use neither the time nor the place in the order
   * @param {Request} request
   * @returns {Outcome}
   */
  execute(_context, request) {
    return execute(current, request);
  },

  /** @returns {MarketState} */
  exportState() {
    return exportState(current);
  },

  /**
   * The contract's `result<_, string>`: to return is ok, and to throw a string is the error.
   *
   * Here the runtime would also make a refusal of an error that is a bug, by its message. So a bug is thrown in a form
   * that no refusal can be read from: the runtime fails over it with the error itself, and the instance ends, as it
   * should.
   *
   * @param {MarketState} state
   */
  importState(state) {
    try {
      current = importState(state);
    } catch (error) {
      if (error instanceof BrokenState) {
        throw error.message;
      }
      throw {
        get payload() {
          throw error;
        },
      };
    }
  },
};
