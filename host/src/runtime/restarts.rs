//! When a process that has ended is started again.

use std::time::Duration;

use crate::protocol::time::Instant;

/// How long it is waited for the managers to agree before a process that has ended is started again without that: in a cluster that
/// nobody asks anything, nobody is missed.
const AGREEMENT_PATIENCE: Duration = Duration::from_secs(3);

/// A process that lived for longer than this did not end because it was just started.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// The pause before a process is started again that ended soon after its last start; each further one is twice as long.
const BACKOFF: Duration = Duration::from_millis(100);

/// The pause is never longer.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The lives of one node's processes.
#[derive(Debug, Default)]
pub struct Restarts {
    process: u32,
    /// Starts, each soon after the one before.
    quick_len: u32,
    started_at: Option<Instant>,
    due_at: Option<Instant>,
    agreed: bool,
}

impl Restarts {
    /// The first process of a node.
    pub fn of(process: u32) -> Restarts {
        Restarts { process, ..Restarts::default() }
    }

    /// The number of the present process, or of the last one.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// When it is to be started again, if it is.
    pub fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whether the managers have agreed that it has crashed.
    pub fn is_agreed(&self) -> bool {
        self.agreed
    }

    /// The process has ended.
    pub fn on_ended(&mut self, now: Instant) {
        self.on_ended_alone(now);
        if !self.agreed {
            self.due_at = Some(now + AGREEMENT_PATIENCE.max(self.pause()));
        }
    }

    /// The process has ended, and its role has no other one that could miss it.
    pub fn on_ended_alone(&mut self, now: Instant) {
        if self.started_at.is_some_and(|at| now.since(at) > STABLE_AFTER) {
            self.quick_len = 0;
        }
        self.due_at = Some(now + self.pause());
    }

    /// The managers have agreed that this process has crashed, before its end was seen or after it.
    pub fn on_agreed(&mut self, process: u32, now: Instant) {
        if process == self.process {
            self.agreed = true;
            // Agreement never makes it later.
            self.due_at = self.due_at.map(|due_at| due_at.min(now + self.pause()));
        }
    }

    /// The system did not start a process: it is tried again.
    pub fn on_not_started(&mut self, now: Instant) {
        self.due_at = Some(now + BACKOFF_MAX);
    }

    /// A new process runs.
    pub fn restarted(self, process: u32, now: Instant) -> Restarts {
        Restarts { process, quick_len: self.quick_len + 1, started_at: Some(now), due_at: None, agreed: false }
    }

    fn pause(&self) -> Duration {
        match self.quick_len {
            0 => Duration::ZERO,
            len => (BACKOFF * (1 << (len - 1).min(16))).min(BACKOFF_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn a_process_is_started_again_when_the_managers_agree_and_after_a_while_if_they_do_not() {
        let mut restarts = Restarts::of(7);
        restarts.on_ended(seconds(10));
        assert_eq!(restarts.due_at(), Some(seconds(13)));
        restarts.on_agreed(6, seconds(11));
        assert_eq!(restarts.due_at(), Some(seconds(13)), "of another process");
        restarts.on_agreed(7, seconds(11));
        assert_eq!(restarts.due_at(), Some(seconds(11)));
    }

    #[test]
    fn a_process_that_was_agreed_on_before_its_end_is_started_again_at_its_end() {
        let mut restarts = Restarts::of(7);
        restarts.on_agreed(7, seconds(10));
        assert_eq!(restarts.due_at(), None);
        restarts.on_ended(seconds(11));
        assert_eq!(restarts.due_at(), Some(seconds(11)));
    }

    #[test]
    fn a_process_without_which_nobody_agrees_on_anything_is_started_again_at_once() {
        let mut restarts = Restarts::of(7);
        restarts.on_ended_alone(seconds(10));
        assert_eq!(restarts.due_at(), Some(seconds(10)));
    }

    #[test]
    fn a_process_that_ends_again_and_again_is_started_less_and_less_often() {
        let mut restarts = Restarts::of(1);
        let mut pauses = Vec::new();
        for process in 2..=9 {
            restarts.on_agreed(restarts.process(), seconds(1));
            restarts.on_ended(seconds(1));
            pauses.push(restarts.due_at().unwrap().since(seconds(1)).as_millis());
            restarts = restarts.restarted(process, seconds(1));
        }
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 5000]);
        restarts.on_ended(seconds(1) + STABLE_AFTER + Duration::from_secs(1));
        assert_eq!(restarts.pause(), Duration::ZERO, "it has lived long enough");
    }
}
