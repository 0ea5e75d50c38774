//! The bounds of client connections, each with who controls the number and what happens at the bound.
//!
//! How many connections and requests there may be is in `protocol/limits.rs`; the operator may choose fewer.

use std::time::Duration;

use crate::protocol::limits::CONNECTIONS_LEN_MAX;
use crate::runtime::frames::{CLIENT_FRAME_LEN_MAX, SERVER_FRAME_LEN_MAX};

/// How long a new connection may take for TLS and its first message together. Silent strangers hold a place no longer than this.
pub const INTRODUCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of one connection that have arrived and wait for their turn. Beyond it the connection is not read, which its client sees
/// as a connection that takes no more.
pub const ARRIVED_LEN_MAX: usize = CLIENT_FRAME_LEN_MAX;

/// Beyond so many bytes of answers that wait to be written, a connection is not read. A client that does not read controls the number.
pub const WAITING_LEN_PAUSE: usize = 256 * 1024;

/// Most bytes of answers that wait to be written to one connection; beyond it the connection is closed. It takes the longest answer
/// there can be, and what else a client may have asked for before it was not read any more.
pub const WAITING_LEN_MAX: usize = 2 * SERVER_FRAME_LEN_MAX;

/// Most bytes of answers that wait to be written to all connections. Beyond it the one with the most of them is closed.
pub const WAITING_ALL_LEN_MAX: usize = 256 * 1024 * 1024;

/// Answers are written in pieces of this many bytes.
pub const PIECE_LEN: usize = 64 * 1024;

/// How long a client may take to read one piece, until its connection is closed.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a last word to a client may take to be written.
pub const LAST_WORD_TIMEOUT: Duration = Duration::from_secs(1);

/// Most connections that are told at one time that they are too many; others beyond it are closed without a word.
pub const TURNED_AWAY_LEN_MAX: usize = 64;

/// How long to wait before accepting again after the system refused to, for example for want of file descriptors.
pub const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Most messages of clients that one turn of the front end takes, so that clients cannot keep it from the other nodes.
pub const MESSAGES_PER_TURN_MAX: usize = 1024;

/// Most endings that wait to be logged; more are not told of.
pub const NOTICES_LEN_MAX: usize = 64;

const _: () = assert!(WAITING_LEN_PAUSE < WAITING_LEN_MAX && WAITING_LEN_MAX < WAITING_ALL_LEN_MAX);
const _: () = assert!(SERVER_FRAME_LEN_MAX < WAITING_LEN_MAX, "an answer that may be sent never closes its connection");
const _: () = assert!(
    CONNECTIONS_LEN_MAX * ARRIVED_LEN_MAX * 2 <= WAITING_ALL_LEN_MAX,
    "what clients send costs less than answers do"
);
