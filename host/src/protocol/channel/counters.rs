//! What a channel has done since it was made, counted for people and for tests.

use serde::{Deserialize, Serialize};

use super::datagram::DropReason;

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
            DropReason::TooShort
            | DropReason::TooLong
            | DropReason::UnknownVersion
            | DropReason::UnknownNode
            | DropReason::Malformed
            | DropReason::Misrouted
            | DropReason::AcknowledgesUnsent
            | DropReason::BeyondWindow
            | DropReason::BrokenStream => &mut self.dropped,
        };
        *counter += 1;
    }
}
