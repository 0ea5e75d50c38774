//! The laws of a run, each a function named as the sentence that it holds the run to.
//!
//! The world tells what happens; nothing here tells the world anything. A law looks at what nodes send, deliver and release, and
//! compares it with the sequencer's order and what the reference market makes of that. The first law that is found broken ends
//! the run.
//!
//! | File | What its laws are about |
//! |---|---|
//! | `order.rs` | one total order, delivered in prefixes, each request executed once |
//! | `release.rs` | what clients are told: quorum, outcome, real time |
//! | `ledger.rs` | what is written down of that |
//! | `waiting.rs` | how long clients wait where nothing goes wrong |
//! | `recovery.rs` | who is accused, restarted and repaired, and which checkpoints are certified |
//! | `swaps.rs` | which module may take over, and when |
//! | `state.rs` | the market's own invariants |
//! | `queues.rs` | every queue within its bound |
//! | `ending.rs` | how a run has to end |
//! | `reference.rs` | what the order amounts to |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::market::{Digest, Outcome};
use crate::protocol::id::{Incarnation, NodeId, ReplicaId, RequestId, SequenceNumber};
use crate::protocol::message::Response;
use crate::protocol::quorum::Tolerance;
use crate::protocol::swap::SwapId;

mod ending;
mod ledger;
mod order;
mod queues;
mod recovery;
mod reference;
mod release;
mod state;
mod swaps;
mod waiting;

pub use ending::{Ending, LIVENESS_WITHIN};
pub use queues::Queue;
use recovery::Life;
pub use recovery::Truth;
use reference::Reference;

/// A law that a run has broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The law, as the sentence that did not hold.
    pub law: String,
    /// What happened instead.
    pub words: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law.replace('_', " "), self.words)
    }
}

/// Whether a law held.
pub type Held = Result<(), Broken>;

/// A law did not hold.
fn broken(law: &str, words: String) -> Held {
    Err(Broken { law: law.to_owned(), words })
}

/// By place, who has said what in which life.
type Replies = BTreeMap<SequenceNumber, Vec<(ReplicaId, Incarnation, Response)>>;

/// What the laws remember of a run.
#[derive(Debug)]
pub struct Laws {
    tolerance: Tolerance,
    replicas_len: usize,
    reference: Reference,
    /// The highest place that any manager has ever delivered.
    delivered: SequenceNumber,
    /// Up to where each manager's log was compared with the order.
    compared: BTreeMap<ReplicaId, SequenceNumber>,
    /// What each life of a replica has executed.
    executed: BTreeMap<ReplicaId, BTreeSet<RequestId>>,
    /// What the shadow of each replica has executed.
    executed_by_shadow: BTreeMap<ReplicaId, BTreeSet<RequestId>>,
    swaps: BTreeMap<(ReplicaId, SwapId), swaps::Swap>,
    /// What the present process of each front end has received.
    replies: BTreeMap<NodeId, Replies>,
    /// What was released: where, and what.
    released: BTreeMap<RequestId, (SequenceNumber, Outcome)>,
    /// What the present process of each front end has released, and what is written of it.
    written: BTreeMap<NodeId, ledger::Written>,
    /// The highest place at which anything was released.
    released_last: SequenceNumber,
    /// The highest place of which any client has an answer.
    answered: SequenceNumber,
    waiting: waiting::Waiting,
    lives: BTreeMap<ReplicaId, Life>,
    /// By place, what each manager has last said of its checkpoint.
    checkpoint_votes: BTreeMap<SequenceNumber, BTreeMap<ReplicaId, Digest>>,
    /// Places of which enough managers have voted alike.
    certified: BTreeSet<SequenceNumber>,
    /// How often a law was looked at.
    checked: u64,
}

impl Laws {
    /// The laws of a run that has not begun.
    pub fn new(tolerance: Tolerance, replicas_len: usize, checkpoint_every: u64) -> Laws {
        Laws {
            tolerance,
            replicas_len,
            reference: Reference::new(checkpoint_every),
            delivered: SequenceNumber(0),
            compared: BTreeMap::new(),
            executed: BTreeMap::new(),
            executed_by_shadow: BTreeMap::new(),
            swaps: BTreeMap::new(),
            replies: BTreeMap::new(),
            released: BTreeMap::new(),
            written: BTreeMap::new(),
            released_last: SequenceNumber(0),
            answered: SequenceNumber(0),
            waiting: waiting::Waiting::default(),
            lives: ReplicaId::first(replicas_len).map(|replica| (replica, Life::default())).collect(),
            checkpoint_votes: BTreeMap::new(),
            certified: BTreeSet::new(),
            checked: 0,
        }
    }

    /// The highest place that any manager has ever delivered.
    pub fn delivered(&self) -> SequenceNumber {
        self.delivered
    }

    /// The last place that the sequencer has given.
    pub fn ordered(&self) -> SequenceNumber {
        self.reference.last()
    }

    /// How often a law was looked at.
    pub fn checked(&self) -> u64 {
        self.checked
    }
}
