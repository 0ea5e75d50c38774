//! Checkpoints: the state of the market and of the client tables after one place of the order, and how they are certified.
//!
//! A replica manager takes one after every so many orders and at every barrier, and tells the others its digest. Once one more
//! replica than may be wrong has the same digest, the checkpoint is certified: at least one correct replica has it. What came before
//! is dropped, a replica with another digest is repaired, and whoever fetches the checkpoint checks what it gets against the
//! certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::market::{Digest, MarketState};

use super::admissions::Admissions;
use super::id::{ReplicaId, SequenceNumber};
use super::limits::CERTIFICATES_LEN_MAX;
use super::message::Certificate;
use super::mutation::{self, Mutation};
use super::sessions::Sessions;
use super::wire;

/// What replica managers know of clients: part of every checkpoint, since it decides what later orders do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClientTables {
    /// Which requests were ordered before.
    pub admissions: Admissions,
    /// What came of them.
    pub sessions: Sessions,
}

impl ClientTables {
    /// What keeps these tables from being those after this order.
    fn contradiction(&self, sequence: SequenceNumber) -> Option<&'static str> {
        let is_sound = self.admissions.are_sound_after(sequence) && self.sessions.are_sound_after(sequence);
        (!is_sound).then_some("its client tables contradict themselves")
    }
}

/// Everything that the orders after one place depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// After which order.
    pub sequence: SequenceNumber,
    /// The market, in canonical order.
    pub state: Arc<MarketState>,
    /// The encoded [`ClientTables`].
    clients: Arc<Vec<u8>>,
    /// The digest that managers vote on.
    pub digest: Digest,
}

/// A checkpoint as it travels.
#[derive(Serialize, Deserialize)]
struct Encoded<S, C> {
    state: S,
    clients: C,
}

impl Checkpoint {
    /// The checkpoint after this order.
    pub fn new(
        sequence: SequenceNumber,
        state: Arc<MarketState>,
        state_digest: Digest,
        tables: &ClientTables,
    ) -> Checkpoint {
        let clients = Arc::new(wire::encode_state(tables));
        let digest = digest(sequence, state_digest, &clients);
        Checkpoint { sequence, state, clients, digest }
    }

    /// The client tables of the checkpoint.
    pub fn tables(&self) -> ClientTables {
        if mutation::is_on(Mutation::LoseSessionTable) {
            return ClientTables::default();
        }
        wire::decode_state(&self.clients).expect("what was encoded here, or was decoded when it came, can be decoded")
    }

    /// The checkpoint as bytes, to be sent to another manager.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode_state(&Encoded { state: &*self.state, clients: &*self.clients })
    }

    /// The checkpoint that another manager sent, if it is the certified one.
    pub fn decode(bytes: &[u8], certificate: &Certificate) -> Result<Checkpoint, String> {
        let Encoded { state, clients }: Encoded<MarketState, Vec<u8>> =
            wire::decode_state(bytes).map_err(|error| format!("it cannot be decoded: {error}"))?;
        // A digest is one of a state in canonical order; bytes that are not come from nobody who certified them.
        let state = state.into_canonical();
        let found = digest(certificate.sequence, state.digest(), &clients);
        if found != certificate.digest && !mutation::is_on(Mutation::TrustFirstSnapshot) {
            let (found, certified) = (found.short(), certificate.digest.short());
            return Err(format!("its digest is {found}, certified is {certified}"));
        }
        // Who has offered it has named the digest as well, so that this proves nothing about who found the same.
        let tables: ClientTables =
            wire::decode_state(&clients).map_err(|error| format!("its client tables cannot be decoded: {error}"))?;
        if let Some(contradiction) = tables.contradiction(certificate.sequence) {
            return Err(contradiction.to_owned());
        }
        Ok(Checkpoint {
            sequence: certificate.sequence,
            state: Arc::new(state),
            clients: Arc::new(clients),
            digest: certificate.digest,
        })
    }

    /// Where this checkpoint first differs from another one: the record here and the record there.
    pub fn first_difference(&self, other: &Checkpoint) -> (Option<String>, Option<String>) {
        if let Some(difference) = self.state.first_difference(&other.state) {
            return difference;
        }
        let words = |tables: &[u8]| format!("client tables {}", Digest::of_bytes(tables).short());
        (Some(words(&self.clients)), Some(words(&other.clients)))
    }
}

fn digest(sequence: SequenceNumber, state: Digest, clients: &[u8]) -> Digest {
    let clients = Digest::of_bytes(clients);
    Digest::of_text(|text| writeln!(text, "checkpoint {sequence} {state} {clients}"))
}

/// What the votes on a checkpoint amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough are equal yet, or enough were equal before this vote.
    Open,
    /// This vote certifies it.
    Certified(Certificate),
    /// Every replica has voted, and no digest is shared by enough.
    Disputed(Vec<(ReplicaId, Digest)>),
}

/// Counts the votes on the latest checkpoints.
#[derive(Debug)]
pub struct Certifier {
    quorum: usize,
    replicas_len: usize,
    votes: BTreeMap<SequenceNumber, BTreeMap<ReplicaId, Digest>>,
    certificates: BTreeMap<SequenceNumber, Certificate>,
}

impl Certifier {
    /// A certifier for a cluster in which so many equal digests certify.
    pub fn new(quorum: usize, replicas_len: usize) -> Certifier {
        Certifier { quorum, replicas_len, votes: BTreeMap::new(), certificates: BTreeMap::new() }
    }

    /// Takes in one replica's digest. A later vote of the same replica, in a later life, replaces its earlier one.
    pub fn vote(&mut self, replica: ReplicaId, sequence: SequenceNumber, digest: Digest) -> Verdict {
        let votes = self.votes.entry(sequence).or_default();
        votes.insert(replica, digest);
        let equal = votes.iter().filter(|(_, other)| **other == digest);
        let voters: Vec<ReplicaId> = equal.map(|(replica, _)| *replica).collect();
        let is_complete = votes.len() == self.replicas_len;
        let standing = || votes.iter().map(|(replica, digest)| (*replica, *digest)).collect();
        let verdict = match self.certificates.get_mut(&sequence) {
            Some(certificate) if certificate.digest == digest => {
                certificate.voters = voters;
                Verdict::Open
            }
            Some(_) => Verdict::Open,
            None if voters.len() >= self.quorum => Verdict::Certified(Certificate { sequence, digest, voters }),
            None if is_complete => Verdict::Disputed(standing()),
            None => Verdict::Open,
        };
        if let Verdict::Certified(certificate) = &verdict {
            self.certificates.insert(sequence, certificate.clone());
        }
        while self.votes.len() > CERTIFICATES_LEN_MAX {
            self.votes.pop_first();
        }
        while self.certificates.len() > CERTIFICATES_LEN_MAX {
            self.certificates.pop_first();
        }
        verdict
    }

    /// Forgets what was voted on after this place: its numbers will be given anew.
    pub fn forget_after(&mut self, after: SequenceNumber) {
        self.votes.split_off(&after.next());
        self.certificates.split_off(&after.next());
    }

    /// The certificate of one place, if it is there and not forgotten.
    pub fn certificate(&self, sequence: SequenceNumber) -> Option<&Certificate> {
        self.certificates.get(&sequence)
    }

    /// The certificate of the latest place.
    pub fn latest(&self) -> Option<&Certificate> {
        self.certificates.last_key_value().map(|(_, certificate)| certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{HoldingState, Outcome, Share, ShareState};
    use crate::protocol::id::{ClientId, RequestId, RequestNumber};

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::new(number).unwrap()
    }

    fn share() -> Share {
        Share { id: "NYKM100925".parse().unwrap(), share_type: "equity".parse().unwrap() }
    }

    fn state(units: u32) -> MarketState {
        let holding = HoldingState { buyer: "NYKB1001".parse().unwrap(), share: share(), units };
        let share = ShareState { share: share(), capacity: 100, available: 100 - units };
        MarketState { shares: vec![share], holdings: vec![holding] }
    }

    fn checkpoint(units: u32) -> Checkpoint {
        let state = state(units);
        let digest = state.digest();
        Checkpoint::new(SequenceNumber(5), Arc::new(state), digest, &ClientTables::default())
    }

    fn certificate(checkpoint: &Checkpoint) -> Certificate {
        Certificate { sequence: checkpoint.sequence, digest: checkpoint.digest, voters: vec![replica(1), replica(2)] }
    }

    #[test]
    fn a_checkpoint_is_read_back_only_if_it_is_the_certified_one() {
        let (right, wrong) = (checkpoint(10), checkpoint(11));
        let read = Checkpoint::decode(&right.encode(), &certificate(&right)).unwrap();
        assert_eq!((read.state.clone(), read.digest), (right.state.clone(), right.digest));
        assert!(Checkpoint::decode(&wrong.encode(), &certificate(&right)).unwrap_err().contains("certified is"));
        let mut garbled = right.encode();
        garbled.truncate(3);
        assert!(Checkpoint::decode(&garbled, &certificate(&right)).unwrap_err().contains("decoded"));
    }

    /// A checkpoint after order 5 with these bytes for client tables, and a certificate that was made up for it.
    fn forged(clients: Vec<u8>) -> Result<Checkpoint, String> {
        let sequence = SequenceNumber(5);
        let state = state(10);
        let certificate =
            Certificate { sequence, digest: digest(sequence, state.digest(), &clients), voters: Vec::new() };
        Checkpoint::decode(&wire::encode_state(&Encoded { state, clients }), &certificate)
    }

    #[test]
    fn client_tables_that_are_none_are_refused_whatever_their_certificate_says() {
        assert!(forged(wire::encode_state(&ClientTables::default())).is_ok());
        assert_eq!(forged(Vec::new()).unwrap_err(), "its client tables cannot be decoded: empty");
        let id = RequestId { client: ClientId(1), number: RequestNumber(1) };
        let mut later = ClientTables::default();
        later.admissions.admit(id, SequenceNumber(6));
        assert_eq!(forged(wire::encode_state(&later)).unwrap_err(), "its client tables contradict themselves");
        let mut later = ClientTables::default();
        later.sessions.record(id, SequenceNumber(6), Outcome::Swapped { units: 1 });
        assert_eq!(forged(wire::encode_state(&later)).unwrap_err(), "its client tables contradict themselves");
    }

    #[test]
    fn the_first_difference_names_the_record_on_both_sides() {
        let (own, certified) = checkpoint(11).first_difference(&checkpoint(10));
        assert_eq!(own.as_deref(), Some("holding NYKB1001 NYKM100925 Equity 11"));
        assert_eq!(certified.as_deref(), Some("holding NYKB1001 NYKM100925 Equity 10"));
        let mut missing = state(10);
        missing.holdings.clear();
        let (own, certified) = missing.first_difference(&state(10)).unwrap();
        assert_eq!((own, certified.as_deref()), (None, Some("holding NYKB1001 NYKM100925 Equity 10")));
    }

    #[test]
    fn enough_equal_digests_certify_and_one_wrong_one_does_not() {
        let mut certifier = Certifier::new(2, 3);
        let (right, wrong) = (Digest::of_bytes(b"right"), Digest::of_bytes(b"wrong"));
        let place = SequenceNumber(10);
        assert_eq!(certifier.vote(replica(1), place, wrong), Verdict::Open);
        assert_eq!(certifier.vote(replica(2), place, right), Verdict::Open);
        let Verdict::Certified(certificate) = certifier.vote(replica(3), place, right) else { panic!("not certified") };
        assert_eq!((certificate.digest, certificate.voters), (right, vec![replica(2), replica(3)]));
        assert_eq!(certifier.vote(replica(1), place, right), Verdict::Open, "repaired, it votes again");
        assert_eq!(certifier.certificate(place).unwrap().voters.len(), 3);
    }

    #[test]
    fn a_place_that_is_given_anew_is_voted_on_anew() {
        let mut certifier = Certifier::new(2, 3);
        let (old, new, place) = (Digest::of_bytes(b"old"), Digest::of_bytes(b"new"), SequenceNumber(10));
        certifier.vote(replica(1), place, old);
        certifier.vote(replica(2), place, old);
        certifier.forget_after(SequenceNumber(9));
        assert_eq!(certifier.certificate(place), None);
        assert_eq!(certifier.vote(replica(1), place, new), Verdict::Open);
        assert!(matches!(certifier.vote(replica(3), place, new), Verdict::Certified(_)));
    }

    #[test]
    fn digests_that_all_differ_are_disputed() {
        let mut certifier = Certifier::new(2, 3);
        let vote = |certifier: &mut Certifier, number: u8| {
            certifier.vote(replica(number), SequenceNumber(1), Digest::of_bytes(&[number]))
        };
        assert_eq!(vote(&mut certifier, 1), Verdict::Open);
        assert_eq!(vote(&mut certifier, 2), Verdict::Open);
        assert!(matches!(vote(&mut certifier, 3), Verdict::Disputed(standing) if standing.len() == 3));
    }
}
