//! When a front end whose process is new begins to submit.
//!
//! A replica manager replies once. Until it knows of the new process, its replies go into the channel's last session, where they are
//! dropped as late. So a front end asks all of them how they stand, and holds requests back until a quorum has been heard of in this
//! session, which shows that they know it. The others are given a moment more, so that a wrong outcome among the first ones can be
//! outvoted; who is down does not keep anybody waiting for longer than that.

use std::time::Duration;

use super::FrontEnd;
use crate::protocol::id::{NodeId, SequenceNumber};
use crate::protocol::limits::PROGRESS_INTERVAL;
use crate::protocol::message::Message;
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::recipients::Recipients;
use crate::protocol::time::Instant;

/// How long the managers beyond a quorum may take to be heard of: every one of them tells how far it is in each interval, and one of
/// these messages may be lost.
const OTHERS_WITHIN: Duration = PROGRESS_INTERVAL.saturating_mul(3);

/// How far a front end is with its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Fewer than a quorum of managers have been heard of.
    Alone,
    /// A quorum has; it begins at this time if no other is heard of until then.
    Expecting(Instant),
    /// It submits.
    Open,
}

impl FrontEnd {
    /// Asks the managers how they stand.
    pub(super) fn begin(&mut self) {
        if mutation::is_on(Mutation::SubmitAtOnce) {
            self.opening = Opening::Open;
        } else {
            self.transmit(Recipients::ReplicaManagers, Message::Join);
        }
    }

    /// A manager was heard of.
    pub(super) fn check_opening(&mut self, now: Instant) {
        if self.opening == Opening::Open {
            return;
        }
        let heard_len = self.managers_heard_len();
        if heard_len == self.config.membership.replicas_len {
            self.open(now);
        } else if heard_len >= self.config.tolerance.quorum() && self.opening == Opening::Alone {
            self.opening = Opening::Expecting(now + OTHERS_WITHIN);
        }
    }

    /// The others had their time.
    pub(super) fn on_opening_timeout(&mut self, now: Instant) {
        if matches!(self.opening, Opening::Expecting(until) if until <= now) {
            self.open(now);
        }
    }

    pub(super) fn opening_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.opening {
            Opening::Expecting(until) => Some((until, "opening")),
            Opening::Alone | Opening::Open => None,
        }
    }

    /// How many replica managers were heard of in this life.
    pub(super) fn managers_heard_len(&self) -> usize {
        self.heartbeats.keys().filter(|node| node.replica().is_some()).count()
    }

    /// Submits what was held back, and holds nothing back any more.
    fn open(&mut self, now: Instant) {
        self.opening = Opening::Open;
        self.submit_again(|_| false, now);
    }

    /// Submits every request that has no place, or one that counts no more.
    pub(super) fn submit_again(&mut self, is_forgotten: impl Fn(SequenceNumber) -> bool, now: Instant) {
        if self.opening != Opening::Open {
            return;
        }
        let mut again = Vec::new();
        for (id, pending) in &mut self.pending {
            if pending.sequence.is_none_or(&is_forgotten) {
                pending.sequence = None;
                pending.submitted_at = now;
                again.push(Message::Submit { id: *id, command: pending.command });
            }
        }
        for message in again {
            self.transmit(Recipients::One(NodeId::Sequencer), message);
        }
    }
}
