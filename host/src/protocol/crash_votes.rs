//! Whether the replica managers agree that a suspected replica has crashed: the suspicions that are open, each manager's own evidence,
//! and the count of votes.
//!
//! A front end suspects a replica that does not reply. That alone restarts nobody, since the network between the two may be slow. Each
//! manager votes from what it knows itself, and looks again while the suspicion is open, so a vote may change; a majority of *all*
//! managers decides.

use std::collections::BTreeMap;

use super::id::{Incarnation, ReplicaId, SequenceNumber};
use super::message::{Charge, Phase, Progress};
use super::policy::SuspicionPolicy;
use super::time::Instant;

/// The votes on one suspicion.
#[derive(Clone, Debug)]
pub struct Votes {
    /// What was suspected.
    pub charge: Charge,
    by_voter: BTreeMap<ReplicaId, bool>,
    /// Whether the majority was there already.
    agreed: bool,
}

impl Votes {
    /// No votes yet.
    pub fn new(charge: Charge) -> Votes {
        Votes { charge, by_voter: BTreeMap::new(), agreed: false }
    }

    /// Counts a vote. Returns who agrees, if with this vote they are a majority for the first time.
    pub fn count(&mut self, voter: ReplicaId, agree: bool, replicas_len: usize) -> Option<Vec<ReplicaId>> {
        self.by_voter.insert(voter, agree);
        let agreeing: Vec<ReplicaId> =
            self.by_voter.iter().filter(|(_, agree)| **agree).map(|(voter, _)| *voter).collect();
        let is_first = !self.agreed && agreeing.len() >= majority(replicas_len);
        self.agreed |= is_first;
        is_first.then_some(agreeing)
    }
}

/// More than half.
pub fn majority(replicas_len: usize) -> usize {
    replicas_len / 2 + 1
}

/// What one manager knows of the replicas, and the suspicions that are open.
#[derive(Debug)]
pub struct Watch {
    me: ReplicaId,
    replicas_len: usize,
    policy: SuspicionPolicy,
    known: BTreeMap<ReplicaId, Known>,
    /// At most one for each replica, about its latest life.
    suspicions: BTreeMap<ReplicaId, Suspicion>,
}

/// What was last heard of a replica.
#[derive(Clone, Copy, Debug)]
struct Known {
    heard_at: Instant,
    incarnation: Incarnation,
    phase: Phase,
    executed: SequenceNumber,
    /// When `executed` last grew, or there was nothing to execute.
    advanced_at: Instant,
}

#[derive(Debug)]
struct Suspicion {
    votes: Votes,
    /// Whether the front end has said it to this manager; a vote of another one may come first.
    is_open: bool,
    voted: Option<bool>,
}

/// A vote that this manager gives now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// On what.
    pub charge: Charge,
    /// Whether the replica has crashed.
    pub agree: bool,
    /// The evidence, in words.
    pub evidence: String,
}

impl Watch {
    /// The watch of one replica's manager over all replicas.
    pub fn new(me: ReplicaId, replicas_len: usize, policy: SuspicionPolicy) -> Watch {
        Watch { me, replicas_len, policy, known: BTreeMap::new(), suspicions: BTreeMap::new() }
    }

    /// Something was heard of a replica's manager.
    pub fn on_heard(&mut self, replica: ReplicaId, now: Instant) {
        if let Some(known) = self.known.get_mut(&replica) {
            known.heard_at = now;
        }
    }

    /// A heartbeat came. Suspicions that it disproves are closed.
    pub fn on_progress(&mut self, replica: ReplicaId, progress: &Progress, now: Instant) {
        let Progress { incarnation, phase, executed, delivered, .. } = *progress;
        // A process that does not know yet which life this is does not make the last one forgotten.
        let incarnation = incarnation.max(self.incarnation(replica));
        let fresh = Known { heard_at: now, incarnation, phase, executed, advanced_at: now };
        let known = self.known.entry(replica).or_insert(fresh);
        let stands_still = known.incarnation == incarnation && known.executed == executed && executed < delivered;
        let advanced_at = if stands_still { known.advanced_at } else { now };
        *known = Known { advanced_at, ..fresh };
        let Some(suspicion) = self.suspicions.get(&replica) else { return };
        let Charge { incarnation: suspected, sequence, .. } = suspicion.votes.charge;
        // That it recovers disproves nothing: a heartbeat may be older than the suspicion when it was long on its way, and a replica
        // that does not vote is agreed to have crashed only if it is silent. While its life lasts, a vote against it has to be taken
        // back first.
        let is_disproved = (executed >= sequence || phase == Phase::Quarantined) && suspicion.voted != Some(true);
        if incarnation > suspected || is_disproved {
            self.suspicions.remove(&replica);
        }
    }

    /// The last life of a replica that was heard of.
    pub fn incarnation(&self, replica: ReplicaId) -> Incarnation {
        self.known.get(&replica).map_or(Incarnation(0), |known| known.incarnation)
    }

    /// The replicas whose managers were heard of lately, the liveliest first.
    pub fn lively(&self, now: Instant) -> Vec<ReplicaId> {
        let mut lively: Vec<_> =
            self.known.iter().filter(|(_, known)| now.since(known.heard_at) < self.policy.silent_after).collect();
        lively.sort_by_key(|(_, known)| std::cmp::Reverse(known.heard_at));
        lively.into_iter().map(|(replica, _)| *replica).collect()
    }

    /// A front end suspects a replica. Whether that is news.
    pub fn on_suspect(&mut self, charge: Charge) -> bool {
        if charge.incarnation < self.incarnation(charge.replica) {
            return false;
        }
        let suspicion = self.suspicion(charge);
        let suspected = &mut suspicion.votes.charge;
        if suspected.incarnation == charge.incarnation {
            // What disproves an earlier suspicion does not disprove this one.
            suspected.sequence = suspected.sequence.max(charge.sequence);
        }
        let is_news = !suspicion.is_open;
        suspicion.is_open = true;
        is_news
    }

    /// A manager votes, this one or another. Whether a majority now agrees for the first time.
    pub fn on_vote(&mut self, voter: ReplicaId, charge: Charge, agree: bool) -> bool {
        if charge.incarnation < self.incarnation(charge.replica) {
            return false;
        }
        let replicas_len = self.replicas_len;
        let suspicion = self.suspicion(charge);
        if charge.incarnation < suspicion.votes.charge.incarnation {
            return false;
        }
        suspicion.votes.count(voter, agree, replicas_len).is_some()
    }

    /// Whether any suspicion is open, so that [`Watch::votes`] has to be asked again before long.
    pub fn is_open(&self) -> bool {
        self.suspicions.values().any(|suspicion| suspicion.is_open)
    }

    /// The votes that this manager gives now: on each open suspicion the first time, and whenever its evidence has changed.
    pub fn votes(&mut self, now: Instant) -> Vec<Vote> {
        let open: Vec<Charge> = self
            .suspicions
            .values()
            .filter(|suspicion| suspicion.is_open)
            .map(|suspicion| suspicion.votes.charge)
            .collect();
        let mut votes = Vec::new();
        for charge in open {
            let (agree, evidence) = self.evidence(charge, now);
            let suspicion = self.suspicion(charge);
            if suspicion.voted != Some(agree) {
                suspicion.voted = Some(agree);
                votes.push(Vote { charge, agree, evidence });
            }
        }
        votes
    }

    /// This manager was itself not running for a while, so that nothing it has not heard means anything.
    pub fn on_own_absence(&mut self, now: Instant) {
        for known in self.known.values_mut() {
            known.heard_at = now;
            known.advanced_at = now;
        }
    }

    fn suspicion(&mut self, charge: Charge) -> &mut Suspicion {
        let fresh = || Suspicion { votes: Votes::new(charge), is_open: false, voted: None };
        let suspicion = self.suspicions.entry(charge.replica).or_insert_with(fresh);
        if suspicion.votes.charge.incarnation < charge.incarnation {
            *suspicion = fresh();
        }
        suspicion
    }

    fn evidence(&self, charge: Charge, now: Instant) -> (bool, String) {
        let heard_lately = self.lively(now).len().max(1);
        let Some(known) = self.known.get(&charge.replica) else {
            return (false, "nothing was ever heard of it".to_owned());
        };
        if known.incarnation > charge.incarnation {
            return (false, format!("it lives on as incarnation {}", known.incarnation));
        }
        let silent_for = now.since(known.heard_at);
        if charge.replica != self.me && silent_for >= self.policy.silent_after {
            let evidence = format!("silent for {} ms", silent_for.as_millis());
            // Who hears of no majority is itself cut off, and its silence is no evidence.
            let is_cut_off = heard_lately < majority(self.replicas_len);
            return if is_cut_off { (false, format!("{evidence}, but so are the others")) } else { (true, evidence) };
        }
        let stands_for = now.since(known.advanced_at);
        if known.phase == Phase::Voting && known.executed < charge.sequence && stands_for >= self.policy.stuck_after {
            return (true, format!("has executed nothing since {} for {} ms", known.executed, stands_for.as_millis()));
        }
        (false, format!("heard {} ms ago, executed {}", silent_for.as_millis(), known.executed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::new(number).unwrap()
    }

    fn charge(incarnation: u32) -> Charge {
        Charge { replica: replica(3), incarnation: Incarnation(incarnation), sequence: SequenceNumber(10) }
    }

    fn millis(millis: u64) -> Instant {
        Instant(millis * 1000)
    }

    fn progress(incarnation: u32, executed: u64, delivered: u64) -> Progress {
        Progress {
            incarnation: Incarnation(incarnation),
            phase: Phase::Voting,
            delivered: SequenceNumber(delivered),
            executed: SequenceNumber(executed),
            module: None,
            process: 1,
        }
    }

    /// The watch of replica 1 of 3, which has heard of all at time 0.
    fn watch() -> Watch {
        let mut watch = Watch::new(replica(1), 3, SuspicionPolicy::default());
        for number in 1..=3 {
            watch.on_progress(replica(number), &progress(1, 9, 9), millis(0));
        }
        watch
    }

    /// Replicas 1 and 2 are heard of every half second until then.
    fn others_live_until(watch: &mut Watch, until_ms: u64) {
        for at in (0..=until_ms).step_by(500) {
            watch.on_progress(replica(1), &progress(1, 10, 10), millis(at));
            watch.on_progress(replica(2), &progress(1, 10, 10), millis(at));
        }
    }

    fn agrees(watch: &mut Watch, at_ms: u64) -> Option<bool> {
        watch.votes(millis(at_ms)).first().map(|vote| vote.agree)
    }

    #[test]
    fn a_replica_that_was_heard_of_lately_is_alive_and_a_silent_one_has_crashed() {
        let mut watch = watch();
        assert!(watch.on_suspect(charge(1)));
        assert!(!watch.on_suspect(charge(1)), "once is enough");
        assert_eq!(agrees(&mut watch, 500), Some(false));
        assert_eq!(agrees(&mut watch, 1000), None, "nothing has changed");
        others_live_until(&mut watch, 2000);
        assert_eq!(agrees(&mut watch, 2000), Some(true));
    }

    #[test]
    fn who_hears_of_nobody_is_cut_off_itself() {
        let mut watch = watch();
        watch.on_suspect(charge(1));
        watch.on_progress(replica(1), &progress(1, 9, 9), millis(5000));
        assert_eq!(agrees(&mut watch, 5000), Some(false));
    }

    #[test]
    fn who_did_not_run_has_no_evidence() {
        let mut watch = watch();
        watch.on_suspect(charge(1));
        watch.on_own_absence(millis(5000));
        assert_eq!(agrees(&mut watch, 5000), Some(false));
    }

    #[test]
    fn a_replica_that_executes_slowly_is_alive_and_one_that_stands_still_is_not() {
        for (stands_still, expected) in [(false, false), (true, true)] {
            let mut watch = watch();
            watch.on_suspect(charge(1));
            others_live_until(&mut watch, 4000);
            for at in (0..=4000).step_by(500) {
                let executed = if stands_still { 5 } else { at / 1000 };
                watch.on_progress(replica(3), &progress(1, executed, 20), millis(at));
            }
            assert_eq!(agrees(&mut watch, 4000), Some(expected));
        }
    }

    #[test]
    fn a_suspicion_ends_when_the_replica_has_executed_the_order_or_lives_anew() {
        for (incarnation, executed) in [(1, 10), (2, 3)] {
            let mut watch = watch();
            watch.on_suspect(charge(1));
            watch.on_progress(replica(3), &progress(incarnation, executed, 20), millis(100));
            assert!(!watch.is_open());
            assert_eq!(agrees(&mut watch, 9000), None);
        }
        let mut watch = watch();
        watch.on_progress(replica(3), &progress(2, 0, 0), millis(0));
        assert!(!watch.on_suspect(charge(1)), "an earlier life");
        assert!(!watch.on_vote(replica(1), charge(1), true));
    }

    #[test]
    fn an_old_heartbeat_of_a_recovery_does_not_end_the_suspicion_of_the_life_after_it() {
        // Where the manager's process is new, what was meant for the one before reaches it first.
        let mut watch = Watch::new(replica(1), 3, SuspicionPolicy::default());
        watch.on_suspect(charge(1));
        watch.on_progress(replica(3), &Progress { phase: Phase::Recovering, ..progress(1, 9, 9) }, millis(0));
        assert_eq!(agrees(&mut watch, 0), Some(false), "it recovers");
        for at in (0..=4000).step_by(500) {
            watch.on_progress(replica(3), &progress(1, 9, 20), millis(at));
        }
        assert_eq!(agrees(&mut watch, 4000), Some(true), "it votes and stands still");
    }

    #[test]
    fn what_disproves_a_suspicion_does_not_disprove_a_later_one() {
        let mut watch = watch();
        watch.on_suspect(charge(1));
        watch.on_suspect(Charge { sequence: SequenceNumber(20), ..charge(1) });
        watch.on_progress(replica(3), &progress(1, 12, 20), millis(100));
        assert!(watch.is_open(), "it has executed the first of them only");
        others_live_until(&mut watch, 4000);
        watch.on_progress(replica(3), &progress(1, 12, 20), millis(4000));
        assert_eq!(agrees(&mut watch, 4000), Some(true), "it stands still");
    }

    #[test]
    fn a_majority_of_all_managers_decides_once() {
        let mut watch = watch();
        assert!(!watch.on_vote(replica(2), charge(1), true));
        assert!(!watch.on_vote(replica(2), charge(1), true), "a manager has one vote");
        assert!(!watch.on_vote(replica(1), charge(1), false));
        assert!(watch.on_vote(replica(1), charge(1), true));
        assert!(!watch.on_vote(replica(3), charge(1), true), "it was decided before");
        assert_eq!([2, 3, 4].map(majority), [2, 2, 3]);
    }
}
