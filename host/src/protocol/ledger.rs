//! The ledger: for each place of the order, what was asked, what each replica answered when, and what was released and why.
//!
//! It is what `dsms why` reads. It holds the most recent places only, bounded in number and in bytes. What outlives the process is
//! handed out as entries, for a driver that writes them.
//!
//! | File | Its part |
//! |---|---|
//! | `journal.rs` | which entries are to be written, and when |
//! | `entry.rs` | entries, and how they become bytes |
//! | `news.rs` | what becomes of its files |
//! | `recollection.rs` | what entries amount to at one place |

mod entry;
mod journal;
mod news;
mod recollection;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::{Incarnation, ReplicaId, RequestId, SequenceNumber};
use super::limits::{LEDGER_BYTES_MAX, LEDGER_LEN_MAX};
use super::message::{Command, Response};
use super::time::Instant;

pub use entry::Entry;
use journal::{Journal, Mark};
pub use news::LedgerNews;
pub use recollection::Recollection;

/// Most places before the first one that is heard of at which a ledger begins. Nodes are heard of in any order, so what comes next may
/// be about an earlier place.
const MARGIN_LEN: u64 = 1024;

/// The most recent records, one a sequence number, without a gap.
#[derive(Debug)]
pub struct Ledger {
    replicas_len: usize,
    /// The sequence number of the record in front.
    first: SequenceNumber,
    slots: VecDeque<Slot>,
    /// Estimated size of all responses.
    size_bytes: usize,
    journal: Journal,
}

/// A record, and what was written of it.
#[derive(Debug)]
struct Slot {
    record: Record,
    written: Option<Mark>,
    /// Whether it may have changed in this turn.
    is_touched: bool,
}

/// All that the front end saw of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The place.
    pub sequence: SequenceNumber,
    /// What was asked, once the sequencer has said so.
    pub asked: Option<Asked>,
    /// Each replica's reply, `None` for those that have not replied.
    pub replies: Vec<Option<ReplyRecord>>,
    /// What the client was told.
    pub conclusion: Option<Conclusion>,
    /// Whether all replicas that are waited for had replied, so that those who differ were accused.
    pub judged: bool,
}

/// A request and its way to the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whose request, and as which.
    pub id: RequestId,
    /// What was asked.
    pub command: Command,
    /// When it was sent to the sequencer.
    pub submitted_at: Instant,
    /// When the sequencer's answer came.
    pub sequenced_at: Instant,
}

/// One replica's reply. Equal responses are stored once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRecord {
    /// When it arrived.
    pub at: Instant,
    /// Which life of the replica spoke.
    pub incarnation: Incarnation,
    /// What it said.
    pub response: Arc<Response>,
}

/// How the vote on one order ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conclusion {
    /// Enough replies were equal.
    Released {
        /// When.
        at: Instant,
        /// What they said.
        response: Arc<Response>,
        /// How many said it by then.
        matching_len: usize,
    },
    /// No response can be shared by enough.
    NoAgreement {
        /// When that was clear.
        at: Instant,
    },
    /// The client was told that nothing was heard in time.
    TimedOut {
        /// When.
        at: Instant,
    },
}

impl Ledger {
    /// An empty ledger for a cluster of so many replicas.
    pub fn new(replicas_len: usize) -> Ledger {
        let (first, slots) = (SequenceNumber(1), VecDeque::new());
        Ledger { replicas_len, first, slots, size_bytes: 0, journal: Journal::default() }
    }

    /// The record of one place; `None` if the place is older or newer than what is held.
    pub fn record(&self, sequence: SequenceNumber) -> Option<&Record> {
        Some(&self.slots.get(self.place(sequence)?)?.record)
    }

    /// The records of the places after this one, in order, as far as they are held.
    pub fn after(&self, sequence: SequenceNumber) -> impl Iterator<Item = &Record> {
        let skipped = (sequence.0.saturating_add(1)).saturating_sub(self.first.0);
        self.slots.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).map(|slot| &slot.record)
    }

    /// How many places are held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The oldest and the newest place held; `None` while nothing is.
    pub fn range(&self) -> Option<(SequenceNumber, SequenceNumber)> {
        Some((self.first, self.slots.back()?.record.sequence))
    }

    /// The record of one place, to be written; made if the place is new, `None` if it is forgotten.
    pub fn record_mut(&mut self, sequence: SequenceNumber) -> Option<&mut Record> {
        let end = self.first.0 + self.slots.len() as u64;
        if self.slots.is_empty() || sequence.0 >= end.saturating_add(LEDGER_LEN_MAX as u64) {
            // The process is new, or so far behind that nothing held now would survive: begin there.
            while !self.slots.is_empty() {
                self.forget_oldest();
            }
            self.first = SequenceNumber(sequence.0.saturating_sub(MARGIN_LEN).max(1));
        }
        while self.first.0 + self.slots.len() as u64 <= sequence.0 {
            let sequence = SequenceNumber(self.first.0 + self.slots.len() as u64);
            // A forgotten record leaves its list to the next one, so that a full ledger takes no memory any more.
            let mut replies = if self.slots.len() >= LEDGER_LEN_MAX { self.forget_oldest() } else { Vec::new() };
            replies.resize(self.replicas_len, None);
            let record = Record { sequence, asked: None, replies, conclusion: None, judged: false };
            self.slots.push_back(Slot { record, written: None, is_touched: false });
        }
        let place = self.place(sequence)?;
        self.touch(place);
        self.slots.get_mut(place).map(|slot| &mut slot.record)
    }

    /// Writes down a reply. Returns the record with it, or why the reply is ignored.
    pub fn add_reply(
        &mut self,
        sequence: SequenceNumber,
        replica: ReplicaId,
        incarnation: Incarnation,
        response: Response,
        at: Instant,
    ) -> Result<&mut Record, &'static str> {
        let record = self.record_mut(sequence).ok_or("the ledger has forgotten this place")?;
        let slot = record.replies.get(replica.index()).ok_or("not a replica of this cluster")?;
        let equal = record.replies.iter().flatten().find(|reply| *reply.response == response);
        let response = equal.map_or_else(|| Arc::new(response), |reply| Arc::clone(&reply.response));
        let reply = ReplyRecord { at, incarnation, response };
        if slot.as_ref().is_some_and(|earlier| !reply.improves(earlier)) {
            return Err("replied already");
        }
        let before_bytes = record.distinct_size_bytes();
        record.replies[replica.index()] = Some(reply);
        let after_bytes = record.distinct_size_bytes();
        self.size_bytes += after_bytes;
        self.size_bytes -= before_bytes;
        while self.size_bytes > LEDGER_BYTES_MAX && self.slots.len() > 1 {
            self.forget_oldest();
        }
        self.record_mut(sequence).ok_or("the ledger has forgotten this place")
    }

    /// Forgets all places after this one: their numbers will be given anew.
    pub fn forget_after(&mut self, after: SequenceNumber) {
        while let Some(slot) = self.slots.pop_back_if(|slot| slot.record.sequence > after) {
            self.size_bytes -= slot.record.distinct_size_bytes();
        }
        self.note(|| Entry::GivenAnew { after });
    }

    fn place(&self, sequence: SequenceNumber) -> Option<usize> {
        usize::try_from(sequence.0.checked_sub(self.first.0)?).ok()
    }

    /// Forgets the oldest record, and gives its emptied list.
    fn forget_oldest(&mut self) -> Vec<Option<ReplyRecord>> {
        self.write_down_before_forgetting();
        let mut record = self.slots.pop_front().expect("a bound is reached by what is held").record;
        self.first = self.first.next();
        self.size_bytes -= record.distinct_size_bytes();
        record.replies.clear();
        record.replies
    }
}

impl ReplyRecord {
    /// What the replica says, unless it says that its module failed: a fault is nothing that replicas could agree on.
    pub fn outcome(&self) -> Option<&Arc<Response>> {
        (!matches!(*self.response, Response::Fault(_))).then_some(&self.response)
    }
}

impl Record {
    fn distinct_size_bytes(&self) -> usize {
        let mut size = 0;
        for (index, reply) in self.replies.iter().enumerate() {
            let Some(reply) = reply else { continue };
            let is_first =
                !self.replies[..index].iter().flatten().any(|earlier| Arc::ptr_eq(&earlier.response, &reply.response));
            size += if is_first { size_bytes(&reply.response) } else { 0 };
        }
        size
    }

    /// Whether every replica has replied, apart from those that nobody waits for.
    pub fn is_complete(&self, is_awaited: impl Fn(ReplicaId) -> bool) -> bool {
        let mut replies = ReplicaId::first(self.replies.len()).zip(&self.replies);
        replies.all(|(replica, reply)| reply.is_some() || !is_awaited(replica))
    }
}

fn size_bytes(response: &Response) -> usize {
    match response {
        Response::Executed { outcome, .. } => size_of::<Response>() + outcome.size_bytes(),
        _ => size_of::<Response>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Outcome, ShareType};

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::new(number).unwrap()
    }

    fn availability(len: usize) -> Response {
        let shares = vec![("NYKM100925".parse().unwrap(), 1); len];
        Response::Executed {
            first: SequenceNumber(1),
            outcome: Outcome::Availability { share_type: ShareType::Bonus, shares },
        }
    }

    fn add(ledger: &mut Ledger, sequence: u64, number: u8, response: Response) -> Result<(), &'static str> {
        ledger.add_reply(SequenceNumber(sequence), replica(number), Incarnation(1), response, Instant(0)).map(|_| ())
    }

    #[test]
    fn equal_responses_are_stored_once() {
        let mut ledger = Ledger::new(3);
        add(&mut ledger, 1, 1, availability(1000)).unwrap();
        let one = ledger.size_bytes;
        add(&mut ledger, 1, 2, availability(1000)).unwrap();
        assert_eq!(ledger.size_bytes, one);
        add(&mut ledger, 1, 3, availability(999)).unwrap();
        assert!(ledger.size_bytes > one);
        assert_eq!(ledger.size_bytes, ledger.record(SequenceNumber(1)).unwrap().distinct_size_bytes());
    }

    #[test]
    fn a_replica_replies_once_and_must_be_of_the_cluster() {
        let mut ledger = Ledger::new(3);
        add(&mut ledger, 1, 1, Response::Forgotten).unwrap();
        assert_eq!(add(&mut ledger, 1, 1, Response::Forgotten), Err("replied already"));
        assert_eq!(add(&mut ledger, 1, 4, Response::Forgotten), Err("not a replica of this cluster"));
    }

    #[test]
    fn the_oldest_places_are_forgotten_by_number() {
        let mut ledger = Ledger::new(1);
        let newest = LEDGER_LEN_MAX as u64 + 5;
        for sequence in 1..=newest {
            add(&mut ledger, sequence, 1, Response::Forgotten).unwrap();
        }
        assert_eq!(ledger.range(), Some((SequenceNumber(6), SequenceNumber(newest))));
        assert_eq!(add(&mut ledger, 5, 1, Response::Forgotten), Err("the ledger has forgotten this place"));
    }

    #[test]
    fn the_places_after_one_are_those_held_after_it() {
        let mut ledger = Ledger::new(1);
        let newest = LEDGER_LEN_MAX as u64 + 5;
        for sequence in 1..=newest {
            add(&mut ledger, sequence, 1, Response::Forgotten).unwrap();
        }
        let after =
            |sequence| ledger.after(SequenceNumber(sequence)).map(|record| record.sequence.0).collect::<Vec<_>>();
        assert_eq!(after(newest - 2), [newest - 1, newest]);
        assert_eq!((after(0).len(), after(0)[0], after(6)[0]), (LEDGER_LEN_MAX, 6, 7));
        assert_eq!((after(newest), after(u64::MAX)), (vec![], vec![]));
    }

    #[test]
    fn the_oldest_places_are_forgotten_by_size() {
        let mut ledger = Ledger::new(1);
        for sequence in 1..=1000 {
            add(&mut ledger, sequence, 1, availability(10_000)).unwrap();
            assert!(ledger.size_bytes <= LEDGER_BYTES_MAX);
        }
        assert!(ledger.range().unwrap().0 > SequenceNumber(1));
    }

    #[test]
    fn a_place_far_ahead_begins_the_ledger_anew_without_filling_the_gap() {
        let mut ledger = Ledger::new(1);
        add(&mut ledger, 1, 1, Response::Forgotten).unwrap();
        add(&mut ledger, u64::MAX / 2, 1, Response::Forgotten).unwrap();
        let newest = u64::MAX / 2;
        assert_eq!(ledger.range(), Some((SequenceNumber(newest - MARGIN_LEN), SequenceNumber(newest))));
    }

    #[test]
    fn a_new_ledger_begins_where_the_order_is_but_for_a_margin() {
        let mut ledger = Ledger::new(1);
        add(&mut ledger, 30_000, 1, Response::Forgotten).unwrap();
        add(&mut ledger, 29_999, 1, Response::Forgotten).unwrap();
        assert_eq!(ledger.range(), Some((SequenceNumber(30_000 - MARGIN_LEN), SequenceNumber(30_000))));
    }

    #[test]
    fn places_that_are_given_anew_are_forgotten_with_their_size() {
        let mut ledger = Ledger::new(1);
        (1..=3).for_each(|sequence| add(&mut ledger, sequence, 1, availability(10)).unwrap());
        let of_one = ledger.size_bytes / 3;
        ledger.forget_after(SequenceNumber(1));
        assert_eq!((ledger.range(), ledger.size_bytes), (Some((SequenceNumber(1), SequenceNumber(1))), of_one));
        add(&mut ledger, 2, 1, availability(20)).unwrap();
        ledger.forget_after(SequenceNumber(0));
        assert_eq!((ledger.range(), ledger.size_bytes), (None, 0));
    }
}
