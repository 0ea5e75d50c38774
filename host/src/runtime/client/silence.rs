//! Telling a front end that takes its time from one that is gone without a word, as one is whose machine is off.
//!
//! An answer may take as long as the replicas need, so silence alone says nothing. After some of it the front end is asked how the nodes
//! are, which it answers at once, whatever the replicas do.

use std::time::Duration;

use tokio::time::Interval;

use super::backoff::timer;

/// How often it is looked whether anything has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so many looks at which nothing had come, since the front end was asked, it counts as gone.
const QUIET_LOOKS_MAX: u32 = 2;

/// How long nothing has come.
#[derive(Debug, Default)]
pub struct Silence {
    timer: Option<Interval>,
    /// Something has come since the last look.
    is_broken: bool,
    quiet_looks: u32,
}

/// What silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Ask the front end for a sign of life.
    Ask,
    /// Nothing has come although it was asked.
    GiveUp,
}

impl Silence {
    /// How long it takes until a front end counts as gone that is silent from now on: the least, and at most one look more.
    pub const LEAST: Duration = LOOK_EVERY.saturating_mul(QUIET_LOOKS_MAX + 1);

    /// Something has come, or is waited for only from now on.
    pub fn on_heard(&mut self) {
        self.is_broken = true;
    }

    /// Waits until silence calls for something; for ever as long as there is none. Cancel-safe.
    pub async fn due(&mut self) -> Call {
        loop {
            self.timer.get_or_insert_with(|| timer(LOOK_EVERY)).tick().await;
            if let Some(call) = self.look() {
                return call;
            }
        }
    }

    fn look(&mut self) -> Option<Call> {
        if std::mem::take(&mut self.is_broken) {
            self.quiet_looks = 0;
            return None;
        }
        self.quiet_looks += 1;
        match self.quiet_looks {
            1 => Some(Call::Ask),
            looks if looks > QUIET_LOOKS_MAX => Some(Call::GiveUp),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_is_asked_for_a_sign_of_life_before_it_is_given_up() {
        let mut silence = Silence::default();
        silence.on_heard();
        let looks: Vec<_> = (0..4).map(|_| silence.look()).collect();
        assert_eq!(looks, [None, Some(Call::Ask), None, Some(Call::GiveUp)]);
    }

    #[test]
    fn whatever_comes_ends_the_silence() {
        let mut silence = Silence::default();
        for _ in 0..10 {
            silence.on_heard();
            assert_eq!([silence.look(), silence.look()], [None, Some(Call::Ask)]);
        }
    }
}
