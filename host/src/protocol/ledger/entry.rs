//! What is written down of the ledger, one entry after the other, for whoever asks when the process is another one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Asked, Conclusion, Record, ReplyRecord};
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::{Incarnation, SequenceNumber};
use crate::protocol::limits::REPLICAS_LEN_MAX;
use crate::protocol::message::Response;
use crate::protocol::time::Instant;
use crate::protocol::wire::{self, DecodeError};

/// The last index of an event that is read: as many again can follow it.
const INDEX_MAX: u64 = u64::MAX / 2;

/// One entry. Of one place there may be several, since a record changes when a reply is late; the later ones say more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A process of the front end begins.
    Began {
        /// When.
        at: Instant,
        /// Its number, as the system gave it.
        process: u32,
    },
    /// What is known of one place.
    Record(Record),
    /// What happened somewhere in the cluster.
    Event(Box<EventRecord>),
    /// The places after this one are given anew. Whatever was written of them before is of orders that nobody holds.
    GivenAnew {
        /// The last place that stays.
        after: SequenceNumber,
    },
    /// Entries are missing here.
    Lost {
        /// When there was room for this one.
        at: Instant,
        /// How many.
        len: u64,
        /// Why, in words.
        reason: String,
    },
}

/// An entry as bytes. Equal responses are written once, since the modules control how long they are.
#[derive(Serialize, Deserialize)]
enum Encoded {
    Began {
        at: Instant,
        process: u32,
    },
    Record {
        sequence: SequenceNumber,
        asked: Option<Asked>,
        responses: Vec<Arc<Response>>,
        replies: Vec<Option<EncodedReply>>,
        conclusion: Option<EncodedConclusion>,
        judged: bool,
    },
    Event(Box<EventRecord>),
    GivenAnew {
        after: SequenceNumber,
    },
    Lost {
        at: Instant,
        len: u64,
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct EncodedReply {
    at: Instant,
    incarnation: Incarnation,
    /// Its place among the responses.
    response: u8,
}

#[derive(Serialize, Deserialize)]
enum EncodedConclusion {
    Released { at: Instant, response: u8, matching_len: u8 },
    NoAgreement { at: Instant },
    TimedOut { at: Instant },
}

impl Entry {
    /// The entry as bytes.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode_state(&match self {
            Entry::Began { at, process } => Encoded::Began { at: *at, process: *process },
            Entry::Record(record) => encoded(record),
            Entry::Event(event) => Encoded::Event(event.clone()),
            Entry::GivenAnew { after } => Encoded::GivenAnew { after: *after },
            Entry::Lost { at, len, reason } => Encoded::Lost { at: *at, len: *len, reason: reason.clone() },
        })
    }

    /// Reads an entry. Those of another version of the encoding are told from damage.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        Ok(match wire::decode_state(bytes)? {
            Encoded::Began { at, process } => Entry::Began { at, process },
            Encoded::Record { replies, .. } if replies.len() > REPLICAS_LEN_MAX => {
                return Err(DecodeError::Malformed(format!("replies of {} replicas", replies.len())));
            }
            Encoded::Event(event) if event.index > INDEX_MAX => {
                return Err(DecodeError::Malformed(format!("event {}", event.index)));
            }
            Encoded::Record { sequence, asked, responses, replies, conclusion, judged } => {
                let replies = replies.into_iter().map(|reply| reply.map(|reply| reply.decoded(&responses)).transpose());
                let conclusion = conclusion.map(|conclusion| conclusion.decoded(&responses)).transpose()?;
                Entry::Record(Record {
                    sequence,
                    asked,
                    replies: replies.collect::<Result<_, _>>()?,
                    conclusion,
                    judged,
                })
            }
            Encoded::Event(event) => Entry::Event(event),
            Encoded::GivenAnew { after } => Entry::GivenAnew { after },
            Encoded::Lost { at, len, reason } => Entry::Lost { at, len, reason },
        })
    }

    /// The place that it is about, if it is about one.
    pub fn sequence(&self) -> Option<SequenceNumber> {
        match self {
            Entry::Record(record) => Some(record.sequence),
            Entry::Event(event) => event.event.sequence(),
            Entry::Began { .. } | Entry::GivenAnew { .. } | Entry::Lost { .. } => None,
        }
    }

    /// About how many bytes of memory it takes.
    pub fn size_bytes(&self) -> usize {
        let more = match self {
            Entry::Record(record) => {
                record.replies.len() * size_of::<Option<ReplyRecord>>() + record.distinct_size_bytes()
            }
            Entry::Event(_) => size_of::<EventRecord>(),
            Entry::Lost { reason, .. } => reason.len(),
            Entry::Began { .. } | Entry::GivenAnew { .. } => 0,
        };
        size_of::<Entry>() + more
    }
}

fn encoded(record: &Record) -> Encoded {
    let mut responses = Vec::new();
    let mut encoded_reply = |reply: &ReplyRecord| EncodedReply {
        at: reply.at,
        incarnation: reply.incarnation,
        response: place_of(&reply.response, &mut responses),
    };
    let replies = record.replies.iter().map(|reply| reply.as_ref().map(&mut encoded_reply)).collect();
    let conclusion = record.conclusion.as_ref().map(|conclusion| match conclusion {
        Conclusion::Released { at, response, matching_len } => EncodedConclusion::Released {
            at: *at,
            response: place_of(response, &mut responses),
            matching_len: u8::try_from(*matching_len).expect("no more than there are replicas"),
        },
        Conclusion::NoAgreement { at } => EncodedConclusion::NoAgreement { at: *at },
        Conclusion::TimedOut { at } => EncodedConclusion::TimedOut { at: *at },
    });
    Encoded::Record {
        sequence: record.sequence,
        asked: record.asked,
        responses,
        replies,
        conclusion,
        judged: record.judged,
    }
}

/// Where this response is among those before it, or else after them.
fn place_of(response: &Arc<Response>, responses: &mut Vec<Arc<Response>>) -> u8 {
    let is_equal = |known: &Arc<Response>| Arc::ptr_eq(known, response) || known == response;
    let place = responses.iter().position(is_equal).unwrap_or_else(|| {
        responses.push(Arc::clone(response));
        responses.len() - 1
    });
    u8::try_from(place).expect("no more than there are replicas, and one that was released")
}

/// The response of this place.
fn response_at(place: u8, responses: &[Arc<Response>]) -> Result<Arc<Response>, DecodeError> {
    let response = responses.get(usize::from(place)).map(Arc::clone);
    response.ok_or_else(|| DecodeError::Malformed(format!("response {place} of {}", responses.len())))
}

impl EncodedReply {
    fn decoded(self, responses: &[Arc<Response>]) -> Result<ReplyRecord, DecodeError> {
        let EncodedReply { at, incarnation, response } = self;
        Ok(ReplyRecord { at, incarnation, response: response_at(response, responses)? })
    }
}

impl EncodedConclusion {
    fn decoded(self, responses: &[Arc<Response>]) -> Result<Conclusion, DecodeError> {
        Ok(match self {
            EncodedConclusion::Released { at, response, matching_len } => Conclusion::Released {
                at,
                response: response_at(response, responses)?,
                matching_len: usize::from(matching_len),
            },
            EncodedConclusion::NoAgreement { at } => Conclusion::NoAgreement { at },
            EncodedConclusion::TimedOut { at } => Conclusion::TimedOut { at },
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::market::{GuestFault, Outcome, ShareType, parse_request};
    use crate::protocol::event::Event;
    use crate::protocol::id::{ClientId, NodeId, ReplicaId, RequestId, RequestNumber};
    use crate::protocol::message::{Charge, Command};

    pub fn executed(sequence: u64, capacity: u32) -> Arc<Response> {
        Arc::new(Response::Executed { first: SequenceNumber(sequence), outcome: Outcome::Added { capacity } })
    }

    /// A request that replicas 1 and on have replied to with these capacities, of which the first was released.
    pub fn record(sequence: u64, capacities: &[Option<u32>]) -> Record {
        let request = parse_request(&["NYKA1001", "add-share", "NYKM100925", "Equity", "5"]).unwrap();
        let replies = capacities.iter().map(|capacity| {
            capacity.map(|capacity| ReplyRecord {
                at: Instant(70),
                incarnation: Incarnation(1),
                response: executed(sequence, capacity),
            })
        });
        let response = executed(sequence, capacities[0].unwrap());
        Record {
            sequence: SequenceNumber(sequence),
            asked: Some(Asked {
                id: RequestId { client: ClientId(7), number: RequestNumber(sequence) },
                command: Command::Request(request),
                submitted_at: Instant(50),
                sequenced_at: Instant(60),
            }),
            replies: replies.collect(),
            conclusion: Some(Conclusion::Released { at: Instant(80), response, matching_len: 2 }),
            judged: true,
        }
    }

    pub fn diverged(index: u64, sequence: u64) -> EventRecord {
        let replica = ReplicaId::new(3).unwrap();
        let charge = Charge { replica, incarnation: Incarnation(1), sequence: SequenceNumber(sequence) };
        EventRecord { index, at: Instant(90), node: NodeId::FRONT_END, event: Event::Diverged { charge, run_len: 1 } }
    }

    #[test]
    fn every_kind_of_entry_is_read_back() {
        let fault = Arc::new(Response::Fault(GuestFault::Trap("unreachable".to_owned())));
        let mut unfinished = record(70_000, &[Some(5), None, Some(6)]);
        unfinished.asked = None;
        unfinished.conclusion = None;
        unfinished.replies[1] = Some(ReplyRecord { at: Instant(1), incarnation: Incarnation(2), response: fault });
        let concluded = |conclusion| Entry::Record(Record { conclusion: Some(conclusion), ..unfinished.clone() });
        for entry in [
            Entry::Began { at: Instant(1_790_000_000_000_000), process: 4711 },
            Entry::Record(record(1, &[Some(5), Some(5), Some(6)])),
            Entry::Record(unfinished.clone()),
            concluded(Conclusion::NoAgreement { at: Instant(3) }),
            concluded(Conclusion::TimedOut { at: Instant(3) }),
            Entry::Event(Box::new(diverged(9, 1))),
            Entry::GivenAnew { after: SequenceNumber(12) },
            Entry::Lost { at: Instant(1), len: 3, reason: "no room".to_owned() },
        ] {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn equal_responses_are_written_once() {
        let long = |units| Response::Executed {
            first: SequenceNumber(1),
            outcome: Outcome::Availability {
                share_type: ShareType::Bonus,
                shares: vec![("NYKM100925".parse().unwrap(), units); 1000],
            },
        };
        let mut one = record(1, &[Some(1), Some(1), Some(1)]);
        // Equal, but not the same in memory.
        one.replies.iter_mut().flatten().for_each(|reply| reply.response = Arc::new(long(1)));
        one.conclusion = Some(Conclusion::Released { at: Instant(80), response: Arc::new(long(1)), matching_len: 3 });
        let len_of_one = Entry::Record(one.clone()).encode().len();
        one.replies[2].as_mut().unwrap().response = Arc::new(long(2));
        let len_of_two = Entry::Record(one).encode().len();
        assert!(len_of_one * 3 / 2 < len_of_two && len_of_two < len_of_one * 2 + 10, "{len_of_one}, {len_of_two}");
    }

    #[test]
    fn a_response_that_is_not_there_is_refused() {
        let encoded = Encoded::Record {
            sequence: SequenceNumber(1),
            asked: None,
            responses: vec![executed(1, 1)],
            replies: vec![Some(EncodedReply { at: Instant(1), incarnation: Incarnation(1), response: 1 })],
            conclusion: None,
            judged: false,
        };
        let refused = Entry::decode(&wire::encode_state(&encoded)).unwrap_err();
        assert_eq!(refused, DecodeError::Malformed("response 1 of 1".to_owned()));
    }

    #[test]
    fn an_entry_of_a_request_takes_little_more_than_a_hundred_bytes() {
        let mut realistic = record(1_000_000, &[Some(5), Some(5), Some(5)]);
        let now = Instant(1_790_000_000_000_000);
        realistic.asked.as_mut().unwrap().submitted_at = now;
        realistic.asked.as_mut().unwrap().sequenced_at = now;
        realistic.replies.iter_mut().flatten().for_each(|reply| reply.at = now);
        let len = Entry::Record(realistic).encode().len();
        assert!(len < 130, "{len}");
    }
}
