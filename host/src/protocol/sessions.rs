//! What each client was answered, so that a retried request is executed once and answered with its first outcome.
//!
//! The table is a function of the order alone: every replica manager forgets the same sessions at the same sequence number,
//! whatever its machine does. It is part of what a checkpoint holds.

use std::collections::BTreeMap;

use crate::market::Outcome;

use super::id::{ClientId, RequestId, RequestNumber, SequenceNumber};
use super::limits::{IN_FLIGHT_PER_CLIENT_MAX, SESSIONS_BYTES_MAX, SESSIONS_LEN_MAX};

/// The outcomes that clients may still ask for again.
#[derive(Debug, Default)]
pub struct Sessions {
    by_client: BTreeMap<ClientId, Session>,
    /// The client of each session under the sequence number of its last use, so that the idlest comes first.
    by_last_use: BTreeMap<SequenceNumber, ClientId>,
    /// Estimated size of all outcomes.
    size_bytes: usize,
}

#[derive(Debug)]
struct Session {
    last_use: SequenceNumber,
    /// Numbers below this one were executed, or given up by the client, and are forgotten.
    forgotten_below: RequestNumber,
    outcomes: BTreeMap<RequestNumber, (SequenceNumber, Outcome)>,
}

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// It was not executed.
    New,
    /// It was executed, with this outcome.
    Executed {
        /// Where in the order.
        first: SequenceNumber,
        /// What came out.
        outcome: &'a Outcome,
    },
    /// It is too old to say.
    Forgotten,
}

impl Sessions {
    /// What is known of a request.
    pub fn look_up(&self, id: RequestId) -> Known<'_> {
        let Some(session) = self.by_client.get(&id.client) else { return Known::New };
        match session.outcomes.get(&id.number) {
            Some((first, outcome)) => Known::Executed { first: *first, outcome },
            None if id.number < session.forgotten_below => Known::Forgotten,
            None => Known::New,
        }
    }

    /// Remembers the outcome of a request that [`Sessions::look_up`] called new, and forgets what goes beyond the bounds.
    pub fn record(&mut self, id: RequestId, sequence: SequenceNumber, outcome: Outcome) {
        let session = self.by_client.entry(id.client).or_insert_with(|| Session {
            last_use: sequence,
            forgotten_below: RequestNumber(0),
            outcomes: BTreeMap::new(),
        });
        self.by_last_use.remove(&session.last_use);
        self.by_last_use.insert(sequence, id.client);
        session.last_use = sequence;
        self.size_bytes += outcome.size_bytes();
        let earlier = session.outcomes.insert(id.number, (sequence, outcome));
        assert!(earlier.is_none(), "request {id} was executed twice, first at {:?}", earlier.map(|(first, _)| first));
        while session.outcomes.len() > IN_FLIGHT_PER_CLIENT_MAX {
            let (number, (_, outcome)) = session.outcomes.pop_first().expect("more than the bound are there");
            session.forgotten_below = RequestNumber(number.0.saturating_add(1));
            self.size_bytes -= outcome.size_bytes();
        }
        while self.by_client.len() > SESSIONS_LEN_MAX
            || (self.size_bytes > SESSIONS_BYTES_MAX && self.by_client.len() > 1)
        {
            self.forget_idlest();
        }
    }

    fn forget_idlest(&mut self) {
        let (_, client) = self.by_last_use.pop_first().expect("every session has a last use");
        let session = self.by_client.remove(&client).expect("every last use is that of a session");
        self.size_bytes -= session.outcomes.values().map(|(_, outcome)| outcome.size_bytes()).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(client: u64, number: u64) -> RequestId {
        RequestId { client: ClientId(client), number: RequestNumber(number) }
    }

    fn outcome(capacity: u32) -> Outcome {
        Outcome::Added { capacity }
    }

    #[test]
    fn a_request_is_known_by_its_client_and_number() {
        let mut sessions = Sessions::default();
        sessions.record(id(1, 7), SequenceNumber(3), outcome(5));
        assert_eq!(sessions.look_up(id(1, 7)), Known::Executed { first: SequenceNumber(3), outcome: &outcome(5) });
        assert_eq!(sessions.look_up(id(1, 8)), Known::New);
        assert_eq!(sessions.look_up(id(2, 7)), Known::New);
    }

    #[test]
    fn a_request_behind_the_window_is_forgotten_but_never_new() {
        let mut sessions = Sessions::default();
        let window = IN_FLIGHT_PER_CLIENT_MAX as u64;
        for number in 1..=window + 1 {
            sessions.record(id(1, number), SequenceNumber(number), outcome(1));
        }
        assert_eq!(sessions.look_up(id(1, 1)), Known::Forgotten);
        assert!(matches!(sessions.look_up(id(1, 2)), Known::Executed { .. }));
    }

    #[test]
    fn the_idlest_session_goes_first() {
        let mut sessions = Sessions::default();
        for client in 1..=SESSIONS_LEN_MAX as u64 {
            sessions.record(id(client, 1), SequenceNumber(client), outcome(1));
        }
        sessions.record(id(1, 2), SequenceNumber(5000), outcome(1));
        sessions.record(id(9_999, 1), SequenceNumber(5001), outcome(1));
        assert_eq!(sessions.look_up(id(2, 1)), Known::New, "client 2 was idle longest");
        assert!(matches!(sessions.look_up(id(1, 1)), Known::Executed { .. }));
    }

    #[test]
    fn large_outcomes_push_out_idle_sessions() {
        let mut sessions = Sessions::default();
        let share = "NYKM100925".parse().unwrap();
        let large =
            Outcome::Availability { share_type: crate::market::ShareType::Equity, shares: vec![(share, 1); 100_000] };
        let fit = SESSIONS_BYTES_MAX / large.size_bytes();
        for client in 1..=fit as u64 + 1 {
            sessions.record(id(client, 1), SequenceNumber(client), large.clone());
            assert!(sessions.size_bytes <= SESSIONS_BYTES_MAX);
        }
        assert_eq!(sessions.look_up(id(1, 1)), Known::New);
        assert!(matches!(sessions.look_up(id(2, 1)), Known::Executed { .. }));
    }
}
