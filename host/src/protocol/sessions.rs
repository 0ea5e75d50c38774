//! What each client was answered, so that a retried request is answered with its first outcome.
//!
//! It is written and read when an order's turn has come to be replied to, so it is a function of the order alone: every replica
//! manager forgets the same outcomes at the same sequence number, whatever its machine does. Whether a request is executed is not
//! decided here but in [`admissions`](super::admissions). Both are part of what a checkpoint holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::market::Outcome;

use super::id::{ClientId, RequestId, RequestNumber, SequenceNumber};
use super::limits::{IN_FLIGHT_PER_CLIENT_MAX, SESSIONS_BYTES_MAX, SESSIONS_LEN_MAX};

/// The outcomes that clients may still ask for again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sessions {
    by_client: BTreeMap<ClientId, Session>,
    /// The client of each session under the sequence number of its last use, so that the idlest comes first.
    by_last_use: BTreeMap<SequenceNumber, ClientId>,
    /// Estimated size of all outcomes.
    size_bytes: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    last_use: SequenceNumber,
    outcomes: BTreeMap<RequestNumber, (SequenceNumber, Outcome)>,
}

impl Sessions {
    /// Where a request was executed first, and what came out; `None` if that is forgotten, or has never been.
    pub fn look_up(&self, id: RequestId) -> Option<(SequenceNumber, &Outcome)> {
        let (first, outcome) = self.by_client.get(&id.client)?.outcomes.get(&id.number)?;
        Some((*first, outcome))
    }

    /// Remembers the outcome of a request that was executed for the first time, and forgets what goes beyond the bounds.
    pub fn record(&mut self, id: RequestId, sequence: SequenceNumber, outcome: Outcome) {
        let session = self
            .by_client
            .entry(id.client)
            .or_insert_with(|| Session { last_use: sequence, outcomes: BTreeMap::new() });
        self.by_last_use.remove(&session.last_use);
        self.by_last_use.insert(sequence, id.client);
        session.last_use = sequence;
        self.size_bytes += outcome.size_bytes();
        // A client that the admissions have forgotten for its idleness, and this table has not, may have a request executed anew.
        if let Some((_, earlier)) = session.outcomes.insert(id.number, (sequence, outcome)) {
            self.size_bytes -= earlier.size_bytes();
        }
        while session.outcomes.len() > IN_FLIGHT_PER_CLIENT_MAX {
            self.size_bytes -= session.forget_first();
        }
        while self.by_client.len() > SESSIONS_LEN_MAX
            || (self.size_bytes > SESSIONS_BYTES_MAX && self.by_client.len() > 1)
        {
            self.forget_idlest();
        }
        let Some(session) = self.by_client.get_mut(&id.client) else { return };
        while self.size_bytes > SESSIONS_BYTES_MAX && session.outcomes.len() > 1 {
            self.size_bytes -= session.forget_first();
        }
    }

    /// Whether this can be the table after this order: what is said twice is said equally, and no bound is passed.
    pub fn are_sound_after(&self, sequence: SequenceNumber) -> bool {
        let is_sound = |(client, session): (&ClientId, &Session)| {
            session.last_use <= sequence
                && self.by_last_use.get(&session.last_use) == Some(client)
                && session.outcomes.len() <= IN_FLIGHT_PER_CLIENT_MAX
        };
        let len = self.by_client.len();
        let size_bytes = self.by_client.values().map(Session::size_bytes).sum::<usize>();
        len == self.by_last_use.len()
            && len <= SESSIONS_LEN_MAX
            && size_bytes == self.size_bytes
            && self.by_client.iter().all(is_sound)
    }

    fn forget_idlest(&mut self) {
        let (_, client) = self.by_last_use.pop_first().expect("every session has a last use");
        let session = self.by_client.remove(&client).expect("every last use is that of a session");
        self.size_bytes -= session.size_bytes();
    }
}

impl Session {
    fn size_bytes(&self) -> usize {
        self.outcomes.values().map(|(_, outcome)| outcome.size_bytes()).sum()
    }

    /// Forgets the outcome with the smallest number; its size in bytes.
    fn forget_first(&mut self) -> usize {
        let (_, (_, outcome)) = self.outcomes.pop_first().expect("a bound is exceeded by what is there");
        outcome.size_bytes()
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

    fn large() -> Outcome {
        let share = "NYKM100925".parse().unwrap();
        Outcome::Availability { share_type: crate::market::ShareType::Equity, shares: vec![(share, 1); 100_000] }
    }

    #[test]
    fn an_outcome_is_known_by_its_client_and_number() {
        let mut sessions = Sessions::default();
        sessions.record(id(1, 7), SequenceNumber(3), outcome(5));
        assert_eq!(sessions.look_up(id(1, 7)), Some((SequenceNumber(3), &outcome(5))));
        assert_eq!(sessions.look_up(id(1, 8)), None);
        assert_eq!(sessions.look_up(id(2, 7)), None);
    }

    #[test]
    fn an_outcome_behind_the_window_is_forgotten() {
        let mut sessions = Sessions::default();
        let window = IN_FLIGHT_PER_CLIENT_MAX as u64;
        for number in 1..=window + 1 {
            sessions.record(id(1, number), SequenceNumber(number), outcome(1));
        }
        assert_eq!(sessions.look_up(id(1, 1)), None);
        assert!(sessions.look_up(id(1, 2)).is_some());
    }

    #[test]
    fn a_request_that_is_executed_anew_replaces_its_outcome() {
        let mut sessions = Sessions::default();
        for sequence in 1..=3 {
            sessions.record(id(1, 7), SequenceNumber(sequence), large());
            assert_eq!(sessions.size_bytes, large().size_bytes());
        }
        assert_eq!(sessions.look_up(id(1, 7)).map(|(first, _)| first), Some(SequenceNumber(3)));
    }

    #[test]
    fn a_table_that_says_two_things_of_one_client_is_not_sound() {
        let mut sessions = Sessions::default();
        for sequence in 1..=9 {
            sessions.record(id(sequence % 2, sequence), SequenceNumber(sequence), outcome(1));
        }
        assert!(sessions.are_sound_after(SequenceNumber(9)));
        assert!(!sessions.are_sound_after(SequenceNumber(8)), "it knows of a later order");
        let mut without_use = sessions.clone();
        without_use.by_last_use.pop_first();
        let mut of_another = sessions.clone();
        of_another.by_last_use.insert(SequenceNumber(9), ClientId(7));
        let too_small = Sessions { size_bytes: 0, ..sessions };
        for broken in [without_use, of_another, too_small] {
            assert!(!broken.are_sound_after(SequenceNumber(9)), "{broken:?}");
        }
    }

    #[test]
    fn the_idlest_session_goes_first() {
        let mut sessions = Sessions::default();
        for client in 1..=SESSIONS_LEN_MAX as u64 {
            sessions.record(id(client, 1), SequenceNumber(client), outcome(1));
        }
        sessions.record(id(1, 2), SequenceNumber(5000), outcome(1));
        sessions.record(id(9_999, 1), SequenceNumber(5001), outcome(1));
        assert_eq!(sessions.look_up(id(2, 1)), None, "client 2 was idle longest");
        assert!(sessions.look_up(id(1, 1)).is_some());
    }

    #[test]
    fn large_outcomes_push_out_idle_sessions_and_then_their_own_clients_earlier_ones() {
        for clients_len in [1, 20] {
            let mut sessions = Sessions::default();
            for sequence in 1..=40 {
                sessions.record(id(sequence % clients_len, sequence), SequenceNumber(sequence), large());
                assert!(sessions.size_bytes <= SESSIONS_BYTES_MAX);
            }
            assert_eq!(sessions.look_up(id(1 % clients_len, 1)), None);
            assert!(sessions.look_up(id(40 % clients_len, 40)).is_some());
        }
    }
}
