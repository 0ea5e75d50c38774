//! What nodes tell each other. ARCHITECTURE.md has the table of who sends what to whom.

use serde::{Deserialize, Serialize};

use crate::market::{Digest, GuestFault, Outcome, Request};

use super::event::Event;
use super::fault::{Fault, FaultId};
use super::id::{Incarnation, NodeId, ReplicaId, RequestId, Round, SequenceNumber};
use super::swap::{Candidate, Stage, SwapId};
use super::time::Instant;

/// What can be given a place in the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Execute a client's request.
    Request(Request),
    /// Change nothing; take a checkpoint of the state as it is at this place of the order.
    Barrier,
    /// Nothing any more: too many replicas' modules failed at the request that was ordered here, so no replica executes it.
    Void,
}

/// One place of the total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The place.
    pub sequence: SequenceNumber,
    /// The sequencer's time, in milliseconds since the Unix epoch; the only time that modules see.
    pub time_ms: u64,
    /// The front end to reply to.
    pub origin: NodeId,
    /// Whose request it is, and as which.
    pub id: RequestId,
    /// What to do.
    pub command: Command,
}

/// What a replica answers to one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// The request was executed.
    Executed {
        /// Where in the order it was executed first: an earlier place for a request that was retried.
        first: SequenceNumber,
        /// The outcome of that execution.
        outcome: Outcome,
    },
    /// The state at a barrier.
    StateDigest(Digest),
    /// The request was executed so long ago that its outcome is forgotten. It was not executed again.
    Forgotten,
    /// The module failed.
    Fault(GuestFault),
}

/// A replica's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Which order it answers.
    pub sequence: SequenceNumber,
    /// The front end that the order came from.
    pub origin: NodeId,
    /// Which life of the replica speaks.
    pub incarnation: Incarnation,
    /// The answer.
    pub response: Response,
}

/// How a replica stands in the vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It executes the order and replies. For a sequencer: it gives numbers.
    Voting,
    /// It is being brought back. It is neither accused nor suspected. For a sequencer: its process is new, and it gives no number yet.
    Recovering,
    /// It is out of the vote until somebody gives it another module.
    Quarantined,
}

/// A node's heartbeat: how far it is. Sent at once when incarnation or phase change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which life of the node speaks.
    pub incarnation: Incarnation,
    /// How its replica stands.
    pub phase: Phase,
    /// The highest number that the sequencer gave, or that the replica manager delivered with all before it. That of a sequencer
    /// that gives no numbers yet is provisional.
    pub delivered: SequenceNumber,
    /// The highest number executed; for the sequencer the same as `delivered`.
    pub executed: SequenceNumber,
    /// The module's digest; `None` for the sequencer.
    pub module: Option<Digest>,
    /// The number that the node's system gives its process, for people and for whoever supervises it.
    pub process: u32,
}

/// Enough replica managers found the same checkpoint at the same place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The place.
    pub sequence: SequenceNumber,
    /// The digest of the checkpoint, see [`checkpoint`](super::checkpoint).
    pub digest: Digest,
    /// Who found it.
    pub voters: Vec<ReplicaId>,
}

/// Everything that travels between nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Front end to sequencer: order this.
    Submit {
        /// Whose request it is, and as which.
        id: RequestId,
        /// What to order.
        command: Command,
    },
    /// Sequencer to every replica manager: a place of the order.
    Order(Order),
    /// Sequencer to front end: where a request stands.
    Sequenced {
        /// The request.
        id: RequestId,
        /// Its place.
        sequence: SequenceNumber,
    },
    /// Replica manager to the front end that the order came from, or, if the module fails, to all of them: a replica's answer.
    Reply(Reply),
    /// Replica manager or sequencer to all others, and front end to every other one: a heartbeat.
    Progress(Progress),
    /// Front end to every replica manager: a replica's outcome differed from the released one.
    Accuse(Charge),
    /// Front end to every replica manager: a replica did not reply in time.
    Suspect(Charge),
    /// Replica manager to every front end and every other manager: whether it takes a suspected replica for crashed.
    CrashVote {
        /// What was suspected.
        charge: Charge,
        /// Whether it has crashed, by the evidence of the voter.
        agree: bool,
    },
    /// Front end to every replica manager: the request at this place is void, since too many modules failed at it. A manager passes
    /// it on to the others, so that all know if one does, though the front end may have ended meanwhile.
    Void {
        /// The place.
        sequence: SequenceNumber,
    },
    /// Replica manager to every front end and every other manager: the digest of its checkpoint.
    CheckpointVote {
        /// After which order it was taken.
        sequence: SequenceNumber,
        /// Of what.
        digest: Digest,
    },
    /// Replica manager to a front end, each time to another one: have a barrier ordered, a checkpoint is needed.
    WantCheckpoint,
    /// A sequencer that begins its life, to every replica manager: how far does your log reach? Take in nothing that is ordered after
    /// this place until I give numbers.
    FetchEnd {
        /// Which round of asking this is.
        round: Round,
        /// The highest place that any manager has told so far; who does not hold the order up to there fetches it from the others.
        ordered: SequenceNumber,
    },
    /// Replica manager to sequencer: an order after this place was given, and no manager that answers has it.
    Missing {
        /// The last place of the log.
        after: SequenceNumber,
    },
    /// The answer to [`Message::FetchEnd`], given at once, and again when the log reaches as far as was asked.
    LogEnd {
        /// The round that is answered.
        round: Round,
        /// The last place of the log.
        sequence: SequenceNumber,
        /// The time of the last order, in milliseconds since the Unix epoch; 0 if none is known.
        time_ms: u64,
    },
    /// Sequencer to every front end: every manager holds the order up to this place, and none holds more. Numbers after it are given anew.
    Resume {
        /// To be named in the answer.
        round: Round,
        /// The place.
        after: SequenceNumber,
    },
    /// The answer to [`Message::Resume`]: what was known of later places is forgotten, and what has no place is submitted again.
    Resumed {
        /// The round that is answered.
        round: Round,
    },
    /// A replica manager that begins its life, to every front end and every other manager: who was I? And a front end that begins its life, to
    /// every replica manager, which answers with [`Message::Progress`].
    Join,
    /// The answer to [`Message::Join`].
    Joined {
        /// The last life of the asking replica that was heard of; `None` if none was, as when the answering process is new as well.
        last: Option<Incarnation>,
        /// The highest place that the answering node knows to be ordered.
        ordered: SequenceNumber,
    },
    /// Replica manager to another: the orders after this place, please.
    FetchLog {
        /// The last place that the asking manager has.
        after: SequenceNumber,
    },
    /// The answer to [`Message::FetchLog`] if its orders are still held: some of them, in order; none if there are none yet.
    Log {
        /// The place before the first of them.
        after: SequenceNumber,
        /// The orders.
        orders: Vec<Order>,
    },
    /// Replica manager to another: which checkpoint is there?
    FetchOffer,
    /// The answer to [`Message::FetchOffer`], and to [`Message::FetchLog`] if its orders are not held any more: this checkpoint is
    /// held.
    Offer(Certificate),
    /// Replica manager to another: a piece of the state, please.
    FetchState {
        /// The checkpoint's place.
        sequence: SequenceNumber,
        /// Where in its encoding the piece begins, in bytes.
        offset: u64,
    },
    /// The answer to [`Message::FetchState`]. Where the checkpoint is not held any more, the length is zero.
    State {
        /// The checkpoint's place.
        sequence: SequenceNumber,
        /// Where in its encoding the piece begins, in bytes.
        offset: u64,
        /// The length of the whole encoding, in bytes.
        len: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// Any node to every front end: what happened there.
    Event {
        /// When, by the clock of that node.
        at: Instant,
        /// What.
        event: Box<Event>,
    },
    /// Front end to any node: have a fault strike there.
    AddFault {
        /// Its number.
        id: FaultId,
        /// What, where, how often.
        fault: Box<Fault>,
    },
    /// Front end to any node: let it strike no more.
    RemoveFault {
        /// Its number.
        id: FaultId,
    },
    /// Any node to the front end that asked for it: what has become of a fault.
    FaultReport {
        /// Its number.
        id: FaultId,
        /// How often it has struck in this process.
        fired: u64,
        /// It will not strike any more.
        is_over: bool,
        /// Why it cannot strike at all, in words.
        refused: Option<String>,
    },
    /// Front end to replica manager: have this module follow the order as a shadow of the replica.
    Swap {
        /// To be named in all that is said of it. An earlier swap of the replica is given up.
        swap: SwapId,
        /// The module.
        candidate: Candidate,
    },
    /// Replica manager to the front end that asked for it: how far a swap is.
    SwapReport {
        /// Which one.
        swap: SwapId,
        /// How far.
        stage: Stage,
    },
    /// Replica manager to the front end that asked for the swap: a shadow's outcome.
    ShadowReply {
        /// Of which swap.
        swap: SwapId,
        /// Of which order.
        sequence: SequenceNumber,
        /// What the shadow answers.
        response: Response,
    },
    /// Front end to replica manager: enough outcomes were right, so the shadow becomes the replica's module.
    Promote {
        /// Of which swap.
        swap: SwapId,
    },
    /// Front end to replica manager: the swap is given up.
    EndSwap {
        /// Which one.
        swap: SwapId,
    },
}

/// What a front end says of one reply of one life of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Charge {
    /// Which replica.
    pub replica: ReplicaId,
    /// Which life of it. What is said of an earlier one is ignored.
    pub incarnation: Incarnation,
    /// At which place of the order.
    pub sequence: SequenceNumber,
}

impl Message {
    /// The message's name in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Submit { .. } => "submit",
            Message::Order(_) => "order",
            Message::Sequenced { .. } => "sequenced",
            Message::Reply(_) => "reply",
            Message::Progress(_) => "progress",
            Message::Accuse(_) => "accuse",
            Message::Suspect(_) => "suspect",
            Message::CrashVote { .. } => "crash-vote",
            Message::Void { .. } => "void",
            Message::CheckpointVote { .. } => "checkpoint-vote",
            Message::WantCheckpoint => "want-checkpoint",
            Message::FetchEnd { .. } => "fetch-end",
            Message::Missing { .. } => "missing",
            Message::LogEnd { .. } => "log-end",
            Message::Resume { .. } => "resume",
            Message::Resumed { .. } => "resumed",
            Message::Join => "join",
            Message::Joined { .. } => "joined",
            Message::FetchLog { .. } => "fetch-log",
            Message::Log { .. } => "log",
            Message::FetchOffer => "fetch-offer",
            Message::Offer(_) => "offer",
            Message::FetchState { .. } => "fetch-state",
            Message::State { .. } => "state",
            Message::Event { .. } => "event",
            Message::AddFault { .. } => "add-fault",
            Message::RemoveFault { .. } => "remove-fault",
            Message::FaultReport { .. } => "fault-report",
            Message::Swap { .. } => "swap",
            Message::SwapReport { .. } => "swap-report",
            Message::ShadowReply { .. } => "shadow-reply",
            Message::Promote { .. } => "promote",
            Message::EndSwap { .. } => "end-swap",
        }
    }
}
