//! Sending requests again that a front end was too busy for, later and later while it stays so.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

use crate::protocol::id::RequestNumber;

/// How long to wait the first time; then twice as long each time.
const WAIT_FIRST: Duration = Duration::from_millis(10);

/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// After so many waits in a row that were followed by nothing but `busy`, that is the answer.
const WAITS_MAX: u32 = 8;

/// Requests that are to be sent again together.
#[derive(Debug, Default)]
pub struct Backoff {
    numbers: Vec<RequestNumber>,
    timer: Option<Interval>,
    /// Waits since a request was answered with anything but `busy`.
    waits_len: u32,
}

impl Backoff {
    /// A request was answered `busy`. Whether it is to be sent again.
    pub fn on_busy(&mut self, number: RequestNumber) -> bool {
        if self.timer.is_none() {
            if self.waits_len >= WAITS_MAX {
                return false;
            }
            self.waits_len += 1;
            self.timer = Some(timer(wait(self.waits_len, draw())));
        }
        self.numbers.push(number);
        true
    }

    /// A request was answered with something else, so there is room again.
    pub fn on_answered(&mut self) {
        self.waits_len = 0;
    }

    /// Whether requests wait to be sent again.
    pub fn is_waiting(&self) -> bool {
        self.timer.is_some()
    }

    /// The connection is new, and everything is sent again at once.
    pub fn clear(&mut self) {
        *self = Backoff::default();
    }

    /// Waits until requests are to be sent again; for ever if there are none. Cancel-safe.
    pub async fn due(&mut self) -> Vec<RequestNumber> {
        match &mut self.timer {
            Some(timer) => drop(timer.tick().await),
            None => std::future::pending().await,
        }
        self.fire()
    }

    fn fire(&mut self) -> Vec<RequestNumber> {
        self.timer = None;
        std::mem::take(&mut self.numbers)
    }
}

/// How long to wait for the nth time: between half of the time and all of it, so that clients do not come back together.
fn wait(nth: u32, drawn: u8) -> Duration {
    let longest = WAIT_FIRST.saturating_mul(1 << (nth - 1).min(16)).min(WAIT_MAX);
    longest / 2 + longest * u32::from(drawn) / (2 * 255)
}

/// A timer that goes off after this time, and again after it.
pub fn timer(every: Duration) -> Interval {
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

fn draw() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).expect("the system has random bytes");
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        for (nth, least_ms, most_ms) in [(1, 5, 10), (2, 10, 20), (5, 80, 160), (8, 500, 1000), (40, 500, 1000)] {
            assert_eq!(wait(nth, 0), Duration::from_millis(least_ms));
            assert_eq!(wait(nth, 255), Duration::from_millis(most_ms));
        }
    }

    #[test]
    fn requests_are_sent_again_together_until_there_were_too_many_waits_in_a_row() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut backoff = Backoff::default();
            for _ in 0..WAITS_MAX {
                assert!(backoff.on_busy(RequestNumber(1)) && backoff.on_busy(RequestNumber(2)));
                assert_eq!(backoff.fire(), [RequestNumber(1), RequestNumber(2)]);
            }
            assert!(!backoff.on_busy(RequestNumber(1)), "busy is the answer now");
            backoff.on_answered();
            assert!(backoff.on_busy(RequestNumber(1)));
            backoff.clear();
            assert!(backoff.on_busy(RequestNumber(3)));
            assert_eq!(backoff.due().await, [RequestNumber(3)]);
        });
    }
}
