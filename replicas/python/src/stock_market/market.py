"""The state of the market, and the few steps that change it.

Each step keeps the laws of the state, so whoever combines them need not think of these:

- for every share, capacity = available + the sum of the units held;
- nobody holds 0 units of a share, or a share that is not listed.

The same facts are kept by share and by buyer, so that no operation has to look at the whole market. They are kept in
dicts and never in sets: a dict is gone through in the order in which it was filled, which is the same in every replica.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from .ids import BuyerId, Share, ShareId, ShareType

Key = TypeVar("Key")


@dataclass(slots=True)
class Listing:
    """One share on the market."""

    share: Share
    capacity: int
    available: int
    # The keys are those who hold units; how many, their portfolios say.
    holders: dict[BuyerId, None] = field(default_factory=dict)


@dataclass(slots=True)
class Portfolio:
    """What one buyer holds, and how many distinct shares of it count for each limit."""

    buyer: BuyerId
    units: dict[Share, int] = field(default_factory=dict)
    shares_on_day: dict[tuple[ShareType, date], int] = field(default_factory=dict)
    foreign_shares_in_week: dict[tuple[int, int], int] = field(default_factory=dict)

    def count(self, share: Share, change: int) -> None:
        """Counts a share for the limits that it falls under, with change 1, or no longer, with -1."""
        tally(self.shares_on_day, share.day, change)
        if self.is_foreign(share):
            tally(self.foreign_shares_in_week, share.week, change)

    def is_foreign(self, share: Share) -> bool:
        return share.id.market is not self.buyer.market


def tally(counts: dict[Key, int], key: Key, change: int) -> None:
    """Changes one of the counts. A count that falls to 0 is dropped: it would only take up memory."""
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]


class StockMarket:
    """Every share with its listing, and every buyer who holds something with a portfolio."""

    def __init__(self) -> None:
        # By type first, since shares are listed by type.
        self.listings: dict[ShareType, dict[ShareId, Listing]] = {share_type: {} for share_type in ShareType}
        self.portfolios: dict[BuyerId, Portfolio] = {}

    def find(self, share: Share) -> Listing | None:
        return self.listings[share.share_type].get(share.id)

    def listing(self, share: Share) -> Listing:
        """The listing of a share that is certainly there."""
        return self.listings[share.share_type][share.id]

    def portfolio(self, buyer: BuyerId) -> Portfolio:
        """The buyer's portfolio; for a buyer who holds nothing an empty one, which is not kept."""
        return self.portfolios.get(buyer) or Portfolio(buyer)

    def list_share(self, share: Share, capacity: int) -> None:
        """Puts a new share on the market, all of it available."""
        assert self.find(share) is None, f"{share} is listed already"
        self.listings[share.share_type][share.id] = Listing(share, capacity, available=capacity)

    def delist_share(self, share: Share) -> None:
        """Takes a share that nobody holds off the market."""
        listing = self.listings[share.share_type].pop(share.id)
        assert listing.available == listing.capacity and not listing.holders, f"{share} is still held"

    def take(self, buyer: BuyerId, listing: Listing, units: int) -> None:
        """Makes available units of a share the buyer's, who holds none of it so far."""
        assert 0 < units <= listing.available, f"{buyer} takes {units} of {listing.available} units of {listing.share}"
        assert buyer not in listing.holders, f"{buyer} holds {listing.share} already"
        portfolio = self.portfolios.get(buyer)
        if portfolio is None:
            portfolio = self.portfolios[buyer] = Portfolio(buyer)
        listing.available -= units
        # The market's own objects are the keys, so that a holding does not keep alive those of the request as well.
        listing.holders[portfolio.buyer] = None
        portfolio.units[listing.share] = units
        portfolio.count(listing.share, 1)

    def give_back(self, buyer: BuyerId, listing: Listing, units: int) -> int:
        """Makes units that the buyer holds available again. Returns how many the buyer still holds."""
        portfolio = self.portfolios[buyer]
        owned = portfolio.units[listing.share]
        assert 0 < units <= owned, f"{buyer} gives back {units} of {owned} units of {listing.share}"
        listing.available += units
        if units < owned:
            portfolio.units[listing.share] = owned - units
        else:
            del listing.holders[buyer]
            del portfolio.units[listing.share]
            portfolio.count(listing.share, -1)
            if not portfolio.units:
                del self.portfolios[buyer]
        return owned - units
