"""The seven operations, one function each: its checks in the order of the contract, then what it changes.

A refusal is returned before anything has changed.
"""

from .ids import BuyerId, Share, ShareId, ShareType
from .limits import refusal_to_hold
from .market import StockMarket
from .outcomes import (
    Added,
    Availability,
    AvailableShare,
    Holdings,
    InsufficientNew,
    InsufficientOwned,
    Outcome,
    Owned,
    Purchased,
    Refusal,
    Removed,
    Sold,
    Swapped,
)


def add_share(market: StockMarket, share: Share, capacity: int) -> Outcome:
    if market.find(share) is not None:
        return Refusal.ALREADY_EXISTS
    market.list_share(share, capacity)
    return Added(capacity)


def remove_share(market: StockMarket, share: Share) -> Outcome:
    listing = market.find(share)
    if listing is None:
        return Refusal.NOT_FOUND
    removed = Removed(listing.available, holders=len(listing.holders), units=listing.capacity - listing.available)
    for buyer in list(listing.holders):
        market.give_back(buyer, listing, market.portfolio(buyer).units[share])
    market.delist_share(share)
    return removed


def list_share_availability(market: StockMarket, share_type: ShareType) -> Outcome:
    listings = market.listings[share_type].items()
    return Availability(share_type, [AvailableShare(share_id, listing.available) for share_id, listing in listings])


def purchase_share(market: StockMarket, buyer: BuyerId, share: Share, count: int) -> Outcome:
    listing = market.find(share)
    if listing is None:
        return Refusal.NOT_FOUND
    refusal = refusal_to_hold(market.portfolio(buyer), share)
    if refusal is not None:
        return refusal
    if listing.available == 0:
        return Refusal.SOLD_OUT
    bought = min(count, listing.available)
    market.take(buyer, listing, bought)
    return Purchased(requested=count, bought=bought, available=listing.available)


def get_shares(market: StockMarket, buyer: BuyerId) -> Outcome:
    return Holdings([Owned(share, units) for share, units in market.portfolio(buyer).units.items()])


def sell_share(market: StockMarket, buyer: BuyerId, share_id: ShareId, count: int) -> Outcome:
    units = market.portfolio(buyer).units
    held = {share_type: units.get(Share(share_type, share_id), 0) for share_type in ShareType}
    for share_type, owned in held.items():
        if owned >= count:
            listing = market.listing(Share(share_type, share_id))
            remaining = market.give_back(buyer, listing, count)
            return Sold(share_type, sold=count, remaining=remaining, available=listing.available)
    most = max(held.values())
    return InsufficientOwned(most) if most > 0 else Refusal.NOT_OWNED


def swap_shares(market: StockMarket, buyer: BuyerId, old: Share, new: Share) -> Outcome:
    if old == new:
        return Refusal.SAME_SHARE
    portfolio = market.portfolio(buyer)
    units = portfolio.units.get(old)
    if units is None:
        return Refusal.NOT_OWNED
    new_listing = market.find(new)
    if new_listing is None:
        return Refusal.NEW_NOT_FOUND
    refusal = refusal_to_hold(portfolio, new, instead_of=old)
    if refusal is not None:
        return refusal
    if new_listing.available < units:
        return InsufficientNew(available=new_listing.available, needed=units)
    market.give_back(buyer, market.listing(old), units)
    market.take(buyer, new_listing, units)
    return Swapped(units)
