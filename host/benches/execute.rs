//! What the sandbox costs a request: the same requests, one at a time, through the sandbox and by the native library.

use criterion::{Criterion, criterion_group, criterion_main};

use dsms::market::{Context, Module, Request};
use dsms::native::NativeMarket;
use dsms::sandbox::{Engine, SandboxLimits, reference_module};
use dsms::workload::{Mix, listings};

/// Requests that are repeated in a circle. A mix sells what it buys, so the market stays as small as it is.
const REQUESTS_LEN: usize = 4096;

/// Executes the next request of the circle at each call.
fn executor<M: Module>(mut module: M, requests: &[Request]) -> impl FnMut() {
    let mut sequence_number = 0;
    let mut execute = move |request: &Request| {
        sequence_number += 1;
        let outcome = module.execute(Context { sequence_number, time_ms: 0 }, request);
        std::hint::black_box(outcome.expect("the reference module does not fail"));
    };
    listings().for_each(|request| execute(&request));
    let mut circle = requests.iter().cycle();
    move || execute(circle.next().expect("a circle has no end"))
}

fn execute(criterion: &mut Criterion) {
    let engine = Engine::new(SandboxLimits::default()).expect("the sandbox starts");
    let module = engine.load(reference_module()).expect("the reference module meets the contract");
    let requests: Vec<Request> = Mix::new(1, 0).take(REQUESTS_LEN).collect();

    let mut group = criterion.benchmark_group("execute");
    let mut native = executor(NativeMarket::new(), &requests);
    group.bench_function("native", |bencher| bencher.iter(&mut native));
    let mut sandboxed = executor(module.instantiate().expect("the reference module starts"), &requests);
    group.bench_function("sandboxed", |bencher| bencher.iter(&mut sandboxed));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().warm_up_time(std::time::Duration::from_secs(1)).measurement_time(std::time::Duration::from_secs(3));
    targets = execute
}
criterion_main!(benches);
