//! What is refused changes nothing: requests, by every refusal of every operation, and states that break an invariant.
//! Afterwards the module goes on as if nothing had been asked.
//!
//! That no number is negative (I2) is in the types of the contract. That correct replicas have equal digests (I5)
//! speaks of several.

use std::collections::BTreeSet;

use super::finding::{Finding, Kind, Weight, difference, fault_words, given_words, lines};
use super::golden;
use super::histories::{past, probes};
use super::report::Examined;
use super::subject::{Scope, Subject, expected, reference_after};
use crate::market::{HoldingState, MarketState, Module, Request, Share, ShareState, ShareType, parse_request};
use crate::simulation::history::PastRequest;

const RULE_REQUEST: &str = "a request that is refused changes nothing";
const RULE_STATE: &str = "a state that is refused changes nothing";

/// A market with something to break.
const MARKET: [&str; 5] = [
    "NYKA1001 add-share NYKM100925 Equity 10",
    "LONA1001 add-share LONM110925 Bonus 5",
    "NYKB1001 purchase-share NYKM100925 Equity 4",
    "NYKB1001 purchase-share LONM110925 Bonus 2",
    "LONB2002 purchase-share NYKM100925 Equity 1",
];

/// What the market is when the broken state arrives: another one, so that a state that was taken over in part shows.
const MARKET_BEFORE: [&str; 4] = [
    "TOKA1001 add-share TOKE010125 Dividend 7",
    "NYKA1001 add-share NYKM100925 Equity 3",
    "NYKB1001 purchase-share NYKM100925 Equity 3",
    "TOKB3003 purchase-share TOKE010125 Dividend 2",
];

/// A way to break a state.
struct Breakage {
    words: &'static str,
    breaks: fn(&mut MarketState),
}

const BREAKAGES: [Breakage; 9] = [
    Breakage {
        words: "I1: one unit of a share is available that nobody gave",
        breaks: |state| state.shares[1].available += 1,
    },
    Breakage { words: "I1: one unit of a share is lost", breaks: |state| state.shares[1].available -= 1 },
    Breakage {
        words: "I1: the numbers of a share add up only if they overflow",
        breaks: |state| {
            let held: u32 = held_of(state, 1);
            state.shares[1].available = u32::MAX;
            state.shares[1].capacity = held - 1;
        },
    },
    Breakage {
        words: "I3: a holding has no units",
        breaks: |state| {
            let holding = HoldingState { units: 0, ..state.holdings[0] };
            state.holdings[0] = HoldingState { buyer: "TOKB0007".parse().expect("a buyer"), ..holding };
            let held = held_of(state, 0);
            state.shares[0].available = state.shares[0].capacity - held;
            let held = held_of(state, 1);
            state.shares[1].available = state.shares[1].capacity - held;
        },
    },
    Breakage {
        words: "I4: a holding is of a share that is not listed",
        breaks: |state| {
            let mut holding = state.holdings[0];
            holding.share.id = "TOKM311299".parse().expect("a share id");
            state.holdings.push(holding);
        },
    },
    Breakage { words: "a share is listed twice", breaks: |state| state.shares.push(state.shares[0]) },
    Breakage {
        words: "a holding is listed twice, though the numbers add up",
        breaks: |state| {
            let holding = state.holdings[0];
            state.holdings.push(holding);
            let place = state.shares.iter().position(|share| share.share == holding.share).expect("it is listed");
            state.shares[place].capacity += holding.units;
        },
    },
    Breakage { words: "a share has a capacity of 0", breaks: |state| state.shares.push(unheld(0)) },
    Breakage {
        words: "a share has a capacity of more than 1,000,000",
        breaks: |state| state.shares.push(unheld(1_000_001)),
    },
];

fn held_of(state: &MarketState, share: usize) -> u32 {
    let share = state.shares[share].share;
    state.holdings.iter().filter(|holding| holding.share == share).map(|holding| holding.units).sum()
}

fn unheld(capacity: u32) -> ShareState {
    let share = "TOKA020226".parse().expect("a share id");
    let share = Share { id: share, share_type: ShareType::Dividend };
    ShareState { share, capacity, available: capacity }
}

/// Has requests and states refused, and looks whether anything changed.
pub(super) fn refused_input(scope: &mut Scope) -> Examined {
    let histories = golden::histories();
    let mut seen = BTreeSet::new();
    for (history, done) in histories.iter().zip(0..) {
        scope.progress(done, (histories.len() + BREAKAGES.len()) as u64);
        let requests = history.requests();
        for (place, refusal) in history.refusals() {
            if scope.is_over() {
                return scope.finish();
            }
            if seen.insert((requests[place].request.operation.name(), refusal)) {
                let finding = refused_request(scope, &requests[..=place]);
                scope.examined.findings.extend(finding);
            }
        }
    }
    for (breakage, done) in BREAKAGES.iter().zip(histories.len() as u64..) {
        scope.progress(done, (histories.len() + BREAKAGES.len()) as u64);
        if scope.is_over() {
            break;
        }
        let finding = refused_state(scope, breakage);
        scope.examined.findings.extend(finding);
    }
    scope.finish()
}

/// The last of these requests is refused.
fn refused_request(scope: &mut Scope, requests: &[PastRequest]) -> Option<Finding> {
    scope.examined.histories += 1;
    scope.examined.requests += requests.len() as u64;
    let subject = scope.subject;
    let (last, before) = requests.split_last()?;
    changed_by(subject, before, last)?;
    let shortest = scope.shorten(before, |list| changed_by(subject, list, last).is_some());
    let (expected, given) = changed_by(subject, &shortest.requests, last)?;
    let history = [&shortest.requests[..], &[*last]].concat();
    let history = [lines(&history), vec!["(the state is what it was before the last request)".to_owned()]].concat();
    let finding = Finding::failure(Kind::RefusalChangesState, RULE_REQUEST).told(expected, given);
    Some(Finding { history, is_shortest: shortest.is_shortest, ..finding })
}

/// What a refused request changes. Answers that are wrong without it are for other examinations to report.
fn changed_by(subject: &Subject, before: &[PastRequest], refused: &PastRequest) -> Option<(String, String)> {
    let mut module = subject.after(before)?;
    let state = module.export_state().ok()?;
    let given = module.execute(refused.context(), &refused.request).ok()?;
    if given != expected(&mut reference_after(before), refused) {
        return None;
    }
    difference(&state, &module.export_state().ok()?)
}

/// The states of [`MARKET`], broken, arrives at an instance that has executed [`MARKET_BEFORE`].
fn refused_state(scope: &mut Scope, breakage: &Breakage) -> Option<Finding> {
    scope.examined.histories += 1;
    let before = market(&MARKET_BEFORE);
    scope.examined.requests += before.len() as u64;
    let mut broken = reference_after(&market(&MARKET)).export_state().expect("the reference market does not fail");
    (breakage.breaks)(&mut broken);
    let mut module = scope.subject.after(&before)?;
    let state = module.export_state().ok()?;
    let imported = format!("(a state is imported of which this does not hold: {})", breakage.words);
    let history = [lines(&before), vec![imported]].concat();
    let finding = |kind, weight, rule: &str, expected: &str, given: String| {
        let finding = Finding::failure(kind, rule).told(expected, given);
        Some(Finding { weight, history: history.clone(), ..finding })
    };
    match module.import_state(&broken) {
        Err(fault) => {
            let rule = "a state that breaks an invariant is refused in words, not with the end of the module";
            return finding(Kind::Fault, Weight::Failure, rule, "a refusal in words", fault_words(&fault));
        }
        Ok(Ok(())) => {
            let rule = format!("a state that breaks an invariant is better refused: {}", breakage.words);
            let given = "it was imported".to_owned();
            return finding(Kind::BrokenStateAccepted, Weight::Warning, &rule, "a refusal in words", given);
        }
        Ok(Err(_)) => {}
    }
    let exported = match module.export_state() {
        Ok(exported) => exported,
        Err(fault) => {
            return finding(Kind::Fault, Weight::Failure, RULE_STATE, "an answer to export-state", fault_words(&fault));
        }
    };
    if let Some((expected, given)) = difference(&state, &exported) {
        return finding(Kind::RefusalChangesState, Weight::Failure, RULE_STATE, &expected, given);
    }
    // An instance that nothing was refused to.
    let mut other = scope.subject.after(&before)?;
    for past in past(probes(&state), 1000) {
        let expected = other.execute(past.context(), &past.request);
        let given = module.execute(past.context(), &past.request);
        if given != expected {
            let given = format!("{}, to {}", given_words(&given), past.request);
            return finding(Kind::RefusalChangesState, Weight::Failure, RULE_STATE, &given_words(&expected), given);
        }
    }
    None
}

fn market(lines: &[&str]) -> Vec<PastRequest> {
    let request = |line: &&str| -> Request {
        parse_request(&line.split(' ').collect::<Vec<_>>()).expect("the requests here are well formed")
    };
    past(lines.iter().map(request), 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::NativeMarket;

    #[test]
    fn each_breakage_breaks_what_it_says_and_the_reference_market_refuses_it() {
        let whole = reference_after(&market(&MARKET)).export_state().unwrap();
        assert_eq!(whole.check_invariants(), Ok(()));
        for Breakage { words, breaks } in BREAKAGES {
            let mut broken = whole.clone();
            breaks(&mut broken);
            let refusal = NativeMarket::new().import_state(&broken).unwrap();
            assert!(refusal.is_err(), "{words}");
            if let Some((law, _)) = words.split_once(':') {
                let found = broken.clone().into_canonical().check_invariants().unwrap_err();
                assert!(found.starts_with(law), "{words}: {found}");
            }
        }
    }

    #[test]
    fn every_refusal_is_provoked() {
        let all: BTreeSet<String> = golden::histories()
            .iter()
            .flat_map(|history| history.refusals().map(|(_, name)| name.to_owned()).collect::<Vec<_>>())
            .collect();
        assert_eq!(all.len(), 13, "{all:?}");
    }
}
