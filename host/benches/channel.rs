//! What it costs to carry a message from one node to another, socket and system apart: the channel, its seal, the encoding.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use dsms::market::Request;
use dsms::protocol::channel::limits::DATAGRAM_LEN_DEFAULT;
use dsms::protocol::channel::{Address, Channel, ChannelConfig, Envelope, enclose};
use dsms::protocol::id::{ClientId, NodeId, RequestId, RequestNumber, SequenceNumber, SessionId};
use dsms::protocol::keyring::{ClusterId, Generation, Keyring};
use dsms::protocol::message::{Command, Message, Order};
use dsms::protocol::secret::{SECRET_LEN, Secret, TAG_LEN};
use dsms::protocol::time::Instant;
use dsms::protocol::wire;
use dsms::workload::Mix;

/// About the length of an order.
const MESSAGE_LEN: usize = 40;

/// Messages of a turn: one, as at an idle cluster, and a batch, as under load.
const TURN_LENS: [usize; 2] = [1, 64];

/// Two nodes and the datagrams between them, none of which is lost.
struct Pair {
    ends: [Channel; 2],
    now: Instant,
    datagram: Vec<u8>,
    message: Vec<u8>,
}

impl Pair {
    fn new() -> Pair {
        let end = |local, peer, session| {
            let session = SessionId(session);
            let keyring = Keyring::of_cluster_key(&Secret::new([7; SECRET_LEN]), local, [peer]);
            let config = ChannelConfig { local, peer, session, datagram_len_max: DATAGRAM_LEN_DEFAULT };
            Channel::new(config, &keyring)
        };
        let ends = [end(NodeId::FRONT_END, NodeId::Sequencer, 1), end(NodeId::Sequencer, NodeId::FRONT_END, 2)];
        let mut pair = Pair { ends, now: Instant(1), datagram: Vec::new(), message: Vec::new() };
        while pair.turn(1) == 0 {}
        pair
    }

    /// One end sends messages, the other takes them, and what acknowledgements are due go back. Returns how many arrived.
    fn turn(&mut self, messages_len: usize) -> usize {
        self.now = self.now + Duration::from_millis(1);
        for _ in 0..messages_len {
            self.ends[0].send(&[7; MESSAGE_LEN]).expect("what was sent before has arrived");
        }
        let mut arrived = 0;
        for from in [0, 1, 0] {
            self.ends[from].handle_timeout(self.now);
            while self.ends[from].poll_transmit(self.now, &mut self.datagram) {
                arrived += self.deliver(1 - from);
            }
        }
        arrived
    }

    fn deliver(&mut self, to: usize) -> usize {
        let envelope = Envelope::read(&self.datagram).expect("the datagram is well formed");
        self.ends[to].handle_datagram(&envelope, self.now).expect("the datagram is of use");
        let mut arrived = 0;
        while self.ends[to].poll_message(&mut self.message) {
            arrived += 1;
        }
        arrived
    }
}

fn channel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("channel");
    for messages_len in TURN_LENS {
        group.throughput(Throughput::Elements(messages_len as u64));
        let mut pair = Pair::new();
        group.bench_function(format!("{messages_len} messages a turn"), |bencher| {
            bencher.iter(|| assert_eq!(pair.turn(messages_len), messages_len));
        });
    }
    group.finish();
}

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    let key = Secret::new([7; SECRET_LEN]);
    let (from, to) = (NodeId::FRONT_END, NodeId::Sequencer);
    let address = Address { from, to, cluster: ClusterId(1), generation: Generation::FIRST, newest: Generation::FIRST };
    for datagram_len in [100, DATAGRAM_LEN_DEFAULT] {
        let mut datagram = Vec::with_capacity(2 * datagram_len);
        group.bench_function(format!("seal and open {datagram_len} bytes"), |bencher| {
            bencher.iter(|| {
                enclose(&address, &key, &mut datagram, |datagram| datagram.resize(datagram_len - TAG_LEN, 7));
                Envelope::read(&datagram).is_ok_and(|envelope| envelope.is_sealed_with(&key))
            });
        });
    }
    group.finish();
}

fn orders() -> Vec<Message> {
    let order = |(request, number): (Request, u64)| {
        let id = RequestId { client: ClientId(0x0123_4567_89ab_cdef), number: RequestNumber(number) };
        let (sequence, command) = (SequenceNumber(number), Command::Request(request));
        Message::Order(Order { sequence, time_ms: 1_756_700_000_000, origin: NodeId::FRONT_END, id, command })
    };
    Mix::new(1, 0).zip(1..=1000).map(order).collect()
}

fn encoding(criterion: &mut Criterion) {
    let orders = orders();
    let encoded: Vec<Vec<u8>> = orders
        .iter()
        .map(|order| {
            let mut bytes = Vec::new();
            wire::encode(order, &mut bytes).expect("an order fits a message");
            bytes
        })
        .collect();
    let mut group = criterion.benchmark_group("wire");
    let mut circle = orders.iter().cycle();
    let mut bytes = Vec::new();
    group.bench_function("encode an order", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            wire::encode(circle.next().expect("a circle has no end"), &mut bytes)
        });
    });
    let mut circle = encoded.iter().cycle();
    group.bench_function("decode an order", |bencher| {
        bencher.iter_batched(
            || circle.next().expect("a circle has no end"),
            |bytes| wire::decode::<Message>(bytes).expect("what was encoded is decoded"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = channel, seal, encoding
}
criterion_main!(benches);
