//! The measured round-trip time, and how long to wait for an acknowledgement because of it (RFC 6298).

use std::time::Duration;

use super::limits::{RETRANSMIT_AFTER_INITIAL, RETRANSMIT_AFTER_MAX, RETRANSMIT_AFTER_MIN};

/// Most doublings of the wait; with them even the shortest wait has reached the longest.
const BACKOFF_MAX: u32 = 6;

const _: () = assert!(RETRANSMIT_AFTER_MIN.as_micros() << BACKOFF_MAX >= RETRANSMIT_AFTER_MAX.as_micros());

/// An estimate of the round-trip time. The delay of acknowledgements is part of what it measures.
#[derive(Debug, Default)]
pub struct RoundTrip {
    /// The smoothed time and its variation, once there was a measurement.
    estimate: Option<(Duration, Duration)>,
    /// Doublings of the wait since the last measurement.
    backoff: u32,
}

impl RoundTrip {
    /// The smoothed round-trip time.
    pub fn smoothed(&self) -> Option<Duration> {
        self.estimate.map(|(smoothed, _)| smoothed)
    }

    /// A packet was acknowledged this long after it was sent. By Karn's rule it was sent only once, since otherwise nobody
    /// knows which sending is acknowledged; by his second rule the backoff lasts until such a measurement.
    pub fn on_measured(&mut self, sample: Duration) {
        let (smoothed, variation) = match self.estimate {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                ((7 * smoothed + sample) / 8, (3 * variation + smoothed.abs_diff(sample)) / 4)
            }
        };
        // A clock that jumped must not spoil the estimate for long.
        self.estimate = Some((smoothed.min(RETRANSMIT_AFTER_MAX), variation.min(RETRANSMIT_AFTER_MAX)));
        self.backoff = 0;
    }

    /// Nothing was acknowledged in time: wait twice as long.
    pub fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(BACKOFF_MAX);
    }

    /// Forget the backoff: the silence had another cause than a slow path.
    pub fn forget_backoff(&mut self) {
        self.backoff = 0;
    }

    /// How long to wait for an acknowledgement.
    pub fn retransmit_after(&self) -> Duration {
        let base = self.estimate.map_or(RETRANSMIT_AFTER_INITIAL, |(smoothed, variation)| smoothed + 4 * variation);
        (base.max(RETRANSMIT_AFTER_MIN) * (1 << self.backoff)).min(RETRANSMIT_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn the_wait_follows_the_measured_round_trip_within_its_bounds() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.retransmit_after(), RETRANSMIT_AFTER_INITIAL);
        round_trip.on_measured(milliseconds(100));
        assert_eq!(round_trip.retransmit_after(), milliseconds(300));
        (0..100).for_each(|_| round_trip.on_measured(milliseconds(100)));
        assert!(round_trip.retransmit_after() < milliseconds(110));
        (0..100).for_each(|_| round_trip.on_measured(Duration::from_micros(50)));
        assert_eq!(round_trip.retransmit_after(), RETRANSMIT_AFTER_MIN);
        round_trip.on_measured(Duration::from_secs(1_000_000));
        assert_eq!(round_trip.retransmit_after(), RETRANSMIT_AFTER_MAX);
    }

    #[test]
    fn the_wait_doubles_until_the_next_measurement() {
        let mut round_trip = RoundTrip::default();
        round_trip.on_measured(milliseconds(1));
        for expected in [60, 120, 240, 480, 960, 1000, 1000, 1000] {
            round_trip.back_off();
            assert_eq!(round_trip.retransmit_after(), milliseconds(expected));
        }
        round_trip.on_measured(milliseconds(1));
        assert_eq!(round_trip.retransmit_after(), RETRANSMIT_AFTER_MIN);
    }
}
