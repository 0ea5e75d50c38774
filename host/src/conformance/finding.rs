//! Something that a module does otherwise than it should.

use serde::{Deserialize, Serialize};

use crate::market::{GuestFault, MarketState};
use crate::simulation::history::PastRequest;
use crate::simulation::history::execution::Given;

/// Most characters of what a module gave, in a finding. The module controls how many there are.
const WORDS_LEN_MAX: usize = 600;

/// Whether a module may run as a replica in spite of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// It may not: the cluster would outvote it or bring it back again and again.
    Failure,
    /// It may, but its author should know.
    Warning,
}

/// What sort of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An answer is not the reference market's.
    WrongAnswer,
    /// A call ended in a fault: a trap, an exhausted budget, too much memory.
    Fault,
    /// The exported state is not the reference market's.
    WrongState,
    /// A state that is one was refused.
    ImportRefused,
    /// After an import, the exported state is not the imported one.
    WrongStateAfterImport,
    /// After an import, an answer is not the reference market's.
    WrongAnswerAfterImport,
    /// Something that was refused changed the market.
    RefusalChangesState,
    /// A state that breaks an invariant was imported.
    BrokenStateAccepted,
    /// Answers depend on what hash maps are seeded with.
    DependsOnHashSeed,
    /// Answers depend on random numbers.
    DependsOnRandomNumbers,
    /// Answers depend on the order's time.
    DependsOnTime,
    /// Answers depend on the order in which an imported state was listed.
    DependsOnImportOrder,
    /// Answers depend on requests of which nothing is left in the market.
    DependsOnEarlierRequests,
    /// A call comes near the end of its budget.
    NearBudget,
    /// The memory comes near its cap, or grows without the market growing.
    NearMemoryCap,
    /// More is written to the log than it may hold.
    LogFlood,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// Of what sort it is.
    pub kind: Kind,
    /// How grave it is.
    pub weight: Weight,
    /// The rule, in words.
    pub rule: String,
    /// Where the rule's case is written, such as `tests/conformance/sell.txt:12`.
    pub place: Option<String>,
    /// The history that shows it, a line for each step; most are requests, the others stand in brackets. The last one
    /// shows it.
    pub history: Vec<String>,
    /// Whether no request can be left out of the history.
    pub is_shortest: bool,
    /// What the module should have given.
    pub expected: String,
    /// What it gave.
    pub given: String,
    /// The requests with which `dsms replay` shows it; none if requests alone do not.
    pub replay: Vec<PastRequest>,
    /// The command that shows it again; for who has saved the requests to fill in.
    pub command: Option<String>,
}

impl Finding {
    pub(super) fn failure(kind: Kind, rule: impl Into<String>) -> Finding {
        Finding {
            kind,
            weight: Weight::Failure,
            rule: rule.into(),
            place: None,
            history: Vec::new(),
            is_shortest: true,
            expected: String::new(),
            given: String::new(),
            replay: Vec::new(),
            command: None,
        }
    }

    pub(super) fn warning(kind: Kind, rule: impl Into<String>) -> Finding {
        Finding { weight: Weight::Warning, ..Finding::failure(kind, rule) }
    }

    pub(super) fn told(mut self, expected: impl Into<String>, given: impl Into<String>) -> Finding {
        self.expected = abridged(expected.into());
        self.given = abridged(given.into());
        self
    }
}

/// Words that a module controls, cut off where they become long.
fn abridged(words: String) -> String {
    match words.char_indices().nth(WORDS_LEN_MAX) {
        None => words,
        Some((end, _)) => format!("{}…", &words[..end]),
    }
}

/// The lines of requests in a history.
pub(super) fn lines(requests: &[PastRequest]) -> Vec<String> {
    requests.iter().map(|past| past.request.to_string()).collect()
}

/// An outcome as JSON, or a fault in words.
pub(super) fn given_words(given: &Given) -> String {
    match given {
        Ok(outcome) => outcome.to_json().to_string(),
        Err(fault) => fault_words(fault),
    }
}

pub(super) fn fault_words(fault: &GuestFault) -> String {
    format!("fault: {fault}")
}

/// The first record in which two states differ, as one has it and as the other one has; `None` if they are equal.
pub fn difference(expected: &MarketState, given: &MarketState) -> Option<(String, String)> {
    if expected == given {
        return None;
    }
    let Some((expected, told)) = expected.first_difference(given) else {
        let broken = given.check_invariants().err().unwrap_or_default();
        return Some(("every share and every holding once".to_owned(), broken));
    };
    let either = expected.as_deref().or(told.as_deref()).unwrap_or_default();
    let words = |record: Option<&str>| record.map_or_else(|| format!("no {}", key_of(either)), record_words);
    Some((words(expected.as_deref()), words(told.as_deref())))
}

/// What a record is about: its first three words, as in `share NYKM100925 Equity`, or four where it begins with a buyer.
fn key_of(record: &str) -> String {
    let len = if record.starts_with("share ") { 3 } else { 4 };
    record.split(' ').take(len).collect::<Vec<_>>().join(" ")
}

/// A record of a state with its numbers named.
fn record_words(record: &str) -> String {
    let key = key_of(record);
    let numbers: Vec<&str> = record[key.len()..].split_whitespace().collect();
    match numbers[..] {
        [capacity, available] => format!("{key}: capacity {capacity}, available {available}"),
        [units] => format!("{key}: {units} units"),
        _ => record.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{HoldingState, Share, ShareState, ShareType};

    #[test]
    fn the_first_difference_of_two_states_is_named_on_both_sides() {
        let share = Share { id: "NYKM100925".parse().unwrap(), share_type: ShareType::Equity };
        let state = |shares: Vec<ShareState>| MarketState { shares, holdings: Vec::new() };
        let listed = ShareState { share, capacity: 5, available: 5 };
        let more = ShareState { capacity: 6, ..listed };
        let told = |expected: &str, given: &str| Some((expected.to_owned(), given.to_owned()));
        let words = "share NYKM100925 Equity: capacity";
        assert_eq!(difference(&state(vec![listed]), &state(vec![listed])), None);
        assert_eq!(
            difference(&state(vec![listed]), &state(vec![more])),
            told(&format!("{words} 5, available 5"), &format!("{words} 6, available 5"))
        );
        assert_eq!(
            difference(&state(vec![listed]), &state(Vec::new())),
            told(&format!("{words} 5, available 5"), "no share NYKM100925 Equity")
        );
        let holding = HoldingState { buyer: "NYKB1001".parse().unwrap(), share, units: 3 };
        let held = MarketState { holdings: vec![holding], ..state(vec![listed]) };
        assert_eq!(
            difference(&held, &state(vec![listed])),
            told("holding NYKB1001 NYKM100925 Equity: 3 units", "no holding NYKB1001 NYKM100925 Equity")
        );
        let twice = difference(&state(vec![listed]), &state(vec![listed, listed])).unwrap().1;
        assert!(twice.contains("twice"), "{twice}");
    }

    #[test]
    fn what_a_module_says_is_cut_off() {
        let finding = Finding::failure(Kind::Fault, "rule").told("x", "é".repeat(10_000));
        assert!(finding.given.chars().count() == WORDS_LEN_MAX + 1 && finding.given.ends_with('…'));
    }
}
