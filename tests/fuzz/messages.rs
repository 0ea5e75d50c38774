//! Any message there can be, from choices.

use std::sync::Arc;
use std::time::Duration;

use dsms::market::{
    Digest, GuestFault, HoldingState, MarketState, Outcome, Refusal, Request, Share, ShareState, ShareType,
};
use dsms::protocol::client_message::{ClientMessage, FaultAsk, TokenText};
use dsms::protocol::event::{Cause, Event, Rung};
use dsms::protocol::event_log::EventRecord;
use dsms::protocol::fault::{Fault, FaultId, FaultKind};
use dsms::protocol::id::{ClientId, Incarnation, NodeId, ReplicaId, RequestId, RequestNumber, Round, SequenceNumber};
use dsms::protocol::ledger::{Asked, Conclusion, Entry, Record, ReplyRecord};
use dsms::protocol::message::{Certificate, Charge, Command, Message, Order, Phase, Progress, Reply, Response};
use dsms::protocol::swap::{Candidate, Stage, SwapAsk, SwapId};
use dsms::protocol::time::Instant;
use dsms::workload::Mix;

use crate::draw::Draw;

pub fn node(draw: &mut Draw<'_>) -> NodeId {
    match draw.below(5) {
        0 => NodeId::FRONT_END,
        4 => NodeId::from_byte(128 + draw.below(3) as u8).expect("three front ends may follow the first one"),
        1 => NodeId::Sequencer,
        _ => NodeId::ReplicaManager(replica(draw)),
    }
}

/// Mostly one of a small cluster.
pub fn replica(draw: &mut Draw<'_>) -> ReplicaId {
    let number = if draw.below(8) == 0 { draw.replica_number() } else { 1 + draw.below(3) as u8 };
    ReplicaId::new(number).expect("it is within the bounds")
}

pub fn sequence(draw: &mut Draw<'_>) -> SequenceNumber {
    SequenceNumber(draw.number())
}

fn incarnation(draw: &mut Draw<'_>) -> Incarnation {
    if draw.below(8) == 0 { Incarnation(draw.word()) } else { Incarnation(draw.below(4) as u32) }
}

fn request_id(draw: &mut Draw<'_>) -> RequestId {
    RequestId { client: ClientId(draw.number()), number: RequestNumber(draw.number()) }
}

fn duration(draw: &mut Draw<'_>) -> Duration {
    if draw.flag() { Duration::from_micros(draw.number()) } else { Duration::new(draw.number(), 999_999_999) }
}

pub fn digest(draw: &mut Draw<'_>) -> Digest {
    Digest::of_bytes(&[draw.byte() % 3])
}

pub fn request(draw: &mut Draw<'_>) -> Request {
    Mix::new(u64::from(draw.byte()), 0).next().expect("a mix has no end")
}

pub fn command(draw: &mut Draw<'_>) -> Command {
    match draw.below(6) {
        0 => Command::Barrier,
        1 => Command::Void,
        _ => Command::Request(request(draw)),
    }
}

pub fn order(draw: &mut Draw<'_>, sequence: SequenceNumber) -> Order {
    Order { sequence, time_ms: draw.number(), origin: node(draw), id: request_id(draw), command: command(draw) }
}

fn share(draw: &mut Draw<'_>) -> Share {
    let id = draw.pick(&["NYKM100925", "LONA290224", "TOKE311299"]).parse().expect("it is one");
    Share { id, share_type: draw.pick(&ShareType::ALL) }
}

pub fn state(draw: &mut Draw<'_>) -> MarketState {
    let shares =
        draw.some_of(3, |draw| ShareState { share: share(draw), capacity: draw.word(), available: draw.word() });
    let buyer = |draw: &mut Draw<'_>| draw.pick(&["NYKB0000", "TOKB9999"]).parse().expect("it is one");
    let holdings = draw.some_of(3, |draw| HoldingState { buyer: buyer(draw), share: share(draw), units: draw.word() });
    MarketState { shares, holdings }.into_canonical()
}

pub fn outcome(draw: &mut Draw<'_>) -> Outcome {
    match draw.below(7) {
        0 => Outcome::Added { capacity: draw.word() },
        1 => Outcome::Availability {
            share_type: draw.pick(&ShareType::ALL),
            shares: draw.some_of(4, |draw| (share(draw).id, draw.word())),
        },
        2 => Outcome::Holdings { holdings: draw.some_of(4, |draw| (share(draw), draw.word())) },
        3 => Outcome::Swapped { units: draw.word() },
        4 => Outcome::Refused(Refusal::InsufficientNew { available: draw.word(), needed: draw.word() }),
        5 => Outcome::Removed { available: draw.word(), holders: draw.word(), units: draw.word() },
        _ => Outcome::Refused(Refusal::Forbidden),
    }
    .into_canonical()
}

pub fn guest_fault(draw: &mut Draw<'_>) -> GuestFault {
    match draw.below(5) {
        0 => GuestFault::Trap(draw.text(300)),
        1 => GuestFault::MemoryExceeded { asked_bytes: draw.number(), max_bytes: draw.number() },
        2 => GuestFault::BadExport(draw.text(300)),
        3 => GuestFault::Exited { code: draw.word() as i32 },
        _ => GuestFault::StackOverflow,
    }
}

pub fn response(draw: &mut Draw<'_>) -> Response {
    match draw.below(6) {
        0 => Response::StateDigest(digest(draw)),
        1 => Response::Forgotten,
        2 => Response::Fault(guest_fault(draw)),
        _ => Response::Executed { first: sequence(draw), outcome: outcome(draw) },
    }
}

pub fn charge(draw: &mut Draw<'_>) -> Charge {
    Charge { replica: replica(draw), incarnation: incarnation(draw), sequence: sequence(draw) }
}

fn progress(draw: &mut Draw<'_>) -> Progress {
    Progress {
        incarnation: incarnation(draw),
        phase: draw.pick(&[Phase::Voting, Phase::Voting, Phase::Recovering, Phase::Quarantined]),
        delivered: sequence(draw),
        executed: sequence(draw),
        module: draw.option(digest),
        process: draw.word(),
    }
}

pub fn fault(draw: &mut Draw<'_>) -> Fault {
    let kind = match draw.below(9) {
        0 => FaultKind::Wrong,
        1 => FaultKind::Slow(duration(draw)),
        2 => FaultKind::Kill,
        3 => FaultKind::Pause(duration(draw)),
        4 => FaultKind::Delay(duration(draw), duration(draw)),
        5 => FaultKind::Cut,
        6 => FaultKind::CorruptState,
        7 => FaultKind::WrongSnapshot,
        _ => FaultKind::Loss,
    };
    Fault {
        kind,
        peer: draw.option(node),
        operation: draw.option(|draw| draw.pick(&["get-shares", "", "no-such-operation"]).to_owned()),
        count: draw.option(Draw::number),
        rate_ppm: draw.word(),
        lasts: draw.option(duration),
    }
}

fn cause(draw: &mut Draw<'_>) -> Cause {
    match draw.below(5) {
        0 => Cause::ModuleFailed(sequence(draw), guest_fault(draw)),
        1 => Cause::ImportFailed(draw.text(300)),
        2 => Cause::Corrupt(sequence(draw)),
        3 => Cause::NewProcess(sequence(draw)),
        _ => Cause::Behind(sequence(draw)),
    }
}

/// Something to be written of the ledger.
pub fn entry(draw: &mut Draw<'_>) -> Entry {
    let at = Instant(draw.number());
    match draw.below(6) {
        0 => Entry::Began { at, process: 1 },
        1 => Entry::GivenAnew { after: sequence(draw) },
        2 => Entry::Lost { at, len: draw.number(), reason: draw.text(30) },
        3 => {
            let (index, event) = (draw.below(1000) as u64, event(draw));
            Entry::Event(Box::new(EventRecord { index, at, node: node(draw), event }))
        }
        _ => Entry::Record(record(draw, at)),
    }
}

fn record(draw: &mut Draw<'_>, at: Instant) -> Record {
    let replies: Vec<Option<ReplyRecord>> = (0..3)
        .map(|_| {
            let response = Arc::new(response(draw));
            draw.option(|draw| ReplyRecord { at, incarnation: incarnation(draw), response })
        })
        .collect();
    let conclusion = match draw.below(4) {
        0 => None,
        1 => Some(Conclusion::NoAgreement { at }),
        2 => Some(Conclusion::TimedOut { at }),
        _ => {
            let response = replies[0].as_ref().map(|reply| Arc::clone(&reply.response));
            let response = response.unwrap_or_else(|| Arc::new(Response::Forgotten));
            Some(Conclusion::Released { at, response, matching_len: draw.below(4) })
        }
    };
    let sequence = sequence(draw);
    let asked = draw.option(|draw| {
        let order = order(draw, sequence);
        Asked { id: order.id, command: order.command, submitted_at: at, sequenced_at: at }
    });
    Record { sequence, asked, replies, conclusion, judged: draw.flag() }
}

pub fn event(draw: &mut Draw<'_>) -> Event {
    match draw.below(21) {
        0 => Event::Ready,
        1 => Event::Diverged { charge: charge(draw), run_len: draw.number() },
        2 => Event::NoAgreement { sequence: sequence(draw), standing: draw.text(300) },
        3 => Event::Suspected { charge: charge(draw), deadline: duration(draw) },
        4 => Event::Voted { charge: charge(draw), agree: draw.flag(), evidence: draw.text(300) },
        5 => Event::CrashAgreed {
            charge: charge(draw),
            voters: draw.some_of(9, replica),
            process: draw.word(),
            is_silent: draw.flag(),
        },
        6 => Event::RecoveryStarted {
            replica: replica(draw),
            incarnation: incarnation(draw),
            cause: cause(draw),
            rung: Rung::Spare,
            module: digest(draw),
        },
        7 => Event::Recovered {
            replica: replica(draw),
            incarnation: incarnation(draw),
            checkpoint: sequence(draw),
            replayed_len: draw.number(),
            instantiated_after: duration(draw),
            took: duration(draw),
        },
        8 => Event::Certified { sequence: sequence(draw), digest: digest(draw), voters: draw.some_of(9, replica) },
        9 => Event::FirstDifference {
            replica: replica(draw),
            sequence: sequence(draw),
            own: draw.option(|draw| draw.text(300)),
            certified: None,
        },
        10 => Event::StateFetched {
            replica: replica(draw),
            from: replica(draw),
            sequence: sequence(draw),
            len_bytes: draw.number(),
        },
        11 => Event::StatesDiffer {
            sequence: sequence(draw),
            digests: draw.some_of(9, |draw| (replica(draw), digest(draw))),
        },
        12 => Event::FaultAdded { id: FaultId(draw.word()), node: node(draw), fault: fault(draw) },
        13 => Event::FaultOver {
            id: FaultId(draw.word()),
            node: node(draw),
            fired: draw.number(),
            refused: draw.option(|draw| draw.text(300)),
        },
        14 => Event::TimedOut { sequence: draw.option(sequence) },
        15 => Event::KeptDamaged { replica: replica(draw), what: draw.text(300) },
        16 => Event::KeepingFailed { replica: replica(draw), reason: draw.text(300) },
        17 => Event::StrangeDatagrams {
            forged: draw.number(),
            truncated: draw.number(),
            reflected: draw.number(),
            other_cluster: draw.number(),
            unknown_key: draw.number(),
            unknown_version: draw.number(),
        },
        18 => Event::KeysRead { newest: draw.number() as u16 },
        19 => Event::KeysRefused { reason: draw.text(300) },
        _ => Event::Ignored { from: node(draw), message: draw.text(300), reason: draw.text(300) },
    }
}

pub fn certificate(draw: &mut Draw<'_>) -> Certificate {
    Certificate { sequence: sequence(draw), digest: digest(draw), voters: draw.some_of(9, replica) }
}

fn orders(draw: &mut Draw<'_>, after: SequenceNumber) -> Vec<Order> {
    let skewed = draw.below(4) == 0;
    let place = |draw: &mut Draw<'_>, index: u64| {
        if skewed { sequence(draw) } else { SequenceNumber(after.0.saturating_add(index)) }
    };
    (1..=draw.below(40) as u64)
        .map(|index| {
            let place = place(draw, index);
            order(draw, place)
        })
        .collect()
}

fn round(draw: &mut Draw<'_>) -> Round {
    Round(draw.below(4) as u32)
}

/// One of every kind.
pub fn message(draw: &mut Draw<'_>) -> Message {
    match draw.below(31) {
        0 => Message::Submit { id: request_id(draw), command: command(draw) },
        1 => {
            let place = sequence(draw);
            Message::Order(order(draw, place))
        }
        2 => Message::Sequenced { id: request_id(draw), sequence: sequence(draw) },
        3 => Message::Reply(Reply {
            sequence: sequence(draw),
            origin: node(draw),
            incarnation: incarnation(draw),
            response: response(draw),
        }),
        4 => Message::Progress(progress(draw)),
        5 => Message::Accuse(charge(draw)),
        6 => Message::Suspect(charge(draw)),
        7 => Message::CrashVote { charge: charge(draw), agree: draw.below(4) > 0 },
        8 => Message::Void { sequence: sequence(draw) },
        9 => Message::CheckpointVote { sequence: sequence(draw), digest: digest(draw) },
        10 => Message::WantCheckpoint,
        11 => Message::Join,
        12 => Message::Joined { last: draw.option(incarnation), ordered: sequence(draw) },
        13 => Message::FetchLog { after: sequence(draw) },
        14 => {
            let after = sequence(draw);
            Message::Log { after, orders: orders(draw, after) }
        }
        15 => Message::FetchOffer,
        16 => Message::Offer(certificate(draw)),
        17 => Message::FetchState { sequence: sequence(draw), offset: draw.number() },
        18 => Message::State {
            sequence: sequence(draw),
            offset: draw.number(),
            len: draw.number(),
            bytes: draw.bytes(200),
        },
        19 => Message::Event { at: Instant(draw.number()), event: Box::new(event(draw)) },
        20 => Message::AddFault { id: FaultId(draw.word()), fault: Box::new(fault(draw)) },
        21 => Message::RemoveFault { id: FaultId(draw.word()) },
        22 => Message::FetchEnd { round: round(draw), ordered: sequence(draw) },
        23 => Message::LogEnd { round: round(draw), sequence: sequence(draw), time_ms: draw.number() },
        25 => Message::Swap { swap: swap_id(draw), candidate: candidate(draw) },
        26 => Message::SwapReport { swap: swap_id(draw), stage: stage(draw) },
        27 => Message::ShadowReply { swap: swap_id(draw), sequence: sequence(draw), response: response(draw) },
        28 => Message::Promote { swap: swap_id(draw) },
        29 => Message::EndSwap { swap: swap_id(draw) },
        24 => Message::Missing { after: sequence(draw) },
        _ => Message::FaultReport {
            id: FaultId(draw.word() % 4),
            fired: draw.number(),
            is_over: draw.flag(),
            refused: draw.option(|draw| draw.text(300)),
        },
    }
}

/// Few, so that some of them are of the same swap.
fn swap_id(draw: &mut Draw<'_>) -> SwapId {
    SwapId(draw.number() % 4)
}

fn candidate(draw: &mut Draw<'_>) -> Candidate {
    if draw.flag() { Candidate::Previous } else { Candidate::File { path: draw.text(100), digest: digest(draw) } }
}

fn stage(draw: &mut Draw<'_>) -> Stage {
    match draw.below(5) {
        0 => Stage::Loading,
        1 => Stage::Importing,
        2 => Stage::Following { executed: sequence(draw), target: sequence(draw) },
        3 => Stage::Promoted { incarnation: incarnation(draw), sequence: sequence(draw) },
        _ => Stage::Failed(draw.text(300)),
    }
}

/// Words of requests, good and bad.
pub fn words(draw: &mut Draw<'_>) -> Vec<String> {
    const WORDS: [&str; 14] = [
        "NYKA1001",
        "NYKB1001",
        "add-share",
        "purchase-share",
        "swap-shares",
        "get-shares",
        "NYKM100925",
        "NYKM310225",
        "Equity",
        "bonus",
        "1000000",
        "--buyer",
        "--buyer=TOKB0001",
        "é",
    ];
    if draw.flag() {
        return dsms::market::request_words(&request(draw));
    }
    draw.some_of(9, |draw| if draw.below(4) == 0 { draw.text(100) } else { draw.pick(&WORDS).to_owned() })
}

pub fn client_message(draw: &mut Draw<'_>) -> ClientMessage {
    let number = RequestNumber(draw.number());
    match draw.below(12) {
        0 | 1 => ClientMessage::Hello { client: ClientId(draw.number()) },
        2 => ClientMessage::Digest { number },
        3 => ClientMessage::Status { number },
        4 => ClientMessage::Why { number, sequence: draw.number() },
        5 => ClientMessage::Events { number, after: draw.number() },
        6 => ClientMessage::History { number, after: draw.number() },
        7 => {
            let ask = match draw.below(4) {
                0 => FaultAsk::List,
                1 => FaultAsk::Remove(draw.option(|draw| FaultId(draw.word()))),
                _ => FaultAsk::Add { node: node(draw), fault: fault(draw) },
            };
            ClientMessage::Faults { number, ask }
        }
        8 => {
            let replica = replica(draw);
            let swap = swap_id(draw);
            let ask = match draw.below(3) {
                0 => SwapAsk::Look { replica, swap },
                1 => SwapAsk::End { replica, swap },
                _ => SwapAsk::Begin { replica, candidate: candidate(draw), shadow_len: draw.number() },
            };
            ClientMessage::Swap { number, ask }
        }
        9 => ClientMessage::Tokens { tokens: draw.some_of(3, |draw| TokenText(draw.text(200))) },
        _ => ClientMessage::Request { number, words: words(draw) },
    }
}
