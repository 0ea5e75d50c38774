//! Who is accused, restarted and repaired, and which checkpoints are certified.

use std::collections::BTreeSet;

use super::{Held, Laws, broken};
use crate::market::Digest;
use crate::protocol::crash_votes::majority;
use crate::protocol::event::Cause;
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, SequenceNumber};
use crate::protocol::message::{Charge, Response};
use crate::protocol::strikes::STRIKES_MAX;

/// What was said and seen of a replica's present life.
#[derive(Debug, Default)]
pub struct Life {
    incarnation: Incarnation,
    accused_at: BTreeSet<SequenceNumber>,
    /// Managers that took it for crashed.
    agreed: BTreeSet<ReplicaId>,
    /// Where its module failed.
    failed_at: Option<SequenceNumber>,
}

/// What is really the matter with a life of a replica.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// A fault has made it differ from the others.
    pub is_tainted: bool,
    /// A call of its module does not come back.
    pub is_mute: bool,
}

impl Laws {
    fn life(&mut self, replica: ReplicaId, incarnation: Incarnation) -> &mut Life {
        let life = self.lives.get_mut(&replica).expect("every replica has a life");
        if life.incarnation < incarnation {
            *life = Life { incarnation, ..Life::default() };
        }
        life
    }

    /// A front end accuses a replica.
    pub fn nobody_is_accused_of_a_right_answer(&mut self, front_end: NodeId, charge: Charge) -> Held {
        self.checked += 1;
        let Charge { replica, incarnation, sequence } = charge;
        let life = self.life(replica, incarnation);
        if life.incarnation == incarnation {
            life.accused_at.insert(sequence);
        }
        let said = self.replies.get(&front_end).and_then(|replies| replies.get(&sequence)).into_iter().flatten();
        let said = said.filter(|(who, life, _)| (*who, *life) == (replica, incarnation)).map(|(.., said)| said.clone());
        let said: Vec<Response> = said.collect();
        let right = self.reference.outcome_at(sequence).map(|(first, outcome)| (first, outcome.clone()));
        let is_wrong = |response: &Response| match (response, &right) {
            (Response::Executed { first, outcome }, Some((right_first, right_outcome))) => {
                (first, outcome) != (right_first, right_outcome)
            }
            _ => true,
        };
        if said.iter().any(is_wrong) {
            return Ok(());
        }
        let words = format!("{replica} is accused of #{sequence}, where it said {said:?} and right is {right:?}");
        broken("nobody_is_accused_of_a_right_answer", words)
    }

    /// A manager votes on whether a replica has crashed.
    pub fn on_crash_vote(&mut self, voter: ReplicaId, charge: Charge, agree: bool) {
        let life = self.life(charge.replica, charge.incarnation);
        if agree && life.incarnation == charge.incarnation {
            life.agreed.insert(voter);
        }
    }

    /// A module has failed.
    pub fn on_module_failed(&mut self, replica: ReplicaId, incarnation: Incarnation, sequence: SequenceNumber) {
        self.life(replica, incarnation).failed_at = Some(sequence);
    }

    /// A manager begins a new life of its replica. `truth` is what is the matter with the one that ends.
    pub fn nobody_is_restarted_without_cause(
        &mut self,
        replica: ReplicaId,
        incarnation: Incarnation,
        cause: &Cause,
        truth: Truth,
    ) -> Held {
        self.checked += 1;
        let majority = majority(self.replicas_len);
        let (certified, votes) = match cause {
            Cause::Corrupt(at) => (
                self.reference.checkpoint_at(*at).map(|(_, digest)| digest),
                self.checkpoint_votes.get(at).and_then(|votes| votes.get(&replica)).copied(),
            ),
            _ => (None, None),
        };
        let life = self.life(replica, Incarnation(0));
        let is_of_this_life = life.incarnation.0 + 1 == incarnation.0;
        let has_cause = match cause {
            Cause::Wrong(sequence) => {
                let run = |place: &SequenceNumber| {
                    (0..STRIKES_MAX).all(|step| life.accused_at.contains(&SequenceNumber(place.0 + step)))
                };
                let nearby = sequence.0.saturating_sub(STRIKES_MAX - 1)..=sequence.0;
                is_of_this_life && nearby.map(SequenceNumber).any(|place| run(&place))
            }
            Cause::Crashed(_) => is_of_this_life && life.agreed.len() >= majority,
            Cause::ModuleFailed(sequence, _) => is_of_this_life && life.failed_at == Some(*sequence),
            Cause::Corrupt(_) => truth.is_tainted && certified.is_some() && certified != votes,
            Cause::Voided(sequence) => self.reference.is_void(*sequence),
            Cause::Hung(_) => truth.is_mute,
            Cause::ImportFailed(_) | Cause::Behind(_) | Cause::NewProcess(_) => true,
        };
        let life = self.life(replica, incarnation);
        if has_cause {
            return Ok(());
        }
        let words =
            format!("{replica} begins life {incarnation}, because \"{cause}\"; known of its last life: {life:?}");
        let law = match cause {
            Cause::Crashed(_) => "nobody_is_restarted_for_a_crash_without_a_majority",
            Cause::Wrong(_) => "nobody_is_restarted_without_three_wrong_answers_in_a_row",
            _ => "nobody_is_restarted_without_cause",
        };
        broken(law, words)
    }

    /// A heartbeat tells of a life.
    pub fn on_life_heard_of(&mut self, replica: ReplicaId, incarnation: Incarnation) {
        self.life(replica, incarnation);
    }

    /// Somebody has found that replicas have different states, and no digest is shared by enough of them.
    pub fn states_differ_only_where_somebody_may_be_wrong(&mut self, sequence: SequenceNumber) -> Held {
        self.checked += 1;
        if self.tolerance.wrong > 0 {
            return Ok(());
        }
        broken("states_differ_only_where_somebody_may_be_wrong", format!("replicas differ at #{sequence}"))
    }

    /// A manager votes on a checkpoint. `is_tainted` says whether a fault has made its replica differ.
    pub fn on_checkpoint_vote(
        &mut self,
        voter: ReplicaId,
        sequence: SequenceNumber,
        digest: Digest,
        is_tainted: bool,
    ) -> Held {
        self.checked += 1;
        // Where one vote certifies, every vote has to be right; elsewhere a module of its own may be wrong.
        if !is_tainted && self.tolerance.quorum() == 1 {
            self.certified_checkpoints_are_never_contradicted(sequence, digest)?;
        }
        let votes = self.checkpoint_votes.entry(sequence).or_default();
        votes.insert(voter, digest);
        let is_first = votes.values().filter(|other| **other == digest).count() >= self.tolerance.quorum()
            && self.certified.insert(sequence);
        // What is certified is not certified again: replicas that are corrupt one after the other may agree later, and nobody heeds it.
        if is_first { self.certified_checkpoints_are_never_contradicted(sequence, digest) } else { Ok(()) }
    }

    /// Somebody says that a checkpoint is certified.
    pub fn certified_checkpoints_are_never_contradicted(&mut self, sequence: SequenceNumber, digest: Digest) -> Held {
        let expected = self.reference.checkpoint_at(sequence).map(|(_, checkpoint)| checkpoint);
        // A place that became void after some had passed it has no checkpoint.
        if expected == Some(digest) || self.reference.is_void(sequence) {
            return Ok(());
        }
        let words = format!(
            "#{sequence}: {} is certified, expected {}",
            digest.short(),
            expected.map_or_else(|| "none".to_owned(), |expected| expected.short())
        );
        broken("certified_checkpoints_are_never_contradicted", words)
    }
}
