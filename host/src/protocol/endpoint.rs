//! All channels of one node: routes datagrams to them, and messages from and to them.
//!
//! Datagrams go in and out as they are on the network. Which channel one is for, it says itself; whether it is the peer's, that
//! channel finds out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::channel::limits::BACKLOG_LEN_MAX;
use super::channel::{Channel, ChannelConfig, ChannelEvent, Counters, DropReason, Envelope, SendError};
use super::id::{NodeId, SessionId};
use super::keyring::Keyring;
use super::message::Message;
use super::recipients::Recipients;
use super::time::{Instant, earliest};
use super::wire;

/// The channels of one node to every other node of its cluster.
#[derive(Debug)]
pub struct Endpoint {
    local: NodeId,
    channels: BTreeMap<NodeId, Channel>,
    /// Of datagrams that are for no channel.
    unrouted: Counters,
    /// Encoded message on its way into the channels; kept for its capacity.
    encoded: Vec<u8>,
    /// Encoded message on its way out of a channel; kept for its capacity.
    delivered: Vec<u8>,
}

/// Why a message was not queued for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// For which node.
    pub to: NodeId,
    /// Why.
    pub error: SendError,
}

impl Endpoint {
    /// Channels from the node of the keyring to all of `peers`, in the life of its process named by `session`.
    ///
    /// The keyring has to have a secret with each peer.
    pub fn new(
        keyring: &Keyring,
        peers: impl IntoIterator<Item = NodeId>,
        session: SessionId,
        datagram_len_max: usize,
    ) -> Endpoint {
        let local = keyring.local();
        let channel = |peer| {
            let config = ChannelConfig { local, peer, session, datagram_len_max };
            (peer, Channel::new(config, keyring))
        };
        let channels = peers.into_iter().filter(|peer| *peer != local).map(channel).collect();
        Endpoint { local, channels, unrouted: Counters::default(), encoded: Vec::new(), delivered: Vec::new() }
    }

    /// Seals and opens with other keys from now on. The keyring has to have a secret with each peer.
    pub fn change_keys(&mut self, keyring: &Keyring) {
        self.channels.values_mut().for_each(|channel| channel.change_keys(keyring));
    }

    /// Takes in one datagram, whoever sent it. An error tells why it, or the packet in it, was not used; it is counted.
    pub fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), DropReason> {
        let routed = Envelope::read(datagram).and_then(|envelope| {
            let (from, to) = (envelope.address.from, envelope.address.to);
            // What comes back to its sender is judged where it was sent.
            let peer = if from == self.local { to } else { from };
            Ok((self.channels.get_mut(&peer).ok_or(DropReason::Misrouted)?, envelope))
        });
        match routed {
            Ok((channel, envelope)) => channel.handle_datagram(&envelope, now),
            Err(reason) => {
                self.unrouted.count_drop(reason);
                Err(reason)
            }
        }
    }

    /// Queues a message, encoded once for all its recipients. Returns those that it could not be queued for.
    pub fn send(&mut self, to: Recipients, message: &Message) -> Vec<NotSent> {
        self.encoded.clear();
        let encoded = wire::encode(message, &mut self.encoded);
        let recipients = self.channels.iter_mut().filter(|(node, _)| to.include(**node));
        let not_sent = recipients.filter_map(|(node, channel)| {
            let sent = encoded.map_err(|_| SendError::TooLong).and_then(|()| channel.send(&self.encoded));
            sent.err().map(|error| NotSent { to: *node, error })
        });
        not_sent.collect()
    }

    /// The next message that a channel delivers. A channel that delivers what is no message is told as an error.
    pub fn poll_message(
        &mut self,
        passed_over: Option<NodeId>,
    ) -> Option<(NodeId, Result<Message, wire::DecodeError>)> {
        for (peer, channel) in &mut self.channels {
            if Some(*peer) != passed_over && channel.poll_message(&mut self.delivered) {
                return Some((*peer, wire::decode(&self.delivered)));
            }
        }
        None
    }

    /// The next change in a peer's reachability.
    pub fn poll_event(&mut self) -> Option<(NodeId, ChannelEvent)> {
        self.channels.iter_mut().find_map(|(peer, channel)| Some((*peer, channel.poll_event()?)))
    }

    /// Fills `datagram` with the next one to send, and says to whom. Call until `None` at the end of each turn.
    ///
    /// Replica managers come before the front end: they have work to do before the front end can go on.
    pub fn poll_transmit(&mut self, now: Instant, datagram: &mut Vec<u8>) -> Option<NodeId> {
        self.channels.iter_mut().rev().find_map(|(peer, channel)| channel.poll_transmit(now, datagram).then_some(*peer))
    }

    /// Does what is due in every channel.
    pub fn handle_timeout(&mut self, now: Instant) {
        for channel in self.channels.values_mut() {
            if channel.poll_timeout().is_some_and(|(deadline, _)| deadline <= now) {
                channel.handle_timeout(now);
            }
        }
    }

    /// The next deadline of any channel and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.channels.values().fold(None, |next, channel| earliest(next, channel.poll_timeout()))
    }

    /// Whether a peer answers, as far as is known.
    pub fn is_reachable(&self, peer: NodeId) -> bool {
        self.channels.get(&peer).is_some_and(|channel| !channel.is_unreachable())
    }

    /// How many bytes wait for a peer, or for its acknowledgement.
    pub fn backlog_len(&self, peer: NodeId) -> usize {
        self.channels.get(&peer).map_or(0, Channel::backlog_len)
    }

    /// Every queue that others can make grow: what it holds, how long it is, and its bound.
    pub fn queues(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        self.channels.values().map(|channel| ("bytes for a peer", channel.backlog_len(), BACKLOG_LEN_MAX))
    }

    /// The counters of datagrams that are for no channel, and may be from anybody.
    pub fn unrouted(&self) -> &Counters {
        &self.unrouted
    }

    /// Each peer with its channel's counters and measured round-trip time.
    pub fn counters(&self) -> impl Iterator<Item = (NodeId, &Counters, Option<Duration>)> {
        self.channels.iter().map(|(peer, channel)| (*peer, channel.counters(), channel.round_trip_time()))
    }
}

#[cfg(test)]
mod tests;
