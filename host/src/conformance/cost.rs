//! What the calls of a module cost, against the limits of the sandbox: fuel, memory, log. Time is measured too, for
//! people to read; no limit is on it, since two machines would not agree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::finding::{Finding, Kind, difference, fault_words};
use super::histories::drawn;
use super::report::Examined;
use super::subject::Scope;
use crate::market::{
    BuyerId, Date, GuestFault, HoldingState, MarketCode, MarketState, Module, Share, ShareId, ShareState, ShareType,
    Slot,
};
use crate::sandbox::{LoadedModule, LogLine, LogOrigin};

/// Requests whose cost is measured.
const REQUESTS_LEN: usize = 2_000;

/// Holdings of the markets that are imported and exported, smaller ones first.
const HOLDINGS: [usize; 2] = [1_000, 10_000];

/// Holdings of a market that shows whether a module can import and export any at all. One that cannot is reported by
/// other examinations; whatever fails at a larger market does so because of its size.
const HOLDINGS_FEW: usize = 10;

/// A module may cost this part of a limit without a warning.
const SHARE_OF_LIMIT_MAX: f64 = 0.25;

/// Growth of memory over the second half of the requests that is not put down to chance.
const GROWTH_BYTES_MIN: u64 = 1 << 20;

/// What a module's calls cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cost {
    /// Each operation that was asked for.
    pub operations: Vec<OperationCost>,
    /// The budget of one of them, in fuel.
    pub fuel_per_call: u64,
    /// State calls at markets of several sizes.
    pub states: Vec<StateCost>,
    /// The budget of one of those, in fuel.
    pub fuel_per_state_call: u64,
    /// Memory of a new instance.
    pub memory_bytes_at_start: u64,
    /// Memory after half of the requests.
    pub memory_bytes_at_half: u64,
    /// Memory after all of them.
    pub memory_bytes_at_end: u64,
    /// The most that an instance may have.
    pub memory_bytes_max: u64,
    /// Calls that wrote more to the log than they may.
    pub calls_with_dropped_log: u64,
}

/// What one operation costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperationCost {
    /// Its name.
    pub operation: String,
    /// How often it was asked for.
    pub calls: usize,
    /// Fuel, the median.
    pub fuel_median: u64,
    /// Fuel, the most.
    pub fuel_max: u64,
    /// Time of a call, the median.
    pub microseconds_median: f64,
}

/// What a market of some size costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StateCost {
    /// How many holdings it has.
    pub holdings: usize,
    /// Fuel of an import.
    pub import_fuel: u64,
    /// Time of an import.
    pub import_milliseconds: f64,
    /// Fuel of an export.
    pub export_fuel: u64,
    /// Time of an export.
    pub export_milliseconds: f64,
    /// Memory afterwards.
    pub memory_bytes: u64,
}

/// Measures what calls cost. What goes wrong is for other examinations to report, unless it is the size of a market that
/// causes it.
pub(super) fn cost(scope: &mut Scope, module: &LoadedModule) -> (Examined, Option<Cost>) {
    let limits = *module.limits();
    let mut cost = Cost {
        fuel_per_call: limits.fuel_per_call,
        fuel_per_state_call: limits.fuel_per_state_call,
        memory_bytes_max: limits.memory_bytes_max,
        ..Cost::default()
    };
    scope.progress(0, 1 + HOLDINGS.len() as u64);
    measure_requests(scope, module, &mut cost);
    if measure_state(module, HOLDINGS_FEW).is_ok() {
        for (holdings, done) in HOLDINGS.into_iter().zip(1..) {
            scope.progress(done, 1 + HOLDINGS.len() as u64);
            if scope.is_over() {
                break;
            }
            match measure_state(module, holdings) {
                Ok(state) => cost.states.push(state),
                Err(finding) => {
                    scope.examined.findings.push(*finding);
                    break;
                }
            }
        }
    }
    let warnings = warnings(&cost);
    scope.examined.findings.extend(warnings);
    (scope.finish(), Some(cost))
}

fn measure_requests(scope: &mut Scope, module: &LoadedModule, cost: &mut Cost) {
    let floods = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&floods);
    let sink = Box::new(move |line: LogLine| {
        counted.fetch_add(u64::from(line.origin == LogOrigin::Host), Ordering::Relaxed);
    });
    let Ok(mut instance) = module.instantiate_with_log(sink) else { return };
    cost.memory_bytes_at_start = instance.memory_bytes();
    scope.examined.histories += 1;
    let mut calls: BTreeMap<&str, Vec<(u64, Duration)>> = BTreeMap::new();
    for (past, len) in drawn(scope.seed, 0).take(REQUESTS_LEN).zip(1..) {
        if scope.is_over() {
            break;
        }
        let (given, took) = timed(|| instance.execute(past.context(), &past.request));
        if given.is_err() {
            break;
        }
        scope.examined.requests += 1;
        calls.entry(past.request.operation.name()).or_default().push((instance.fuel_of_last_call(), took));
        if len == REQUESTS_LEN / 2 {
            cost.memory_bytes_at_half = instance.memory_bytes();
        }
        cost.memory_bytes_at_end = instance.memory_bytes();
    }
    cost.operations = calls.into_iter().map(|(operation, calls)| operation_cost(operation, calls)).collect();
    cost.calls_with_dropped_log = floods.load(Ordering::Relaxed);
}

fn operation_cost(operation: &str, calls: Vec<(u64, Duration)>) -> OperationCost {
    let (mut fuel, mut times): (Vec<u64>, Vec<Duration>) = calls.into_iter().unzip();
    fuel.sort_unstable();
    times.sort_unstable();
    OperationCost {
        operation: operation.to_owned(),
        calls: fuel.len(),
        fuel_median: fuel[fuel.len() / 2],
        fuel_max: fuel[fuel.len() - 1],
        microseconds_median: times[times.len() / 2].as_secs_f64() * 1e6,
    }
}

/// What a market of this size costs, or what goes wrong with it.
fn measure_state(module: &LoadedModule, holdings: usize) -> Result<StateCost, Box<Finding>> {
    let state = market_of(holdings);
    let mut instance = module.instantiate().map_err(|fault| failed(holdings, "an instantiation", &fault))?;
    let (imported, import_took) = timed(|| instance.import_state(&state));
    is_imported(holdings, imported)?;
    let import_fuel = instance.fuel_of_last_call();
    let (exported, export_took) = timed(|| instance.export_state());
    is_exported(holdings, &state, exported)?;
    Ok(StateCost {
        holdings,
        import_fuel,
        import_milliseconds: import_took.as_secs_f64() * 1e3,
        export_fuel: instance.fuel_of_last_call(),
        export_milliseconds: export_took.as_secs_f64() * 1e3,
        memory_bytes: instance.memory_bytes(),
    })
}

fn is_imported(holdings: usize, imported: Result<Result<(), String>, GuestFault>) -> Result<(), Box<Finding>> {
    imported.map_err(|fault| failed(holdings, "import-state", &fault))?.map_err(|refusal| {
        let finding = Finding::failure(Kind::ImportRefused, format!("a market of {holdings} holdings is imported"));
        Box::new(finding.told("an import, as of a smaller one", format!("refused: {refusal}")))
    })
}

fn is_exported(
    holdings: usize,
    state: &MarketState,
    exported: Result<MarketState, GuestFault>,
) -> Result<(), Box<Finding>> {
    let exported = exported.map_err(|fault| failed(holdings, "export-state", &fault))?;
    difference(state, &exported).map_or(Ok(()), |(expected, given)| {
        let rule = format!("a market of {holdings} holdings is exported as it was imported");
        Err(Box::new(Finding::failure(Kind::WrongStateAfterImport, rule).told(expected, given)))
    })
}

/// A market of fifty shares that equally many buyers hold.
fn market_of(holdings: usize) -> MarketState {
    const SHARES: usize = 50;
    let share = |place: usize| {
        let (market, share_type) = (MarketCode::ALL[place % 3], ShareType::ALL[place / 3 % 3]);
        let date = Date::new(1 + (place % 28) as u8, 1 + (place / 28) as u8, 30).expect("a date");
        Share { id: ShareId { market, slot: Slot::Morning, date }, share_type }
    };
    let held = |place: usize| {
        let buyer = place / SHARES;
        let number = u16::try_from(buyer / 3).ok().and_then(|number| number.try_into().ok()).expect("four digits");
        HoldingState {
            buyer: BuyerId { market: MarketCode::ALL[buyer % 3], number },
            share: share(place % SHARES),
            units: 10,
        }
    };
    let holders = |place: usize| (holdings + SHARES - 1 - place) / SHARES;
    let listed = |place: usize| {
        let available = 5;
        ShareState { share: share(place), capacity: available + 10 * holders(place) as u32, available }
    };
    MarketState { shares: (0..SHARES).map(listed).collect(), holdings: (0..holdings).map(held).collect() }
        .into_canonical()
}

/// Whether a limit was reached.
fn is_for_want(fault: &GuestFault) -> bool {
    matches!(
        fault,
        GuestFault::BudgetExhausted { .. }
            | GuestFault::MemoryExceeded { .. }
            | GuestFault::Oversized { .. }
            | GuestFault::StackOverflow
    )
}

/// A call at a market of this size ended in a fault. That the limits are too small for the largest one is only a warning.
fn failed(holdings: usize, call: &str, fault: &GuestFault) -> Box<Finding> {
    let rule = format!("a market of {holdings} holdings is within the limits");
    let finding = match (is_for_want(fault), holdings > HOLDINGS[0]) {
        (true, true) => Finding::warning(Kind::NearBudget, rule),
        (true, false) => Finding::failure(Kind::Fault, rule),
        (false, _) => Finding::failure(Kind::Fault, format!("a market of {holdings} holdings is borne")),
    };
    Box::new(finding.told(format!("an answer to {call}"), fault_words(fault)))
}

fn warnings(cost: &Cost) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |kind, rule: String, expected: String, given: String| {
        findings.push(Finding::warning(kind, rule).told(expected, given));
    };
    let percent = |part: f64| format!("{:.0} %", part * 100.0);
    let part = |used: u64, max: u64| used as f64 / max as f64;
    for operation in &cost.operations {
        let used = part(operation.fuel_max, cost.fuel_per_call);
        if used > SHARE_OF_LIMIT_MAX {
            let rule = format!("{} stays well within the budget of a call", operation.operation);
            let given = format!("{} of it, {} units of fuel", percent(used), operation.fuel_max);
            warn(Kind::NearBudget, rule, format!("at most {} of it", percent(SHARE_OF_LIMIT_MAX)), given);
        }
    }
    for state in &cost.states {
        let used = part(state.import_fuel.max(state.export_fuel), cost.fuel_per_state_call);
        if used > SHARE_OF_LIMIT_MAX {
            let rule = format!("a market of {} holdings stays well within the budget of a state call", state.holdings);
            warn(
                Kind::NearBudget,
                rule,
                format!("at most {} of it", percent(SHARE_OF_LIMIT_MAX)),
                format!("{} of it", percent(used)),
            );
        }
    }
    let half = cost.memory_bytes_max / 2;
    let most = cost.states.iter().map(|state| state.memory_bytes).max().unwrap_or(0).max(cost.memory_bytes_at_end);
    if most > half {
        let rule = "the memory stays well within its cap".to_owned();
        warn(Kind::NearMemoryCap, rule, format!("at most {half} bytes"), format!("{most} bytes"));
    }
    let first = cost.memory_bytes_at_half.saturating_sub(cost.memory_bytes_at_start);
    let second = cost.memory_bytes_at_end.saturating_sub(cost.memory_bytes_at_half);
    if first >= GROWTH_BYTES_MIN && second >= GROWTH_BYTES_MIN {
        let rule = "memory does not grow while the market stays as large as it is".to_owned();
        let given = format!("{} KiB more in {} requests", second / 1024, REQUESTS_LEN / 2);
        warn(Kind::NearMemoryCap, rule, "memory that is used again".to_owned(), given);
    }
    if cost.calls_with_dropped_log > 0 {
        let rule = "no call writes more to the log than a call may".to_owned();
        let given = format!("{} calls wrote more, and lost the rest", cost.calls_with_dropped_log);
        warn(Kind::LogFlood, rule, "lines that people will read".to_owned(), given);
    }
    findings
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let began = Deadline::after(Duration::ZERO);
    let value = run();
    (value, began.passed_by())
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;
    use crate::native::NativeMarket;

    #[test]
    fn the_markets_that_are_imported_are_markets() {
        for holdings in [0, 1, 49, 1_000, 1_001, 10_000] {
            let state = market_of(holdings);
            assert_eq!((state.holdings.len(), state.check_invariants()), (holdings, Ok(())));
            assert_eq!(NativeMarket::new().import_state(&state), Ok(Ok(())));
        }
    }

    #[test]
    fn what_goes_wrong_with_a_large_market_alone_is_found() {
        let state = market_of(20);
        let found = |result: Result<(), Box<Finding>>| result.err().map(|finding| (finding.kind, finding.weight));
        let trap = || GuestFault::Trap("out of bounds".to_owned());
        let want = || GuestFault::StackOverflow;
        let [few, many] = HOLDINGS;
        assert_eq!(found(is_imported(few, Ok(Ok(())))), None);
        let refused = is_imported(few, Ok(Err("too many".to_owned())));
        assert_eq!(found(refused), Some((Kind::ImportRefused, Weight::Failure)));
        assert_eq!(found(is_imported(many, Err(trap()))), Some((Kind::Fault, Weight::Failure)));
        assert_eq!(found(is_imported(few, Err(want()))), Some((Kind::Fault, Weight::Failure)));
        assert_eq!(found(is_imported(many, Err(want()))), Some((Kind::NearBudget, Weight::Warning)));
        assert_eq!(found(is_exported(many, &state, Ok(state.clone()))), None);
        let mut cut = state.clone();
        cut.holdings.pop();
        let lost = is_exported(many, &state, Ok(cut));
        assert_eq!(found(lost), Some((Kind::WrongStateAfterImport, Weight::Failure)));
        assert_eq!(found(is_exported(few, &state, Err(trap()))), Some((Kind::Fault, Weight::Failure)));
    }

    #[test]
    fn what_comes_near_a_limit_is_warned_of() {
        let quiet =
            Cost { fuel_per_call: 100, fuel_per_state_call: 100, memory_bytes_max: 100 << 20, ..Cost::default() };
        assert_eq!(warnings(&quiet), []);
        let kinds = |cost: Cost| warnings(&cost).into_iter().map(|finding| finding.kind).collect::<Vec<_>>();
        let call = |fuel_max| OperationCost {
            operation: "get-shares".to_owned(),
            calls: 1,
            fuel_median: 1,
            fuel_max,
            microseconds_median: 1.0,
        };
        assert_eq!(kinds(Cost { operations: vec![call(25)], ..quiet.clone() }), []);
        assert_eq!(kinds(Cost { operations: vec![call(26)], ..quiet.clone() }), [Kind::NearBudget]);
        assert_eq!(kinds(Cost { memory_bytes_at_end: 51 << 20, ..quiet.clone() }), [Kind::NearMemoryCap]);
        let grows = Cost { memory_bytes_at_half: 2 << 20, memory_bytes_at_end: 4 << 20, ..quiet.clone() };
        assert_eq!(kinds(grows), [Kind::NearMemoryCap]);
        assert_eq!(kinds(Cost { calls_with_dropped_log: 1, ..quiet }), [Kind::LogFlood]);
    }
}
