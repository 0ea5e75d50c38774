//! The conformance cases: short histories of requests with the answers that every module must give.
//!
//! They are text under `tests/conformance/`, for people to read beside the market specification. A line `== …` opens a
//! history on an empty market and states the rule that it shows; a request stands as on the command line, and below it, after
//! `= `, its answer as JSON without the sequence number. `#` begins a comment.

use std::fmt;

use serde_json::Value;

use crate::market::{Context, GuestFault, MarketState, Module, Request, parse_request};

/// The cases, embedded so that `dsms check` works with nothing else at hand.
const FILES: [(&str, &str); 6] = [
    ("admin.txt", include_str!("../../../tests/conformance/admin.txt")),
    ("permission.txt", include_str!("../../../tests/conformance/permission.txt")),
    ("purchase.txt", include_str!("../../../tests/conformance/purchase.txt")),
    ("limits.txt", include_str!("../../../tests/conformance/limits.txt")),
    ("sell.txt", include_str!("../../../tests/conformance/sell.txt")),
    ("swap.txt", include_str!("../../../tests/conformance/swap.txt")),
];

/// When the first request of every history is made: 9 October 2025. The rules do not use it.
const FIRST_TIME_MS: u64 = 1_760_000_000_000;

/// What the conformance cases found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoldenSummary {
    /// Histories that were run.
    pub histories: usize,
    /// Requests that were made.
    pub requests: usize,
    /// At most one for each history, since what comes after a wrong answer follows from it.
    pub failures: Vec<GoldenFailure>,
}

/// A case that a module got wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenFailure {
    /// The rule, in words: the heading of the history.
    pub rule: String,
    /// Where the case is written, such as `tests/conformance/sell.txt:12`.
    pub place: String,
    /// The requests of the history up to the wrong answer, as on the command line. The last one was answered wrongly.
    pub requests: Vec<String>,
    /// The answer that the specification demands, or what else was expected.
    pub expected: String,
    /// What the module answered, or how it failed.
    pub given: String,
}

/// Runs every case. `start` gives a fresh module with an empty market, for each history and for each import.
///
/// At the end of each history the state goes out of the module, into a fresh one, and out of that again; it must come back
/// the same, and keep the invariants of the market specification, section 2.
pub fn run_golden<M: Module>(mut start: impl FnMut() -> Result<M, GuestFault>) -> GoldenSummary {
    let mut summary = GoldenSummary::default();
    for history in histories() {
        summary.histories += 1;
        summary.requests += history.cases.len();
        summary.failures.extend(history.run(&mut start));
    }
    summary
}

struct History {
    rule: &'static str,
    place: String,
    cases: Vec<Case>,
}

struct Case {
    request: Request,
    expected: Value,
    place: String,
}

impl History {
    fn run<M: Module>(&self, start: &mut impl FnMut() -> Result<M, GuestFault>) -> Option<GoldenFailure> {
        let failure = |place: &str, upto: usize, expected: String, given: String| {
            let requests = self.cases[..upto].iter().map(|case| case.request.to_string()).collect();
            Some(GoldenFailure { rule: self.rule.to_owned(), place: place.to_owned(), requests, expected, given })
        };
        let mut module = match start() {
            Ok(module) => module,
            Err(fault) => return failure(&self.place, 0, "a running module".to_owned(), fault.to_string()),
        };
        for (case, sequence_number) in self.cases.iter().zip(1_u64..) {
            let context = Context { sequence_number, time_ms: FIRST_TIME_MS + sequence_number };
            let given = match module.execute(context, &case.request) {
                Ok(outcome) if outcome.to_json() == case.expected => continue,
                Ok(outcome) => outcome.to_json().to_string(),
                Err(fault) => fault.to_string(),
            };
            let upto = usize::try_from(sequence_number).expect("histories are short");
            return failure(&case.place, upto, case.expected.to_string(), given);
        }
        let (expected, given) = round_trip(&mut module, start).err()?;
        failure(&self.place, self.cases.len(), expected, given)
    }
}

/// Exports, imports into a fresh module, exports again. An error is what was expected and what was given.
fn round_trip<M: Module>(
    module: &mut M,
    start: &mut impl FnMut() -> Result<M, GuestFault>,
) -> Result<(), (String, String)> {
    let fault = |call: &str| {
        let expected = format!("an answer to {call}");
        move |fault: GuestFault| (expected, fault.to_string())
    };
    let state = module.export_state().map_err(fault("export-state"))?;
    if let Err(broken) = state.check_invariants() {
        return Err(("an exported state that keeps the invariants".to_owned(), broken));
    }
    let mut successor = start().map_err(fault("the instantiation of a successor"))?;
    if let Err(refusal) = successor.import_state(&state).map_err(fault("import-state"))? {
        return Err(("an import of the state that the module itself exported".to_owned(), refusal));
    }
    let again = successor.export_state().map_err(fault("export-state after import-state"))?;
    if again != state {
        return Err((format!("after an import the same state, {}", text_of(&state)), text_of(&again)));
    }
    Ok(())
}

fn text_of(state: &MarketState) -> String {
    let shares = state.shares.iter().map(|share| format!("{} {}/{}", share.share, share.available, share.capacity));
    let holdings = state.holdings.iter().map(|held| format!("{} {} {}", held.buyer, held.share, held.units));
    format!("[{}]", shares.chain(holdings).collect::<Vec<_>>().join(", "))
}

fn histories() -> Vec<History> {
    FILES.iter().flat_map(|(name, text)| parse(name, text).unwrap_or_else(|bug| panic!("{bug}"))).collect()
}

fn parse(name: &str, text: &'static str) -> Result<Vec<History>, String> {
    let mut histories: Vec<History> = Vec::new();
    let mut unanswered: Option<(Request, String)> = None;
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        let place = format!("tests/conformance/{name}:{number}");
        let bug = |words: &dyn fmt::Display| format!("{place}: {words}");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(json) = line.strip_prefix("= ") {
            let (request, place) = unanswered.take().ok_or_else(|| bug(&"an answer without a request"))?;
            let expected = serde_json::from_str(json).map_err(|error| bug(&error))?;
            let history = histories.last_mut().ok_or_else(|| bug(&"a case outside of a history"))?;
            history.cases.push(Case { request, expected, place });
        } else if let Some((request, place)) = &unanswered {
            return Err(format!("{place}: the request `{request}` has no answer"));
        } else if let Some(rule) = line.strip_prefix("== ") {
            histories.push(History { rule, place, cases: Vec::new() });
        } else {
            let words: Vec<&str> = line.split_whitespace().collect();
            unanswered = Some((parse_request(&words).map_err(|error| bug(&error))?, place));
        }
    }
    match unanswered {
        None => Ok(histories),
        Some((request, place)) => Err(format!("{place}: the request `{request}` has no answer")),
    }
}

impl fmt::Display for GoldenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.rule, self.place)?;
        self.requests.iter().try_for_each(|request| writeln!(f, "    {request}"))?;
        write!(f, "  expected {}\n  given    {}", self.expected, self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Operation, Outcome, Refusal};

    #[test]
    fn every_refusal_and_every_success_has_a_case() {
        let cases: Vec<Case> = histories().into_iter().flat_map(|history| history.cases).collect();
        let answers = |key: &str, name: &str| cases.iter().filter(|case| case.expected[key] == name).count();
        for name in ["added", "removed", "availability", "purchased", "holdings", "sold", "swapped"] {
            assert!(answers("result", name) > 0, "no case answers {name}");
        }
        for refusal in [
            Refusal::Forbidden,
            Refusal::WrongMarket,
            Refusal::AlreadyExists,
            Refusal::NotFound,
            Refusal::AlreadyOwned,
            Refusal::DailyLimit,
            Refusal::WeeklyLimit,
            Refusal::SoldOut,
            Refusal::NotOwned,
            Refusal::InsufficientOwned { owned: 1 },
            Refusal::SameShare,
            Refusal::NewNotFound,
            Refusal::InsufficientNew { available: 1, needed: 2 },
        ] {
            assert!(answers("refused", refusal.name()) > 0, "no case answers {}", refusal.name());
        }
    }

    #[test]
    fn a_bad_case_is_named_by_its_place() {
        #[track_caller]
        fn check(text: &'static str, expected: &str) {
            let bug = parse("x.txt", text).err().unwrap();
            assert!(bug.contains(expected), "{bug}");
        }
        check("= {}", "x.txt:1: an answer without a request");
        check("== rule\nNYKB1001 get-shares\nNYKB1001 get-shares\n= {}", "x.txt:2: the request");
        check("== rule\nNYKB1001 get-shares", "x.txt:2: the request");
        check("== rule\nNYKB1001 steal-shares", "x.txt:2: operation");
        check("NYKB1001 get-shares\n= {}", "x.txt:2: a case outside of a history");
    }

    /// Answers every request alike.
    struct Stubborn;

    impl Module for Stubborn {
        fn execute(&mut self, _: Context, request: &Request) -> Result<Outcome, GuestFault> {
            match request.operation {
                Operation::GetShares { .. } => Err(GuestFault::StackOverflow),
                _ => Ok(Outcome::Added { capacity: 100 }),
            }
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            Ok(MarketState::default())
        }

        fn import_state(&mut self, _: &MarketState) -> Result<Result<(), String>, GuestFault> {
            Ok(Err("no".to_owned()))
        }
    }

    #[test]
    fn a_module_that_answers_wrongly_fails_history_by_history() {
        let summary = run_golden(|| Ok(Stubborn));
        assert_eq!(summary.failures.len(), summary.histories);
        let failure = &summary.failures[0];
        assert!(failure.place.starts_with("tests/conformance/admin.txt:"), "{failure}");
        let summary = run_golden(|| Err::<Stubborn, _>(GuestFault::Finished));
        assert_eq!(summary.failures.len(), summary.histories);
    }
}
