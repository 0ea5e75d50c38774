//! The laws that hold between any two requests: section 2 of the market specification.
//!
//! One function for each law, named as the sentence it checks; each error names the share or buyer that breaks it. I2
//! needs none, since units are unsigned. I5 speaks of several replicas, and the host watches over it.

use std::collections::BTreeMap;

use crate::market::ReferenceMarket;
use crate::types::{Share, UNITS_MAX};

impl ReferenceMarket {
    /// Check every law, I1 to I4, and that the two ways to find a holding agree. Cost grows with the whole market.
    ///
    /// # Errors
    ///
    /// The first law found broken, in words. An error here is a bug in this crate.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.every_holding_is_of_a_listed_share()?;
        self.no_holding_is_empty()?;
        self.every_capacity_is_within_bounds()?;
        self.capacity_is_what_is_available_and_what_is_held()?;
        self.holders_are_exactly_those_who_hold()
    }

    /// I1.
    pub(crate) fn capacity_is_what_is_available_and_what_is_held(&self) -> Result<(), String> {
        // Imported numbers may be anything, so the sums are wider than the numbers.
        let mut held: BTreeMap<Share, u64> = BTreeMap::new();
        for (share, units) in self.portfolios.values().flat_map(|portfolio| portfolio.holdings()) {
            *held.entry(share).or_default() += u64::from(units);
        }
        for (share, listing) in &self.listings {
            let held = held.get(share).copied().unwrap_or(0);
            if u64::from(listing.capacity) != u64::from(listing.available) + held {
                let (capacity, available) = (listing.capacity, listing.available);
                return Err(format!("{share} has capacity {capacity}, but {available} available and {held} held"));
            }
        }
        Ok(())
    }

    /// I3.
    pub(crate) fn no_holding_is_empty(&self) -> Result<(), String> {
        for (buyer, portfolio) in &self.portfolios {
            if let Some((share, _)) = portfolio.holdings().find(|(_, units)| *units == 0) {
                return Err(format!("{buyer} holds 0 units of {share}"));
            }
        }
        Ok(())
    }

    /// I4.
    fn every_holding_is_of_a_listed_share(&self) -> Result<(), String> {
        for (buyer, portfolio) in &self.portfolios {
            if let Some((share, _)) = portfolio.holdings().find(|(share, _)| !self.listings.contains_key(share)) {
                return Err(format!("{buyer} holds {share}, which is not listed"));
            }
        }
        Ok(())
    }

    /// The bounds of section 1.
    pub(crate) fn every_capacity_is_within_bounds(&self) -> Result<(), String> {
        for (share, listing) in &self.listings {
            if !(1..=UNITS_MAX).contains(&listing.capacity) {
                return Err(format!("{share} has capacity {}, which is not 1 to {UNITS_MAX}", listing.capacity));
            }
        }
        Ok(())
    }

    /// Holdings are found by buyer and by share; both ways lead to the same ones.
    fn holders_are_exactly_those_who_hold(&self) -> Result<(), String> {
        let mut holders = 0;
        for (share, listing) in &self.listings {
            for buyer in &listing.holders {
                if self.portfolios.get(buyer).is_none_or(|portfolio| portfolio.units_of(*share) == 0) {
                    return Err(format!("{buyer} is a holder of {share} without units of it"));
                }
            }
            holders += listing.holders.len();
        }
        if let Some((buyer, _)) = self.portfolios.iter().find(|(_, portfolio)| portfolio.is_empty()) {
            return Err(format!("{buyer} has a portfolio with nothing in it"));
        }
        let holdings: usize = self.portfolios.values().map(|portfolio| portfolio.holdings().count()).sum();
        if holders == holdings { Ok(()) } else { Err(format!("{holders} holders are known, but {holdings} holdings")) }
    }
}
