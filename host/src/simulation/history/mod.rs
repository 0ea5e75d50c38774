//! The history of an incident: the requests of a real cluster up to one at which its replicas did not agree, as a file.
//!
//! Where a [`Scenario`](super::Scenario) is the plan of a run that is still to happen, this is what has happened, without network, time
//! or faults: only what the modules were asked, in the order in which they were. It is executed again on any module, see
//! [`execution`], which has to behave as the replicas did if it was the module that was wrong, and not its surroundings.

use serde::{Deserialize, Serialize};

use crate::market::{Context, Request};
use crate::protocol::admissions::Admissions;
use crate::protocol::client_message::PastOrder;
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::limits::{LEDGER_LEN_MAX, REPLICAS_LEN_MAX};
use crate::protocol::message::Command;
use crate::protocol::quorum::Tolerance;

pub mod execution;
mod words;

#[cfg(test)]
mod tests;

/// What a saved history says in its first line; it changes whenever an older reader would misread one.
pub const FORMAT: &str = "dsms-history 1";

/// Most requests of one history. Whoever writes the file controls them; a front end's ledger holds fewer.
pub const REQUESTS_LEN_MAX: usize = 100_000;

/// Most modules of one history: more than every replica with every spare that it may have.
pub const MODULES_LEN_MAX: usize = 100;

/// Most bytes of a module's name, which is a path.
pub const NAME_LEN_MAX: usize = 4096;

/// Most characters of what one replica said; the modules control them. Longer words are cut off, since nothing depends on them.
pub const WORDS_LEN_MAX: usize = 4000;

/// The time of an order that nobody knows is this, 9 October 2025, and one millisecond for each place. The rules do not use it.
const FIRST_TIME_MS: u64 = 1_760_000_000_000;

/// The last time that is read, so that it is a number that the format can hold.
const TIME_MAX_MS: u64 = SequenceNumber::RECEIVED_MAX;

/// The most that a budget or a cap can be, for the same reason.
const LIMIT_MAX: u64 = SequenceNumber::RECEIVED_MAX;

const _: () = assert!(LEDGER_LEN_MAX <= REQUESTS_LEN_MAX, "what a ledger holds can be saved");

/// One history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// [`FORMAT`].
    pub format: String,
    /// How many replicas could be wrong.
    pub wrong: usize,
    /// How many could have crashed.
    pub crashed: usize,
    /// How many there were.
    pub replicas: usize,
    /// How many places before the last one are not known. Where it is not 0, the market was not empty at the first request.
    #[serde(default)]
    pub unknown: u64,
    /// What the client was told of the last request, in words; nothing if it was told that there is no agreement, or in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
    /// The budget of one call, in units of fuel, as the replicas' modules had it.
    pub fuel_per_call: u64,
    /// The cap on an instance's memory, in bytes, as the replicas' modules had it.
    pub memory_bytes_max: u64,
    /// What each replica said of the last request.
    #[serde(default, rename = "reply")]
    pub replies: Vec<PastReply>,
    /// The modules that may have said it.
    #[serde(default, rename = "module")]
    pub modules: Vec<PastModule>,
    /// What was executed, in its order. The last one is what the incident is about.
    #[serde(default, rename = "request")]
    pub requests: Vec<PastRequest>,
}

/// What one replica said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastReply {
    /// Which replica, by its number.
    pub replica: ReplicaId,
    /// In words, at most [`WORDS_LEN_MAX`] of their characters.
    pub response: String,
}

/// A module that replicas had, at first or as a spare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastModule {
    /// As on the command line: the path of a file, or `reference`.
    pub name: String,
    /// The digest of its bytes, 64 hexadecimal digits.
    pub digest: String,
    /// The replicas that had it, by their numbers; none for a module that was named only when the history was saved.
    #[serde(default)]
    pub replicas: Vec<ReplicaId>,
}

/// A request that was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRequest {
    /// Its place in the order, which modules are told.
    pub sequence: SequenceNumber,
    /// The order's time in milliseconds since the Unix epoch, which modules are told as well; made up from the place if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// In the words of a command line.
    #[serde(rename = "words", with = "words")]
    pub request: Request,
}

impl PastRequest {
    /// What a module is told of the order.
    pub fn context(&self) -> Context {
        let sequence_number = self.sequence.0;
        let time_ms = self.time_ms.unwrap_or_else(|| FIRST_TIME_MS.saturating_add(sequence_number));
        Context { sequence_number, time_ms }
    }
}

/// A history cannot be used: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableHistory(String);

/// What the replicas executed of an order, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The requests, without those that were void or had been executed under an earlier place.
    pub requests: Vec<PastRequest>,
    /// How many places before the last one are not known.
    pub unknown: u64,
    /// If the last place repeats a request: where that was executed.
    pub repeats: Option<SequenceNumber>,
}

/// What the replicas have executed up to this place, of an order of which these places are known. What was asked at the last one is
/// taken though it may be void: it is what the incident is about.
pub fn executed(orders: &[PastOrder], last: SequenceNumber) -> Executed {
    let mut admissions = Admissions::default();
    let mut requests = Vec::new();
    let (mut known, mut repeats) = (0, None);
    for order in orders.iter().filter(|order| order.sequence <= last) {
        let is_last = order.sequence == last;
        let is_taken = !order.is_void || is_last;
        known += u64::from(!is_last && (order.is_void || order.asked.is_some()));
        let Some((id, Command::Request(request))) = order.asked.filter(|_| is_taken) else { continue };
        if admissions.admit(id, order.sequence) {
            requests.push((id, PastRequest { sequence: order.sequence, time_ms: None, request }));
        } else if is_last {
            // The first one may be so long ago that it is not known where it was.
            let first = requests.iter().find(|(earlier, _)| *earlier == id);
            repeats = Some(first.map_or(SequenceNumber(0), |(_, request)| request.sequence));
        }
    }
    let requests = requests.into_iter().map(|(_, request)| request).collect();
    Executed { requests, unknown: last.0.saturating_sub(1).saturating_sub(known), repeats }
}

/// Words of a module, short enough to be saved.
pub fn abridged(words: &str) -> String {
    match words.char_indices().nth(WORDS_LEN_MAX - 1) {
        None => words.to_owned(),
        Some((end, _)) => format!("{}…", &words[..end]),
    }
}

impl History {
    /// The mode as a pair of tolerances.
    pub fn tolerance(&self) -> Tolerance {
        Tolerance { wrong: self.wrong, crashed: self.crashed }
    }

    /// The request that the incident is about.
    pub fn last(&self) -> &PastRequest {
        self.requests.last().expect("a history without requests is refused")
    }

    /// The history as text, if it can be read again.
    pub fn to_text(&self) -> Result<String, UnusableHistory> {
        self.check()?;
        Ok(toml::to_string(self).expect("a history is made of tables, numbers and text"))
    }

    /// Reads a history from its text, and checks that it can be executed.
    pub fn from_text(text: &str) -> Result<History, UnusableHistory> {
        let history: History = toml::from_str(text).map_err(|error| UnusableHistory(error.to_string()))?;
        history.check()?;
        Ok(history)
    }

    fn check(&self) -> Result<(), UnusableHistory> {
        let refuse = |words: String| Err(UnusableHistory(words));
        if self.format != FORMAT {
            return refuse(format!("the format is {:?}, this dsms reads {FORMAT:?}", self.format));
        }
        if self.replicas == 0 || self.replicas > REPLICAS_LEN_MAX {
            return refuse(format!("{} replicas: expected 1 to {REPLICAS_LEN_MAX}", self.replicas));
        }
        if let Err(impossible) = self.tolerance().check(self.replicas) {
            return refuse(impossible.to_string());
        }
        for (name, limit) in [("fuel_per_call", self.fuel_per_call), ("memory_bytes_max", self.memory_bytes_max)] {
            if limit == 0 || limit > LIMIT_MAX {
                return refuse(format!("{name} is {limit}: expected 1 to {LIMIT_MAX}"));
            }
        }
        if self.unknown > SequenceNumber::RECEIVED_MAX {
            return refuse(format!("{} unknown places: no order is so long", self.unknown));
        }
        if self.released.as_ref().is_some_and(|words| is_too_long(words)) {
            return refuse(format!("released: expected at most {WORDS_LEN_MAX} characters"));
        }
        self.check_replies()?;
        self.check_modules()?;
        self.check_requests()
    }

    fn check_replies(&self) -> Result<(), UnusableHistory> {
        let mut replicas = Vec::new();
        for PastReply { replica, response } in &self.replies {
            let refuse = |words: String| Err(UnusableHistory(format!("reply of {replica}: {words}")));
            if replica.index() >= self.replicas {
                return refuse(format!("there are {} replicas", self.replicas));
            }
            if replicas.contains(replica) {
                return refuse("expected one of each".to_owned());
            }
            if is_too_long(response) {
                return refuse(format!("expected at most {WORDS_LEN_MAX} characters"));
            }
            replicas.push(*replica);
        }
        Ok(())
    }

    fn check_modules(&self) -> Result<(), UnusableHistory> {
        if self.modules.is_empty() || self.modules.len() > MODULES_LEN_MAX {
            let len = self.modules.len();
            return Err(UnusableHistory(format!("{len} modules: expected 1 to {MODULES_LEN_MAX}")));
        }
        for (PastModule { name, digest, replicas }, place) in self.modules.iter().zip(1..) {
            let refuse = |words: String| Err(UnusableHistory(format!("module {place}: {words}")));
            if name.is_empty() || name.len() > NAME_LEN_MAX {
                return refuse(format!("expected a name of 1 to {NAME_LEN_MAX} bytes"));
            }
            let is_digest = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_digest {
                return refuse("expected a digest of 64 hexadecimal digits".to_owned());
            }
            if replicas.len() > self.replicas || replicas.iter().any(|replica| replica.index() >= self.replicas) {
                return refuse(format!("there are {} replicas", self.replicas));
            }
        }
        Ok(())
    }

    fn check_requests(&self) -> Result<(), UnusableHistory> {
        if self.requests.is_empty() || self.requests.len() > REQUESTS_LEN_MAX {
            let len = self.requests.len();
            return Err(UnusableHistory(format!("{len} requests: expected 1 to {REQUESTS_LEN_MAX}")));
        }
        let mut before = SequenceNumber(0);
        for PastRequest { sequence, time_ms, request } in &self.requests {
            let refuse = |words: String| Err(UnusableHistory(format!("request #{sequence}, {request}: {words}")));
            if *sequence <= before {
                return refuse(format!("expected a place after #{before}"));
            }
            if time_ms.is_some_and(|time_ms| time_ms > TIME_MAX_MS) {
                return refuse(format!("expected a time of at most {TIME_MAX_MS} ms"));
            }
            before = *sequence;
        }
        Ok(())
    }
}

fn is_too_long(words: &str) -> bool {
    words.chars().nth(WORDS_LEN_MAX).is_some()
}
