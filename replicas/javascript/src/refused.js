/** @import { Outcome, PlainRefusal } from "./types.js" */

/**
 * The outcome of a request that breaks a rule.
 *
 * @param {PlainRefusal} tag
 * @returns {Outcome}
 */
export function refused(tag) {
  return { tag: "refused", val: { tag } };
}
