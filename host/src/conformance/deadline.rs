//! How long an examination may take: the one place here that reads a clock. What time decides is only how much is
//! examined.

use std::time::{Duration, Instant};

/// A point in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub(super) fn after(duration: Duration) -> Deadline {
        Deadline(now() + duration)
    }

    pub(super) fn is_over(self) -> bool {
        now() >= self.0
    }

    /// The time until then.
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// The time since then.
    pub(super) fn passed_by(self) -> Duration {
        now().saturating_duration_since(self.0)
    }

    /// The same one, unless it is nearer than this.
    pub(super) fn at_least(self, duration: Duration) -> Deadline {
        Deadline(self.0.max(now() + duration))
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "no answer of a module depends on it, only how many are asked for")]
    Instant::now()
}
