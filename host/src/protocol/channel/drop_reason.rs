//! Why a datagram is dropped.

use std::fmt;

/// Why a datagram, or the packet in it, was not used. All of these are faults in the model, and the channel outlives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It is shorter than it says, or than any datagram.
    Truncated,
    /// It is longer than any datagram of ours, or has bytes after its end.
    TooLong,
    /// It has another version than ours.
    UnknownVersion,
    /// It is from or for a node that cannot exist.
    UnknownNode,
    /// It is not from a peer of this node to this node.
    Misrouted,
    /// It is of another cluster.
    OtherCluster,
    /// It is sealed with a generation of keys that this node does not hold.
    UnknownKey,
    /// Its tag is not one of the pair of nodes that it names: it is a stranger's, or was altered on its way.
    Forged,
    /// This node sent it itself.
    Reflected,
    /// It has arrived before, in the current session of the peer, or is too old to tell.
    Replayed,
    /// Its content ends before it is complete. From here on, the peer has sealed it.
    TooShort,
    /// A field has a value that no sender writes.
    Malformed,
    /// It comes from an earlier life of the peer.
    StaleSender,
    /// It was meant for another life of ours. The sender is told our session.
    StaleReceiver,
    /// It acknowledges a packet that was never sent.
    AcknowledgesUnsent,
    /// Its packet has arrived before. What it acknowledges was used.
    Duplicate,
    /// Its packet lies further ahead than any sender may be. What it acknowledges was used.
    BeyondWindow,
    /// The messages that have arrived must be taken first. What it acknowledges was used.
    Undelivered,
    /// The peer's stream has announced a message longer than any may be, so that nothing after it has a meaning. It heals
    /// when either side starts a new session. What it acknowledges was used.
    BrokenStream,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Truncated => "truncated",
            DropReason::TooLong => "too long",
            DropReason::UnknownVersion => "of an unknown version",
            DropReason::UnknownNode => "from or for an unknown node",
            DropReason::Misrouted => "for another channel",
            DropReason::OtherCluster => "of another cluster",
            DropReason::UnknownKey => "sealed with a key that is not held",
            DropReason::Forged => "not sealed by the node that it names",
            DropReason::Reflected => "sent by this node itself",
            DropReason::Replayed => "a replay",
            DropReason::TooShort => "too short",
            DropReason::Malformed => "malformed",
            DropReason::StaleSender => "from an earlier session of the peer",
            DropReason::StaleReceiver => "for an earlier session of this node",
            DropReason::AcknowledgesUnsent => "acknowledges what was never sent",
            DropReason::Duplicate => "a duplicate",
            DropReason::BeyondWindow => "beyond the window",
            DropReason::Undelivered => "ahead of too much that waits for delivery",
            DropReason::BrokenStream => "of a broken stream",
        })
    }
}

impl std::error::Error for DropReason {}
