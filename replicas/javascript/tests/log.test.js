/** The log of the contract, which the host alone has. */

import { test } from "node:test";

import log from "dsms:replica/log@1.0.0";

test("the module may write to the log in unit tests", () => {
  log.write("info", "nobody reads this");
});
