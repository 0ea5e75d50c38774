/**
 * The contract's types as JavaScript sees them: `wit/replica.wit`, case for case. Nothing runs here; the other files
 * import these names in their JSDoc, and `./test` has the TypeScript compiler check that they are used rightly.
 *
 * How the contract's types arrive: a record is an object with camelCase keys, an enum its case as a string, a variant
 * `{ tag, val }` (no `val` where the case has no payload), a list an array, and every integer a number. A `u32` from
 * 2^31 on arrives as a negative number; no correct state has one, but a state to be imported need not be correct.
 *
 * @typedef {"nyk" | "lon" | "tok"} MarketCode
 * @typedef {"morning" | "afternoon" | "evening"} Slot
 * @typedef {"equity" | "bonus" | "dividend"} ShareType
 *
 * @typedef {{ year: number, month: number, day: number }} CalendarDate
 * @typedef {{ market: MarketCode, slot: Slot, date: CalendarDate }} ShareId
 * @typedef {{ shareType: ShareType, id: ShareId }} ShareName  The contract's record `share`.
 * @typedef {{ market: MarketCode, number: number }} AdminId
 * @typedef {{ market: MarketCode, number: number }} BuyerId
 *
 * @typedef {{ tag: "admin", val: AdminId } | { tag: "buyer", val: BuyerId }} Caller
 * @typedef {{ sequenceNumber: number, timeMs: number }} Context
 * @typedef {{ caller: Caller, operation: Operation }} Request
 *
 * @typedef {{ share: ShareName, capacity: number }} AddShare
 * @typedef {{ buyer: BuyerId, share: ShareName, count: number }} PurchaseShare
 * @typedef {{ buyer: BuyerId, id: ShareId, count: number }} SellShare
 * @typedef {{ buyer: BuyerId, old: ShareName, new: ShareName }} SwapShares
 *
 * @typedef {(
 *     { tag: "add-share", val: AddShare }
 *   | { tag: "remove-share", val: ShareName }
 *   | { tag: "list-share-availability", val: ShareType }
 *   | { tag: "purchase-share", val: PurchaseShare }
 *   | { tag: "get-shares", val: BuyerId }
 *   | { tag: "sell-share", val: SellShare }
 *   | { tag: "swap-shares", val: SwapShares }
 * )} Operation
 *
 * @typedef {{ id: ShareId, available: number }} AvailableShare
 * @typedef {{ share: ShareName, units: number }} Owned
 *
 * @typedef {(
 *     { tag: "added", val: { capacity: number } }
 *   | { tag: "removed", val: { available: number, holders: number, units: number } }
 *   | { tag: "availability", val: { shareType: ShareType, shares: AvailableShare[] } }
 *   | { tag: "purchased", val: { requested: number, bought: number, available: number } }
 *   | { tag: "holdings", val: Owned[] }
 *   | { tag: "sold", val: { shareType: ShareType, sold: number, remaining: number, available: number } }
 *   | { tag: "swapped", val: { units: number } }
 *   | { tag: "refused", val: Refusal }
 * )} Outcome
 *
 * @typedef {(
 *     "forbidden" | "wrong-market" | "already-exists" | "not-found" | "already-owned" | "daily-limit" | "weekly-limit"
 *   | "sold-out" | "not-owned" | "same-share" | "new-not-found"
 * )} PlainRefusal  A refusal that carries nothing but its name.
 *
 * @typedef {(
 *     { tag: PlainRefusal }
 *   | { tag: "insufficient-owned", val: { owned: number } }
 *   | { tag: "insufficient-new", val: { available: number, needed: number } }
 * )} Refusal
 *
 * @typedef {{ share: ShareName, capacity: number, available: number }} ShareState
 * @typedef {{ buyer: BuyerId, share: ShareName, units: number }} HoldingState
 * @typedef {{ shares: ShareState[], holdings: HoldingState[] }} MarketState
 */

export {};
