"""Short words for tests: ids from their text form, and one line for each request."""

from datetime import date

from stock_market.execute import execute
from stock_market.ids import AdminId, BuyerId, Caller, Market, Share, ShareId, ShareType, Slot
from stock_market.market import StockMarket
from stock_market.outcomes import Outcome
from stock_market.requests import (
    AddShare,
    GetShares,
    ListShareAvailability,
    Operation,
    PurchaseShare,
    RemoveShare,
    Request,
    SellShare,
    SwapShares,
)


def share_id(text: str) -> ShareId:
    """`share_id("NYKM100925")`."""
    day, month, year = int(text[4:6]), int(text[6:8]), int(text[8:10])
    return ShareId(Market[text[:3]], Slot("MAE".index(text[3])), date(2000 + year, month, day))


def share(text: str) -> Share:
    """`share("NYKM100925 Equity")`."""
    id_text, type_text = text.split()
    return Share(ShareType[type_text.upper()], share_id(id_text))


def caller(text: str) -> Caller:
    """`caller("NYKA1001")` is an admin, `caller("NYKB1001")` a buyer."""
    kind = {"A": AdminId, "B": BuyerId}[text[3]]
    return kind(Market[text[:3]], int(text[4:]))


class Desk:
    """A market to which requests are made. A buyer asks for itself unless a caller is named."""

    def __init__(self) -> None:
        self.market = StockMarket()

    def ask(self, caller_text: str, operation: Operation) -> Outcome:
        return execute(self.market, Request(caller(caller_text), operation))

    def add(self, share_text: str, capacity: int, by: str | None = None) -> Outcome:
        """By an admin of the share's own market, unless another is named."""
        return self.ask(by or f"{share_text[:3]}A1001", AddShare(share(share_text), capacity))

    def remove(self, share_text: str, by: str | None = None) -> Outcome:
        return self.ask(by or f"{share_text[:3]}A1001", RemoveShare(share(share_text)))

    def availability(self, type_text: str, by: str = "NYKA1001") -> Outcome:
        return self.ask(by, ListShareAvailability(ShareType[type_text.upper()]))

    def buy(self, buyer: str, share_text: str, count: int, by: str | None = None) -> Outcome:
        return self.ask(by or buyer, PurchaseShare(caller(buyer), share(share_text), count))

    def shares(self, buyer: str, by: str | None = None) -> Outcome:
        return self.ask(by or buyer, GetShares(caller(buyer)))

    def sell(self, buyer: str, id_text: str, count: int, by: str | None = None) -> Outcome:
        return self.ask(by or buyer, SellShare(caller(buyer), share_id(id_text), count))

    def swap(self, buyer: str, old: str, new: str, by: str | None = None) -> Outcome:
        return self.ask(by or buyer, SwapShares(caller(buyer), share(old), share(new)))

    def held(self, buyer: str) -> dict[str, int]:
        """What the buyer holds, as text: `{"NYKM100925 Equity": 5}`."""
        return {str(owned.share): owned.units for owned in self.shares(buyer).owned}

    def available(self, share_text: str) -> int:
        return self.market.listing(share(share_text)).available
