//! Names of nodes and numbers with a meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits::{FRONT_ENDS_LEN_MAX, REPLICAS_LEN_MAX};
use super::time::Instant;

/// A replica and the manager that hosts it, numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct ReplicaId(u8);

impl From<ReplicaId> for u8 {
    fn from(replica: ReplicaId) -> u8 {
        replica.0
    }
}

impl TryFrom<u8> for ReplicaId {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<ReplicaId, Self::Error> {
        ReplicaId::new(number).ok_or("no cluster has a replica of this number")
    }
}

impl ReplicaId {
    /// The replica with this number, 1 to [`REPLICAS_LEN_MAX`].
    pub fn new(number: u8) -> Option<ReplicaId> {
        (1..=REPLICAS_LEN_MAX).contains(&usize::from(number)).then_some(ReplicaId(number))
    }

    /// The replicas of a cluster of `len`, in order.
    pub fn first(len: usize) -> impl Iterator<Item = ReplicaId> {
        assert!(len <= REPLICAS_LEN_MAX, "a cluster of {len} replicas");
        (1..).take(len).map(ReplicaId)
    }

    /// The number, from 1.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The place in a list of all replicas, from 0.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }
}

/// A front end, numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrontEndId(u8);

impl FrontEndId {
    /// The front end with this number, 1 to [`FRONT_ENDS_LEN_MAX`].
    pub fn new(number: u8) -> Option<FrontEndId> {
        (1..=FRONT_ENDS_LEN_MAX).contains(&usize::from(number)).then_some(FrontEndId(number))
    }

    /// The front ends of a cluster that has `len` of them, in order.
    pub fn first(len: usize) -> impl Iterator<Item = FrontEndId> {
        assert!(len <= FRONT_ENDS_LEN_MAX, "a cluster of {len} front ends");
        (1..).take(len).map(FrontEndId)
    }

    /// The place in a list of all front ends, from 0.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }
}

/// One process of the cluster, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum NodeId {
    /// Takes clients' requests and releases outcomes.
    FrontEnd(FrontEndId),
    /// Orders requests.
    Sequencer,
    /// Manages one replica.
    ReplicaManager(ReplicaId),
}

/// The byte of the second front end; those after it follow. The first one has another, which is older than its fellows.
const SECOND_FRONT_END: u8 = 128;

const _: () = assert!(1 + REPLICAS_LEN_MAX < SECOND_FRONT_END as usize);

impl NodeId {
    /// The first front end; most clusters have no other.
    pub const FRONT_END: NodeId = NodeId::FrontEnd(FrontEndId(1));

    /// The node as one byte of a datagram or a file: 0 the front end, 1 the sequencer, 2 and on the replica managers, 128 and on
    /// further front ends.
    pub fn to_byte(self) -> u8 {
        match self {
            NodeId::FRONT_END => 0,
            NodeId::FrontEnd(front_end) => SECOND_FRONT_END + front_end.0 - 2,
            NodeId::Sequencer => 1,
            NodeId::ReplicaManager(replica) => 1 + replica.0,
        }
    }

    /// The node behind a byte of a datagram or a file.
    pub fn from_byte(byte: u8) -> Option<NodeId> {
        match byte {
            0 => Some(NodeId::FRONT_END),
            1 => Some(NodeId::Sequencer),
            SECOND_FRONT_END.. => FrontEndId::new(byte - SECOND_FRONT_END + 2).map(NodeId::FrontEnd),
            _ => ReplicaId::new(byte - 1).map(NodeId::ReplicaManager),
        }
    }

    /// Whether this is a front end.
    pub fn is_front_end(self) -> bool {
        matches!(self, NodeId::FrontEnd(_))
    }

    /// The replica, if this is its manager.
    pub fn replica(self) -> Option<ReplicaId> {
        match self {
            NodeId::ReplicaManager(replica) => Some(replica),
            _ => None,
        }
    }

    /// The role, as `dsms ps` names it.
    pub fn role(self) -> &'static str {
        match self {
            NodeId::FrontEnd(_) => "front-end",
            NodeId::Sequencer => "sequencer",
            NodeId::ReplicaManager(_) => "replica-manager",
        }
    }
}

impl From<NodeId> for u8 {
    fn from(node: NodeId) -> u8 {
        node.to_byte()
    }
}

impl TryFrom<u8> for NodeId {
    type Error = &'static str;

    fn try_from(byte: u8) -> Result<NodeId, Self::Error> {
        NodeId::from_byte(byte).ok_or("no cluster has such a node")
    }
}

/// How many nodes of each role a cluster has, beside its one sequencer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Front ends, at least one.
    pub front_ends_len: usize,
    /// Replicas.
    pub replicas_len: usize,
}

impl Membership {
    /// One front end, and so many replicas.
    pub fn of(replicas_len: usize) -> Membership {
        Membership { front_ends_len: 1, replicas_len }
    }

    /// Every node, in the order in which they are listed to people.
    pub fn nodes(self) -> Vec<NodeId> {
        let managers = ReplicaId::first(self.replicas_len).map(NodeId::ReplicaManager);
        self.front_ends().chain([NodeId::Sequencer]).chain(managers).collect()
    }

    /// The front ends.
    pub fn front_ends(self) -> impl Iterator<Item = NodeId> {
        FrontEndId::first(self.front_ends_len).map(NodeId::FrontEnd)
    }
}

/// One life of a replica: it grows by one each time the module is instantiated anew.
///
/// One that another node names is at most [`Incarnation::RECEIVED_MAX`], so it can be counted on from without a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// The last life that is decoded: as many again can follow it.
    pub const RECEIVED_MAX: u32 = u32::MAX / 2;
}

impl From<Incarnation> for u32 {
    fn from(incarnation: Incarnation) -> u32 {
        incarnation.0
    }
}

impl TryFrom<u32> for Incarnation {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Incarnation, Self::Error> {
        (number <= Incarnation::RECEIVED_MAX).then_some(Incarnation(number)).ok_or("no replica has lived so often")
    }
}

/// A place in the total order. The first order has number 1; 0 stands for "before the first".
///
/// One that another node names is at most [`SequenceNumber::RECEIVED_MAX`], so it can be counted on from without a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct SequenceNumber(pub u64);

impl From<SequenceNumber> for u64 {
    fn from(sequence: SequenceNumber) -> u64 {
        sequence.0
    }
}

impl TryFrom<u64> for SequenceNumber {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<SequenceNumber, Self::Error> {
        let is_possible = number <= SequenceNumber::RECEIVED_MAX;
        is_possible.then_some(SequenceNumber(number)).ok_or("no order is so long")
    }
}

impl SequenceNumber {
    /// The last place that is decoded. At a million orders a second it is reached after 292,000 years.
    pub const RECEIVED_MAX: u64 = u64::MAX / 2;

    /// The place after this one.
    pub fn next(self) -> SequenceNumber {
        SequenceNumber(self.0 + 1)
    }
}

/// One round of questions of a sequencer that gathers: what is answered to an earlier one is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Round(pub u32);

impl Round {
    /// The round after this one.
    pub fn next(self) -> Round {
        Round(self.0 + 1)
    }
}

/// A client, by a number it draws at random; it keeps the number for as long as it may retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

/// A client's own count of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestNumber(pub u64);

/// What makes a request the same request however often it is sent: who sent it, and as which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// The client.
    pub client: ClientId,
    /// Its own count.
    pub number: RequestNumber,
}

/// One life of a node's process. A later life has a larger number, and no other life has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

impl SessionId {
    /// The life that begins now. `nonce` is drawn at random: even if the clock is set back, nobody can foresee a session, nor is one
    /// used twice.
    pub fn new(now: Instant, nonce: u64) -> SessionId {
        SessionId(u128::from(now.0) << 64 | u128::from(nonce))
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replica-{}", self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeId::FrontEnd(FrontEndId(1)) => f.pad("front-end"),
            NodeId::FrontEnd(front_end) => f.pad(&format!("front-end-{}", front_end.0)),
            NodeId::Sequencer => f.pad("sequencer"),
            NodeId::ReplicaManager(replica) => f.pad(&replica.to_string()),
        }
    }
}

/// The text is not the name of a node: `front-end`, `front-end-2` and on, `sequencer`, or `replica-1` and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNode;

impl fmt::Display for UnknownNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected front-end, sequencer, replica-1 to replica-{REPLICAS_LEN_MAX}, or another front end, front-end-2 to \
             front-end-{FRONT_ENDS_LEN_MAX}"
        )
    }
}

impl std::error::Error for UnknownNode {}

impl FromStr for NodeId {
    type Err = UnknownNode;

    fn from_str(text: &str) -> Result<NodeId, UnknownNode> {
        let mut named =
            Membership { front_ends_len: FRONT_ENDS_LEN_MAX, replicas_len: REPLICAS_LEN_MAX }.nodes().into_iter();
        // One spelling a node: `replica-01` and `front-end-1` are not names.
        named.find(|node| node.to_string() == text).ok_or(UnknownNode)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{}", self.client.0, self.number.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_read_back_from_its_byte_and_its_name() {
        let most = Membership { front_ends_len: FRONT_ENDS_LEN_MAX, replicas_len: REPLICAS_LEN_MAX };
        for node in most.nodes() {
            assert_eq!(NodeId::from_byte(node.to_byte()), Some(node));
            assert_eq!(node.to_string().parse(), Ok(node));
        }
        for text in
            ["", "replica-0", "replica-01", "replica-+1", "replica-99", "Sequencer", "front-end-1", "front-end-9"]
        {
            assert_eq!(text.parse::<NodeId>(), Err(UnknownNode), "{text:?}");
        }
        assert_eq!(NodeId::from_byte(255), None);
        assert_eq!(NodeId::from_byte(127), None);
    }
}
