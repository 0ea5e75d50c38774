//! How long a channel waits for an answer, and when it calls the peer unreachable.
//!
//! One timer serves both what is waited for: acknowledgements once the peer's session is known, and that session before.
//! What to repeat when the timer fires is not decided here.

use std::time::Duration;

use super::super::time::Instant;
use super::limits::{PROBE_INTERVAL, RETRANSMIT_AFTER_MIN, TIMEOUTS_LEN_MAX};
use super::round_trip::RoundTrip;

/// What a timeout means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The first without an answer.
    First,
    /// One more.
    Again,
    /// The one that was too much: nothing has been answered since the given time.
    Unreachable(Instant),
}

/// The timer of a channel that waits for an answer.
#[derive(Debug, Default)]
pub struct Retry {
    round_trip: RoundTrip,
    deadline: Option<Instant>,
    /// When the current wait began, or when it was last rewarded.
    waiting_since: Option<Instant>,
    /// Timeouts since then.
    timeouts: u32,
    unreachable: bool,
    /// When an unreachable peer was last probed.
    probed_at: Instant,
}

impl Retry {
    /// The smoothed round-trip time.
    pub fn round_trip_time(&self) -> Option<Duration> {
        self.round_trip.smoothed()
    }

    /// Whether the peer has failed to answer too often. It is probed, and nothing more.
    pub fn is_unreachable(&self) -> bool {
        self.unreachable
    }

    /// When to stop waiting.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.deadline?, if self.unreachable { "probe" } else { "retransmit" }))
    }

    /// Something was sent that must be answered.
    pub fn on_sent(&mut self, now: Instant) {
        if self.deadline.is_none() {
            self.deadline = Some(now + self.wait());
            self.waiting_since = Some(now);
        }
    }

    /// Something was answered. `waiting` says whether more is waited for. Returns whether this made the peer reachable.
    pub fn on_answered(&mut self, round_trip: Option<Duration>, waiting: bool, now: Instant) -> bool {
        if let Some(sample) = round_trip {
            self.round_trip.on_measured(sample);
        }
        let was_unreachable = std::mem::take(&mut self.unreachable);
        if was_unreachable {
            self.round_trip.forget_backoff();
        }
        self.timeouts = 0;
        self.waiting_since = waiting.then_some(now);
        self.deadline = waiting.then(|| now + self.wait());
        was_unreachable
    }

    /// The peer refuses what it was sent, and says so: it is there, and it is waited for without counting.
    pub fn on_refused(&mut self, now: Instant) -> bool {
        self.timeouts = 0;
        self.waiting_since = self.waiting_since.and(Some(now));
        std::mem::take(&mut self.unreachable)
    }

    /// Stop waiting, as another session of the peer begins. Returns whether the peer was unreachable until now.
    pub fn on_new_session(&mut self) -> bool {
        let was_unreachable = self.unreachable;
        *self = Retry { round_trip: std::mem::take(&mut self.round_trip), ..Retry::default() };
        self.round_trip.forget_backoff();
        was_unreachable
    }

    /// Whether the wait is over.
    pub fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether an unreachable peer, of whom something was heard, should be probed at once. Its datagrams alone do not
    /// prove that it hears ours. Two that hear each other again need not wait for the slow probe; the pause bounds what a
    /// peer that hears nothing can make us send.
    pub fn is_probe_worthwhile(&self, now: Instant) -> bool {
        self.unreachable && self.probed_at + RETRANSMIT_AFTER_MIN <= now
    }

    /// The wait is over: begin the next, longer one. The caller repeats what was not answered.
    pub fn on_timeout(&mut self, now: Instant) -> Timeout {
        let since = self.waiting_since.expect("a channel that waits knows since when");
        self.timeouts = self.timeouts.saturating_add(1);
        self.round_trip.back_off();
        let exhausted = self.timeouts > TIMEOUTS_LEN_MAX;
        let gave_up = exhausted && !self.unreachable;
        self.unreachable |= exhausted;
        self.probed_at = now;
        self.deadline = Some(now + self.wait());
        match self.timeouts {
            _ if gave_up => Timeout::Unreachable(since),
            1 => Timeout::First,
            _ => Timeout::Again,
        }
    }

    fn wait(&self) -> Duration {
        if self.unreachable { PROBE_INTERVAL } else { self.round_trip.retransmit_after() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::{RETRANSMIT_AFTER_INITIAL, RETRANSMIT_AFTER_MAX};
    use super::*;

    const START: Instant = Instant(1_000_000);

    /// Let the timer run out until the peer is unreachable. Returns when that was.
    fn exhaust(retry: &mut Retry) -> Instant {
        for _ in 0..=TIMEOUTS_LEN_MAX {
            let (deadline, _) = retry.poll_timeout().unwrap();
            if let Timeout::Unreachable(since) = retry.on_timeout(deadline) {
                assert_eq!(since, START);
                return deadline;
            }
        }
        panic!("still reachable after {TIMEOUTS_LEN_MAX} timeouts");
    }

    #[test]
    fn a_peer_that_never_answers_is_unreachable_after_the_last_timeout_and_probed_from_then_on() {
        let mut retry = Retry::default();
        retry.on_sent(START);
        retry.on_sent(START + RETRANSMIT_AFTER_INITIAL / 2);
        assert_eq!(retry.poll_timeout(), Some((START + RETRANSMIT_AFTER_INITIAL, "retransmit")));
        let mut now = exhaust(&mut retry);
        assert!(now.since(START) <= (TIMEOUTS_LEN_MAX + 1) * RETRANSMIT_AFTER_MAX);
        for _ in 0..3 {
            assert_eq!(retry.poll_timeout(), Some((now + PROBE_INTERVAL, "probe")));
            now = now + PROBE_INTERVAL;
            assert_eq!(retry.on_timeout(now), Timeout::Again);
        }
        assert!(retry.on_answered(None, true, now));
        assert!(!retry.is_unreachable());
        assert_eq!(retry.poll_timeout(), Some((now + RETRANSMIT_AFTER_INITIAL, "retransmit")));
    }

    #[test]
    fn an_answer_to_all_that_was_sent_stops_the_timer() {
        let mut retry = Retry::default();
        retry.on_sent(START);
        assert!(!retry.on_answered(Some(Duration::from_millis(1)), false, START + Duration::from_millis(1)));
        assert_eq!(retry.poll_timeout(), None);
    }

    #[test]
    fn a_peer_that_refuses_is_not_unreachable_however_long() {
        let mut retry = Retry::default();
        retry.on_sent(START);
        for _ in 0..3 * TIMEOUTS_LEN_MAX {
            let (deadline, _) = retry.poll_timeout().unwrap();
            assert!(matches!(retry.on_timeout(deadline), Timeout::First));
            assert!(!retry.on_refused(deadline));
        }
    }

    #[test]
    fn hearing_an_unreachable_peer_is_worth_one_early_probe() {
        let mut retry = Retry::default();
        retry.on_sent(START);
        assert!(!retry.is_probe_worthwhile(START));
        let now = exhaust(&mut retry);
        assert!(!retry.is_probe_worthwhile(now));
        assert!(retry.is_probe_worthwhile(now + RETRANSMIT_AFTER_MIN));
    }
}
