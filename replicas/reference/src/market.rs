//! The market: its state, and what each operation does to it.
//!
//! One request is checked completely before anything changes, so a refusal changes nothing. Who may ask is decided in
//! `permission`, what a buyer may hold in `limits`. Nothing here knows of the order, of time or of wasm.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits;
use crate::permission;
use crate::portfolio::Portfolio;
use crate::types::{
    AddShare, Added, Availability, AvailableShare, BuyerId, InsufficientNew, InsufficientOwned, Operation, Outcome,
    Owned, PurchaseShare, Purchased, Refusal, Removed, Request, SellShare, Share, ShareId, ShareType, Sold, SwapShares,
    Swapped, UNITS_MAX, Units,
};

/// The share market of section 4 of the market specification.
///
/// Two markets that have executed the same history are equal, and so are those with equal states. The cost of a request
/// grows with the logarithm of the market's size and with the length of its answer; of a removal, with the number of
/// holders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceMarket {
    pub(crate) listings: BTreeMap<Share, Listing>,
    /// Every buyer that holds something, and no other.
    pub(crate) portfolios: BTreeMap<BuyerId, Portfolio>,
}

/// One share on the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) capacity: Units,
    pub(crate) available: Units,
    /// Who holds units of it; how many is in their portfolios only.
    pub(crate) holders: BTreeSet<BuyerId>,
}

impl Listing {
    pub(crate) fn new(capacity: Units, available: Units) -> Listing {
        Listing { capacity, available, holders: BTreeSet::new() }
    }
}

impl ReferenceMarket {
    /// A market with no shares.
    pub const fn new() -> ReferenceMarket {
        ReferenceMarket { listings: BTreeMap::new(), portfolios: BTreeMap::new() }
    }

    /// Execute one request and return its outcome. A refused request changes nothing.
    ///
    /// # Panics
    ///
    /// If a capacity or count is not 1 to [`UNITS_MAX`], and for some dates that are not real. The front end lets no
    /// such request pass, and executing one could break the laws of the market.
    pub fn execute(&mut self, request: &Request) -> Outcome {
        self.outcome_of(request).unwrap_or_else(Outcome::Refused)
    }

    fn outcome_of(&mut self, request: &Request) -> Result<Outcome, Refusal> {
        permission::check(request)?;
        match request.operation {
            Operation::AddShare(arguments) => self.add_share(arguments).map(Outcome::Added),
            Operation::RemoveShare(share) => self.remove_share(share).map(Outcome::Removed),
            Operation::ListShareAvailability(share_type) => Ok(Outcome::Availability(self.availability(share_type))),
            Operation::PurchaseShare(arguments) => self.purchase_share(arguments).map(Outcome::Purchased),
            Operation::GetShares(buyer) => Ok(Outcome::Holdings(self.holdings_of(buyer))),
            Operation::SellShare(arguments) => self.sell_share(arguments).map(Outcome::Sold),
            Operation::SwapShares(arguments) => self.swap_shares(arguments).map(Outcome::Swapped),
        }
    }

    fn add_share(&mut self, AddShare { share, capacity }: AddShare) -> Result<Added, Refusal> {
        assert_within_bounds(capacity);
        if self.listings.contains_key(&share) {
            return Err(Refusal::AlreadyExists);
        }
        self.listings.insert(share, Listing::new(capacity, capacity));
        Ok(Added { capacity })
    }

    fn remove_share(&mut self, share: Share) -> Result<Removed, Refusal> {
        let listing = self.listings.remove(&share).ok_or(Refusal::NotFound)?;
        let mut units = 0;
        for &buyer in &listing.holders {
            let held = self.units_held(buyer, share);
            self.withdraw(buyer, share, held);
            units += held;
        }
        assert_eq!(listing.capacity, listing.available + units, "{share}: the holders have what is not available");
        let holders = listing.holders.len().try_into().expect("no more holders than units");
        Ok(Removed { available: listing.available, holders, units })
    }

    fn availability(&self, share_type: ShareType) -> Availability {
        let first = Share { share_type, id: ShareId::LOWEST };
        let of_that_type = self.listings.range(first..).take_while(|(share, _)| share.share_type == share_type);
        let shares = of_that_type
            .map(|(share, listing)| AvailableShare { id: share.id, available: listing.available })
            .collect();
        Availability { share_type, shares }
    }

    fn purchase_share(&mut self, PurchaseShare { buyer, share, count }: PurchaseShare) -> Result<Purchased, Refusal> {
        assert_within_bounds(count);
        let available = self.listings.get(&share).ok_or(Refusal::NotFound)?.available;
        if let Some(portfolio) = self.portfolios.get(&buyer) {
            limits::check(buyer, portfolio, None, share)?;
        }
        if available == 0 {
            return Err(Refusal::SoldOut);
        }
        let bought = count.min(available);
        let available = self.hand_out(buyer, share, bought);
        Ok(Purchased { requested: count, bought, available })
    }

    fn holdings_of(&self, buyer: BuyerId) -> Vec<Owned> {
        let holdings = self.portfolios.get(&buyer).into_iter().flat_map(Portfolio::holdings);
        holdings.map(|(share, units)| Owned { share, units }).collect()
    }

    fn sell_share(&mut self, SellShare { buyer, id, count }: SellShare) -> Result<Sold, Refusal> {
        assert_within_bounds(count);
        let held = ShareType::ALL.map(|share_type| {
            let share = Share { share_type, id };
            (share, self.units_held(buyer, share))
        });
        if let Some(&(share, owned)) = held.iter().find(|(_, owned)| *owned >= count) {
            let available = self.take_back(buyer, share, count);
            return Ok(Sold { share_type: share.share_type, sold: count, remaining: owned - count, available });
        }
        match held.iter().map(|(_, owned)| *owned).max() {
            None | Some(0) => Err(Refusal::NotOwned),
            Some(owned) => Err(Refusal::InsufficientOwned(InsufficientOwned { owned })),
        }
    }

    fn swap_shares(&mut self, SwapShares { buyer, old, new }: SwapShares) -> Result<Swapped, Refusal> {
        if old == new {
            return Err(Refusal::SameShare);
        }
        let portfolio = self.portfolios.get(&buyer).ok_or(Refusal::NotOwned)?;
        let units = portfolio.units_of(old);
        if units == 0 {
            return Err(Refusal::NotOwned);
        }
        let available = self.listings.get(&new).ok_or(Refusal::NewNotFound)?.available;
        limits::check(buyer, portfolio, Some(old), new)?;
        if available < units {
            return Err(Refusal::InsufficientNew(InsufficientNew { available, needed: units }));
        }
        self.take_back(buyer, old, units);
        self.hand_out(buyer, new, units);
        Ok(Swapped { units })
    }

    fn units_held(&self, buyer: BuyerId, share: Share) -> Units {
        self.portfolios.get(&buyer).map_or(0, |portfolio| portfolio.units_of(share))
    }

    /// Move units from the market to a buyer who holds none of the share. Answers what is available afterwards.
    fn hand_out(&mut self, buyer: BuyerId, share: Share, units: Units) -> Units {
        let listing = self.listings.get_mut(&share).expect("only a listed share is handed out");
        assert!(units <= listing.available, "{units} units of {share} handed out, {} available", listing.available);
        listing.available -= units;
        let is_new_holder = listing.holders.insert(buyer);
        let is_new_holding = self.portfolios.entry(buyer).or_default().insert(share, units);
        assert!(is_new_holder && is_new_holding, "{buyer} holds {share} already");
        listing.available
    }

    /// Move units from a buyer back to the market. Answers what is available afterwards.
    fn take_back(&mut self, buyer: BuyerId, share: Share, units: Units) -> Units {
        let remaining = self.withdraw(buyer, share, units);
        let listing = self.listings.get_mut(&share).expect("only a listed share is held");
        if remaining == 0 {
            listing.holders.remove(&buyer);
        }
        listing.available += units;
        listing.available
    }

    /// Take units out of a portfolio, and drop the portfolio when nothing is left. Answers what remains of the share.
    fn withdraw(&mut self, buyer: BuyerId, share: Share, units: Units) -> Units {
        let portfolio = self.portfolios.get_mut(&buyer).expect("only a holder's units are withdrawn");
        let remaining = portfolio.withdraw(share, units);
        if portfolio.is_empty() {
            self.portfolios.remove(&buyer);
        }
        remaining
    }
}

fn assert_within_bounds(units: Units) {
    assert!((1..=UNITS_MAX).contains(&units), "a request names 1 to {UNITS_MAX} units, not {units}");
}
