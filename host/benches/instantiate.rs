//! What a new life of a replica costs before its state is restored: a new instance, its first call, and its end.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use dsms::market::{Context, Module};
use dsms::sandbox::{Engine, SandboxLimits, reference_module};
use dsms::workload::listings;

fn instantiate(criterion: &mut Criterion) {
    let engine = Engine::new(SandboxLimits::default()).expect("the sandbox starts");
    let module = engine.load(reference_module()).expect("the reference module meets the contract");
    let request = listings().next().expect("the universe has shares");
    let context = Context { sequence_number: 1, time_ms: 0 };

    let mut group = criterion.benchmark_group("instantiate");
    group.bench_function("and drop", |bencher| bencher.iter(|| drop(module.instantiate())));
    group.bench_function("first call and drop", |bencher| {
        bencher.iter(|| {
            let mut instance = module.instantiate().expect("the reference module starts");
            instance.execute(context, &request).expect("the reference module does not fail")
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = instantiate
}
criterion_main!(benches);
