//! Accusations, suspicions and votes.

use super::ReplicaManager;
use crate::protocol::event::{Cause, Event};
use crate::protocol::id::ReplicaId;
use crate::protocol::limits::WATCH_INTERVAL;
use crate::protocol::message::{Charge, Message, Phase};
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::recipients::Recipients;
use crate::protocol::strikes::STRIKES_MAX;
use crate::protocol::time::Instant;

impl ReplicaManager {
    /// A replica was wrong. Its own manager counts, and acts.
    pub(super) fn on_accuse(&mut self, charge: Charge, now: Instant) {
        let is_of_this_life = charge.incarnation == self.incarnation || mutation::is_on(Mutation::IgnoreIncarnation);
        let is_current = charge.replica == self.config.replica && is_of_this_life;
        if !is_current || self.phase() != Phase::Voting {
            return;
        }
        if self.strikes.accuse(charge).is_some_and(|run_len| run_len >= STRIKES_MAX) {
            self.recover(Cause::Wrong(charge.sequence), now);
        }
    }

    pub(super) fn on_suspect(&mut self, charge: Charge, now: Instant) {
        if self.watch.on_suspect(charge) {
            self.on_watch_timeout(now);
        }
    }

    pub(super) fn on_crash_vote(&mut self, voter: ReplicaId, charge: Charge, agree: bool, now: Instant) {
        let is_agreed = self.watch.on_vote(voter, charge, agree);
        let is_current = charge.replica == self.config.replica && charge.incarnation == self.incarnation;
        if is_agreed && is_current && self.phase() == Phase::Voting {
            self.recover(Cause::Crashed(charge.sequence), now);
        }
    }

    /// Looks at the evidence again, and votes where it has changed.
    pub(super) fn on_watch_timeout(&mut self, now: Instant) {
        for vote in self.watch.votes(now) {
            let (charge, agree) = (vote.charge, vote.agree);
            self.event(Event::Voted { charge, agree, evidence: vote.evidence }, now);
            self.transmit(Recipients::Watchers, Message::CrashVote { charge, agree });
            self.on_crash_vote(self.config.replica, charge, agree, now);
        }
        self.watch_at = self.watch.is_open().then(|| now + WATCH_INTERVAL);
    }
}
