//! Asks for the time, for random numbers and for the order of a hash map, and answers wrongly when they say so.
//!
//! Outside of a sandbox no two runs of it would be alike.

#![cfg(target_family = "wasm")]
// Clocks and hash order are what this module is about.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket, other_than};

#[derive(Default)]
struct Nondeterministic;

dsms_faulty::export!(Nondeterministic);

impl Faulty for Nondeterministic {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        let outcome = market.execute(request);
        if whim().is_multiple_of(4) { other_than(&outcome) } else { outcome }
    }
}

/// A number that nobody can foresee.
fn whim() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let uptime = Instant::now().elapsed().as_nanos() as u64;
    let first_of_a_set = (0..100u64).collect::<HashSet<_>>().into_iter().next();
    RandomState::new().hash_one((now, uptime, first_of_a_set))
}
