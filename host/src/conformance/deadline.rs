//! How long an examination may take: the one place here that reads a clock. What time decides is only how much is
//! examined.

use std::time::{Duration, Instant};

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(duration: Duration) -> Deadline {
        Deadline(now() + duration)
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        now() >= self.0
    }

    /// The time until then.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// The time since then.
    pub fn passed_by(self) -> Duration {
        now().saturating_duration_since(self.0)
    }

    /// The same one, unless it is nearer than this.
    pub fn at_least(self, duration: Duration) -> Deadline {
        Deadline(self.0.max(now() + duration))
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "no answer of a module depends on it, only how many are asked for")]
    Instant::now()
}
