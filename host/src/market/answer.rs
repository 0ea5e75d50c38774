//! What a client is told: an outcome with its place in the order, or the host's own word that there is none.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{BadRequest, Outcome, Refusal};

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Enough replicas share this outcome.
    Released {
        /// The request's place in the total order; for a retried request, that of its first execution.
        sequence: u64,
        /// The outcome they share.
        outcome: Outcome,
    },
    /// The request could not be understood; it was not ordered.
    BadRequest(BadRequest),
    /// The request was ordered, but no outcome is shared by enough replicas.
    NoAgreement {
        /// The request's place in the total order.
        sequence: u64,
        /// What is known, for a person.
        message: String,
    },
    /// Nothing was heard in time. The request may or may not be executed; a retry under the same number is safe.
    TimedOut {
        /// What was waited for, for a person.
        message: String,
    },
    /// There is more to do than the front end takes on. The request was not ordered; the same one may be sent again, later.
    Busy {
        /// What there is too much of, for a person.
        message: String,
    },
    /// Who asks has not shown that it may. Nothing was done.
    Unauthorized {
        /// What is missing, and what to do, for a person.
        message: String,
    },
}

/// Exit codes of a single request (market specification, section 6).
pub mod exit_code {
    /// The request succeeded.
    pub const SUCCESS: u8 = 0;
    /// The market refused it.
    pub const REFUSED: u8 = 1;
    /// No agreement, timed out, busy, not authorized, or nobody there.
    pub const NO_ANSWER: u8 = 2;
    /// The request could not be understood.
    pub const BAD_REQUEST: u8 = 64;
}

impl Answer {
    /// The JSON form of the market specification, section 6.
    pub fn to_json(&self) -> Value {
        match self {
            Answer::Released { sequence, outcome } => released_json(*sequence, outcome),
            Answer::BadRequest(BadRequest { field, given, message }) => {
                json!({"error": "bad-request", "field": field, "given": given, "message": message})
            }
            Answer::NoAgreement { sequence, message } => {
                json!({"error": "no-agreement", "sequence": sequence, "message": message})
            }
            Answer::TimedOut { message } => json!({"error": "timed-out", "message": message}),
            Answer::Busy { message } => json!({"error": "busy", "message": message}),
            Answer::Unauthorized { message } => json!({"error": "unauthorized", "message": message}),
        }
    }

    /// The exit code that tells a script how the request went.
    pub fn exit_code(&self) -> u8 {
        match self {
            Answer::Released { outcome: Outcome::Refused(_), .. } => exit_code::REFUSED,
            Answer::Released { .. } => exit_code::SUCCESS,
            Answer::BadRequest(_) => exit_code::BAD_REQUEST,
            Answer::NoAgreement { .. }
            | Answer::TimedOut { .. }
            | Answer::Busy { .. }
            | Answer::Unauthorized { .. } => exit_code::NO_ANSWER,
        }
    }
}

fn released_json(sequence: u64, outcome: &Outcome) -> Value {
    let mut object = outcome.to_json();
    let fields = object.as_object_mut().expect("the JSON form of an outcome is an object");
    fields.shift_insert(0, "sequence".to_owned(), sequence.into());
    object
}

impl Outcome {
    /// The JSON form of the market specification, section 6, without the sequence number.
    pub fn to_json(&self) -> Value {
        match self {
            Outcome::Added { capacity } => json!({"result": "added", "capacity": capacity}),
            Outcome::Removed { available, holders, units } => {
                json!({"result": "removed", "available": available, "holders": holders, "units": units})
            }
            Outcome::Availability { share_type, shares } => {
                let shares: Vec<Value> = shares
                    .iter()
                    .map(|(id, available)| json!({"share": id.to_string(), "available": available}))
                    .collect();
                json!({"result": "availability", "type": share_type.name(), "shares": shares})
            }
            Outcome::Purchased { requested, bought, available } => {
                json!({"result": "purchased", "requested": requested, "bought": bought, "available": available})
            }
            Outcome::Holdings { holdings } => {
                let holding = |share: &super::Share, units: u32| json!({"share": share.id.to_string(), "type": share.share_type.name(), "units": units});
                let holdings: Vec<Value> = holdings.iter().map(|(share, units)| holding(share, *units)).collect();
                json!({"result": "holdings", "holdings": holdings})
            }
            Outcome::Sold { share_type, sold, remaining, available } => {
                json!({"result": "sold", "type": share_type.name(), "sold": sold, "remaining": remaining, "available": available})
            }
            Outcome::Swapped { units } => json!({"result": "swapped", "units": units}),
            Outcome::Refused(refusal) => match refusal {
                Refusal::InsufficientOwned { owned } => json!({"refused": refusal.name(), "owned": owned}),
                Refusal::InsufficientNew { available, needed } => {
                    json!({"refused": refusal.name(), "available": available, "needed": needed})
                }
                _ => json!({"refused": refusal.name()}),
            },
        }
    }
}

/// The answer in words, on one line, or one line an item for lists.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Released { sequence, outcome } => write!(f, "#{sequence} {outcome}"),
            Answer::BadRequest(refused) => write!(f, "bad request: {refused}"),
            Answer::NoAgreement { sequence, message } => write!(f, "#{sequence} no agreement: {message}"),
            Answer::TimedOut { message } => write!(f, "timed out: {message}"),
            Answer::Busy { message } => write!(f, "busy: {message}"),
            Answer::Unauthorized { message } => write!(f, "not authorized: {message}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Added { capacity } => write!(f, "added: capacity {capacity}"),
            Outcome::Removed { available, holders, units } => {
                write!(f, "removed: {available} units were available, {units} held by {holders} buyers")
            }
            Outcome::Availability { share_type, shares } if shares.is_empty() => write!(f, "no {share_type} shares"),
            Outcome::Availability { share_type, shares } => {
                write!(f, "{} {share_type} shares:", shares.len())?;
                shares.iter().try_for_each(|(id, available)| write!(f, "\n  {id}  {available} available"))
            }
            Outcome::Purchased { requested, bought, available } => {
                write!(f, "purchased: {bought} of {requested}, {available} still available")
            }
            Outcome::Holdings { holdings } if holdings.is_empty() => write!(f, "no holdings"),
            Outcome::Holdings { holdings } => {
                write!(f, "{} holdings:", holdings.len())?;
                holdings.iter().try_for_each(|(share, units)| write!(f, "\n  {share}  {units}"))
            }
            Outcome::Sold { share_type, sold, remaining, available } => {
                write!(f, "sold: {sold} {share_type}, {remaining} still held, {available} available")
            }
            Outcome::Swapped { units } => write!(f, "swapped: {units} units"),
            Outcome::Refused(refusal) => match refusal {
                Refusal::InsufficientOwned { owned } => write!(f, "refused: {} (owned {owned})", refusal.name()),
                Refusal::InsufficientNew { available, needed } => {
                    write!(f, "refused: {} (available {available}, needed {needed})", refusal.name())
                }
                _ => write!(f, "refused: {}", refusal.name()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: Answer, json: &str, code: u8) {
        assert_eq!((answer.to_json().to_string().as_str(), answer.exit_code()), (json, code));
    }

    fn released(sequence: u64, outcome: Outcome) -> Answer {
        Answer::Released { sequence, outcome }
    }

    #[test]
    fn the_json_forms_are_those_of_the_specification() {
        let id = |text: &str| text.parse().unwrap();
        check(released(1, Outcome::Added { capacity: 100 }), r#"{"sequence":1,"result":"added","capacity":100}"#, 0);
        check(
            released(2, Outcome::Removed { available: 90, holders: 2, units: 10 }),
            r#"{"sequence":2,"result":"removed","available":90,"holders":2,"units":10}"#,
            0,
        );
        check(
            released(
                3,
                Outcome::Availability {
                    share_type: crate::market::ShareType::Equity,
                    shares: vec![(id("LONM101025"), 15)],
                },
            ),
            r#"{"sequence":3,"result":"availability","type":"Equity","shares":[{"share":"LONM101025","available":15}]}"#,
            0,
        );
        check(
            released(4, Outcome::Purchased { requested: 10, bought: 4, available: 0 }),
            r#"{"sequence":4,"result":"purchased","requested":10,"bought":4,"available":0}"#,
            0,
        );
        let share = crate::market::Share { id: id("NYKM100925"), share_type: crate::market::ShareType::Equity };
        check(
            released(5, Outcome::Holdings { holdings: vec![(share, 4)] }),
            r#"{"sequence":5,"result":"holdings","holdings":[{"share":"NYKM100925","type":"Equity","units":4}]}"#,
            0,
        );
        check(
            released(
                6,
                Outcome::Sold { share_type: crate::market::ShareType::Equity, sold: 1, remaining: 3, available: 1 },
            ),
            r#"{"sequence":6,"result":"sold","type":"Equity","sold":1,"remaining":3,"available":1}"#,
            0,
        );
        check(released(7, Outcome::Swapped { units: 3 }), r#"{"sequence":7,"result":"swapped","units":3}"#, 0);
        check(
            released(8, Outcome::Refused(Refusal::InsufficientOwned { owned: 3 })),
            r#"{"sequence":8,"refused":"insufficient-owned","owned":3}"#,
            1,
        );
        check(
            released(9, Outcome::Refused(Refusal::InsufficientNew { available: 1, needed: 3 })),
            r#"{"sequence":9,"refused":"insufficient-new","available":1,"needed":3}"#,
            1,
        );
        check(released(10, Outcome::Refused(Refusal::DailyLimit)), r#"{"sequence":10,"refused":"daily-limit"}"#, 1);
        check(
            Answer::BadRequest(BadRequest { field: "share-id".into(), given: "TOKE925".into(), message: "m".into() }),
            r#"{"error":"bad-request","field":"share-id","given":"TOKE925","message":"m"}"#,
            64,
        );
        check(
            Answer::NoAgreement { sequence: 11, message: "m".into() },
            r#"{"error":"no-agreement","sequence":11,"message":"m"}"#,
            2,
        );
        check(Answer::TimedOut { message: "m".into() }, r#"{"error":"timed-out","message":"m"}"#, 2);
        check(Answer::Busy { message: "m".into() }, r#"{"error":"busy","message":"m"}"#, 2);
        check(Answer::Unauthorized { message: "m".into() }, r#"{"error":"unauthorized","message":"m"}"#, 2);
    }
}
