//! The seal of a channel: which key a datagram is sealed with, and whether one that came is the peer's.
//!
//! Two nodes may hold different generations of keys while these are rotated. Every datagram names the newest that its sender holds,
//! so each side seals with the newest that both hold, and goes over to the next as soon as it hears that the other has it.

use super::super::id::NodeId;
use super::super::keyring::{ClusterId, Generation, Keyring, PairKeys};
use super::datagram::Datagram;
use super::drop_reason::DropReason;
use super::envelope::{Address, Envelope, enclose};

/// The keys of one channel.
#[derive(Debug)]
pub struct Seal {
    cluster: ClusterId,
    local: NodeId,
    peer: NodeId,
    /// The oldest generation first; at least one.
    keys: Vec<PairKeys>,
}

impl Seal {
    /// The seal of the channel to `peer`. The keyring has to have a secret with it.
    pub fn new(keyring: &Keyring, peer: NodeId) -> Seal {
        let keys = keyring.pair(peer);
        assert!(!keys.is_empty(), "{} has no secret with {peer}", keyring.local());
        Seal { cluster: keyring.cluster(), local: keyring.local(), peer, keys }
    }

    /// The content of a datagram that the peer has sealed for this node, or why it is not one.
    pub fn open<'a>(&self, envelope: &Envelope<'a>) -> Result<&'a [u8], DropReason> {
        let Address { from, to, cluster, generation, .. } = envelope.address;
        if cluster != self.cluster {
            return Err(DropReason::OtherCluster);
        }
        let is_reflected = (from, to) == (self.local, self.peer);
        if !is_reflected && (from, to) != (self.peer, self.local) {
            return Err(DropReason::Misrouted);
        }
        let keys = self.keys.iter().find(|keys| keys.generation == generation).ok_or(DropReason::UnknownKey)?;
        let key = if is_reflected { &keys.sending } else { &keys.receiving };
        match (envelope.is_sealed_with(key), is_reflected) {
            (false, _) => Err(DropReason::Forged),
            (true, true) => Err(DropReason::Reflected),
            (true, false) => Ok(envelope.content()),
        }
    }

    /// Replaces `bytes` by this datagram, sealed for a peer whose newest generation is this one.
    pub fn write(&self, datagram: &Datagram<'_>, newest_of_peer: Generation, bytes: &mut Vec<u8>) {
        let common = self.keys.iter().rev().find(|keys| keys.generation <= newest_of_peer);
        // A peer whose keys are all older than ours cannot be reached before it gets others.
        let keys = common.unwrap_or(&self.keys[0]);
        let newest = self.keys[self.keys.len() - 1].generation;
        let Seal { local: from, peer: to, cluster, .. } = *self;
        let address = Address { from, to, cluster, generation: keys.generation, newest };
        enclose(&address, &keys.sending, bytes, |bytes| datagram.encode(bytes));
    }

    /// The generation to greet a peer with, of whom it is not known what it holds: at each attempt the next one.
    pub fn greeting(&self, attempt: u64) -> Generation {
        let index = attempt % self.keys.len() as u64;
        self.keys[index as usize].generation
    }
}
