//! Answers the tenth request of every instance, and all after it, with a million holdings.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Date, Market, Outcome, Owned, Request, Share, ShareId, ShareType, Slot};
use dsms_faulty::{Counter, Faulty, ReferenceMarket};

#[derive(Default)]
struct OversizedOutcome {
    requests: Counter,
}

dsms_faulty::export!(OversizedOutcome);

impl Faulty for OversizedOutcome {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if self.requests.reaches(10) {
            let share = Share {
                share_type: ShareType::Equity,
                id: ShareId { market: Market::Nyk, slot: Slot::Morning, date: Date { year: 2025, month: 9, day: 10 } },
            };
            return Outcome::Holdings(vec![Owned { share, units: 1 }; 1_000_000]);
        }
        market.execute(request)
    }
}
