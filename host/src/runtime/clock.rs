//! The one place that reads a clock for the protocol.
#![expect(clippy::disallowed_methods, reason = "this is the file that the ban makes an exception for")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::protocol::time::Instant;

/// The machine's clocks as protocol time: it starts at the wall clock's time and then follows the monotonic clock, so that it
/// never goes backwards when somebody sets the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: std::time::Instant,
    started_at: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock { started: std::time::Instant::now(), started_at: Instant(0) + since_epoch }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.started_at + self.started.elapsed()
    }
}
