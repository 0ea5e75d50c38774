"""The whole market as lists of shares and of holdings, which any other module can take over, and back.

The fields are those of the contract, by name and in meaning.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .ids import BuyerId, Share
from .market import StockMarket

CAPACITY_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class ShareState:
    share: Share
    capacity: int
    available: int


@dataclass(frozen=True, slots=True)
class HoldingState:
    buyer: BuyerId
    share: Share
    units: int


@dataclass(frozen=True, slots=True)
class MarketState:
    shares: Iterable[ShareState]
    holdings: Iterable[HoldingState]


class BrokenStateError(ValueError):
    """No market can be in this state. The text says why."""


def export_state(market: StockMarket) -> MarketState:
    shares = [
        ShareState(listing.share, listing.capacity, listing.available)
        for listings in market.listings.values()
        for listing in listings.values()
    ]
    holdings = [
        HoldingState(portfolio.buyer, share, units)
        for portfolio in market.portfolios.values()
        for share, units in portfolio.units.items()
    ]
    return MarketState(shares, holdings)


def import_state(state: MarketState) -> StockMarket:
    """A new market in this state. Raises `BrokenStateError` if there cannot be one.

    The limits are not checked: they are rules of a purchase, not laws of the state.
    """
    market = StockMarket()
    available: dict[Share, int] = {}
    for listed in state.shares:
        share = listed.share
        if market.find(share) is not None:
            raise BrokenStateError(f"{share} is listed twice")
        if not 1 <= listed.capacity <= CAPACITY_MAX:
            raise BrokenStateError(f"{share} has a capacity of {listed.capacity}; it has to be 1 to {CAPACITY_MAX}")
        market.list_share(share, listed.capacity)
        available[share] = listed.available

    for held in state.holdings:
        buyer, share, units = held.buyer, held.share, held.units
        listing = market.find(share)
        if listing is None:
            raise BrokenStateError(f"{buyer} holds {share}, which is not listed")
        if units < 1:
            raise BrokenStateError(f"{buyer} holds {units} units of {share}")
        if buyer in listing.holders:
            raise BrokenStateError(f"{buyer} holds {share} twice")
        if units > listing.available:
            raise BrokenStateError(f"more units of {share} are held than its capacity of {listing.capacity}")
        market.take(buyer, listing, units)

    for share, units in available.items():
        left = market.listing(share).available
        if units != left:
            raise BrokenStateError(f"{share} has {units} units available; its capacity and its holdings leave {left}")
    return market
