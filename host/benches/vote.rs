//! What the front end spends on the replies of three replicas: the decision alone, and with the writing down of each reply.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use dsms::market::Outcome;
use dsms::protocol::id::{Incarnation, ReplicaId, SequenceNumber};
use dsms::protocol::ledger::{Ledger, ReplyRecord};
use dsms::protocol::message::Response;
use dsms::protocol::quorum::{Tolerance, decide};
use dsms::protocol::time::Instant;

const REPLICAS_LEN: usize = 3;

fn response(sequence: SequenceNumber) -> Response {
    Response::Executed { first: sequence, outcome: Outcome::Purchased { requested: 10, bought: 10, available: 90 } }
}

fn said(response: &Response) -> Option<&Response> {
    Some(response)
}

fn vote(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vote");
    group.throughput(Throughput::Elements(1));

    let replies = vec![Some(response(SequenceNumber(1))); REPLICAS_LEN];
    group.bench_function("decide over three equal replies", |bencher| {
        bencher.iter(|| decide(std::hint::black_box(&replies), Tolerance::BYZANTINE.quorum(), said));
    });

    let mut ledger = Ledger::new(REPLICAS_LEN);
    let mut sequence = SequenceNumber(0);
    group.bench_function("record and decide each of three replies", |bencher| {
        bencher.iter(|| {
            sequence = sequence.next();
            for replica in ReplicaId::first(REPLICAS_LEN) {
                let added =
                    ledger.add_reply(sequence, replica, Incarnation(1), response(sequence), Instant(sequence.0));
                let record = added.expect("each replica replies once");
                std::hint::black_box(decide(&record.replies, Tolerance::BYZANTINE.quorum(), ReplyRecord::outcome));
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = vote
}
criterion_main!(benches);
