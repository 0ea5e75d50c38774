//! The bounds of the protocol, each with who controls the number and what happens at the bound.
//!
//! The channel's own bounds are in `channel/limits.rs`, the guest's in `sandbox/limits.rs`.

use std::time::Duration;

use super::channel::limits::MESSAGE_LEN_MAX;

/// Most replicas of one cluster. The operator chooses the number; seven carry three wrong ones, or two wrong and two crashed.
pub const REPLICAS_LEN_MAX: usize = 7;

/// Most front ends of a cluster.
///
/// The configuration controls how many there are. Each of them hears of every event and every heartbeat, and of nothing else that the
/// others do; more would only make status and events dearer.
pub const FRONT_ENDS_LEN_MAX: usize = 4;

/// Most requests of one client that may wait for their answer at once.
///
/// Clients control it, by how many requests they send ahead. At the bound the front end stops reading from that connection, so
/// the client waits. It is also the number of outcomes that a session keeps, so that whatever a client may still retry is
/// answered with its first outcome.
pub const IN_FLIGHT_PER_CLIENT_MAX: usize = 64;

/// Most client connections of one front end. One more is told so and closed. The operator may choose fewer.
pub const CONNECTIONS_LEN_MAX: usize = 512;

/// Most requests that wait for their answer in a front end, its own barriers included.
pub const PENDING_LEN_MAX: usize = IN_FLIGHT_PER_CLIENT_MAX * CONNECTIONS_LEN_MAX;

/// Most requests of all clients that wait for their answer at once. The operator may choose fewer.
///
/// One more is answered `busy` and is not ordered, so that the client may send it again. One place is left for the barrier of a
/// checkpoint, which no load may keep out.
pub const IN_FLIGHT_LEN_MAX: usize = PENDING_LEN_MAX - 1;

/// How long a front end waits for enough replies before it answers `timed out`.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most sequence numbers that the ledger keeps.
///
/// The rate of requests controls how fast it turns over. Beyond it the oldest are forgotten; `dsms why` says so.
pub const LEDGER_LEN_MAX: usize = 32_768;

/// Most bytes that the ledger's outcomes may take, estimated; the modules control them. Beyond it the oldest are forgotten.
pub const LEDGER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Longest run of undelivered orders that a replica manager keeps while it waits for a gap to close.
///
/// The sequencer controls this length. The channel delivers in order, so a gap means that the sequencer gave up on this
/// manager for a while, or that the manager's process is new. When it is full, further orders stay in the channel until the gap is
/// closed with what other managers have in their logs.
pub const HOLD_BACK_LEN_MAX: usize = 1024;

/// Most orders that a replica manager hands to the executor in one run.
///
/// Long enough to pay for the hand-over between two threads, short enough that the first reply of a run is not late, and that
/// the replies to a run of long listings fit a channel's backlog.
pub const RUN_LEN_MAX: usize = 32;

/// Most runs that are at the executor at once: one that executes, and one that waits so that it never idles.
pub const RUNS_LEN_MAX: usize = 2;

/// Most delivered orders that are not replied to, at the executor or waiting for it.
///
/// A slow module controls this length. Beyond it the replica manager stops delivering: the orders stay in the hold-back
/// queue, then in the channel of the sequencer.
pub const DELIVERED_LEN_MAX: usize = 4096;

/// Most client sessions that a replica manager remembers. Beyond it the session that was idle for the most orders is forgotten.
pub const SESSIONS_LEN_MAX: usize = 1024;

/// Most bytes that the outcomes of all sessions may take, estimated. Beyond it those of the session that was idle longest are
/// forgotten; a retry is then told so, and not executed again.
pub const SESSIONS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most orders of one run while a replica executes the log again. Nobody waits for a single reply then.
pub const REPLAY_RUN_LEN_MAX: usize = 256;

/// Most orders that a replica manager keeps in its log, unless its operator has asked for rare checkpoints
/// ([`RecoveryPolicy::log_len_max`](super::policy::RecoveryPolicy::log_len_max)).
///
/// The log goes back to the older of two certified checkpoints, so a healthy cluster holds two to three intervals of it. Where nothing
/// is certified, the oldest orders go, and a replica that would need them fetches a checkpoint instead. An order takes some
/// 80 bytes.
pub const LOG_LEN_MAX_DEFAULT: usize = 262_144;

/// Most orders in a log however rare checkpoints are: some 320 MiB.
pub const LOG_LEN_MAX: usize = 4_194_304;

/// After so many orders of which none was voted on, a manager writes down a tentative checkpoint, unless its operator chose another
/// number: its next process then executes about so many again, in a second or so, however rare checkpoints are.
pub const TENTATIVE_EVERY: u64 = 131_072;

/// A log has room for so many intervals between checkpoints: three, and what is ordered while the last one is certified.
pub const LOG_INTERVALS_LEN: usize = 4;

/// Most orders in one answer to a manager that fetches the log: some 100 KiB.
pub const LOG_PIECE_LEN_MAX: usize = 1024;

/// Most bytes of one piece of a checkpoint that travels.
pub const STATE_PIECE_LEN_MAX: usize = 256 * 1024;

/// Most bytes of an encoded checkpoint that a manager fetches. The operator's limit on an exported state is below it.
pub const STATE_LEN_MAX: usize = 256 * 1024 * 1024;

/// Checkpoints that a manager keeps after they were certified: the latest, and the one before it for those who are just fetching it.
pub const STABLE_LEN_MAX: usize = 2;

/// Most checkpoints of which a manager counts votes, keeps certificates, and holds its own until they are certified.
pub const CERTIFICATES_LEN_MAX: usize = 8;

/// How long a manager waits for a piece of the log or of a checkpoint until it asks another one.
pub const FETCH_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a manager waits when nobody had what it asked for.
pub const FETCH_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How long a manager waits for a checkpoint, or stands before a request at which its module fails, until it tells the front end so again:
/// a front end whose process is new was not told, and a barrier may have been given up.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Most requests of which a manager tells again that they are void, the latest ones, when a process is new. Modules that fail together
/// control how many there are; whoever is not told of one repairs itself at the next checkpoint.
pub const VOIDS_REPEATED_LEN_MAX: usize = 64;

/// How often a manager looks again at the evidence while a replica is suspected.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A manager that is later than this for its own heartbeat was not running, so it knows nothing of the others' silence.
pub const ABSENCE_MIN: Duration = Duration::from_millis(250);

/// Most events that a front end keeps for `dsms log`. The oldest go first; who follows the log sees that some are missing.
pub const EVENTS_LEN_MAX: usize = 8192;

/// Most events in one answer to a client, who asks again for those after them.
pub const EVENTS_PIECE_LEN_MAX: usize = 512;

/// Most places of the order in one answer to a client that asks for its history; it asks again for those after them.
pub const HISTORY_PIECE_LEN_MAX: usize = 1024;

/// Most bytes that one place of such an answer takes, encoded: a sequence number, a request id, and the longest request. No module
/// controls it, since no outcome is in it.
pub const HISTORY_PLACE_BYTES_MAX: usize = 128;

/// Most faults that a front end keeps, those that are over included. Beyond it the oldest of those are forgotten; where all can still
/// strike, one more is refused.
pub const FAULTS_LEN_MAX: usize = 64;

/// How often a node tells the front end how often its faults have struck, while they strike.
pub const FAULT_REPORT_INTERVAL: Duration = Duration::from_millis(50);

/// Most modules that a replica manager holds: its own, its spares, and those that came in swaps. Each keeps its compiled code in memory.
pub const MODULES_LEN_MAX: usize = 64;

/// How far a shadow may be behind the replica when it takes over. The replica does not vote until it has executed these.
pub const SHADOW_LAG_MAX: u64 = 64;

/// How often a shadow is started, since the log that it follows was cut off behind it, before it counts as too slow.
pub const SHADOW_STARTS_MAX: u32 = 5;

/// Most outcomes of a shadow that wait at the front end for one to be released. A shadow is never ahead of its replica, so this many
/// are as many as are ordered and not concluded.
pub const SHADOW_REPLIES_LEN_MAX: usize = PENDING_LEN_MAX;

/// How often a node tells the front end how far it is.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// A node that has said nothing for this long is shown as silent.
pub const SILENT_AFTER: Duration = Duration::from_secs(2);

const _: () = assert!(
    CONNECTIONS_LEN_MAX < SESSIONS_LEN_MAX,
    "a connected client must not be forgotten for other connected ones"
);
const _: () = assert!(PENDING_LEN_MAX <= LEDGER_LEN_MAX, "the ledger must hold whatever is still waited for");
const _: () = assert!(RUN_LEN_MAX * RUNS_LEN_MAX <= DELIVERED_LEN_MAX);
const _: () =
    assert!(DELIVERED_LEN_MAX + HOLD_BACK_LEN_MAX < LOG_LEN_MAX_DEFAULT, "what waits to be executed is in the log");
const _: () = assert!(LOG_PIECE_LEN_MAX <= HOLD_BACK_LEN_MAX);
const _: () = assert!(HISTORY_PIECE_LEN_MAX * HISTORY_PLACE_BYTES_MAX < MESSAGE_LEN_MAX);
