//! Drawn histories, each on a new instance: every answer, and the state in the end, against the reference market.

use super::finding::{Finding, Kind, difference, fault_words, lines};
use super::histories::{drawn, every_new_year};
use super::report::Examined;
use super::subject::{Scope, Shortest, expected, reference_after};
use crate::market::Module;
use crate::simulation::history::PastRequest;

/// Requests of one history: long enough that limits are reached and shares run out.
const HISTORY_LEN: u64 = 500;

/// Histories that differ are shortened, until there are so many. Most modules that are wrong are so in one way.
const FINDINGS_MAX: usize = 3;

/// Draws histories from the seed and executes them, as many as requests and time allow. The first one is not drawn: it
/// has every New Year in it.
pub(super) fn random_histories(scope: &mut Scope) -> Examined {
    let histories_max = (scope.requests_max / HISTORY_LEN).max(1);
    for number in 0..=histories_max {
        scope.progress(number, histories_max + 1);
        if scope.is_over() || scope.examined.findings.len() == FINDINGS_MAX {
            break;
        }
        let (history, name): (Vec<PastRequest>, String) = match number.checked_sub(1) {
            None => (every_new_year().collect(), "every New Year".to_owned()),
            Some(number) => {
                let name = format!("history {number} of seed {}", scope.seed);
                (drawn(scope.seed, number).take(HISTORY_LEN as usize).collect(), name)
            }
        };
        let rule = format!("{name}: answers and states are those of the reference market");
        let finding = run(scope, &rule, &history);
        scope.examined.findings.extend(finding);
    }
    scope.finish()
}

fn run(scope: &mut Scope, rule: &str, history: &[PastRequest]) -> Option<Finding> {
    scope.examined.histories += 1;
    let mut reference = reference_after(&[]);
    let mut module = match scope.subject.start() {
        Ok(module) => module,
        Err(fault) => {
            return Some(Finding::failure(Kind::Fault, rule).told("an instance that starts", fault_words(&fault)));
        }
    };
    let mut executed = 0;
    for past in history {
        if scope.is_over() {
            break;
        }
        executed += 1;
        scope.examined.requests += 1;
        let given = module.execute(past.context(), &past.request);
        if given.as_ref() != Ok(&expected(&mut reference, past)) {
            let kind = if given.is_err() { Kind::Fault } else { Kind::WrongAnswer };
            let last = |finding: &Finding| finding.replay.last().map(|past| past.request.operation.name());
            let is_alike = |other: &Finding| other.kind == kind && last(other) == Some(past.request.operation.name());
            let is_known = scope.examined.findings.iter().any(is_alike);
            return (!is_known).then(|| scope.wrong_answer(rule, &history[..executed], &given));
        }
    }
    let state = reference.export_state().expect("the reference market does not fail");
    // A call that fails here fails in the round trip as well, which reports it.
    let exported = module.export_state().ok()?;
    let differs = difference(&state, &exported)?;
    if scope.has_found(Kind::WrongState) {
        return None;
    }
    let subject = scope.subject;
    let differs_after = |list: &[PastRequest]| {
        let exported = subject.after(list)?.export_state().ok()?;
        difference(&reference_after(list).export_state().ok()?, &exported)
    };
    let mut shortest = scope.shorten(&history[..executed], |list| differs_after(list).is_some());
    let (expected, given) = differs_after(&shortest.requests).unwrap_or_else(|| {
        // It differs from run to run: what was seen is told as it was.
        shortest = Shortest { requests: history[..executed].to_vec(), is_shortest: false };
        differs
    });
    Some(Finding {
        history: [lines(&shortest.requests), vec!["(the state is exported)".to_owned()]].concat(),
        is_shortest: shortest.is_shortest,
        replay: shortest.requests,
        ..Finding::failure(Kind::WrongState, rule).told(expected, given)
    })
}
