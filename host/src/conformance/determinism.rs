//! Equal histories have equal answers and equal states, whatever else differs.
//!
//! Two instances execute one history. They differ in a single [`Condition`] that replicas of a cluster can differ in as
//! well: a replica that was brought back started at another place of the order, took over a state that another module
//! had listed in its own order, and has its data elsewhere in memory. If the answers differ, the condition is the
//! cause.

use super::finding::{Finding, Kind, difference, given_words, lines};
use super::golden;
use super::histories::{drawn, past};
use super::report::Examined;
use super::subject::{Scope, Subject, reference_after};
use crate::market::{AdminId, Caller, Context, MarketState, Module, Operation, Request, ShareState};
use crate::sandbox::Seeds;
use crate::simulation::history::PastRequest;

/// What two instances differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// What language runtimes seed their hash maps with.
    HashSeed,
    /// All other random numbers.
    RandomNumbers,
    /// The order's time, which is all that clocks show.
    Time,
    /// In which order the state was listed that both have imported.
    ImportOrder,
    /// One has executed requests before, and all that they brought to the market is gone: its data lies elsewhere in
    /// memory.
    EarlierRequests,
}

const CONDITIONS: [Condition; 5] = [
    Condition::HashSeed,
    Condition::RandomNumbers,
    Condition::Time,
    Condition::ImportOrder,
    Condition::EarlierRequests,
];

/// Requests of one history.
const HISTORY_LEN: usize = 300;

/// The place of the first request that both execute, so that there is room for earlier ones.
const FIRST_PLACE: u64 = 100_001;

/// The other time is so much later, and goes by so much faster: more than a year, so that no unit of time is the same.
const LATER_MS: u64 = 34_567_890_123;
const FASTER: u64 = 7_919;

impl Condition {
    fn kind(self) -> Kind {
        match self {
            Condition::HashSeed => Kind::DependsOnHashSeed,
            Condition::RandomNumbers => Kind::DependsOnRandomNumbers,
            Condition::Time => Kind::DependsOnTime,
            Condition::ImportOrder => Kind::DependsOnImportOrder,
            Condition::EarlierRequests => Kind::DependsOnEarlierRequests,
        }
    }

    /// Whether it also moves the numbers that hash maps and random numbers begin with.
    fn moves_both(self) -> bool {
        matches!(self, Condition::ImportOrder | Condition::EarlierRequests)
    }

    /// What the difference means, and what is most likely to cause it.
    fn rule(self) -> &'static str {
        match self {
            Condition::HashSeed => {
                "answers depend on the iteration order of a hash map: sort before you choose, or use an ordered map \
                 (in Rust a BTreeMap)"
            }
            Condition::RandomNumbers => {
                "answers depend on random numbers: the module draws them itself, or its language seeds hash tables \
                 with them (in Python a set of strings); sort before you choose"
            }
            Condition::Time => "answers depend on the time: the rules of the market use none but the dates of shares",
            Condition::ImportOrder => {
                "answers depend on the order in which import-state was given its records: sort them, or use an ordered \
                 map"
            }
            Condition::EarlierRequests => {
                "answers depend on requests of which nothing is left in the market: on something that is kept beside \
                 the state, or on addresses in memory"
            }
        }
    }

    fn given_words(self) -> &'static str {
        match self {
            Condition::HashSeed => "with hash maps seeded otherwise",
            Condition::RandomNumbers => "with other random numbers",
            Condition::Time => "at another time",
            Condition::ImportOrder => "with the imported records in reverse order",
            Condition::EarlierRequests => "after requests of which nothing is left",
        }
    }

    fn context(self, past: &PastRequest) -> Context {
        let context = past.context();
        match self {
            Condition::Time => {
                let time_ms = context.time_ms + LATER_MS + context.sequence_number * FASTER;
                Context { time_ms, ..context }
            }
            _ => context,
        }
    }
}

/// What comes before the requests that are compared.
#[derive(Clone, Debug, Default)]
struct Before {
    /// Their state is imported by both instances.
    imported: Vec<PastRequest>,
    /// One instance executes these first, which leave an empty market.
    warm_up: Vec<PastRequest>,
}

/// Executes all golden histories, one after the other, twice under each condition, and then drawn ones.
pub(super) fn determinism(scope: &mut Scope) -> Examined {
    let rounds = (scope.requests_max / HISTORY_LEN as u64 / 10).max(2);
    let steps = rounds * CONDITIONS.len() as u64;
    for round in 0..rounds {
        for (condition, place) in CONDITIONS.into_iter().zip(0..) {
            scope.progress(round * CONDITIONS.len() as u64 + place, steps);
            if scope.is_over() {
                return scope.finish();
            }
            // Whoever depends on hash order or random numbers depends on everything that moves them.
            let is_explained =
                [Kind::DependsOnHashSeed, Kind::DependsOnRandomNumbers].iter().any(|kind| scope.has_found(*kind));
            let is_new = !scope.has_found(condition.kind());
            if is_new && !(is_explained && condition.moves_both()) {
                let finding = examine(scope, condition, round);
                scope.examined.findings.extend(finding);
            }
        }
    }
    scope.finish()
}

fn examine(scope: &mut Scope, condition: Condition, round: u64) -> Option<Finding> {
    scope.examined.histories += 1;
    let requests: Vec<Request> = match round {
        0 => golden_requests(),
        _ => drawn(scope.seed, round).map(|past| past.request).take(HISTORY_LEN).collect(),
    };
    let mut history: Vec<PastRequest> = past(requests.into_iter(), FIRST_PLACE).collect();
    let mut before = Before::default();
    match condition {
        Condition::ImportOrder => {
            let compared = history.split_off(history.len() / 2);
            before.imported = std::mem::replace(&mut history, compared);
        }
        Condition::EarlierRequests => before.warm_up = warm_up(scope.seed, round),
        _ => {}
    }
    scope.examined.requests += 2 * (history.len() + before.warm_up.len()) as u64;
    let subject = scope.subject;
    let (len, ..) = first_difference(subject, condition, &before, &history)?;
    let is_at_end = len > history.len();
    // The last request shows the difference; or, where only the states differ, all of them do.
    let (compared, last) = match is_at_end {
        true => (&history[..], None),
        false => (&history[..len - 1], Some(history[len - 1])),
    };
    let all = |list: &[PastRequest]| [list, last.as_slice()].concat();
    let shows = |before: &Before, list: &[PastRequest]| {
        let list = all(list);
        let (len, expected, given) = first_difference(subject, condition, before, &list)?;
        (len == list.len() + usize::from(is_at_end)).then_some((expected, given))
    };
    let shortest = scope.shorten(compared, |list| shows(&before, list).is_some());
    let imported = scope.shorten(&before.imported, |list| {
        shows(&Before { imported: list.to_vec(), warm_up: Vec::new() }, &shortest.requests).is_some()
    });
    let warm_up = scope.shorten(&before.warm_up, |list| {
        let before = Before { imported: Vec::new(), warm_up: list.to_vec() };
        leaves_nothing(list) && shows(&before, &shortest.requests).is_some()
    });
    let before = Before { imported: imported.requests, warm_up: warm_up.requests };
    let (expected, given) = shows(&before, &shortest.requests)?;
    let mut told = Vec::new();
    if condition == Condition::ImportOrder {
        told.extend(lines(&before.imported));
        told.push("(two new instances import the state, one of them in reverse order; both go on)".to_owned());
    }
    if condition == Condition::EarlierRequests {
        told.extend(lines(&before.warm_up));
        told.push(
            "(the market is empty again; a new instance, which has executed none of this, goes on as well)".to_owned(),
        );
    }
    told.extend(lines(&all(&shortest.requests)));
    if is_at_end {
        told.push("(both export their states)".to_owned());
    }
    let given = format!("{given}, {}", condition.given_words());
    Some(Finding {
        history: told,
        is_shortest: shortest.is_shortest && imported.is_shortest && warm_up.is_shortest,
        ..Finding::failure(condition.kind(), condition.rule()).told(expected, given)
    })
}

/// The first request whose answers differ, as how many requests there are up to it, with both answers; one more than
/// there are where only the states in the end differ.
fn first_difference(
    subject: &Subject,
    condition: Condition,
    before: &Before,
    history: &[PastRequest],
) -> Option<(usize, String, String)> {
    let seeds = Seeds::default();
    let other = Seeds::of([0xa5; 32]);
    let mut one = subject.start_with(seeds).ok()?;
    let mut two = subject
        .start_with(match condition {
            Condition::HashSeed => Seeds { hash: other.hash, ..seeds },
            Condition::RandomNumbers => Seeds { random: other.random, ..seeds },
            _ => seeds,
        })
        .ok()?;
    if condition == Condition::ImportOrder {
        let state = reference_after(&before.imported).export_state().ok()?;
        let reversed = MarketState {
            shares: state.shares.iter().rev().copied().collect(),
            holdings: state.holdings.iter().rev().copied().collect(),
        };
        one.import_state(&state).ok()?.ok()?;
        two.import_state(&reversed).ok()?.ok()?;
    }
    for past in &before.warm_up {
        subject.has_time().then_some(())?;
        two.execute(past.context(), &past.request).ok()?;
    }
    if !before.warm_up.is_empty() && two.export_state() != Ok(MarketState::default()) {
        return None; // The module is wrong in another way, which other examinations report.
    }
    for (past, len) in history.iter().zip(1..) {
        subject.has_time().then_some(())?;
        let expected = one.execute(past.context(), &past.request);
        let given = two.execute(condition.context(past), &past.request);
        if given != expected {
            return Some((len, given_words(&expected), given_words(&given)));
        }
        expected.ok()?; // Both failed alike.
    }
    let (expected, given) = difference(&one.export_state().ok()?, &two.export_state().ok()?)?;
    Some((history.len() + 1, expected, given))
}

/// Requests after which the market is empty again.
fn warm_up(seed: u64, round: u64) -> Vec<PastRequest> {
    let history: Vec<Request> = drawn(seed, round + 1_000_000).map(|past| past.request).take(HISTORY_LEN).collect();
    past(emptied(history).into_iter(), 1).collect()
}

/// The golden histories, one after the other, each on an empty market.
fn golden_requests() -> Vec<Request> {
    let requests = |history: &golden::History| history.requests().iter().map(|past| past.request).collect();
    golden::histories().iter().flat_map(|history| emptied(requests(history))).collect()
}

/// Requests with others after them, which take everything off the market.
fn emptied(mut requests: Vec<Request>) -> Vec<Request> {
    let history: Vec<PastRequest> = past(requests.iter().copied(), 1).collect();
    let state = reference_after(&history).export_state().expect("the reference market does not fail");
    let remove = |share: &ShareState| {
        let share = share.share;
        let number = 1.try_into().expect("four digits");
        let admin = AdminId { market: share.id.market, number };
        Request { caller: Caller::Admin(admin), operation: Operation::RemoveShare { share } }
    };
    requests.extend(state.shares.iter().map(remove));
    requests
}

fn leaves_nothing(requests: &[PastRequest]) -> bool {
    reference_after(requests).export_state() == Ok(MarketState::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_warms_up_leaves_an_empty_market_and_is_over_before_the_history_begins() {
        let warm_up = warm_up(1, 0);
        assert!(leaves_nothing(&warm_up) && !leaves_nothing(&warm_up[..HISTORY_LEN]));
        assert!(warm_up.last().unwrap().sequence.0 < FIRST_PLACE);
        let golden: Vec<PastRequest> = past(golden_requests().into_iter(), 1).collect();
        assert!(leaves_nothing(&golden) && golden.len() > 500);
    }
}
