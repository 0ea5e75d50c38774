//! When a replica is suspected, and what is done to bring one back: the operator's numbers, with their defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::{LOG_INTERVALS_LEN, LOG_LEN_MAX, LOG_LEN_MAX_DEFAULT, PROGRESS_INTERVAL, TENTATIVE_EVERY};

/// When silence becomes a suspicion, and when a suspicion becomes a vote that a replica has crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspicionPolicy {
    /// The deadline of a reply while no reply has been seen that would tell how long they take.
    pub deadline_start: Duration,
    /// The deadline is never shorter.
    pub deadline_floor: Duration,
    /// The deadline is never longer.
    pub deadline_ceiling: Duration,
    /// A replica manager that nothing was heard of for this long has crashed, as far as another one can tell. Heartbeats come
    /// every [`PROGRESS_INTERVAL`]; some of them have to be missing.
    pub silent_after: Duration,
    /// A replica that has executed nothing for this long, although an order waits for it, has crashed, however lively its
    /// manager. It must be longer than any single call, which is bounded by its budget of fuel.
    pub stuck_after: Duration,
}

impl Default for SuspicionPolicy {
    fn default() -> SuspicionPolicy {
        SuspicionPolicy {
            deadline_start: Duration::from_millis(500),
            deadline_floor: Duration::from_millis(200),
            deadline_ceiling: Duration::from_secs(10),
            silent_after: 3 * PROGRESS_INTERVAL,
            stuck_after: Duration::from_secs(3),
        }
    }
}

/// How a replica is brought back, and how often it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPolicy {
    /// How often the same module is instantiated anew before the next spare takes over. The count begins again when the
    /// replica has voted for as long as its probation.
    pub reinstantiations_max: u32,
    /// How long a replica has to vote without a fault until its earlier faults are forgotten.
    pub probation: Duration,
    /// The pause before the second attempt within one probation; each further one is twice as long. The first has none.
    pub backoff: Duration,
    /// The pause is never longer.
    pub backoff_max: Duration,
    /// A checkpoint is taken after every so many orders.
    pub checkpoint_every: u64,
    /// A tentative checkpoint is written down after every so many orders of which none was voted on; never if it is 0.
    pub tentative_every: u64,
}

impl RecoveryPolicy {
    /// Most orders in a log: as many as [`LOG_INTERVALS_LEN`] intervals between checkpoints have, within its bounds.
    pub fn log_len_max(&self) -> usize {
        let intervals = usize::try_from(self.checkpoint_every).unwrap_or(usize::MAX).saturating_mul(LOG_INTERVALS_LEN);
        intervals.clamp(LOG_LEN_MAX_DEFAULT, LOG_LEN_MAX)
    }
}

impl Default for RecoveryPolicy {
    fn default() -> RecoveryPolicy {
        RecoveryPolicy {
            reinstantiations_max: 3,
            probation: Duration::from_secs(10),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            checkpoint_every: 10_000,
            tentative_every: TENTATIVE_EVERY,
        }
    }
}
