//! The recovery ladder of one replica: what to try next to bring it back.
//!
//! The same module, instantiated anew; then the next of its spares; then quarantine. A module that fails twice at the same place
//! fails there every time, so it is never called there again.

use std::time::Duration;

use super::event::{Cause, Rung};
use super::id::SequenceNumber;
use super::policy::RecoveryPolicy;
use super::time::Instant;

/// Counts a replica's failures and decides what comes next.
#[derive(Debug)]
pub struct Ladder {
    policy: RecoveryPolicy,
    /// The present module's place in the list of all, and after it those of the spares that are left, the next one first.
    modules: Vec<usize>,
    /// Failures of the present module since it last passed its probation.
    failures: u32,
    /// How often in a row its checkpoints were not the certified ones. Time does not mend that.
    corruptions: u32,
    voting_since: Option<Instant>,
    failed_at: Option<SequenceNumber>,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start this module, after a pause.
    Start {
        /// Its place in the list: 0 the first one, then the spares.
        module: usize,
        /// What that is.
        rung: Rung,
        /// How long to wait before.
        pause: Duration,
    },
    /// The module fails here every time, and there is no other: wait until the others have gone past it.
    Block(SequenceNumber),
    /// Nothing is left.
    Quarantine,
}

impl Ladder {
    /// The ladder of a replica with so many modules, its first one included.
    pub fn new(policy: RecoveryPolicy, modules_len: usize) -> Ladder {
        let modules = (0..modules_len).collect();
        Ladder { policy, modules, failures: 0, corruptions: 0, voting_since: None, failed_at: None }
    }

    /// The present module's place in the list.
    pub fn module(&self) -> usize {
        self.modules[0]
    }

    /// This module takes over, and the one that it replaces becomes the next spare. Returns that one.
    pub fn promote(&mut self, module: usize) -> usize {
        let previous = self.module();
        self.modules.retain(|spare| *spare != module);
        self.modules.insert(0, module);
        self.forgive();
        previous
    }

    /// Decides what to do about a failure.
    pub fn next(&mut self, cause: &Cause, now: Instant) -> Step {
        let voted_for = self.voting_since.take().map(|since| now.since(since));
        match cause {
            // Not the module's doing.
            Cause::Behind(_) | Cause::NewProcess(_) | Cause::Voided(_) => {
                return self.start(Rung::Reinstantiate, Duration::ZERO);
            }
            Cause::ModuleFailed(sequence, _) if self.failed_at == Some(*sequence) => {
                return self.next_spare().unwrap_or(Step::Block(*sequence));
            }
            Cause::ModuleFailed(sequence, _) => self.failed_at = Some(*sequence),
            Cause::Corrupt(_) => self.corruptions += 1,
            Cause::Wrong(_) | Cause::Crashed(_) | Cause::ImportFailed(_) | Cause::Hung(_) => {}
        }
        if voted_for.is_some_and(|voted_for| voted_for >= self.policy.probation) {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures.max(self.corruptions) > self.policy.reinstantiations_max {
            return self.next_spare().unwrap_or(Step::Quarantine);
        }
        let doublings = self.failures.saturating_sub(2).min(16);
        let pause = if self.failures == 1 { Duration::ZERO } else { self.policy.backoff * (1 << doublings) };
        self.start(Rung::Reinstantiate, pause.min(self.policy.backoff_max))
    }

    /// The replica votes again.
    pub fn on_voting(&mut self, now: Instant) {
        self.voting_since = Some(now);
    }

    /// Its checkpoint was the certified one.
    pub fn on_verified(&mut self) {
        self.corruptions = 0;
    }

    fn next_spare(&mut self) -> Option<Step> {
        if self.modules.len() == 1 {
            return None;
        }
        self.modules.remove(0);
        self.forgive();
        Some(self.start(Rung::Spare, Duration::ZERO))
    }

    /// Another module has done nothing wrong yet.
    fn forgive(&mut self) {
        self.failures = 0;
        self.corruptions = 0;
        self.failed_at = None;
    }

    fn start(&self, rung: Rung, pause: Duration) -> Step {
        Step::Start { module: self.module(), rung, pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::GuestFault;

    fn ladder(modules_len: usize) -> Ladder {
        Ladder::new(RecoveryPolicy { reinstantiations_max: 2, ..RecoveryPolicy::default() }, modules_len)
    }

    fn seconds(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn wrong() -> Cause {
        Cause::Wrong(SequenceNumber(3))
    }

    fn trap(sequence: u64) -> Cause {
        Cause::ModuleFailed(SequenceNumber(sequence), GuestFault::StackOverflow)
    }

    fn start(module: usize, rung: Rung, pause_ms: u64) -> Step {
        Step::Start { module, rung, pause: Duration::from_millis(pause_ms) }
    }

    #[test]
    fn a_module_that_goes_on_failing_is_followed_by_its_spares_and_then_by_quarantine() {
        let mut ladder = ladder(2);
        let steps: Vec<Step> = (0..6).map(|_| ladder.next(&wrong(), seconds(1))).collect();
        let expected = [
            start(0, Rung::Reinstantiate, 0),
            start(0, Rung::Reinstantiate, 100),
            start(1, Rung::Spare, 0),
            start(1, Rung::Reinstantiate, 0),
            start(1, Rung::Reinstantiate, 100),
            Step::Quarantine,
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn failures_are_forgotten_after_the_probation() {
        let mut ladder = ladder(1);
        for round in 0..5 {
            assert_eq!(ladder.next(&wrong(), seconds(100 * round)), start(0, Rung::Reinstantiate, 0));
            ladder.on_voting(seconds(100 * round));
        }
        assert_eq!(ladder.next(&wrong(), seconds(405)), start(0, Rung::Reinstantiate, 100));
    }

    #[test]
    fn two_failures_at_one_place_are_deterministic() {
        let mut alone = ladder(1);
        assert_eq!(alone.next(&trap(7), seconds(1)), start(0, Rung::Reinstantiate, 0));
        assert_eq!(alone.next(&trap(7), seconds(1)), Step::Block(SequenceNumber(7)));
        let mut with_spare = ladder(2);
        with_spare.next(&trap(7), seconds(1));
        assert_eq!(with_spare.next(&trap(7), seconds(1)), start(1, Rung::Spare, 0));
        assert_eq!(with_spare.next(&trap(8), seconds(1)), start(1, Rung::Reinstantiate, 0));
    }

    #[test]
    fn corruption_counts_however_long_the_replica_has_voted() {
        let mut ladder = ladder(1);
        let steps: Vec<Step> = (0..3)
            .map(|round| {
                ladder.on_voting(seconds(100 * round));
                ladder.next(&Cause::Corrupt(SequenceNumber(1)), seconds(100 * round + 50))
            })
            .collect();
        assert_eq!(steps[2], Step::Quarantine);
    }

    #[test]
    fn the_module_that_is_replaced_in_a_swap_is_the_next_spare() {
        let mut ladder = ladder(2);
        ladder.next(&trap(7), seconds(1));
        assert_eq!(ladder.promote(2), 0);
        assert_eq!(ladder.module(), 2);
        assert_eq!(ladder.next(&trap(7), seconds(1)), start(2, Rung::Reinstantiate, 0), "it is another module");
        assert_eq!(ladder.next(&trap(7), seconds(1)), start(0, Rung::Spare, 0));
        assert_eq!(ladder.promote(1), 0, "a spare takes over before its turn");
        ladder.next(&trap(8), seconds(1));
        assert_eq!(ladder.next(&trap(8), seconds(1)), start(0, Rung::Spare, 0));
    }

    #[test]
    fn what_is_not_the_modules_doing_does_not_count() {
        let mut ladder = ladder(1);
        for _ in 0..10 {
            for cause in [Cause::Behind(SequenceNumber(1)), Cause::NewProcess(SequenceNumber(1))] {
                assert_eq!(ladder.next(&cause, seconds(1)), start(0, Rung::Reinstantiate, 0));
            }
        }
    }
}
