//! Which module may take over in a swap, and when. That outcomes stay right meanwhile is what the other laws hold all the time.

use std::collections::BTreeSet;

use super::{Held, Laws, broken};
use crate::protocol::id::{Incarnation, ReplicaId, SequenceNumber};
use crate::protocol::message::Response;
use crate::protocol::recipients::Recipients;
use crate::protocol::swap::{Stage, SwapId};

/// What was asked for and seen of a swap.
#[derive(Debug)]
pub struct Swap {
    /// Whether its module may take over at all.
    is_right: bool,
    shadow_len: u64,
    /// Where the present instance has said what is right.
    equal: BTreeSet<SequenceNumber>,
    /// The front end has said that it may take over.
    is_promoted: bool,
}

impl Laws {
    /// The front end begins a swap. `is_right` says whether its module is.
    pub fn on_swap_begun(&mut self, replica: ReplicaId, swap: SwapId, is_right: bool, shadow_len: u64) {
        let begun = Swap { is_right, shadow_len, equal: BTreeSet::new(), is_promoted: false };
        self.swaps.insert((replica, swap), begun);
    }

    /// The front end has received an outcome of a shadow.
    pub fn on_shadow_reply_received(
        &mut self,
        replica: ReplicaId,
        swap: SwapId,
        sequence: SequenceNumber,
        response: &Response,
    ) {
        let Response::Executed { first, outcome } = response else { return };
        let is_equal = self.reference.outcome_at(sequence) == Some((*first, outcome));
        if let Some(swap) = self.swaps.get_mut(&(replica, swap)).filter(|_| is_equal) {
            swap.equal.insert(sequence);
        }
    }

    /// The front end has heard how far a swap is.
    pub fn on_swap_report_received(&mut self, replica: ReplicaId, swap: SwapId, stage: &Stage) {
        let swap = self.swaps.get_mut(&(replica, swap)).filter(|swap| !swap.is_promoted && *stage == Stage::Importing);
        if let Some(swap) = swap {
            swap.equal.clear();
        }
    }

    /// The front end says that the shadow of a replica may take over.
    pub fn nothing_takes_over_before_enough_of_its_outcomes_were_right(
        &mut self,
        to: Recipients,
        swap: SwapId,
    ) -> Held {
        self.checked += 1;
        let law = "nothing_takes_over_before_enough_of_its_outcomes_were_right";
        let Recipients::One(node) = to else { return broken(law, format!("it is said to {to:?}")) };
        let swap = node.replica().and_then(|replica| self.swaps.get_mut(&(replica, swap)));
        let Some(swap) = swap else { return broken(law, format!("{node}: nobody has asked for that swap")) };
        swap.is_promoted = true;
        if swap.equal.len() as u64 >= swap.shadow_len {
            return Ok(());
        }
        broken(law, format!("{node}: {} of {} outcomes were right", swap.equal.len(), swap.shadow_len))
    }

    /// A shadow takes over, and begins a new life of its replica.
    pub fn only_a_module_that_was_right_takes_over(
        &mut self,
        replica: ReplicaId,
        swap: SwapId,
        incarnation: Incarnation,
    ) -> Held {
        self.checked += 1;
        self.on_life_heard_of(replica, incarnation);
        let executed = self.executed_by_shadow.remove(&replica).unwrap_or_default();
        self.executed.insert(replica, executed);
        match self.swaps.get(&(replica, swap)) {
            Some(Swap { is_right: true, is_promoted: true, .. }) => Ok(()),
            other => broken("only_a_module_that_was_right_takes_over", format!("{replica}: {other:?}")),
        }
    }

    /// A shadow begins.
    pub fn on_shadow_begun(&mut self, replica: ReplicaId) {
        self.executed_by_shadow.remove(&replica);
    }
}
