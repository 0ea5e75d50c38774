//! How messages become bytes and back: bincode under a version byte.
//!
//! This is the only file that knows bincode. Decoding is total and bounded: whatever bytes come in, the result is a valid
//! value or a [`DecodeError`], and no length prefix makes it allocate more than the message could hold.

use std::fmt;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest encoded message in bytes. It bounds what a peer can make us allocate while decoding.
pub use super::channel::limits::MESSAGE_LEN_MAX;
use super::limits::STATE_LEN_MAX;

/// Version of the encoding, the first byte of every message. It changes whenever an older reader would misread.
pub const VERSION: u8 = 8;

/// Version of the encoding of what is written to disk and of states, their first byte. It changes only with what they are made of (in the
/// ledger's entries, of events as well), so that a cluster whose nodes are all replaced by those of another version keeps its data.
pub const STATE_VERSION: u8 = 7;

type Config = Configuration<LittleEndian, Varint, Limit<MESSAGE_LEN_MAX>>;

const CONFIG: Config = bincode::config::standard().with_limit();

/// A state is encoded without the bound of a message; [`STATE_LEN_MAX`] holds for whoever fetches one.
const STATE_CONFIG: Configuration<LittleEndian, Varint, Limit<STATE_LEN_MAX>> =
    bincode::config::standard().with_limit();

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There is no version byte, or another than the one expected.
    Version {
        /// What stands in its place.
        found: Option<u8>,
        /// [`VERSION`], or [`STATE_VERSION`] of what is kept.
        expected: u8,
    },
    /// The bytes after the version are not an encoded value.
    Malformed(String),
    /// This many bytes are left after the value.
    TrailingBytes(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Version { found: Some(found), expected } => write!(f, "version {found}, expected {expected}"),
            DecodeError::Version { found: None, .. } => write!(f, "empty"),
            DecodeError::Malformed(words) => write!(f, "malformed: {words}"),
            DecodeError::TrailingBytes(len) => write!(f, "{len} bytes after the end"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value is too long for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longer than a message may be, {MESSAGE_LEN_MAX} bytes")
    }
}

impl std::error::Error for TooLong {}

/// Appends the encoded value to `bytes`; leaves them as they were when it is too long.
pub fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), TooLong> {
    let start = bytes.len();
    bytes.push(VERSION);
    let encoded = bincode::serde::encode_into_std_write(value, bytes, CONFIG);
    if encoded.is_err() || bytes.len() - start > MESSAGE_LEN_MAX {
        bytes.truncate(start);
        return Err(TooLong);
    }
    Ok(())
}

/// Reads one value that takes all the bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode_with(bytes, VERSION, CONFIG)
}

fn decode_with<T: DeserializeOwned, C: bincode::config::Config>(
    bytes: &[u8],
    expected: u8,
    config: C,
) -> Result<T, DecodeError> {
    let (version, rest) = bytes.split_first().ok_or(DecodeError::Version { found: None, expected })?;
    if *version != expected {
        return Err(DecodeError::Version { found: Some(*version), expected });
    }
    let (value, read_len) =
        bincode::serde::decode_from_slice(rest, config).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    match rest.len() - read_len {
        0 => Ok(value),
        trailing => Err(DecodeError::TrailingBytes(trailing)),
    }
}

/// Encodes a checkpoint, or a part of one, which is longer than a message may be and travels in pieces.
pub fn encode_state<T: Serialize>(value: &T) -> Vec<u8> {
    // Most of what is kept is an order or an entry, which fits.
    let mut bytes = Vec::with_capacity(192);
    bytes.push(STATE_VERSION);
    bincode::serde::encode_into_std_write(value, &mut bytes, STATE_CONFIG)
        .expect("what is within the bounds of a state is encoded into memory");
    bytes
}

/// Reads what [`encode_state`] has written.
pub fn decode_state<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode_with(bytes, STATE_VERSION, STATE_CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Digest, GuestFault, Outcome, parse_request};
    use crate::protocol::client_message::ClientMessage;
    use crate::protocol::event::Event;
    use crate::protocol::id::{
        ClientId, Incarnation, NodeId, ReplicaId, RequestId, RequestNumber, Round, SequenceNumber,
    };
    use crate::protocol::message::{Certificate, Charge, Command, Message, Order, Phase, Progress, Reply, Response};
    use crate::protocol::time::Instant;
    use proptest::prelude::*;

    fn encoded(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(message, &mut bytes).unwrap();
        bytes
    }

    fn order() -> Message {
        let request = parse_request(&["NYKB1001", "purchase-share", "NYKM100925", "Equity", "5"]).unwrap();
        Message::Order(Order {
            sequence: SequenceNumber(70_000),
            time_ms: 1_790_000_000_000,
            origin: NodeId::FRONT_END,
            id: RequestId { client: ClientId(u64::MAX), number: RequestNumber(9) },
            command: Command::Request(request),
        })
    }

    #[test]
    fn every_kind_of_message_is_read_back() {
        let reply = |response| {
            Message::Reply(Reply {
                sequence: SequenceNumber(1),
                origin: NodeId::FRONT_END,
                incarnation: Incarnation(1),
                response,
            })
        };
        let id = RequestId { client: ClientId(1), number: RequestNumber(1) };
        let digest = Digest::of_bytes(b"");
        let replica = ReplicaId::new(3).unwrap();
        let charge = Charge { replica, incarnation: Incarnation(2), sequence: SequenceNumber(8) };
        for message in [
            order(),
            Message::Submit { id, command: Command::Barrier },
            Message::Sequenced { id, sequence: SequenceNumber(2) },
            reply(Response::Executed { first: SequenceNumber(1), outcome: Outcome::Swapped { units: 3 } }),
            reply(Response::StateDigest(digest)),
            reply(Response::Forgotten),
            reply(Response::Fault(GuestFault::Trap("unreachable".to_owned()))),
            Message::Progress(Progress {
                incarnation: Incarnation(1),
                phase: Phase::Recovering,
                delivered: SequenceNumber(5),
                executed: SequenceNumber(4),
                module: Some(digest),
                process: 4711,
            }),
            Message::CrashVote { charge, agree: true },
            Message::FetchEnd { round: Round(1), ordered: SequenceNumber(9) },
            Message::Missing { after: SequenceNumber(9) },
            Message::LogEnd { round: Round(1), sequence: SequenceNumber(9), time_ms: 1_790_000_000_000 },
            Message::Resume { round: Round(2), after: SequenceNumber(9) },
            Message::Resumed { round: Round(2) },
            Message::Joined { last: None, ordered: SequenceNumber(9) },
            Message::Offer(Certificate { sequence: SequenceNumber(9), digest, voters: vec![charge.replica] }),
            Message::State { sequence: SequenceNumber(9), offset: 2, len: 5, bytes: vec![1, 2, 3] },
            Message::Event {
                at: Instant(7),
                event: Box::new(Event::FirstDifference {
                    replica: charge.replica,
                    sequence: SequenceNumber(9),
                    own: None,
                    certified: Some("holding NYKB1001 NYKM100925 Equity 10".to_owned()),
                }),
            },
        ] {
            assert_eq!(decode(&encoded(&message)), Ok(message));
        }
    }

    #[test]
    fn an_order_takes_tens_of_bytes() {
        assert!(encoded(&order()).len() <= 60, "{} bytes", encoded(&order()).len());
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        assert_eq!(decode::<Message>(&[]), Err(DecodeError::Version { found: None, expected: VERSION }));
        assert_eq!(decode::<Message>(&[9, 0]), Err(DecodeError::Version { found: Some(9), expected: VERSION }));
        assert!(matches!(decode::<Message>(&[VERSION, 200]), Err(DecodeError::Malformed(_))));
        let mut trailing = encoded(&order());
        trailing.push(0);
        assert_eq!(decode::<Message>(&trailing), Err(DecodeError::TrailingBytes(1)));
        let whole = encoded(&order());
        for len in 1..whole.len() {
            assert!(decode::<Message>(&whole[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn values_that_do_not_exist_are_not_decoded() {
        let mut bytes = encoded(&Message::Submit {
            id: RequestId { client: ClientId(1), number: RequestNumber(1) },
            command: Command::Request(parse_request(&["NYKA1001", "list-share-availability", "bonus"]).unwrap()),
        });
        let share_type = bytes.last_mut().unwrap();
        *share_type = 3;
        assert!(matches!(decode::<Message>(&bytes), Err(DecodeError::Malformed(_))));
    }

    #[test]
    fn numbers_that_nobody_could_count_on_from_are_not_decoded() {
        #[track_caller]
        fn check<T: Serialize + DeserializeOwned + Copy>(good: &[T], bad: &[T]) {
            let is_decoded = |value: &T| decode_state::<T>(&encode_state(value)).is_ok();
            assert!(good.iter().all(is_decoded) && !bad.iter().any(is_decoded));
        }
        let last = SequenceNumber::RECEIVED_MAX;
        check(&[0, 1, last].map(SequenceNumber), &[last + 1, u64::MAX].map(SequenceNumber));
        let last = Incarnation::RECEIVED_MAX;
        check(&[0, 1, last].map(Incarnation), &[last + 1, u32::MAX].map(Incarnation));
    }

    #[test]
    fn a_replica_that_no_cluster_has_is_not_decoded() {
        for (number, expected) in [(0, false), (1, true), (7, true), (8, false), (200, false)] {
            assert_eq!(decode::<ReplicaId>(&[VERSION, number]).is_ok(), expected, "{number}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_leaves_the_buffer_as_it_was() {
        let mut bytes = vec![1, 2, 3];
        let words = vec!["x".repeat(MESSAGE_LEN_MAX)];
        assert_eq!(encode(&ClientMessage::Request { number: RequestNumber(1), words }, &mut bytes), Err(TooLong));
        assert_eq!(bytes, [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            let _total = decode::<Message>(&bytes);
            let _total_for_clients = decode::<ClientMessage>(&bytes);
        }
    }
}
