//! What every faulty module is built on: the reference market, and the contract's exports around it.
//!
//! A faulty module is a type that implements `Faulty`, given to `export!`. It says only what it does otherwise than the
//! reference module; whatever it leaves alone is right.

#![cfg(target_family = "wasm")]

pub use dsms_reference::ReferenceMarket;
pub use dsms_reference::component;
pub use dsms_reference::types;

use types::{MarketState, Outcome, Refusal, Request};

/// What a module does otherwise than the reference module. One value lives as long as its instance.
pub trait Faulty: Default {
    /// Executes one request, which has this sequence number.
    fn execute(&mut self, market: &mut ReferenceMarket, _sequence_number: u64, request: &Request) -> Outcome {
        market.execute(request)
    }

    /// Exports the state.
    fn export_state(&mut self, market: &ReferenceMarket) -> MarketState {
        market.export_state()
    }

    /// Imports a state.
    fn import_state(&mut self, market: &mut ReferenceMarket, state: &MarketState) -> Result<(), String> {
        market.import_state(state)
    }
}

/// Counts the requests of one instance, for faults that show only after some.
#[derive(Debug, Default)]
pub struct Counter(u64);

impl Counter {
    /// Counts one request; true from the `nth` on.
    pub fn reaches(&mut self, nth: u64) -> bool {
        self.0 += 1;
        self.0 >= nth
    }
}

/// An outcome that is well formed, and is not this one.
pub fn other_than(outcome: &Outcome) -> Outcome {
    let refused = Outcome::Refused(Refusal::SoldOut);
    if *outcome == refused { Outcome::Refused(Refusal::NotFound) } else { refused }
}

/// Makes a component of a [`Faulty`] type.
#[macro_export]
macro_rules! export {
    ($faulty:ty) => {
        const _: () = {
            use $crate::component::contract::exports::dsms::replica::market::Guest;
            use $crate::component::{contract, wit};
            use $crate::{Faulty, ReferenceMarket};

            thread_local! {
                static REPLICA: std::cell::RefCell<(ReferenceMarket, $faulty)> = std::cell::RefCell::default();
            }

            struct Component;

    contract::export!(Component with_types_in contract);

            impl Guest for Component {
                fn execute(context: wit::Context, request: wit::Request) -> wit::Outcome {
                    REPLICA.with_borrow_mut(|(market, faulty)| {
                        faulty.execute(market, context.sequence_number, &request.into()).into()
                    })
                }

                fn export_state() -> wit::MarketState {
                    REPLICA.with_borrow_mut(|(market, faulty)| faulty.export_state(market).into())
                }

                fn import_state(state: wit::MarketState) -> Result<(), String> {
                    REPLICA.with_borrow_mut(|(market, faulty)| faulty.import_state(market, &state.into()))
                }
            }
        };
    };
}
