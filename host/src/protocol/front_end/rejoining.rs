//! What the front end tells, and does, when the process of another node is new.
//!
//! Its own process may be new as well. It never claims to know what it does not: a manager that asks who it was then turns to the
//! others.

use super::FrontEnd;
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, Round, SequenceNumber};
use crate::protocol::message::{Message, Phase};
use crate::protocol::recipients::Recipients;
use crate::protocol::time::Instant;

impl FrontEnd {
    /// A manager's process is new, and asks who it was.
    pub(super) fn on_join(&mut self, replica: ReplicaId, now: Instant) {
        let node = NodeId::ReplicaManager(replica);
        if let Some((progress, at)) = self.heartbeats.get_mut(&node) {
            // Its process is new, so it is being brought back already.
            progress.phase = Phase::Recovering;
            *at = now;
        }
        let last = Some(self.incarnation(replica)).filter(|last| *last > Incarnation(0));
        let ordered = self.ordered();
        self.transmit(Recipients::One(node), Message::Joined { last, ordered });
        self.on_shadow_gone(replica, now);
        self.repeat_suspicions(replica);
        self.renew_faults(node, now);
        self.judge_all(now);
    }

    /// The sequencer's process is new. It goes on after this place, so what is known of later ones is of orders that nobody holds.
    pub(super) fn on_resume(&mut self, round: Round, after: SequenceNumber, now: Instant) {
        self.ledger.forget_after(after);
        self.judging.forget_after(after);
        self.certifier.forget_after(after);
        self.transmit(Recipients::One(NodeId::Sequencer), Message::Resumed { round });
        self.submit_again(|sequence| sequence > after, now);
        self.renew_faults(NodeId::Sequencer, now);
    }
}
