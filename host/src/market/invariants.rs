//! The laws that every state of a market keeps: I1 to I4 of the market specification, section 2.

use std::collections::BTreeMap;

use super::{MarketState, Share};

impl MarketState {
    /// Checks a state in canonical order.
    ///
    /// # Errors
    ///
    /// The first invariant that it breaks, in words.
    pub fn check_invariants(&self) -> Result<(), String> {
        if let Some(twice) = self.shares.windows(2).find(|pair| pair[0].share == pair[1].share) {
            return Err(format!("the share {} is there twice", twice[0].share));
        }
        let key = |at: usize| (self.holdings[at].buyer, self.holdings[at].share);
        if let Some(at) = (1..self.holdings.len()).find(|at| key(at - 1) == key(*at)) {
            return Err(format!("the holding {} {} is there twice", key(at).0, key(at).1));
        }
        let mut held: BTreeMap<Share, u64> = BTreeMap::new();
        for holding in &self.holdings {
            if holding.units == 0 {
                return Err(format!("I3: the holding {} {} has no units", holding.buyer, holding.share));
            }
            *held.entry(holding.share).or_default() += u64::from(holding.units);
        }
        for share in &self.shares {
            let held = held.remove(&share.share).unwrap_or(0);
            if u64::from(share.capacity) != u64::from(share.available) + held {
                let (capacity, available) = (share.capacity, share.available);
                return Err(format!("I1: {}: capacity {capacity} is not {available} + {held}", share.share));
            }
        }
        match held.first_key_value() {
            Some((share, units)) => Err(format!("I4: {units} units are held of {share}, which does not exist")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::market::{HoldingState, MarketState, Share, ShareState, ShareType};

    fn state(available: u32, units: u32, listed_len: usize) -> MarketState {
        let share = Share { id: "NYKM100925".parse().unwrap(), share_type: ShareType::Equity };
        let listed = ShareState { share, capacity: 10, available };
        let holding = HoldingState { buyer: "NYKB1001".parse().unwrap(), share, units };
        MarketState { shares: vec![listed; listed_len], holdings: vec![holding] }
    }

    #[test]
    fn each_invariant_is_found_broken_by_its_name() {
        let words = |state: MarketState| state.check_invariants().unwrap_err();
        assert_eq!(state(6, 4, 1).check_invariants(), Ok(()));
        assert!(words(state(7, 4, 1)).starts_with("I1"));
        assert!(words(state(10, 0, 1)).starts_with("I3"));
        assert!(words(state(6, 4, 0)).starts_with("I4"));
        assert!(words(state(6, 4, 2)).contains("twice"));
        let mut twice = state(2, 4, 1);
        twice.holdings.push(twice.holdings[0]);
        assert!(words(twice).contains("twice"));
    }
}
