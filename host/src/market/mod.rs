//! The market's vocabulary: identifiers, requests, outcomes and state, as every part of the host names them.
//!
//! Nothing here executes a request: that is what replica modules are for (`replicas/`). What is here is what the host itself
//! has to know of the market: how identifiers are written, which lists must be put in canonical order before two answers are
//! compared, how a state is digested, and how requests and answers look on the command line and in JSON.
//! The rules are those of the market specification; the contract in `wit/` states them for module authors.

mod answer;
mod date;
mod digest;
mod id;
mod invariants;
mod module;
mod operation;
mod outcome;
mod parse;
mod state;

pub use answer::{Answer, exit_code};
pub use date::Date;
pub use digest::Digest;
pub use id::{AdminId, BuyerId, Caller, MarketCode, Share, ShareId, ShareType, Slot, Units};
pub use module::{Context, GuestFault, Module};
pub use operation::{Operation, Request};
pub use outcome::{Outcome, Refusal};
pub use parse::{BadRequest, FieldName, OPERATION_FORMS, parse_request, request_words};
pub use state::{HoldingState, MarketState, ShareState};
