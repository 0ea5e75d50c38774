//! What a channel has done since it was made, counted for people and for tests.
//!
//! Whoever sends a datagram decides which node it says it is from. So what was dropped before its tag was checked is counted at the
//! channel that it names, whoever sent it.

use serde::{Deserialize, Serialize};

use super::drop_reason::DropReason;

/// Totals over all sessions of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages taken into the backlog.
    pub messages_sent: u64,
    /// Messages handed out by `poll_message`.
    pub messages_delivered: u64,
    /// Datagrams of every kind that were sent.
    pub datagrams_sent: u64,
    /// Datagrams of the peer's current session, for our current session.
    pub datagrams_received: u64,
    /// Packets sent for the first time.
    pub packets_sent: u64,
    /// Packets sent again.
    pub packets_retransmitted: u64,
    /// Packets found lost because later ones were acknowledged.
    pub packets_lost: u64,
    /// Datagrams sent for nothing but their acknowledgement.
    pub acknowledgements_sent: u64,
    /// Datagrams sent to learn the peer's session.
    pub hellos_sent: u64,
    /// Datagrams sent to tell the peer our session.
    pub answers_sent: u64,
    /// Waits for an answer that ended without one.
    pub timeouts: u64,
    /// Packets that arrived behind a gap.
    pub out_of_order: u64,
    /// Packets that arrived again.
    pub duplicates: u64,
    /// Datagrams of another session of the peer or for another session of ours.
    pub stale: u64,
    /// Packets refused because messages that had arrived were not taken.
    pub undelivered: u64,
    /// Datagrams dropped for any other reason.
    pub dropped: u64,
    /// Datagrams that were not sealed by the node that they name, or are none of ours at all.
    pub forged: u64,
    /// Datagrams that were cut off.
    pub truncated: u64,
    /// Datagrams that came back to the node that sent them.
    pub reflected: u64,
    /// Datagrams that had arrived before.
    pub replayed: u64,
    /// Datagrams of another cluster.
    pub other_cluster: u64,
    /// Datagrams under a generation of keys that this node does not hold.
    pub unknown_key: u64,
    /// Datagrams of another version of dsms.
    pub unknown_version: u64,
    /// New sessions of the peer after the first.
    pub peer_restarts: u64,
}

impl Counters {
    /// Count a datagram, or the packet in it, that was not used.
    pub fn count_drop(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::Duplicate => &mut self.duplicates,
            DropReason::StaleSender | DropReason::StaleReceiver => &mut self.stale,
            DropReason::Undelivered => &mut self.undelivered,
            DropReason::Forged | DropReason::UnknownNode => &mut self.forged,
            DropReason::Truncated => &mut self.truncated,
            DropReason::Reflected => &mut self.reflected,
            DropReason::Replayed => &mut self.replayed,
            DropReason::OtherCluster => &mut self.other_cluster,
            DropReason::UnknownKey => &mut self.unknown_key,
            DropReason::UnknownVersion => &mut self.unknown_version,
            DropReason::TooLong
            | DropReason::Misrouted
            | DropReason::TooShort
            | DropReason::Malformed
            | DropReason::AcknowledgesUnsent
            | DropReason::BeyondWindow
            | DropReason::BrokenStream => &mut self.dropped,
        };
        *counter += 1;
    }
}
