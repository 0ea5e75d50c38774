//! Which requests were ordered before, so that none is executed twice.
//!
//! It is asked once for each order, in their order, before the order is handed to the executor, and its answer depends on the
//! orders before that one alone: not on how many of them this host has executed yet. So every replica executes the same requests, however fast it is. It knows numbers
//! only; outcomes are in [`sessions`](super::sessions), which may forget one without the request being executed again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::{ClientId, RequestId, RequestNumber, SequenceNumber};
use super::limits::{IN_FLIGHT_PER_CLIENT_MAX, SESSIONS_LEN_MAX};

/// The numbers that clients have used lately.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Admissions {
    by_client: BTreeMap<ClientId, Used>,
    /// The client of each entry under the sequence number of its last request, so that the idlest comes first.
    by_last_use: BTreeMap<SequenceNumber, ClientId>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Used {
    last_use: SequenceNumber,
    /// Every number below this one counts as used.
    window_start: RequestNumber,
    numbers: BTreeSet<RequestNumber>,
}

impl Admissions {
    /// Whether the request ordered at this place is to be executed: it is the first of its client and number.
    ///
    /// A number that lies behind the last ones of its client is never executed. A client that was idle for so long that
    /// [`SESSIONS_LEN_MAX`] others came after it is unknown again.
    pub fn admit(&mut self, id: RequestId, sequence: SequenceNumber) -> bool {
        let fresh = || Used { last_use: sequence, window_start: RequestNumber(0), numbers: BTreeSet::new() };
        let used = self.by_client.entry(id.client).or_insert_with(fresh);
        self.by_last_use.remove(&used.last_use);
        self.by_last_use.insert(sequence, id.client);
        used.last_use = sequence;
        let is_first = id.number >= used.window_start && used.numbers.insert(id.number);
        while used.numbers.len() > IN_FLIGHT_PER_CLIENT_MAX {
            let number = used.numbers.pop_first().expect("more than the bound are there");
            used.window_start = RequestNumber(number.0.saturating_add(1));
        }
        if self.by_client.len() > SESSIONS_LEN_MAX {
            let (_, idlest) = self.by_last_use.pop_first().expect("every client has a last use");
            self.by_client.remove(&idlest);
        }
        is_first
    }

    /// Whether this can be the table after this order: who was last used when is said twice, and equally, and no bound is passed.
    pub fn are_sound_after(&self, sequence: SequenceNumber) -> bool {
        let is_sound = |(client, used): (&ClientId, &Used)| {
            used.last_use <= sequence
                && self.by_last_use.get(&used.last_use) == Some(client)
                && used.numbers.len() <= IN_FLIGHT_PER_CLIENT_MAX
        };
        let len = self.by_client.len();
        len == self.by_last_use.len() && len <= SESSIONS_LEN_MAX && self.by_client.iter().all(is_sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(client: u64, number: u64) -> RequestId {
        RequestId { client: ClientId(client), number: RequestNumber(number) }
    }

    #[test]
    fn a_request_is_admitted_once() {
        let mut admissions = Admissions::default();
        assert!(admissions.admit(id(1, 7), SequenceNumber(1)));
        assert!(!admissions.admit(id(1, 7), SequenceNumber(2)));
        assert!(admissions.admit(id(1, 6), SequenceNumber(3)), "numbers need not come in order");
        assert!(admissions.admit(id(2, 7), SequenceNumber(4)), "another client's number is another request");
    }

    #[test]
    fn a_number_behind_the_window_is_never_admitted_again() {
        let mut admissions = Admissions::default();
        let window = IN_FLIGHT_PER_CLIENT_MAX as u64;
        for number in 1..=window + 1 {
            assert!(admissions.admit(id(1, number), SequenceNumber(number)));
        }
        assert!(!admissions.admit(id(1, 1), SequenceNumber(1000)));
        assert!(!admissions.admit(id(1, 0), SequenceNumber(1001)), "not even one that was never used");
    }

    #[test]
    fn a_table_that_says_two_things_of_one_client_is_not_sound() {
        let mut admissions = Admissions::default();
        for sequence in 1..=9 {
            admissions.admit(id(sequence % 2, sequence), SequenceNumber(sequence));
        }
        assert!(admissions.are_sound_after(SequenceNumber(9)));
        assert!(!admissions.are_sound_after(SequenceNumber(8)), "it knows of a later order");
        let mut without_use = admissions.clone();
        without_use.by_last_use.pop_first();
        let mut of_another = admissions.clone();
        of_another.by_last_use.insert(SequenceNumber(9), ClientId(7));
        let mut too_long = admissions.clone();
        too_long.by_client.get_mut(&ClientId(1)).unwrap().numbers = (0..100).map(RequestNumber).collect();
        for broken in [without_use, of_another, too_long] {
            assert!(!broken.are_sound_after(SequenceNumber(9)), "{broken:?}");
        }
    }

    #[test]
    fn the_idlest_client_is_forgotten_first() {
        let mut admissions = Admissions::default();
        for client in 1..=SESSIONS_LEN_MAX as u64 {
            admissions.admit(id(client, 1), SequenceNumber(client));
        }
        admissions.admit(id(1, 2), SequenceNumber(5000));
        admissions.admit(id(9_999, 1), SequenceNumber(5001));
        assert!(!admissions.admit(id(1, 1), SequenceNumber(5002)));
        assert!(admissions.admit(id(2, 1), SequenceNumber(5003)), "client 2 was idle longest");
    }
}
