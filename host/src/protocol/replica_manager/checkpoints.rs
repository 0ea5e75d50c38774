//! Takes checkpoints, has them certified, and keeps the last ones.

use std::sync::Arc;

use super::{Life, ReplicaManager};
use crate::market::{Digest, MarketState};
use crate::protocol::checkpoint::{Checkpoint, Verdict};
use crate::protocol::event::{Cause, Event};
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::limits::{CERTIFICATES_LEN_MAX, STABLE_LEN_MAX};
use crate::protocol::message::{Certificate, Command, Message, Order};
use crate::protocol::recipients::Recipients;
use crate::protocol::record::Record;
use crate::protocol::tentative::Tentative;
use crate::protocol::time::Instant;

impl ReplicaManager {
    /// Whether the module is to export its state after this order.
    pub(super) fn is_export_due(&self, order: &Order) -> bool {
        self.is_voted_on(order) || self.is_tentative_due(order)
    }

    /// Whether all replicas take a checkpoint after this order. Where it is the export that fails, a void order must not ask for it again.
    fn is_voted_on(&self, order: &Order) -> bool {
        match order.command {
            Command::Request(_) => order.sequence.0.is_multiple_of(self.config.recovery.checkpoint_every),
            Command::Barrier => true,
            Command::Void => false,
        }
    }

    /// Whether a tentative checkpoint is to be written down after this order: none was certified for long, since none was voted on. A
    /// replica of which nobody has said yet whether it has the same as the others writes none, nor one that waits for votes: what they
    /// are about to find wrong is not to be begun with again.
    fn is_tentative_due(&self, order: &Order) -> bool {
        let every = self.config.recovery.tentative_every;
        let certified = self.stable.back().map(|(stable, _)| stable.sequence);
        let last = certified.max(self.execution.tentative_at).unwrap_or_default();
        let is_trusted = matches!(self.life, Life::Voting) && !self.is_unverified && self.candidates.is_empty();
        every > 0
            && is_trusted
            && matches!(order.command, Command::Request(_))
            && order.sequence.0.saturating_sub(last.0) >= every
    }

    /// The module has exported its state after this order, the last one executed.
    pub(super) fn on_exported(&mut self, order: &Order, state: Arc<MarketState>, state_digest: Digest, now: Instant) {
        let sequence = order.sequence;
        let checkpoint = Checkpoint::new(sequence, state, state_digest, &self.execution.tables);
        if !self.is_voted_on(order) {
            if self.is_tentative_due(order) {
                self.execution.tentative_at = Some(sequence);
                self.persist(Record::Tentative(Tentative::of(&checkpoint)));
            }
            return;
        }
        let digest = checkpoint.digest;
        self.candidates.insert(sequence, checkpoint);
        while self.candidates.len() > CERTIFICATES_LEN_MAX {
            self.candidates.pop_first();
        }
        self.transmit(Recipients::Watchers, Message::CheckpointVote { sequence, digest });
        self.on_checkpoint_vote(self.config.replica, sequence, digest, now);
        self.settle(sequence, now);
    }

    pub(super) fn on_checkpoint_vote(
        &mut self,
        voter: ReplicaId,
        sequence: SequenceNumber,
        digest: Digest,
        now: Instant,
    ) {
        // The front end counts as well, and tells what came of it.
        let Verdict::Certified(_) = self.certifier.vote(voter, sequence, digest) else { return };
        self.settle(sequence, now);
        if let Life::Blocked { at, .. } = self.life
            && sequence >= at
        {
            self.unblock(at, now);
        }
    }

    /// Compares this replica's checkpoint with the certified one, once both are there.
    fn settle(&mut self, sequence: SequenceNumber, now: Instant) {
        let Some(certificate) = self.certifier.certificate(sequence).cloned() else { return };
        let Some(own) = self.candidates.get(&sequence).map(|candidate| candidate.digest) else { return };
        let (replica, incarnation) = (self.config.replica, self.incarnation);
        if own == certificate.digest {
            self.ladder.on_verified();
            if std::mem::take(&mut self.is_unverified) {
                self.event(Event::Verified { replica, incarnation, sequence, digest: own }, now);
            }
            let checkpoint = self.candidates.remove(&sequence).expect("it was seen above");
            self.keep(checkpoint, certificate);
        } else if self.config.tolerance.wrong == 0 {
            // Nobody can be wrong in this mode, so nobody can say who is. It is told, and each keeps what it has.
            let digests = vec![(certificate.voters[0], certificate.digest), (replica, own)];
            self.event(Event::StatesDiffer { sequence, digests }, now);
            let checkpoint = self.candidates.remove(&sequence).expect("it was seen above");
            self.keep(checkpoint, Certificate { sequence, digest: own, voters: vec![replica] });
        } else {
            let certified = certificate.digest;
            self.event(Event::Corrupt { replica, incarnation, sequence, own, certified }, now);
            self.recover(Cause::Corrupt(sequence), now);
        }
    }

    /// Keeps a certified checkpoint, and drops what it makes superfluous.
    pub(super) fn keep(&mut self, checkpoint: Checkpoint, certificate: Certificate) {
        let sequence = checkpoint.sequence;
        if self.stable.back().is_some_and(|(latest, _)| latest.sequence >= sequence) {
            return;
        }
        self.candidates = self.candidates.split_off(&sequence.next());
        self.persist(Record::Checkpoint(checkpoint.clone(), certificate.clone()));
        self.stable.push_back((checkpoint, certificate));
        if self.stable.len() > STABLE_LEN_MAX {
            self.stable.pop_front();
            let oldest = self.stable.front().expect("more than one is kept").0.sequence;
            self.log.truncate(oldest);
            self.persist(Record::Begin(oldest));
        }
    }
}
