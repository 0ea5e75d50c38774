//! How a run has to end: the faults stop, and within a stated time every request is answered and every replica votes again, with
//! the one state that the order amounts to.

use std::time::Duration;

use super::{Held, Laws, broken};
use crate::market::MarketState;
use crate::protocol::id::{ReplicaId, SequenceNumber};

/// Virtual time within which, after the last fault, all is well again.
///
/// A replica whose module hangs is given up after `stuck_after` (3 s), a client sends again after 3 s, a recovery that fails again
/// and again waits up to 5 s for its next attempt; a few of these in a row fit.
pub const LIVENESS_WITHIN: Duration = Duration::from_secs(30);

/// What is still amiss at the end of a run, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Requests that wait for their answer.
    pub unanswered: Vec<String>,
    /// Replicas that do not vote, or have not executed the whole order.
    pub absent: Vec<String>,
    /// Swaps that are under way, although they were to end.
    pub swapping: Vec<String>,
    /// Replicas of which the last barrier says otherwise than of the reference.
    pub differing: Vec<String>,
}

impl Ending {
    /// Whether nothing is amiss.
    pub fn is_well(&self) -> bool {
        [&self.unanswered, &self.absent, &self.swapping, &self.differing].into_iter().all(Vec::is_empty)
    }
}

impl Laws {
    /// The time for all to be well is over.
    pub fn all_is_well_after_the_faults(&mut self, ending: &Ending) -> Held {
        self.checked += 1;
        let Ending { unanswered, absent, swapping, differing } = ending;
        if ending.is_well() {
            return Ok(());
        }
        let law = match (unanswered.is_empty(), absent.is_empty(), swapping.is_empty()) {
            (false, ..) => "every_request_is_answered_after_the_faults",
            (_, false, _) => "every_replica_votes_again_after_the_faults",
            (.., false) => "every_swap_comes_to_its_end_after_the_faults",
            _ => "every_replica_has_the_state_of_the_order_after_the_faults",
        };
        let words: Vec<&str> =
            unanswered.iter().chain(absent).chain(swapping).chain(differing).map(String::as_str).collect();
        broken(law, format!("{} s after the last fault: {}", LIVENESS_WITHIN.as_secs(), words.join("; ")))
    }

    /// All is well: what the order amounts to is what was acknowledged, and what every replica has.
    pub fn no_acknowledged_request_is_lost(&mut self, states: &[(ReplicaId, MarketState)]) -> Held {
        self.checked += 1;
        let released: Vec<_> =
            self.released.iter().map(|(id, (first, outcome))| (*id, *first, outcome.clone())).collect();
        for (id, first, outcome) in released {
            let stands = self.reference.order(first).is_some_and(|order| order.id == id);
            let expected = self.reference.outcome_at(first);
            if !stands || expected != Some((first, &outcome)) {
                let words = format!("request {id} was answered {outcome} of #{first}, which is no more in the order");
                return broken("no_acknowledged_request_is_lost", words);
            }
        }
        let expected = self.reference.last_state();
        for (replica, state) in states {
            if *state != expected {
                let words = format!("{replica} has {}, expected {}", state.digest().short(), expected.digest().short());
                return broken("every_replica_has_the_state_of_the_order_after_the_faults", words);
            }
        }
        check_last(self.reference.last(), self.delivered)
    }
}

fn check_last(given: SequenceNumber, delivered: SequenceNumber) -> Held {
    if given == delivered {
        return Ok(());
    }
    broken("no_acknowledged_request_is_lost", format!("the order ends at #{given}, delivered was #{delivered}"))
}
