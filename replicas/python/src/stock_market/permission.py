"""Who may ask. These checks are the same for every operation, and come before its own."""

from .ids import AdminId
from .outcomes import Refusal
from .requests import AddShare, ListShareAvailability, RemoveShare, Request


def refusal_to_ask(request: Request) -> Refusal | None:
    """Why the caller may not ask for this, or None if the caller may."""
    caller = request.caller
    match request.operation:
        case AddShare(share=share) | RemoveShare(share=share):
            if not isinstance(caller, AdminId):
                return Refusal.FORBIDDEN
            if share.id.market is not caller.market:
                return Refusal.WRONG_MARKET
        case ListShareAvailability():
            if not isinstance(caller, AdminId):
                return Refusal.FORBIDDEN
        case of_a_buyer:
            buyer = of_a_buyer.buyer
            on_behalf = isinstance(caller, AdminId) and caller.market is buyer.market
            if caller != buyer and not on_behalf:
                return Refusal.FORBIDDEN
    return None
