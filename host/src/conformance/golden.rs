//! The conformance cases: short histories of requests with the answers that every module must give.
//!
//! They are text under `tests/conformance/`, for people to read beside the market specification. A line `== …` opens a
//! history on an empty market and states the rule that it shows; a request stands as on the command line, and below it,
//! after `= `, its answer as JSON without the sequence number. `#` begins a comment.

use std::fmt;

use serde_json::Value;

use super::finding::{Finding, Kind, fault_words};
use super::histories;
use super::report::Examined;
use super::subject::Scope;
use crate::market::{Request, parse_request};
use crate::simulation::history::PastRequest;

/// The cases, embedded so that `dsms check` works with nothing else at hand.
const FILES: [(&str, &str); 7] = [
    ("admin.txt", include_str!("../../../tests/conformance/admin.txt")),
    ("permission.txt", include_str!("../../../tests/conformance/permission.txt")),
    ("purchase.txt", include_str!("../../../tests/conformance/purchase.txt")),
    ("limits.txt", include_str!("../../../tests/conformance/limits.txt")),
    ("sell.txt", include_str!("../../../tests/conformance/sell.txt")),
    ("swap.txt", include_str!("../../../tests/conformance/swap.txt")),
    ("precedence.txt", include_str!("../../../tests/conformance/precedence.txt")),
];

/// Makes the golden requests. Of each history the first wrong answer is found, since what comes after follows from it.
pub fn golden(scope: &mut Scope) -> Examined {
    let histories = histories();
    for (history, done) in histories.iter().zip(0..) {
        scope.progress(done, histories.len() as u64);
        if scope.is_over() {
            break;
        }
        let finding = history.run(scope);
        scope.examined.findings.extend(finding);
    }
    scope.finish()
}

/// A rule and the requests that show it.
pub(super) struct History {
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
    /// The requests in their places, from 1 on.
    pub(super) fn requests(&self) -> Vec<PastRequest> {
        histories::past(self.cases.iter().map(|case| case.request), 1).collect()
    }

    /// Where requests are refused: the place in the history, from 0 on, and the refusal's name.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (usize, &str)> {
        self.cases.iter().enumerate().filter_map(|(place, case)| Some((place, case.expected["refused"].as_str()?)))
    }

    fn run(&self, scope: &mut Scope) -> Option<Finding> {
        scope.examined.histories += 1;
        let mut module = match scope.subject.start() {
            Ok(module) => module,
            Err(fault) => {
                let finding =
                    Finding::failure(Kind::Fault, self.rule).told("an instance that starts", fault_words(&fault));
                return Some(Finding { place: Some(self.place.clone()), ..finding });
            }
        };
        let requests = self.requests();
        for ((case, past), upto) in self.cases.iter().zip(&requests).zip(1..) {
            scope.examined.requests += 1;
            let given = module.execute(past.context(), &past.request);
            if given.as_ref().is_ok_and(|outcome| outcome.to_json() == case.expected) {
                continue;
            }
            let finding = scope.wrong_answer(self.rule, &requests[..upto], &given);
            return Some(Finding { place: Some(case.place.clone()), ..finding });
        }
        None
    }
}

/// A rule that golden requests show, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenRule {
    /// The rule, in words.
    pub rule: &'static str,
    /// Such as `tests/conformance/sell.txt:12`.
    pub place: String,
    /// The places of its requests, of which a finding names one.
    cases: Vec<String>,
}

impl GoldenRule {
    /// Whether a finding of the golden requests is that this rule is broken.
    pub fn is_broken_in(&self, finding: &Finding) -> bool {
        finding.place.as_ref().is_some_and(|place| *place == self.place || self.cases.contains(place))
    }
}

/// Every rule that golden requests show, in the order in which they are made.
pub fn golden_rules() -> Vec<GoldenRule> {
    let rule = |History { rule, place, cases }: History| {
        let cases = cases.into_iter().map(|case| case.place).collect();
        GoldenRule { rule, place, cases }
    };
    histories().into_iter().map(rule).collect()
}

/// All of them.
pub(super) fn histories() -> Vec<History> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::subject::{expected, reference_after};
    use crate::market::Refusal;

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
    fn a_finding_belongs_to_the_one_rule_whose_request_it_names() {
        let rules = golden_rules();
        for history in histories() {
            for place in history.cases.iter().map(|case| &case.place).chain([&history.place]) {
                let finding = Finding { place: Some(place.clone()), ..Finding::failure(Kind::Fault, "") };
                let broken: Vec<&GoldenRule> = rules.iter().filter(|rule| rule.is_broken_in(&finding)).collect();
                assert!(broken.len() == 1 && broken[0].rule == history.rule, "{place}: {broken:?}");
            }
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

    #[test]
    fn the_reference_market_gives_every_answer_that_is_written() {
        for history in histories() {
            let mut market = reference_after(&[]);
            for (case, past) in history.cases.iter().zip(history.requests()) {
                let given = expected(&mut market, &past).to_json();
                assert_eq!(given, case.expected, "{}: {}", case.place, case.request);
            }
        }
    }
}
