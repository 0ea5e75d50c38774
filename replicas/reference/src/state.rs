//! The market as the abstract state of the contract: out of this module, and in from any other.
//!
//! Import trusts nothing. Another module exported the state, and that module may be a faulty one, so whatever the laws
//! of the market forbid is refused in words. Export needs no checks, and sorts nothing: the host does.

use crate::market::{Listing, ReferenceMarket};
use crate::types::{HoldingState, ID_NUMBER_MAX, MarketState, ShareState, YEAR_MAX, YEAR_MIN};

impl ReferenceMarket {
    /// The whole market.
    pub fn export_state(&self) -> MarketState {
        let share_of = |(share, listing): (&_, &Listing)| ShareState {
            share: *share,
            capacity: listing.capacity,
            available: listing.available,
        };
        let shares = self.listings.iter().map(share_of).collect();
        let mut holdings = Vec::with_capacity(self.listings.values().map(|listing| listing.holders.len()).sum());
        for (&buyer, portfolio) in &self.portfolios {
            holdings.extend(portfolio.holdings().map(|(share, units)| HoldingState { buyer, share, units }));
        }
        MarketState { shares, holdings }
    }

    /// Replace the whole market by the given one, whose lists may be in any order.
    ///
    /// # Errors
    ///
    /// What is wrong with the state, in words: an identifier that cannot exist, a share or a holding given twice, a
    /// number out of bounds, or a law of section 2 of the market specification (I1, I3, I4) that does not hold. The
    /// market is then what it was.
    pub fn import_state(&mut self, state: &MarketState) -> Result<(), String> {
        let mut market = ReferenceMarket::new();
        for share in &state.shares {
            market.import_share(share)?;
        }
        for holding in &state.holdings {
            market.import_holding(holding)?;
        }
        market.no_holding_is_empty()?;
        market.every_capacity_is_within_bounds()?;
        market.capacity_is_what_is_available_and_what_is_held()?;
        *self = market;
        Ok(())
    }

    fn import_share(&mut self, &ShareState { share, capacity, available }: &ShareState) -> Result<(), String> {
        if !share.id.date.is_real() {
            return Err(format!("{share} has no date of the years {YEAR_MIN} to {YEAR_MAX}"));
        }
        match self.listings.insert(share, Listing::new(capacity, available)) {
            None => Ok(()),
            Some(_) => Err(format!("{share} is listed twice")),
        }
    }

    /// The share has to be imported before its holdings; its date is then known to be real.
    fn import_holding(&mut self, &HoldingState { buyer, share, units }: &HoldingState) -> Result<(), String> {
        if buyer.number > ID_NUMBER_MAX {
            return Err(format!("{buyer} has a number of more than four digits"));
        }
        let Some(listing) = self.listings.get_mut(&share) else {
            return Err(format!("{buyer} holds {share}, which is not listed"));
        };
        let is_new_holder = listing.holders.insert(buyer);
        let is_new_holding = self.portfolios.entry(buyer).or_default().insert(share, units);
        if is_new_holder && is_new_holding { Ok(()) } else { Err(format!("{buyer} holds {share} twice")) }
    }
}
