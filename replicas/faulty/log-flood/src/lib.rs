//! Writes a mebibyte to its log, and another to its standard error, at every request. Its answers are right.

#![cfg(target_family = "wasm")]

use dsms_faulty::component::contract::dsms::replica::log::{Level, write};
use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

const LINE: &str =
    "all work and no play makes a replica dull; all work and no play makes a replica dull; all work and no play\n";

#[derive(Default)]
struct LogFlood;

dsms_faulty::export!(LogFlood);

impl Faulty for LogFlood {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        for _ in 0..(1 << 20) / LINE.len() {
            write(Level::Info, LINE);
            eprint!("{LINE}");
        }
        market.execute(request)
    }
}
