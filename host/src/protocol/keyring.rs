//! The keys of one node: a secret with each other node, in one or more generations, and the keys of each direction.
//!
//! Each pair of nodes has a secret of its own, so a node that is taken over can speak for itself and for nobody else. From it a
//! key for each direction is derived, together with the cluster's id, so what one of the two sends can be sent back to neither, and
//! is nothing in another cluster. Where secrets come from, and how they are kept, is not decided here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::id::NodeId;
use super::secret::Secret;

/// Most generations that a node holds: the one that all others have, and the next.
///
/// The operator controls them, by rotating keys: whoever writes a third one drops the first. A datagram under any other key than
/// those held is dropped.
pub const GENERATIONS_LEN_MAX: usize = 2;

/// Which cluster: nodes of different ones have nothing to say to each other, even if somebody gave them the same secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterId(pub u64);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ClusterId {
    type Err = NotClusterId;

    fn from_str(text: &str) -> Result<ClusterId, NotClusterId> {
        let is_digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(ClusterId).ok_or(NotClusterId)
    }
}

/// The text is not the id of a cluster: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotClusterId;

/// Which of a cluster's sets of secrets, counted from 1: each rotation makes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u16);

impl Generation {
    /// The one that a new cluster begins with.
    pub const FIRST: Generation = Generation(1);

    /// The generation after this one; `None` after 65,535 rotations.
    pub fn next(self) -> Option<Generation> {
        self.0.checked_add(1).map(Generation)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The keys of one channel in one generation.
#[derive(Clone, Debug)]
pub struct PairKeys {
    /// Which generation.
    pub generation: Generation,
    /// For what this node sends.
    pub sending: Secret,
    /// For what the peer sends.
    pub receiving: Secret,
}

/// The secrets of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    cluster: ClusterId,
    local: NodeId,
    generations: BTreeMap<Generation, BTreeMap<NodeId, Secret>>,
}

impl Keyring {
    /// A keyring without secrets.
    pub fn new(cluster: ClusterId, local: NodeId) -> Keyring {
        Keyring { cluster, local, generations: BTreeMap::new() }
    }

    /// The keyring of a node whose whole cluster shares one key. Whoever has it is every node of the cluster, so it is for
    /// clusters of one machine.
    pub fn of_cluster_key(key: &Secret, local: NodeId, peers: impl IntoIterator<Item = NodeId>) -> Keyring {
        let id = key.derive("dsms 2026-11-28 cluster id", &[]).tag(&[]);
        let cluster = ClusterId(u64::from_le_bytes(*id.first_chunk().expect("a tag has more bytes")));
        let mut keyring = Keyring::new(cluster, local);
        for peer in peers.into_iter().filter(|peer| *peer != local) {
            let pair = [local.min(peer), local.max(peer)].map(NodeId::to_byte);
            keyring.insert(Generation::FIRST, peer, key.derive("dsms 2026-11-28 secret of a pair", &pair));
        }
        keyring
    }

    /// Adds the secret that this node shares with a peer.
    pub fn insert(&mut self, generation: Generation, peer: NodeId, secret: Secret) {
        self.generations.entry(generation).or_default().insert(peer, secret);
    }

    /// Drops all but the newest generations.
    pub fn keep_newest(&mut self, len: usize) {
        while self.generations.len() > len {
            self.generations.pop_first();
        }
    }

    /// Whose keyring it is.
    pub fn local(&self) -> NodeId {
        self.local
    }

    /// Of which cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The generations that are held, the oldest first.
    pub fn generations(&self) -> impl ExactSizeIterator<Item = Generation> + '_ {
        self.generations.keys().copied()
    }

    /// The newest of them.
    pub fn newest(&self) -> Option<Generation> {
        self.generations.keys().next_back().copied()
    }

    /// The secrets of one generation, each with the peer that it is shared with.
    pub fn secrets(&self, generation: Generation) -> impl Iterator<Item = (NodeId, &Secret)> {
        self.generations.get(&generation).into_iter().flatten().map(|(peer, secret)| (*peer, secret))
    }

    /// Which of these nodes it has no secret with, in some generation.
    pub fn missing(&self, peers: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
        let has = |peer| !self.generations.is_empty() && self.generations.values().all(|held| held.contains_key(&peer));
        peers.into_iter().filter(|peer| *peer != self.local).find(|peer| !has(*peer))
    }

    /// The keys of the channel to a peer, the oldest generation first.
    pub fn pair(&self, peer: NodeId) -> Vec<PairKeys> {
        let of_generation = |(generation, secrets): (&Generation, &BTreeMap<NodeId, Secret>)| {
            let secret = secrets.get(&peer)?;
            let [sending, receiving] =
                [(self.local, peer), (peer, self.local)].map(|(from, to)| self.direction(secret, from, to));
            Some(PairKeys { generation: *generation, sending, receiving })
        };
        self.generations.iter().filter_map(of_generation).collect()
    }

    fn direction(&self, secret: &Secret, from: NodeId, to: NodeId) -> Secret {
        let mut public = [0; 10];
        public[..8].copy_from_slice(&self.cluster.0.to_le_bytes());
        public[8..].copy_from_slice(&[from.to_byte(), to.to_byte()]);
        secret.derive("dsms 2026-11-28 key of a direction", &public)
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::SECRET_LEN;
    use super::*;
    use crate::protocol::id::Membership;

    fn keyring(key: u8, local: NodeId) -> Keyring {
        Keyring::of_cluster_key(&Secret::new([key; SECRET_LEN]), local, Membership::of(3).nodes())
    }

    #[test]
    fn two_nodes_have_the_same_keys_one_for_each_direction_and_other_pairs_have_others() {
        let [front_end, sequencer, replica, ..] = Membership::of(3).nodes()[..] else { panic!("there are five nodes") };
        let of = |local, peer| keyring(7, local).pair(peer).remove(0);
        let (one, other) = (of(front_end, sequencer), of(sequencer, front_end));
        assert!(one.sending == other.receiving && one.receiving == other.sending);
        assert!(one.sending != one.receiving, "a datagram cannot be reflected");
        assert!(one.sending != of(front_end, replica).sending);
        assert!(one.sending != keyring(8, front_end).pair(sequencer)[0].sending);
        assert_ne!(keyring(7, front_end).cluster(), keyring(8, front_end).cluster());
    }

    #[test]
    fn the_same_secret_in_another_cluster_is_another_key() {
        let keys = [1, 2].map(|cluster| {
            let mut keyring = Keyring::new(ClusterId(cluster), NodeId::FRONT_END);
            keyring.insert(Generation::FIRST, NodeId::Sequencer, Secret::new([7; SECRET_LEN]));
            keyring.pair(NodeId::Sequencer).remove(0)
        });
        assert!(keys[0].sending != keys[1].sending);
    }

    #[test]
    fn a_peer_without_a_secret_in_each_generation_is_missing() {
        let mut keyring = Keyring::new(ClusterId(1), NodeId::FRONT_END);
        let nodes = [NodeId::FRONT_END, NodeId::Sequencer];
        assert_eq!(keyring.missing(nodes), Some(NodeId::Sequencer));
        keyring.insert(Generation(1), NodeId::Sequencer, Secret::new([7; SECRET_LEN]));
        assert_eq!(keyring.missing(nodes), None);
        assert_eq!(keyring.missing(Membership::of(1).nodes()), Some(Membership::of(1).nodes()[2]));
        keyring.insert(Generation(2), Membership::of(1).nodes()[2], Secret::new([8; SECRET_LEN]));
        assert_eq!(keyring.missing(nodes), Some(NodeId::Sequencer));
        keyring.keep_newest(1);
        assert!(keyring.generations().eq([Generation(2)]));
    }

    #[test]
    fn a_cluster_id_is_read_back_and_nothing_else_is_one() {
        let id = ClusterId(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "123", "+123456789abcdef", "0123456789abcdef0"] {
            assert_eq!(text.parse::<ClusterId>(), Err(NotClusterId), "{text:?}");
        }
    }
}
