//! The state of a module goes out of it and into another instance, through the reference market both ways: it has to be
//! the same state, and everything has to go on as if nothing had happened. Replicas come back in this way.

use super::finding::{Finding, Kind, difference, fault_words, given_words, lines};
use super::golden;
use super::histories::{drawn, past, probes};
use super::report::Examined;
use super::subject::{Scope, Subject, expected, reference_after};
use crate::market::{GuestFault, MarketState, Module};
use crate::simulation::history::PastRequest;

const RULE_EXPORT: &str = "the exported state is that of the reference market after the same requests";
const RULE_IMPORT: &str = "a state that the reference market exported is imported, and exported again unchanged";
const RULE_GO_ON: &str = "after an import, requests are answered as the reference market goes on answering them";

/// Requests before the state is exported, of the drawn histories.
const DRAWN_LEN: u64 = 400;

/// Exports and imports the state after each golden history, and after drawn ones.
pub fn round_trip(scope: &mut Scope) -> Examined {
    let mut histories: Vec<Vec<PastRequest>> = vec![Vec::new()];
    histories.extend(golden::histories().iter().map(golden::History::requests));
    let drawn_max = (scope.requests_max / DRAWN_LEN / 5).max(1);
    histories.extend((0..drawn_max).map(|number| drawn(scope.seed, number).take(DRAWN_LEN as usize).collect()));
    for (history, done) in histories.iter().zip(0..) {
        scope.progress(done, histories.len() as u64);
        if scope.is_over() {
            break;
        }
        scope.examined.histories += 1;
        scope.examined.requests += history.len() as u64;
        if let Some(wrong) = exports(scope.subject, history).filter(|wrong| !scope.has_found(wrong.kind)) {
            let finding = shortened(scope, history, RULE_EXPORT, wrong.kind, exports, "(the state is exported)");
            scope.examined.findings.push(finding.unwrap_or_else(|| wrong.finding(RULE_EXPORT, lines(history))));
        }
        if let Some(wrong) = imports(scope.subject, history).filter(|wrong| !scope.has_found(wrong.kind)) {
            const TAKEN_OVER: &str = "(a new instance imports the state, and exports it again)";
            let finding = shortened(scope, history, RULE_IMPORT, wrong.kind, imports, TAKEN_OVER);
            scope.examined.findings.push(finding.unwrap_or_else(|| wrong.finding(RULE_IMPORT, lines(history))));
        }
        if !scope.has_found(Kind::WrongAnswerAfterImport) {
            let finding = goes_on(scope, history);
            scope.examined.findings.extend(finding);
        }
    }
    scope.finish()
}

struct Wrong {
    kind: Kind,
    expected: String,
    given: String,
}

impl Wrong {
    fn finding(self, rule: &str, history: Vec<String>) -> Finding {
        Finding { history, ..Finding::failure(self.kind, rule).told(self.expected, self.given) }
    }
}

fn state_after(requests: &[PastRequest]) -> MarketState {
    reference_after(requests).export_state().expect("the reference market does not fail")
}

fn fault(call: &str, fault: &GuestFault) -> Option<Wrong> {
    Some(Wrong { kind: Kind::Fault, expected: format!("an answer to {call}"), given: fault_words(fault) })
}

/// What is wrong with the state that the module exports after these requests. A wrong answer is for other examinations
/// to report.
fn exports(subject: &Subject, requests: &[PastRequest]) -> Option<Wrong> {
    let mut module = subject.after(requests)?;
    match module.export_state() {
        Err(words) => fault("export-state", &words),
        Ok(state) => difference(&state_after(requests), &state).map(|(expected, given)| Wrong {
            kind: Kind::WrongState,
            expected,
            given,
        }),
    }
}

/// What is wrong when a new instance imports the state after these requests.
fn imports(subject: &Subject, requests: &[PastRequest]) -> Option<Wrong> {
    let state = state_after(requests);
    let mut module = subject.start().ok()?;
    match module.import_state(&state) {
        Err(words) => return fault("import-state", &words),
        Ok(Err(refusal)) => {
            let expected = "an import of a state that keeps every invariant".to_owned();
            return Some(Wrong { kind: Kind::ImportRefused, expected, given: format!("refused: {refusal}") });
        }
        Ok(Ok(())) => {}
    }
    match module.export_state() {
        // Then it fails without an import as well.
        Err(_) => None,
        Ok(again)
            if subject.after(requests).and_then(|mut module| module.export_state().ok()).as_ref() == Some(&again) =>
        {
            // The export is wrong in any case, and reported as such.
            None
        }
        Ok(again) => difference(&state, &again).map(|(expected, given)| Wrong {
            kind: Kind::WrongStateAfterImport,
            expected,
            given,
        }),
    }
}

fn shortened(
    scope: &mut Scope,
    history: &[PastRequest],
    rule: &str,
    kind: Kind,
    examine: fn(&Subject, &[PastRequest]) -> Option<Wrong>,
    last_line: &str,
) -> Option<Finding> {
    let subject = scope.subject;
    let shows = |list: &[PastRequest]| examine(subject, list).filter(|wrong| wrong.kind == kind);
    let shortest = scope.shorten(history, |list| shows(list).is_some());
    let wrong = shows(&shortest.requests)?;
    let history = [lines(&shortest.requests), vec![last_line.to_owned()]].concat();
    Some(Finding { is_shortest: shortest.is_shortest, replay: Vec::new(), ..wrong.finding(rule, history) })
}

/// Another instance takes over after these requests, and answers further ones.
fn goes_on(scope: &mut Scope, history: &[PastRequest]) -> Option<Finding> {
    let subject = scope.subject;
    let after = history.last().map_or(1, |past| past.sequence.0 + 1);
    let further: Vec<PastRequest> = past(probes(&state_after(history)), after).collect();
    // The first request that a new instance, with the state after some requests, answers wrongly.
    let first_wrong = |before: &[PastRequest], further: &[PastRequest]| {
        let mut reference = reference_after(before);
        let mut module = subject.start().ok()?;
        module.import_state(&state_after(before)).ok()?.ok()?;
        further.iter().zip(1..).take_while(|_| subject.has_time()).find_map(|(past, len)| {
            let expected = expected(&mut reference, past);
            let given = module.execute(past.context(), &past.request);
            (given.as_ref() != Ok(&expected)).then_some((len, expected, given))
        })
    };
    scope.examined.requests += further.len() as u64;
    let (len, ..) = first_wrong(history, &further)?;
    let (last, between) = further[..len].split_last()?;
    // It has to be right without an import, or it is no fault of the import.
    let whole = [history, &further[..len]].concat();
    if subject.last_answer(&whole)? != Ok(expected(&mut reference_after(&whole[..whole.len() - 1]), last)) {
        return None;
    }
    let shows = |before: &[PastRequest], between: &[PastRequest]| {
        let further = [between, &[*last]].concat();
        first_wrong(before, &further).filter(|(len, ..)| *len == further.len())
    };
    let before = scope.shorten(history, |list| shows(list, between).is_some());
    let between = scope.shorten(between, |list| shows(&before.requests, list).is_some());
    let (_, expected, given) = shows(&before.requests, &between.requests)?;
    let taken_over = vec!["(a new instance imports the state)".to_owned()];
    let history = [lines(&before.requests), taken_over, lines(&between.requests), lines(&[*last])].concat();
    let finding = Finding::failure(Kind::WrongAnswerAfterImport, RULE_GO_ON);
    Some(Finding {
        history,
        is_shortest: before.is_shortest && between.is_shortest,
        ..finding.told(expected.to_json().to_string(), given_words(&given))
    })
}
