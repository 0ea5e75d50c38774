//! The abstract state of a market, which any module can export and any other import.
//!
//! It says what a market is without saying how a module stores it (BASE: Rodrigues, Castro and Liskov, 2001), so that equal
//! markets have equal digests whatever language keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BuyerId, Digest, Share};

/// A whole market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketState {
    /// Every share, once.
    pub shares: Vec<ShareState>,
    /// Every holding, once.
    pub holdings: Vec<HoldingState>,
}

/// One share of a [`MarketState`], ordered by share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShareState {
    /// Which share.
    pub share: Share,
    /// Its capacity in units.
    pub capacity: u32,
    /// Units that nobody holds.
    pub available: u32,
}

/// One holding of a [`MarketState`], ordered by buyer, then by share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoldingState {
    /// Who holds.
    pub buyer: BuyerId,
    /// What.
    pub share: Share,
    /// How many units.
    pub units: u32,
}

impl MarketState {
    /// Puts shares and holdings in canonical order.
    pub fn into_canonical(mut self) -> MarketState {
        self.shares.sort_unstable();
        self.holdings.sort_unstable();
        self
    }

    /// Every record of the canonical text as its key and its value: `share NYKM100925 Equity` and `100 90`.
    pub fn records(&self) -> impl Iterator<Item = (String, String)> {
        let shares = self.shares.iter().map(|ShareState { share, capacity, available }| {
            (format!("share {share}"), format!("{capacity} {available}"))
        });
        let holdings = self
            .holdings
            .iter()
            .map(|HoldingState { buyer, share, units }| (format!("holding {buyer} {share}"), units.to_string()));
        shares.chain(holdings)
    }

    /// The first records, in canonical order, that this state and another one do not share. A record that only one side has comes alone.
    pub fn first_difference(&self, other: &MarketState) -> Option<(Option<String>, Option<String>)> {
        let (own, others): (BTreeMap<_, _>, BTreeMap<_, _>) = (self.records().collect(), other.records().collect());
        let mut keys: Vec<_> = own.keys().chain(others.keys()).collect();
        keys.sort_unstable();
        let words =
            |records: &BTreeMap<String, String>, key: &String| records.get(key).map(|value| format!("{key} {value}"));
        let differs = keys.into_iter().find(|key| own.get(*key) != others.get(*key))?;
        Some((words(&own, differs), words(&others, differs)))
    }

    /// The BLAKE3 digest of the canonical encoding. The state must be in canonical order.
    ///
    /// The encoding is that of the canonical text, one record a line, so that anybody can recompute a digest with a
    /// command-line tool and a printed state: `share NYKM100925 Equity 100 90`, `holding NYKB1001 NYKM100925 Equity 10`.
    pub fn digest(&self) -> Digest {
        debug_assert!(self.shares.is_sorted() && self.holdings.is_sorted(), "digest of a state out of canonical order");
        Digest::of_text(|text| {
            for ShareState { share, capacity, available } in &self.shares {
                writeln!(text, "share {share} {capacity} {available}")?;
            }
            for HoldingState { buyer, share, units } in &self.holdings {
                writeln!(text, "holding {buyer} {share} {units}")?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> MarketState {
        let share =
            |id: &str, share_type: &str| Share { id: id.parse().unwrap(), share_type: share_type.parse().unwrap() };
        MarketState {
            shares: vec![
                ShareState { share: share("NYKM100925", "bonus"), capacity: 5, available: 5 },
                ShareState { share: share("NYKM100925", "equity"), capacity: 100, available: 90 },
            ],
            holdings: vec![HoldingState {
                buyer: "NYKB1001".parse().unwrap(),
                share: share("NYKM100925", "equity"),
                units: 10,
            }],
        }
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_in_which_a_module_exports() {
        let mut reversed = state();
        reversed.shares.reverse();
        assert_eq!(state().into_canonical().digest(), reversed.into_canonical().digest());
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_text() {
        let text =
            "share NYKM100925 Equity 100 90\nshare NYKM100925 Bonus 5 5\nholding NYKB1001 NYKM100925 Equity 10\n";
        assert_eq!(state().into_canonical().digest(), Digest::of_bytes(text.as_bytes()));
    }

    #[test]
    fn one_unit_changes_the_digest() {
        let mut other = state();
        other.holdings[0].units = 11;
        assert_ne!(state().into_canonical().digest(), other.into_canonical().digest());
    }
}
