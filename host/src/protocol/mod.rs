//! The replication protocol as sans-I/O cores.
//!
//! A core is a plain value: messages, executions and the time go in through `handle_*`, effects come out through `poll_*`.
//! There is no clock, socket, thread, environment, randomness or WebAssembly in here; the runtime (`runtime/`) supplies them
//! for a real cluster. Only `std`, `serde`, the market's vocabulary and this module are imported, and bincode in `wire.rs`
//! alone; a test holds it to that.
//!
//! | Core | Its place |
//! |---|---|
//! | [`front_end`] | takes clients' requests, collects replies, releases the outcome that enough replicas share |
//! | [`sequencer`] | gives every request one place in the total order |
//! | [`replica_manager`] | delivers that order to one replica, gap-free, and replies |
//! | [`channel`] | carries messages between two nodes, in order and once, over datagrams that may do neither |
//! | [`endpoint`] | all channels of one node |

pub mod admissions;
pub mod channel;
pub mod checkpoint;
pub mod client_message;
pub mod crash_votes;
pub mod endpoint;
pub mod event;
pub mod event_log;
pub mod fault;
pub mod front_end;
pub mod hold_back;
pub mod id;
pub mod keyring;
pub mod ladder;
pub mod ledger;
pub mod limits;
pub mod message;
pub(crate) mod mutation;
pub mod order_log;
pub mod policy;
pub mod quorum;
pub mod recipients;
pub mod record;
pub mod replica_manager;
pub mod secret;
pub mod sequencer;
pub mod sessions;
pub mod strikes;
pub mod swap;
pub mod tentative;
pub mod time;
pub mod wire;
