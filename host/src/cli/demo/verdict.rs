//! What the demo has shown, in numbers, and whether every promise was kept.

use std::time::Duration;

use crate::protocol::id::ReplicaId;

use super::super::output::say;

/// The sum of both acts.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) requests_len: usize,
    pub(super) right_len: usize,
    pub(super) faults_len: usize,
    pub(super) fired_len: usize,
    pub(super) detected_len: usize,
    pub(super) false_alarms: usize,
    pub(super) recoveries: Vec<Recovery>,
}

/// How a replica was brought back.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) replica: ReplicaId,
    pub(super) cause: &'static str,
    pub(super) replayed_len: u64,
    /// From the decision to a running module, its state imported.
    pub(super) instantiated_after: Duration,
    /// From the third wrong answer, or the agreement on the crash, to voting.
    pub(super) whole: Duration,
}

impl Verdict {
    /// Whether every answer was right, every fault struck, was found and repaired, and nobody else was blamed.
    pub(super) fn is_kept(&self) -> bool {
        self.right_len == self.requests_len
            && self.fired_len == self.faults_len
            && self.detected_len == self.faults_len
            && self.recoveries.len() == self.faults_len
            && self.false_alarms == 0
    }

    pub(super) fn print(&self) {
        let Verdict { requests_len, right_len, faults_len, fired_len, detected_len, false_alarms, .. } = self;
        say!("requests      {requests_len}, {right_len} answered rightly");
        say!(
            "faults        {faults_len}: {fired_len} struck, {detected_len} found, {} repaired",
            self.recoveries.len()
        );
        say!("false alarms  {false_alarms}");
        say!("recoveries    module ready / voting again / requests executed again");
        let millis = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
        for Recovery { replica, cause, replayed_len, instantiated_after, whole } in &self.recoveries {
            let (ready, whole) = (millis(*instantiated_after), millis(*whole));
            say!("  {replica:<11} {ready:>10} / {whole:>10} / {replayed_len:>6}   after {cause}");
        }
        say!("{}", if self.is_kept() { "every promise was kept" } else { "a promise was BROKEN" });
    }
}
