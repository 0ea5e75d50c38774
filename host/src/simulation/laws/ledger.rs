//! What a front end has written down of what it did.

use std::collections::BTreeSet;

use super::{Held, Laws, broken};
use crate::protocol::id::{NodeId, RequestId};
use crate::protocol::ledger::{Conclusion, Entry, Record};
use crate::protocol::message::Response;

/// What the present process of a front end has released, and what it has had written.
#[derive(Debug, Default)]
pub(super) struct Written {
    released: BTreeSet<RequestId>,
    written: BTreeSet<RequestId>,
}

impl Laws {
    /// A front end releases the outcome of this request.
    pub fn on_released(&mut self, front_end: NodeId, id: RequestId) {
        self.written.entry(front_end).or_default().released.insert(id);
    }

    /// A front end has an entry be written. What it calls released is the outcome of the reference market.
    pub fn entries_say_what_was_released(&mut self, front_end: NodeId, entry: &Entry) -> Held {
        let Entry::Record(Record { sequence, asked: Some(asked), conclusion, .. }) = entry else { return Ok(()) };
        let Some(Conclusion::Released { response, .. }) = conclusion else { return Ok(()) };
        let Response::Executed { first, outcome } = &**response else { return Ok(()) };
        self.checked += 1;
        if self.reference.outcome_at(*first) != Some((*first, outcome)) {
            let words =
                format!("what is written of #{sequence} is {outcome} of #{first}, which the order does not amount to");
            return broken("entries_say_what_was_released", words);
        }
        self.written.entry(front_end).or_default().written.insert(asked.id);
        Ok(())
    }

    /// The processes of the front ends end in order: whatever it has released is written.
    pub fn whatever_was_released_is_written(&mut self) -> Held {
        self.checked += 1;
        let missing = |of: &Written| of.released.difference(&of.written).next().copied();
        match self.written.values().find_map(missing) {
            None => Ok(()),
            Some(id) => broken("whatever_was_released_is_written", format!("nothing is written of request {id}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::market::{Outcome, parse_request};
    use crate::protocol::id::{ClientId, RequestNumber, SequenceNumber};
    use crate::protocol::ledger::Asked;
    use crate::protocol::message::{Command, Order};
    use crate::protocol::quorum::Tolerance;
    use crate::protocol::time::Instant;

    #[test]
    fn a_wrong_entry_and_a_missing_one_break_a_law() {
        let id = RequestId { client: ClientId(1), number: RequestNumber(1) };
        let request = parse_request(&["NYKA1001", "add-share", "NYKM100925", "Equity", "5"]).unwrap();
        let (sequence, command) = (SequenceNumber(1), Command::Request(request));
        let mut laws = Laws::new(Tolerance::BYZANTINE, 3, 100);
        laws.the_sequencer_gives_each_place_once(&Order {
            sequence,
            time_ms: 1,
            origin: NodeId::FRONT_END,
            id,
            command,
        })
        .unwrap();
        let entry = |capacity| {
            let response = Response::Executed { first: sequence, outcome: Outcome::Added { capacity } };
            Entry::Record(Record {
                sequence,
                asked: Some(Asked { id, command, submitted_at: Instant(1), sequenced_at: Instant(1) }),
                replies: vec![None; 3],
                conclusion: Some(Conclusion::Released {
                    at: Instant(2),
                    response: Arc::new(response),
                    matching_len: 2,
                }),
                judged: true,
            })
        };
        assert_eq!(
            laws.entries_say_what_was_released(NodeId::FRONT_END, &entry(6)).unwrap_err().law,
            "entries_say_what_was_released"
        );
        laws.whatever_was_released_is_written().unwrap();
        laws.on_released(NodeId::FRONT_END, id);
        assert_eq!(laws.whatever_was_released_is_written().unwrap_err().law, "whatever_was_released_is_written");
        laws.entries_say_what_was_released(NodeId::FRONT_END, &entry(5)).unwrap();
        laws.whatever_was_released_is_written().unwrap();
    }
}
