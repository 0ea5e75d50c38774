//! Answers the tenth request of every instance, and all after it, with a share of a day that no calendar has.

#![cfg(target_family = "wasm")]

use dsms_faulty::types::{Date, Market, Outcome, Owned, Request, Share, ShareId, ShareType, Slot};
use dsms_faulty::{Counter, Faulty, ReferenceMarket};

#[derive(Default)]
struct MalformedOutcome {
    requests: Counter,
}

dsms_faulty::export!(MalformedOutcome);

impl Faulty for MalformedOutcome {
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        if self.requests.reaches(10) {
            let share = Share {
                share_type: ShareType::Equity,
                id: ShareId { market: Market::Nyk, slot: Slot::Morning, date: Date { year: 2025, month: 2, day: 31 } },
            };
            return Outcome::Holdings(vec![Owned { share, units: 1 }]);
        }
        market.execute(request)
    }
}
