//! What it costs to bring a replica back, and to export and import a market: with as many holdings as markets may have.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use dsms::market::{
    BuyerId, Context, Date, HoldingState, MarketCode, MarketState, Module, Request, Share, ShareId, ShareState,
    ShareType, Slot,
};
use dsms::sandbox::{Engine, Instance, LoadedModule, SandboxLimits, reference_module};
use dsms::workload::{Mix, listings};

/// Orders that are executed again.
const REPLAYED_LEN: usize = 10_000;

/// Buyers of one market.
const BUYERS_LEN: u16 = 9_999;

fn module() -> LoadedModule {
    // A million holdings need more room than a replica has by default.
    let limits = SandboxLimits { memory_bytes_max: 1 << 30, state_bytes_max: 1 << 28, ..SandboxLimits::default() };
    let engine = Engine::new(limits).expect("the sandbox starts");
    engine.load(reference_module()).expect("the reference module meets the contract")
}

fn instance(module: &LoadedModule, state: &MarketState) -> Instance {
    let mut instance = module.instantiate().expect("the reference module starts");
    instance.import_state(state).expect("the module does not fail").expect("it is a possible state");
    instance
}

/// A market in which each buyer holds one unit of one share a day of the home market, until there are as many holdings.
fn market(holdings_len: usize) -> MarketState {
    let (mut shares, mut holdings) = (Vec::new(), Vec::new());
    let days = (1..=12).flat_map(|month| (1..=28).map(move |day| Date::new(day, month, 25).expect("a day")));
    for date in days {
        for market in MarketCode::ALL {
            let share = Share { id: ShareId { market, slot: Slot::Morning, date }, share_type: ShareType::Equity };
            let holders_len = (holdings_len - holdings.len()).min(usize::from(BUYERS_LEN)) as u16;
            if holders_len == 0 {
                return MarketState { shares, holdings }.into_canonical();
            }
            shares.push(ShareState {
                share,
                capacity: BUYERS_LEN.into(),
                available: (BUYERS_LEN - holders_len).into(),
            });
            holdings.extend((1..=holders_len).map(|number| {
                let number = number.try_into().expect("four digits");
                HoldingState { buyer: BuyerId { market, number }, share, units: 1 }
            }));
        }
    }
    unreachable!("there are days enough for the holdings that are asked for")
}

fn recover(criterion: &mut Criterion) {
    let module = module();
    let requests: Vec<Request> = listings().chain(Mix::new(1, 1)).take(REPLAYED_LEN).collect();
    let state = market(1_000);
    let mut group = criterion.benchmark_group("recover");
    group.bench_function("reinstantiate, import 1,000 holdings", |bencher| bencher.iter(|| instance(&module, &state)));
    group.bench_function("the same, and execute 10,000 orders again", |bencher| {
        bencher.iter(|| {
            let mut instance = instance(&module, &state);
            for (sequence_number, request) in (1..).zip(&requests) {
                instance.execute(Context { sequence_number, time_ms: 0 }, request).expect("the module does not fail");
            }
            instance
        });
    });
    group.finish();
}

fn transfer(criterion: &mut Criterion) {
    let module = module();
    let mut group = criterion.benchmark_group("state");
    group.sample_size(10);
    for holdings_len in [1_000, 100_000, 1_000_000] {
        let state = market(holdings_len);
        let mut full = instance(&module, &state);
        group.bench_function(BenchmarkId::new("export", holdings_len), |bencher| bencher.iter(|| full.export_state()));
        group.bench_function(BenchmarkId::new("import", holdings_len), |bencher| {
            bencher.iter(|| instance(&module, &state))
        });
        group.bench_function(BenchmarkId::new("digest", holdings_len), |bencher| bencher.iter(|| state.digest()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = recover, transfer
}
criterion_main!(benches);
