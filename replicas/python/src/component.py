"""The component: what the host calls. It translates between the contract's types and ours, and decides nothing.

The build generates the package `wit_world` from the contract. Its classes are mutable, so they cannot be keys of dicts,
and only this file uses them. What comes in is converted. What goes out need not be, except for the cases of a variant:
fields are looked up by name in whatever object there is, and ours have the names of the contract.

This file is imported once, while the component is being built. Every instance begins with the memory as it was then. At
run time there are no files, not even those of the standard library: import everything up here, never in a function.
"""

from collections.abc import Iterator
from datetime import date

import wit_world.exports
from componentize_py_types import Err
from wit_world.imports import types as wit

import sandbox
from stock_market import exchange, ids, outcomes, requests
from stock_market.execute import execute
from stock_market.market import StockMarket
from stock_market.outcomes import Refusal

# The market of this instance. It is not kept in an object of the class below: each function of the contract gets one.
market = StockMarket()


class Market(wit_world.exports.Market):
    """The functions of the contract's interface `market`."""

    def execute(self, context: wit.Context, request: wit.Request) -> wit.Outcome:
        return outcome_to_wit(execute(market, request_from_wit(request)))

    def export_state(self) -> wit.MarketState:
        return exchange.export_state(market)

    def import_state(self, state: wit.MarketState) -> None:
        global market
        try:
            market = exchange.import_state(state_from_wit(state))
        except ValueError as error:  # BrokenStateError is one, and so is what `date` raises for a day that is none.
            raise Err(str(error)) from error


MARKETS = dict(zip(wit.Market, ids.Market, strict=True))
SLOTS = dict(zip(wit.Slot, ids.Slot, strict=True))
SHARE_TYPES = dict(zip(wit.ShareType, ids.ShareType, strict=True))


def request_from_wit(request: wit.Request) -> requests.Request:
    return requests.Request(caller_from_wit(request.caller), operation_from_wit(request.operation))


def caller_from_wit(caller: wit.Caller) -> ids.Caller:
    match caller:
        case wit.Caller_Admin(admin):
            return ids.AdminId(MARKETS[admin.market], admin.number)
        case wit.Caller_Buyer(buyer):
            return buyer_from_wit(buyer)
    raise AssertionError(f"no such caller: {caller}")


def operation_from_wit(operation: wit.Operation) -> requests.Operation:
    asked = operation.value
    match operation:
        case wit.Operation_AddShare():
            return requests.AddShare(share_from_wit(asked.share), asked.capacity)
        case wit.Operation_RemoveShare():
            return requests.RemoveShare(share_from_wit(asked))
        case wit.Operation_ListShareAvailability():
            return requests.ListShareAvailability(SHARE_TYPES[asked])
        case wit.Operation_PurchaseShare():
            return requests.PurchaseShare(buyer_from_wit(asked.buyer), share_from_wit(asked.share), asked.count)
        case wit.Operation_GetShares():
            return requests.GetShares(buyer_from_wit(asked))
        case wit.Operation_SellShare():
            return requests.SellShare(buyer_from_wit(asked.buyer), share_id_from_wit(asked.id), asked.count)
        case wit.Operation_SwapShares():
            buyer = buyer_from_wit(asked.buyer)
            return requests.SwapShares(buyer, share_from_wit(asked.old), share_from_wit(asked.new))
    raise AssertionError(f"no such operation: {operation}")


def buyer_from_wit(buyer: wit.BuyerId) -> ids.BuyerId:
    return ids.BuyerId(MARKETS[buyer.market], buyer.number)


def share_from_wit(share: wit.Share) -> ids.Share:
    return ids.Share(SHARE_TYPES[share.share_type], share_id_from_wit(share.id))


def share_id_from_wit(share_id: wit.ShareId) -> ids.ShareId:
    day = share_id.date
    return ids.ShareId(MARKETS[share_id.market], SLOTS[share_id.slot], date(day.year, day.month, day.day))


def state_from_wit(state: wit.MarketState) -> exchange.MarketState:
    return exchange.MarketState(
        (exchange.ShareState(share_from_wit(row.share), row.capacity, row.available) for row in drained(state.shares)),
        (
            exchange.HoldingState(buyer_from_wit(row.buyer), share_from_wit(row.share), row.units)
            for row in drained(state.holdings)
        ),
    )


def drained(rows: list) -> Iterator:
    """The rows, from last to first, each let go before the next. A large state would hardly fit into memory twice."""
    while rows:
        yield rows.pop()


SUCCESSES = {
    outcomes.Added: wit.Outcome_Added,
    outcomes.Removed: wit.Outcome_Removed,
    outcomes.Availability: wit.Outcome_Availability,
    outcomes.Purchased: wit.Outcome_Purchased,
    outcomes.Sold: wit.Outcome_Sold,
    outcomes.Swapped: wit.Outcome_Swapped,
}

REFUSALS = {
    Refusal.FORBIDDEN: wit.Refusal_Forbidden(),
    Refusal.WRONG_MARKET: wit.Refusal_WrongMarket(),
    Refusal.ALREADY_EXISTS: wit.Refusal_AlreadyExists(),
    Refusal.NOT_FOUND: wit.Refusal_NotFound(),
    Refusal.ALREADY_OWNED: wit.Refusal_AlreadyOwned(),
    Refusal.DAILY_LIMIT: wit.Refusal_DailyLimit(),
    Refusal.WEEKLY_LIMIT: wit.Refusal_WeeklyLimit(),
    Refusal.SOLD_OUT: wit.Refusal_SoldOut(),
    Refusal.NOT_OWNED: wit.Refusal_NotOwned(),
    Refusal.SAME_SHARE: wit.Refusal_SameShare(),
    Refusal.NEW_NOT_FOUND: wit.Refusal_NewNotFound(),
}


def outcome_to_wit(outcome: outcomes.Outcome) -> wit.Outcome:
    match outcome:
        case Refusal():
            return wit.Outcome_Refused(REFUSALS[outcome])
        case outcomes.InsufficientOwned():
            return wit.Outcome_Refused(wit.Refusal_InsufficientOwned(outcome))
        case outcomes.InsufficientNew():
            return wit.Outcome_Refused(wit.Refusal_InsufficientNew(outcome))
        case outcomes.Holdings(owned):
            return wit.Outcome_Holdings(owned)
    return SUCCESSES[type(outcome)](outcome)


# The last line, so that what fails above fails in the build as usual.
sandbox.enter()
