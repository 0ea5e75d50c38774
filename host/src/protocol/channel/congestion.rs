//! How many packets may be in flight: additive increase, multiplicative decrease (RFC 5681), counted in packets.
//!
//! On one machine it is the kernel's socket buffer that loses packets, and it loses them in runs. The window finds its size.
//! It knows neither packets nor time; the send half tells it what was acknowledged and what was lost.

use super::limits::{CONGESTION_WINDOW_INITIAL, CONGESTION_WINDOW_MIN, WINDOW_LEN_MAX};

/// The congestion window of one direction.
#[derive(Debug)]
pub struct Congestion {
    window: usize,
    /// Below it the window grows by a packet for each one acknowledged (slow start), from it on by one for each window.
    slow_start_until: usize,
    /// Packets acknowledged towards the next step of the slower growth.
    acknowledged: usize,
}

impl Congestion {
    /// The window of a path about which nothing is known.
    pub fn new() -> Congestion {
        Congestion { window: CONGESTION_WINDOW_INITIAL, slow_start_until: WINDOW_LEN_MAX, acknowledged: 0 }
    }

    /// Packets that may be in flight, from [`CONGESTION_WINDOW_MIN`] to [`WINDOW_LEN_MAX`].
    pub fn window(&self) -> usize {
        self.window
    }

    /// `len` packets were acknowledged while `in_flight` were on their way. A window that was not even half used has
    /// proved nothing and does not grow.
    pub fn on_acknowledged(&mut self, len: usize, in_flight: usize) {
        if 2 * in_flight < self.window {
            return;
        }
        if self.window < self.slow_start_until {
            self.window += len;
        } else {
            self.acknowledged += len;
            if self.acknowledged >= self.window {
                self.acknowledged -= self.window;
                self.window += 1;
            }
        }
        self.window = self.window.min(WINDOW_LEN_MAX);
    }

    /// Packets of one window were found lost. The caller says so at most once per round trip.
    pub fn on_loss(&mut self) {
        self.window = (self.window / 2).max(CONGESTION_WINDOW_MIN);
        self.slow_start_until = self.window;
        self.acknowledged = 0;
    }

    /// Nothing was acknowledged for a whole timeout. `first` tells it from a repetition, which teaches nothing new.
    pub fn on_timeout(&mut self, first: bool) {
        if first {
            self.slow_start_until = (self.window / 2).max(CONGESTION_WINDOW_MIN);
        }
        self.window = CONGESTION_WINDOW_MIN;
        self.acknowledged = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_each_round_trip_until_the_first_loss_and_then_grows_by_one() {
        let mut congestion = Congestion::new();
        for expected in [64, 128, 256, 256] {
            let window = congestion.window();
            congestion.on_acknowledged(window, window);
            assert_eq!(congestion.window(), expected);
        }
        congestion.on_loss();
        assert_eq!(congestion.window(), 128);
        for expected in [129, 130] {
            (0..congestion.window()).for_each(|_| congestion.on_acknowledged(1, 128));
            assert_eq!(congestion.window(), expected);
        }
    }

    #[test]
    fn the_window_never_falls_below_its_floor() {
        let mut congestion = Congestion::new();
        (0..20).for_each(|_| congestion.on_loss());
        assert_eq!(congestion.window(), CONGESTION_WINDOW_MIN);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut congestion = Congestion::new();
        (0..1000).for_each(|_| congestion.on_acknowledged(1, 1));
        assert_eq!(congestion.window(), CONGESTION_WINDOW_INITIAL);
    }

    #[test]
    fn repeated_timeouts_remember_the_window_before_the_first() {
        let mut congestion = Congestion::new();
        congestion.on_timeout(true);
        congestion.on_timeout(false);
        assert_eq!((congestion.window(), congestion.slow_start_until), (4, CONGESTION_WINDOW_INITIAL / 2));
    }
}
