//! Which datagrams count: the rule by which two lives of two processes find each other.
//!
//! A datagram names the life of its sender and the life of the receiver that it is meant for. One law follows from the
//! rule below: **a session of the peer is adopted only from a datagram that names our own**. Such a datagram was sent after
//! its sender had heard of our life, so it is no relic from before our start, and each pair of lives has one stream in each
//! direction, begun once. Why nothing less will do is told in the documentation of the channel.

use super::super::id::SessionId;
use super::datagram::Datagram;

/// What a datagram is to a channel, by the sessions that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Of the pair of sessions that is established.
    Current,
    /// It establishes a pair: the peer's first session, or a later one.
    Adopted,
    /// The peer asks for our session.
    Hello,
    /// The peer takes an earlier life of ours for the current one.
    StaleReceiver,
    /// From an earlier life of the peer.
    StaleSender,
}

/// Judge a datagram in our session `local` when `peer` is the latest session of the peer that was adopted.
pub fn judge(datagram: &Datagram<'_>, local: SessionId, peer: Option<SessionId>) -> Standing {
    if peer.is_some_and(|peer| datagram.sender < peer) {
        return Standing::StaleSender;
    }
    match datagram.receiver {
        None => Standing::Hello,
        Some(receiver) if receiver != local => Standing::StaleReceiver,
        Some(_) if peer == Some(datagram.sender) => Standing::Current,
        Some(_) => Standing::Adopted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::datagram::Receipt;
    use super::*;

    #[test]
    fn only_a_datagram_that_names_our_session_and_no_earlier_one_of_the_peer_counts() {
        let check = |sender, receiver, peer: Option<u128>, expected| {
            let datagram = Datagram {
                serial: 0,
                sender: SessionId(sender),
                receiver: (receiver != 0).then_some(SessionId(receiver)),
                receipt: Receipt::default(),
                packet: None,
            };
            assert_eq!(judge(&datagram, SessionId(50), peer.map(SessionId)), expected, "{sender} {receiver} {peer:?}");
        };
        check(7, 50, None, Standing::Adopted);
        check(7, 50, Some(7), Standing::Current);
        check(8, 50, Some(7), Standing::Adopted);
        check(6, 50, Some(7), Standing::StaleSender);
        check(7, 0, None, Standing::Hello);
        check(7, 0, Some(7), Standing::Hello);
        check(8, 0, Some(7), Standing::Hello);
        check(6, 0, Some(7), Standing::StaleSender);
        check(7, 49, None, Standing::StaleReceiver);
        check(7, 49, Some(7), Standing::StaleReceiver);
        check(8, 49, Some(7), Standing::StaleReceiver);
        check(6, 49, Some(7), Standing::StaleSender);
        check(7, 51, Some(7), Standing::StaleReceiver);
    }
}
