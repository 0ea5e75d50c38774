//! When a fault strikes: as often, as likely and as long as was asked for.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::protocol::fault::{ALWAYS_PPM, Fault, FaultId, FaultKind};
use crate::protocol::id::NodeId;
use crate::protocol::time::Instant;

/// Which fault: each front end numbers those that it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultKey {
    /// The front end.
    pub asked: NodeId,
    /// Its number there.
    pub id: FaultId,
}

/// One fault on this node, with its own random numbers, so that the same fault strikes alike in every run.
#[derive(Debug)]
pub struct Trigger {
    /// Which one.
    pub key: FaultKey,
    /// What was asked for.
    pub fault: Fault,
    /// How often it has struck here.
    pub fired: u64,
    until: Option<Instant>,
    random: Pcg32,
}

impl Trigger {
    /// A fault that can strike from now on.
    pub fn new(key: FaultKey, fault: Fault, now: Instant) -> Trigger {
        let until = fault.lasts.map(|lasts| now + lasts);
        Trigger { key, fault, fired: 0, until, random: Pcg32::seed_from_u64(u64::from(key.id.0)) }
    }

    /// What it does.
    pub fn kind(&self) -> FaultKind {
        self.fault.kind
    }

    /// Whether it will strike no more.
    pub fn is_over(&self, now: Instant) -> bool {
        let count = if self.fault.kind.is_of_process() { Some(1) } else { self.fault.count };
        count.is_some_and(|count| self.fired >= count) || self.until.is_some_and(|until| until <= now)
    }

    /// Until when it can strike, if that is limited.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// It could strike now: does it?
    pub fn fires(&mut self, now: Instant) -> bool {
        let rate_ppm = self.fault.rate_ppm;
        let fires = !self.is_over(now) && (rate_ppm >= ALWAYS_PPM || self.random.next_u32() % ALWAYS_PPM < rate_ppm);
        self.fired += u64::from(fires);
        fires
    }

    /// A number below this one, any with the same probability.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.random.next_u64() % bound }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: FaultKey = FaultKey { asked: NodeId::FRONT_END, id: FaultId(1) };

    #[test]
    fn a_fault_strikes_as_often_as_likely_and_as_long_as_was_asked_for() {
        let now = Instant(1_000_000);
        let fault = Fault::of(FaultKind::Loss);
        let mut limited = Trigger::new(KEY, Fault { count: Some(3), ..fault.clone() }, now);
        assert_eq!((0..10).filter(|_| limited.fires(now)).count(), 3);
        assert!(limited.is_over(now));
        let mut timed = Trigger::new(KEY, Fault { lasts: Some(Duration::from_secs(1)), ..fault.clone() }, now);
        assert!(timed.fires(now) && !timed.fires(now + Duration::from_secs(1)));
        let mut rare = Trigger::new(KEY, Fault { rate_ppm: 50_000, ..fault }, now);
        let fired = (0..100_000).filter(|_| rare.fires(now)).count();
        assert!((4_500..5_500).contains(&fired), "{fired} of 100,000 at 5 %");
    }
}
