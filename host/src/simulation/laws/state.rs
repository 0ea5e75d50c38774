//! The market's own invariants, I1 to I4 of its specification, and equal states at equal places (I5), at every checkpoint of a replica
//! that no fault has made differ.

use super::{Held, Laws, broken};
use crate::market::{Digest, MarketState};
use crate::protocol::id::{ReplicaId, SequenceNumber};

impl Laws {
    /// The digest of the state after this place, if the order takes a checkpoint there.
    pub fn state_digest_at(&mut self, sequence: SequenceNumber) -> Option<Digest> {
        self.reference.checkpoint_at(sequence).map(|(state, _)| state)
    }

    /// A replica that no fault has made differ has exported its state after this order.
    pub fn equal_places_have_equal_states(
        &mut self,
        replica: ReplicaId,
        sequence: SequenceNumber,
        state: &MarketState,
    ) -> Held {
        self.checked += 1;
        if let Err(words) = state.check_invariants() {
            return broken("the_market_keeps_its_invariants", format!("{replica} after #{sequence}: {words}"));
        }
        let digest = state.digest();
        match self.reference.checkpoint_at(sequence) {
            Some((expected, _)) if expected != digest => {
                let words =
                    format!("{replica} has {} after #{sequence}, expected {}", digest.short(), expected.short());
                broken("equal_places_have_equal_states", words)
            }
            _ => Ok(()),
        }
    }
}
