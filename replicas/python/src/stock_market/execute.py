"""One request: may the caller ask, and which operation is it for."""

from . import operations
from .market import StockMarket
from .outcomes import Outcome
from .permission import refusal_to_ask
from .requests import (
    AddShare,
    GetShares,
    ListShareAvailability,
    PurchaseShare,
    RemoveShare,
    Request,
    SellShare,
    SwapShares,
)


def execute(market: StockMarket, request: Request) -> Outcome:
    """Executes one request on the market and returns its outcome. A refusal has changed nothing."""
    refusal = refusal_to_ask(request)
    if refusal is not None:
        return refusal
    match request.operation:
        case AddShare(share, capacity):
            return operations.add_share(market, share, capacity)
        case RemoveShare(share):
            return operations.remove_share(market, share)
        case ListShareAvailability(share_type):
            return operations.list_share_availability(market, share_type)
        case PurchaseShare(buyer, share, count):
            return operations.purchase_share(market, buyer, share, count)
        case GetShares(buyer):
            return operations.get_shares(market, buyer)
        case SellShare(buyer, share_id, count):
            return operations.sell_share(market, buyer, share_id, count)
        case SwapShares(buyer, old, new):
            return operations.swap_shares(market, buyer, old, new)
    raise AssertionError(f"no such operation: {request.operation}")
