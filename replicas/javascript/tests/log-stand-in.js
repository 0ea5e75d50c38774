/** Stands in for the contract's log, which only the host has: in the unit tests, what is written to it is dropped. */

import { register } from "node:module";

const LOG = "data:text/javascript,export default { write() {} }";

/** Makes every import of `dsms:…` one of the stand-in. A hook has to be a module of its own. */
const HOOK = `export async function resolve(specifier, context, next) {
  return specifier.startsWith("dsms:") ? { url: ${JSON.stringify(LOG)}, shortCircuit: true } : next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
