//! Which datagrams a node has dropped, and when that is logged and told to the front end.

use std::fmt;
use std::time::Duration;

use crate::protocol::endpoint::Endpoint;
use crate::protocol::event::Event;
use crate::protocol::time::Instant;

/// Shortest time between two lines. Strangers control how much is dropped.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest time between two events. The front end keeps some thousands, and strangers must not push the others out.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// What was dropped, and what of it was logged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dropped {
    /// Datagrams that the socket did not take.
    pub unsent: u64,
    logged: Totals,
    logged_at: Instant,
    told_at: Option<Instant>,
}

/// Sums over all channels of a node; see [`Counters`](crate::protocol::channel::Counters).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    forged: u64,
    truncated: u64,
    reflected: u64,
    other_cluster: u64,
    unknown_key: u64,
    unknown_version: u64,
    replayed: u64,
    stale: u64,
    /// For any other reason.
    refused: u64,
    unsent: u64,
}

impl Dropped {
    /// What there is to log now: the totals, when they have grown since the last line and that was a while ago.
    pub fn poll_line(&mut self, endpoint: &Endpoint, now: Instant) -> Option<(Totals, Level)> {
        if now.since(self.logged_at) < LOG_INTERVAL {
            return None;
        }
        let totals = Totals::of(endpoint, self.unsent);
        if totals == self.logged {
            return None;
        }
        let level = if totals.strange() > self.logged.strange() { Level::Warning } else { Level::Information };
        (self.logged, self.logged_at) = (totals, now);
        Some((totals, level))
    }

    /// What of it the front end is to hear, after a line that is a warning.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        if self.told_at.is_some_and(|at| now.since(at) < TELL_INTERVAL) {
            return None;
        }
        self.told_at = Some(now);
        let Totals { forged, truncated, reflected, other_cluster, unknown_key, unknown_version, .. } = self.logged;
        Some(Event::StrangeDatagrams { forged, truncated, reflected, other_cluster, unknown_key, unknown_version })
    }
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Late and repeated datagrams are everyday.
    Information,
    /// Some come from a stranger, or two nodes do not fit together.
    Warning,
}

impl Totals {
    fn of(endpoint: &Endpoint, unsent: u64) -> Totals {
        let mut totals = Totals { unsent, ..Totals::default() };
        for counters in endpoint.counters().map(|(_, counters, _)| counters).chain([endpoint.unrouted()]) {
            totals.forged += counters.forged;
            totals.truncated += counters.truncated;
            totals.reflected += counters.reflected;
            totals.other_cluster += counters.other_cluster;
            totals.unknown_key += counters.unknown_key;
            totals.unknown_version += counters.unknown_version;
            totals.replayed += counters.replayed;
            totals.stale += counters.stale;
            totals.refused += counters.duplicates + counters.undelivered + counters.dropped;
        }
        totals
    }

    /// Those that no node of this cluster sends to this one if all is well.
    fn strange(&self) -> u64 {
        let Totals { forged, truncated, reflected, other_cluster, unknown_key, unknown_version, .. } = self;
        forged + truncated + reflected + other_cluster + unknown_key + unknown_version
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("forged", self.forged),
            ("truncated", self.truncated),
            ("reflected", self.reflected),
            ("other_cluster", self.other_cluster),
            ("unknown_key", self.unknown_key),
            ("unknown_version", self.unknown_version),
            ("replayed", self.replayed),
            ("stale", self.stale),
            ("refused", self.refused),
            ("unsent", self.unsent),
        ];
        let words: Vec<String> = fields.iter().map(|(name, count)| format!("{name}={count}")).collect();
        write!(f, "dropped datagrams {}", words.join(" "))
    }
}
