//! What a replica manager must not forget when its process ends: as records, one by one, and as what they amount to.
//!
//! A manager emits a [`Record`] whenever something changes that a later process of it has to know, before it says or does anything
//! that follows from it. Who keeps records, and how, is not known here; whoever reads them again makes a [`Recovered`] of them, with
//! which the next process begins. A log that was cut off anywhere is a valid one: it is then as if the manager had ended earlier.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::id::{Incarnation, SequenceNumber};
use super::limits::STABLE_LEN_MAX;
use super::message::{Certificate, Order};
use super::order_log::OrderLog;
use super::tentative::Tentative;
use super::wire;

/// A change of what a manager must not forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An order was delivered: the next one after the last.
    Order(Order),
    /// The request at this place, which was delivered, is void.
    Void(SequenceNumber),
    /// The replica begins this life.
    Life(Incarnation),
    /// A certified checkpoint is kept.
    Checkpoint(Checkpoint, Certificate),
    /// A tentative checkpoint of the present life. It is good for the next process, which begins another life, and for no later one.
    Tentative(Tentative),
    /// The log begins after this place: neither orders up to there nor checkpoints from before it are needed any more. If the log does
    /// not reach as far, or begins later, it holds nothing else.
    Begin(SequenceNumber),
}

/// A record as bytes. A checkpoint is encoded as it travels, so that it is compared with its certificate when it is read.
#[derive(Serialize, Deserialize)]
enum Encoded {
    Order(Order),
    Void(SequenceNumber),
    Life(Incarnation),
    Checkpoint(Certificate, Vec<u8>),
    Begin(SequenceNumber),
    Tentative(Tentative),
}

impl Record {
    /// The record as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = match self {
            Record::Order(order) => Encoded::Order(*order),
            Record::Void(sequence) => Encoded::Void(*sequence),
            Record::Life(incarnation) => Encoded::Life(*incarnation),
            Record::Checkpoint(checkpoint, certificate) => {
                Encoded::Checkpoint(certificate.clone(), checkpoint.encode())
            }
            Record::Tentative(tentative) => Encoded::Tentative(tentative.clone()),
            Record::Begin(after) => Encoded::Begin(*after),
        };
        wire::encode_state(&encoded)
    }

    /// Reads a record, or says why these bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Record, String> {
        let encoded = wire::decode_state(bytes).map_err(|error| error.to_string())?;
        Ok(match encoded {
            Encoded::Order(order) => Record::Order(order),
            Encoded::Void(sequence) => Record::Void(sequence),
            Encoded::Life(incarnation) => Record::Life(incarnation),
            Encoded::Checkpoint(certificate, bytes) => {
                let checkpoint = Checkpoint::decode(&bytes, &certificate)
                    .map_err(|reason| format!("the checkpoint after #{}: {reason}", certificate.sequence))?;
                Record::Checkpoint(checkpoint, certificate)
            }
            Encoded::Tentative(tentative) => Record::Tentative(tentative),
            Encoded::Begin(after) => Record::Begin(after),
        })
    }
}

/// What all records amount to. Without any, it is what a manager begins with that has never lived.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The last life of the replica; 0 if there was none.
    pub incarnation: Incarnation,
    /// The delivered orders.
    pub log: OrderLog,
    /// Certified checkpoints, the latest at the end; at most [`STABLE_LEN_MAX`].
    pub stable: VecDeque<(Checkpoint, Certificate)>,
    /// A later one that the last life has written down by itself, if it has.
    pub tentative: Option<Tentative>,
}

impl Recovered {
    /// Takes in the next record, or says why it cannot follow those before it.
    pub fn apply(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Order(order) if order.sequence != self.log.end().next() => {
                return Err(format!("order #{} follows #{}", order.sequence, self.log.end()));
            }
            Record::Order(order) => self.log.push(order),
            Record::Void(sequence) if sequence > self.log.end() => {
                return Err(format!("#{sequence} becomes void, but the log ends at #{}", self.log.end()));
            }
            Record::Void(sequence) => {
                self.log.void(sequence);
                // It was taken when the request still counted.
                self.tentative.take_if(|tentative| tentative.sequence >= sequence);
            }
            Record::Life(incarnation) => {
                self.incarnation = self.incarnation.max(incarnation);
                // Whatever ended the life that wrote it, the next one had its chance.
                self.tentative = None;
            }
            Record::Checkpoint(checkpoint, certificate) => {
                self.stable.retain(|(other, _)| other.sequence != checkpoint.sequence);
                self.stable.push_back((checkpoint, certificate));
                self.stable.make_contiguous().sort_by_key(|(checkpoint, _)| checkpoint.sequence);
                if self.stable.len() > STABLE_LEN_MAX + 1 {
                    self.stable.pop_front();
                }
            }
            Record::Tentative(tentative) if tentative.sequence > self.log.end() => {
                return Err(format!(
                    "a checkpoint after #{}, but the log ends at #{}",
                    tentative.sequence,
                    self.log.end()
                ));
            }
            Record::Tentative(tentative) => self.tentative = Some(tentative),
            Record::Begin(after) => {
                if (self.log.start()..=self.log.end()).contains(&after) {
                    self.log.truncate(after);
                } else {
                    self.log.begin_after(after);
                    self.tentative = None;
                }
                self.stable.retain(|(checkpoint, _)| checkpoint.sequence >= after);
            }
        }
        Ok(())
    }

    /// All records are there. Drops checkpoints that the log does not lead on from: those before its beginning, and one whose
    /// [`Record::Begin`] is missing; and a tentative one that a certified one has overtaken.
    pub fn finish(&mut self) {
        let held = self.log.start()..=self.log.end();
        self.stable.retain(|(checkpoint, _)| held.contains(&checkpoint.sequence));
        while self.stable.len() > STABLE_LEN_MAX {
            self.stable.pop_front();
        }
        let certified = self.stable.back().map(|(checkpoint, _)| checkpoint.sequence);
        self.tentative.take_if(|own| !held.contains(&own.sequence) || certified >= Some(own.sequence));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::market::MarketState;
    use crate::protocol::checkpoint::ClientTables;
    use crate::protocol::id::{ClientId, NodeId, RequestId, RequestNumber};
    use crate::protocol::message::Command;

    /// An order at this place.
    pub(crate) fn order(sequence: u64) -> Record {
        let id = RequestId { client: ClientId(1), number: RequestNumber(sequence) };
        let sequence = SequenceNumber(sequence);
        Record::Order(Order { sequence, time_ms: sequence.0, origin: NodeId::FRONT_END, id, command: Command::Barrier })
    }

    #[test]
    fn a_record_that_cannot_follow_is_refused_in_words() {
        let mut recovered = Recovered::default();
        recovered.apply(order(1)).unwrap();
        assert_eq!(recovered.apply(order(3)).unwrap_err(), "order #3 follows #1");
        let ahead = recovered.apply(Record::Void(SequenceNumber(2)));
        assert_eq!(ahead.unwrap_err(), "#2 becomes void, but the log ends at #1");
        assert!(Record::decode(b"").unwrap_err().contains("empty"));
    }

    #[test]
    fn the_log_begins_where_it_is_said_and_goes_on_from_there() {
        let mut recovered = Recovered::default();
        (1..=5).for_each(|sequence| recovered.apply(order(sequence)).unwrap());
        recovered.apply(Record::Begin(SequenceNumber(3))).unwrap();
        assert_eq!((recovered.log.start().0, recovered.log.end().0), (3, 5));
        recovered.apply(Record::Begin(SequenceNumber(9))).unwrap();
        recovered.apply(order(10)).unwrap();
        assert_eq!((recovered.log.start().0, recovered.log.end().0, recovered.log.time_ms()), (9, 10, 10));
        recovered.apply(Record::Begin(SequenceNumber(2))).unwrap();
        assert_eq!((recovered.log.start().0, recovered.log.end().0), (2, 2));
    }

    #[test]
    fn the_latest_life_counts() {
        let mut recovered = Recovered::default();
        [3, 5, 4].into_iter().for_each(|life| recovered.apply(Record::Life(Incarnation(life))).unwrap());
        assert_eq!(recovered.incarnation, Incarnation(5));
    }

    fn tentative(sequence: u64) -> Record {
        let state = MarketState::default();
        let digest = state.digest();
        let tables = ClientTables::default();
        Record::Tentative(Tentative::of(&Checkpoint::new(SequenceNumber(sequence), Arc::new(state), digest, &tables)))
    }

    /// The place of the tentative checkpoint that is left of five orders, it, and these records.
    fn left(place: u64, records: Vec<Record>) -> Option<u64> {
        let mut recovered = Recovered::default();
        (1..=5).map(order).chain([tentative(place)]).chain(records).for_each(|record| recovered.apply(record).unwrap());
        recovered.finish();
        recovered.tentative.map(|tentative| tentative.sequence.0)
    }

    #[test]
    fn a_tentative_checkpoint_is_left_as_long_as_the_log_leads_on_from_it_and_its_life_goes_on() {
        let begin = |after| vec![Record::Begin(SequenceNumber(after))];
        assert_eq!(left(3, Vec::new()), Some(3));
        assert_eq!(left(3, vec![tentative(4)]), Some(4));
        assert_eq!(left(3, begin(3)), Some(3));
        assert_eq!(left(3, begin(4)), None, "the order after it is gone");
        assert_eq!(left(3, begin(9)), None, "the log was begun anew");
        assert_eq!(left(3, vec![Record::Void(SequenceNumber(4))]), Some(3));
        assert_eq!(left(3, vec![Record::Void(SequenceNumber(3))]), None, "it counts what is void");
        assert_eq!(left(3, vec![Record::Life(Incarnation(2))]), None);
        let mut recovered = Recovered::default();
        recovered.apply(order(1)).unwrap();
        let ahead = recovered.apply(tentative(2)).unwrap_err();
        assert_eq!(ahead, "a checkpoint after #2, but the log ends at #1");
    }
}
