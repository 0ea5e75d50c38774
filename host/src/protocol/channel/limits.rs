//! Every bound of a channel: who controls the quantity, and what happens at the bound.
//!
//! The bounds are checked against each other at compile time, at the end of this file.

use std::time::Duration;

/// Most packets that are sent and not yet acknowledged, and most that a receiver holds behind a gap.
///
/// Our own sending controls it. At the bound no new packet is cut; bytes wait in the backlog. A receiver drops a packet
/// beyond it, which only a broken peer sends. Of 1200-byte datagrams it is 300 KiB, a little more than a kernel's default
/// socket buffer holds, so that the congestion window and not this bound finds what the path bears.
pub const WINDOW_LEN_MAX: usize = 256;

/// Packets in flight that a channel starts with, and starts again with after the peer was unreachable.
///
/// 32 datagrams of 1200 bytes fit the smallest default socket buffers several times over.
pub const CONGESTION_WINDOW_INITIAL: usize = 32;

/// Packets that may be in flight however often packets are lost, so that later packets still expose a lost one.
pub const CONGESTION_WINDOW_MIN: usize = 4;

/// A packet is taken for lost when one that was sent this many transmissions later is acknowledged (RFC 5681 counts
/// duplicate acknowledgements to the same end). Less would take plain reordering for loss.
pub const REORDERED_LEN_MAX: u64 = 3;

/// Longest message, in bytes. The sending application controls it; `send` refuses more.
///
/// Modules control the longest messages, by the length of their outcomes: the longest that the market admits, every share of
/// one type, takes just under 4 MiB.
pub const MESSAGE_LEN_MAX: usize = (4 << 20) + (64 << 10);

/// Bytes before each message in the stream: its length, as a little-endian `u32`.
pub const MESSAGE_PREFIX_LEN: usize = 4;

/// Most bytes of the stream that wait to be sent or acknowledged.
///
/// The sending application and the peer's silence control it. At the bound `send` refuses the whole message, and the
/// application decides what to do. While a channel is at the bound its buffer may take up to four times as much memory.
pub const BACKLOG_LEN_MAX: usize = 16 << 20;

/// Most bytes of delivered stream that wait for `poll_message`.
///
/// Our own driver controls it, by when it takes messages: a replica manager with a slow module leaves them here. Beyond it
/// packets are refused and the peer is told to hold on, until half of these bytes are taken. What was refused the peer keeps
/// in its backlog. Half of it exceeds one message, so that a message can always become complete.
pub const UNDELIVERED_LEN_MAX: usize = 10 << 20;

/// Length of a datagram, in bytes, unless the operator says otherwise: with the headers of UDP and IPv6 it has the 1280 bytes that
/// every path of IPv6 passes unfragmented.
pub const DATAGRAM_LEN_DEFAULT: usize = 1232;

/// Shortest bound on a datagram's length that an operator may choose: the header must not outweigh the content.
pub const DATAGRAM_LEN_MIN: usize = 256;

/// Longest datagram, in bytes, that an operator may choose and that is decoded.
///
/// It bounds what the packets behind a gap cost: [`WINDOW_LEN_MAX`] of them are 4 MiB per peer.
pub const DATAGRAM_LEN_MAX: usize = 16 << 10;

/// Most datagrams by which one may be overtaken and is still taken in.
///
/// The network controls it, and whoever holds datagrams back. Which of so many have arrived is remembered one by one, in 136 bytes per
/// peer; an older one is dropped, and the channel repeats what was in it. A window of packets and their acknowledgements are about
/// half as many.
pub const REPLAY_WINDOW_LEN: usize = 1024;

/// Packets that a receiver leaves unacknowledged at most; the one that reaches the bound is acknowledged at once.
pub const UNACKNOWLEDGED_LEN_MAX: u32 = 8;

/// How long an acknowledgement waits for data that can carry it.
pub const ACKNOWLEDGE_AFTER: Duration = Duration::from_millis(4);

/// Shortest wait before a packet is repeated without evidence of its loss. It exceeds what a busy scheduler and the
/// delay of acknowledgements add to a round trip on one machine.
pub const RETRANSMIT_AFTER_MIN: Duration = Duration::from_millis(30);

/// The wait before the first round trip has been measured.
pub const RETRANSMIT_AFTER_INITIAL: Duration = Duration::from_millis(100);

/// Longest wait, whatever the measured round trip and the backoff.
pub const RETRANSMIT_AFTER_MAX: Duration = Duration::from_secs(1);

/// Consecutive timeouts without an answer that we put up with; the next one makes the peer unreachable.
///
/// Together about 1.9 s on a fast path and 3.5 s before the first measured round trip.
pub const TIMEOUTS_LEN_MAX: u32 = 6;

/// The pause between probes of an unreachable peer. It is constant: a peer that comes back must be noticed soon.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Shortest time between two answers that tell a peer our session.
///
/// Whoever replays old datagrams controls how many there are to answer. Beyond the bound they go unanswered; a live peer
/// repeats its datagram, and not sooner than this.
pub const ANSWER_INTERVAL: Duration = Duration::from_millis(10);

/// Most events that wait for `poll_event`. Our own driver controls it; at the bound the oldest is forgotten, since the
/// latest ones tell how things stand.
pub const EVENTS_LEN_MAX: usize = 16;

/// Capacity, in bytes, that an emptied stream buffer keeps for its next use; a burst's memory beyond it is given back.
pub const BUFFER_KEPT_LEN_MAX: usize = 1 << 20;

const _: () = assert!(WINDOW_LEN_MAX.is_multiple_of(64), "the selective acknowledgement is made of whole u64 words");
const _: () =
    assert!(CONGESTION_WINDOW_MIN <= CONGESTION_WINDOW_INITIAL && CONGESTION_WINDOW_INITIAL <= WINDOW_LEN_MAX);
const _: () = assert!(REORDERED_LEN_MAX < CONGESTION_WINDOW_MIN as u64, "the smallest window must expose a loss");
const _: () = assert!(MESSAGE_LEN_MAX <= u32::MAX as usize);
const _: () = assert!(MESSAGE_PREFIX_LEN + MESSAGE_LEN_MAX <= UNDELIVERED_LEN_MAX / 2);
const _: () = assert!(MESSAGE_PREFIX_LEN + MESSAGE_LEN_MAX <= BACKLOG_LEN_MAX);
const _: () = assert!(DATAGRAM_LEN_MIN <= DATAGRAM_LEN_DEFAULT && DATAGRAM_LEN_DEFAULT <= DATAGRAM_LEN_MAX);
const _: () = assert!(REPLAY_WINDOW_LEN.is_multiple_of(64) && REPLAY_WINDOW_LEN >= 2 * WINDOW_LEN_MAX);
const _: () = assert!(2 * ACKNOWLEDGE_AFTER.as_micros() < RETRANSMIT_AFTER_MIN.as_micros());
const _: () = assert!(ANSWER_INTERVAL.as_micros() < RETRANSMIT_AFTER_MIN.as_micros());
const _: () = assert!(RETRANSMIT_AFTER_MIN.as_micros() <= RETRANSMIT_AFTER_INITIAL.as_micros());
const _: () = assert!(RETRANSMIT_AFTER_INITIAL.as_micros() <= RETRANSMIT_AFTER_MAX.as_micros());
const _: () = assert!(RETRANSMIT_AFTER_MAX.as_micros() <= PROBE_INTERVAL.as_micros());
