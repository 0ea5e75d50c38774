//! Names of nodes and numbers with a meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits::REPLICAS_LEN_MAX;
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

/// One process of the cluster, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeId {
    /// Takes clients' requests and releases outcomes.
    FrontEnd,
    /// Orders requests.
    Sequencer,
    /// Manages one replica.
    ReplicaManager(ReplicaId),
}

impl NodeId {
    /// Every node of a cluster with this many replicas, in the order in which they are listed to people.
    pub fn all(replicas_len: usize) -> Vec<NodeId> {
        let managers = ReplicaId::first(replicas_len).map(NodeId::ReplicaManager);
        [NodeId::FrontEnd, NodeId::Sequencer].into_iter().chain(managers).collect()
    }

    /// The node as one byte of a datagram: 0 the front end, 1 the sequencer, 2 and on the replica managers.
    pub fn to_byte(self) -> u8 {
        match self {
            NodeId::FrontEnd => 0,
            NodeId::Sequencer => 1,
            NodeId::ReplicaManager(replica) => 1 + replica.0,
        }
    }

    /// The node behind a byte of a datagram.
    pub fn from_byte(byte: u8) -> Option<NodeId> {
        match byte {
            0 => Some(NodeId::FrontEnd),
            1 => Some(NodeId::Sequencer),
            _ => ReplicaId::new(byte - 1).map(NodeId::ReplicaManager),
        }
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
            NodeId::FrontEnd => "front-end",
            NodeId::Sequencer => "sequencer",
            NodeId::ReplicaManager(_) => "replica-manager",
        }
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
            NodeId::FrontEnd => f.pad("front-end"),
            NodeId::Sequencer => f.pad("sequencer"),
            NodeId::ReplicaManager(replica) => f.pad(&replica.to_string()),
        }
    }
}

/// The text is not the name of a node: `front-end`, `sequencer` or `replica-1` and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNode;

impl fmt::Display for UnknownNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected front-end, sequencer or replica-1 to replica-{REPLICAS_LEN_MAX}")
    }
}

impl std::error::Error for UnknownNode {}

impl FromStr for NodeId {
    type Err = UnknownNode;

    fn from_str(text: &str) -> Result<NodeId, UnknownNode> {
        match text {
            "front-end" => Ok(NodeId::FrontEnd),
            "sequencer" => Ok(NodeId::Sequencer),
            _ => {
                let number = text.strip_prefix("replica-").and_then(|number| number.parse().ok());
                let replica = number.and_then(ReplicaId::new).ok_or(UnknownNode)?;
                // One spelling a node: `replica-01` and `replica-+1` are not names.
                (replica.to_string() == text).then_some(NodeId::ReplicaManager(replica)).ok_or(UnknownNode)
            }
        }
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
        for node in NodeId::all(REPLICAS_LEN_MAX) {
            assert_eq!(NodeId::from_byte(node.to_byte()), Some(node));
            assert_eq!(node.to_string().parse(), Ok(node));
        }
        for text in ["", "replica-0", "replica-01", "replica-+1", "replica-99", "Sequencer"] {
            assert_eq!(text.parse::<NodeId>(), Err(UnknownNode), "{text:?}");
        }
        assert_eq!(NodeId::from_byte(255), None);
    }
}
