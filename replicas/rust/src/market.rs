//! The state, and the only places where units move.
//!
//! A listing knows who holds how much of its share; a portfolio only names the shares of a buyer, so that no operation has to
//! search the market. All maps are sorted: whatever walks over them walks in the same order everywhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{BuyerId, Share};

/// All shares and all holdings.
#[derive(Debug, Default, PartialEq)]
pub struct Market {
    listings: BTreeMap<Share, Listing>,
    portfolios: BTreeMap<BuyerId, BTreeSet<Share>>,
}

/// One share. Its capacity is what is available and what is held, together.
#[derive(Debug, PartialEq)]
pub struct Listing {
    pub capacity: u32,
    pub available: u32,
    /// The units of each holder, never 0.
    pub holders: BTreeMap<BuyerId, u32>,
}

impl Market {
    pub fn listing(&self, share: Share) -> Option<&Listing> {
        self.listings.get(&share)
    }

    pub fn listings(&self) -> impl Iterator<Item = (Share, &Listing)> {
        self.listings.iter().map(|(share, listing)| (*share, listing))
    }

    /// The shares of which a buyer holds units.
    pub fn shares_of(&self, buyer: BuyerId) -> impl Iterator<Item = Share> {
        self.portfolios.get(&buyer).into_iter().flatten().copied()
    }

    /// The units of a share that a buyer holds; 0 if none, or if there is no such share.
    pub fn units_of(&self, buyer: BuyerId, share: Share) -> u32 {
        self.listing(share).and_then(|listing| listing.holders.get(&buyer)).copied().unwrap_or(0)
    }

    /// Puts a share on the market that is not there yet.
    pub fn list(&mut self, share: Share, capacity: u32) {
        let listing = Listing { capacity, available: capacity, holders: BTreeMap::new() };
        let earlier = self.listings.insert(share, listing);
        assert!(earlier.is_none(), "{share:?} is listed twice");
    }

    /// Takes a share off the market, with every holding of it.
    pub fn unlist(&mut self, share: Share) -> Option<Listing> {
        let listing = self.listings.remove(&share)?;
        for buyer in listing.holders.keys() {
            self.forget(*buyer, share);
        }
        Some(listing)
    }

    /// Moves units from the market to a buyer. Returns how many are available afterwards.
    pub fn give(&mut self, buyer: BuyerId, share: Share, units: u32) -> u32 {
        let listing = self.listings.get_mut(&share).expect("the share is listed");
        assert!(0 < units && units <= listing.available, "gives {units} of {} units", listing.available);
        listing.available -= units;
        *listing.holders.entry(buyer).or_default() += units;
        self.portfolios.entry(buyer).or_default().insert(share);
        listing.available
    }

    /// Moves units from a buyer back to the market. Returns how many are available afterwards.
    pub fn take(&mut self, buyer: BuyerId, share: Share, units: u32) -> u32 {
        let listing = self.listings.get_mut(&share).expect("the share is listed");
        let held = listing.holders.get_mut(&buyer).expect("the buyer holds units of it");
        assert!(0 < units && units <= *held, "takes {units} of {held} units");
        *held -= units;
        listing.available += units;
        let available = listing.available;
        if *held == 0 {
            listing.holders.remove(&buyer);
            self.forget(buyer, share);
        }
        available
    }

    /// A buyer holds nothing of this share any more.
    fn forget(&mut self, buyer: BuyerId, share: Share) {
        let portfolio = self.portfolios.get_mut(&buyer).expect("a holder has a portfolio");
        portfolio.remove(&share);
        if portfolio.is_empty() {
            self.portfolios.remove(&buyer);
        }
    }
}
