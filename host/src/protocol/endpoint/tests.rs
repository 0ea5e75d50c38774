//! Who is let in: a datagram that anybody but the peer has sent, altered, or sent again is dropped, and counted for what it is.

use super::super::channel::{Address, enclose, limits};
use super::super::id::ReplicaId;
use super::super::keyring::{ClusterId, Generation};
use super::super::message::Message;
use super::super::secret::{SECRET_LEN, Secret};
use super::*;
use crate::protocol::id::Membership;
use crate::protocol::id::Round;

const NOW: Instant = Instant(1_000_000);
const SECOND: Duration = Duration::from_secs(1);

const FRONT_END: NodeId = NodeId::FRONT_END;
const SEQUENCER: NodeId = NodeId::Sequencer;

/// The key that the nodes of a test's cluster share.
fn cluster_key() -> Secret {
    Secret::new([7; SECRET_LEN])
}

fn keyring(local: NodeId) -> Keyring {
    Keyring::of_cluster_key(&cluster_key(), local, Membership::of(1).nodes())
}

/// A keyring in the same cluster with these generations of secrets, the same for every pair.
fn generations(local: NodeId, numbers: &[u16]) -> Keyring {
    let mut keyring = Keyring::new(ClusterId(1), local);
    for number in numbers {
        for peer in Membership::of(1).nodes().into_iter().filter(|peer| *peer != local) {
            keyring.insert(Generation(*number), peer, Secret::new([*number as u8; SECRET_LEN]));
        }
    }
    keyring
}

fn endpoint(keyring: &Keyring, session: u128) -> Endpoint {
    Endpoint::new(keyring, Membership::of(1).nodes(), SessionId(session), limits::DATAGRAM_LEN_DEFAULT)
}

/// The two ends of one channel, the datagrams that passed between them, and the time.
struct Pair {
    ends: [Endpoint; 2],
    now: Instant,
    carried: Vec<(usize, Vec<u8>)>,
}

const NAMES: [NodeId; 2] = [FRONT_END, SEQUENCER];

impl Pair {
    fn new(keyrings: [Keyring; 2]) -> Pair {
        let ends = [endpoint(&keyrings[0], 1), endpoint(&keyrings[1], 2)];
        Pair { ends, now: NOW, carried: Vec::new() }
    }

    fn of_one_cluster() -> Pair {
        Pair::new(NAMES.map(keyring))
    }

    fn send(&mut self, from: usize) {
        let not_sent = self.ends[from].send(Recipients::One(NAMES[1 - from]), &Message::Resumed { round: Round(1) });
        assert_eq!(not_sent, []);
    }

    /// All that one end sends now.
    fn transmit(&mut self, from: usize) -> Vec<Vec<u8>> {
        let mut datagram = Vec::new();
        std::iter::from_fn(|| self.ends[from].poll_transmit(self.now, &mut datagram).map(|_| datagram.clone()))
            .collect()
    }

    fn deliver(&mut self, to: usize, datagram: &[u8]) -> Result<(), DropReason> {
        self.ends[to].handle_datagram(datagram, self.now)
    }

    /// Carries datagrams to and fro for a while.
    fn run(&mut self) {
        let end = self.now + 20 * SECOND;
        while self.now < end {
            for from in 0..2 {
                for datagram in self.transmit(from) {
                    let _used_or_not = self.deliver(1 - from, &datagram);
                    self.carried.push((from, datagram));
                }
            }
            self.now = self.now + Duration::from_millis(10);
            let now = self.now;
            self.ends.iter_mut().for_each(|end| end.handle_timeout(now));
        }
    }

    /// Sends a message each way; whether both arrive.
    fn talks(&mut self) -> bool {
        (0..2).for_each(|from| self.send(from));
        self.run();
        (0..2).all(|to| self.arrived(to) > 0)
    }

    fn arrived(&mut self, to: usize) -> usize {
        std::iter::from_fn(|| self.ends[to].poll_message(None)).count()
    }

    /// What `of` has counted at its channel to the other end.
    fn counters(&self, of: usize) -> Counters {
        let mut counters = self.ends[of].counters();
        counters.find(|(peer, ..)| *peer == NAMES[1 - of]).unwrap().1.clone()
    }

    /// The generation of the key of the last datagram of one end.
    fn generation(&self, from: usize) -> Generation {
        let (_, datagram) = self.carried.iter().rfind(|(sender, _)| *sender == from).unwrap();
        Envelope::read(datagram).unwrap().address.generation
    }
}

#[test]
fn a_strangers_datagram_is_dropped_and_counted() {
    let mut pair = Pair::of_one_cluster();
    assert!(pair.talks());
    let address = Envelope::read(&pair.carried[0].1).unwrap().address;
    assert_eq!((address.from, address.to), (FRONT_END, SEQUENCER));
    let mut forged = Vec::new();
    enclose(&address, &Secret::new([8; SECRET_LEN]), &mut forged, |bytes| bytes.extend_from_slice(&[0; 50]));
    assert_eq!(pair.deliver(1, &forged), Err(DropReason::Forged));
    assert_eq!(pair.counters(1).forged, 1);
    // What claims to be from nobody in particular is counted apart.
    for (garbage, expected) in [
        (&b""[..], DropReason::Truncated),
        (b"GET / HTTP/1.1", DropReason::UnknownVersion),
        (&[forged[0], 200, 200, 83, 0], DropReason::Truncated),
    ] {
        assert_eq!(pair.deliver(1, garbage), Err(expected));
    }
    forged[1] = 99;
    assert_eq!(pair.deliver(1, &forged), Err(DropReason::UnknownNode));
    let unrouted = pair.ends[1].unrouted();
    assert_eq!((unrouted.truncated, unrouted.unknown_version, unrouted.forged), (2, 1, 1));
}

#[test]
fn no_node_can_speak_for_another() {
    let replica = NodeId::ReplicaManager(ReplicaId::new(1).unwrap());
    let mut pair = Pair::of_one_cluster();
    let mut sealed = Vec::new();
    for keys in keyring(replica).pair(FRONT_END).into_iter().chain(keyring(replica).pair(SEQUENCER)) {
        for key in [&keys.sending, &keys.receiving] {
            let cluster = keyring(replica).cluster();
            let (generation, newest) = (keys.generation, keys.generation);
            let address = Address { from: SEQUENCER, to: FRONT_END, cluster, generation, newest };
            enclose(&address, key, &mut sealed, |bytes| bytes.extend_from_slice(&[0; 50]));
            assert_eq!(pair.deliver(0, &sealed), Err(DropReason::Forged));
        }
    }
    assert_eq!(pair.counters(0).forged, 4);
}

#[test]
fn a_replayed_datagram_is_dropped_and_counted_whatever_is_in_it() {
    let mut pair = Pair::of_one_cluster();
    assert!(pair.talks() && pair.talks());
    let established: Vec<(usize, Vec<u8>)> = pair.carried.drain(..).collect();
    let mut replayed = [0; 2];
    for (from, datagram) in &established {
        // A hello, and what came before the session was known, is taken in once more at most, and tells nothing.
        if pair.deliver(1 - from, datagram).is_err() {
            replayed[1 - from] += 1;
        }
        assert_eq!(pair.deliver(1 - from, datagram), Err(DropReason::Replayed));
        replayed[1 - from] += 1;
    }
    assert_eq!([0, 1].map(|of| pair.counters(of).replayed), replayed);
    assert!(replayed.iter().all(|count| *count > 4), "{replayed:?}");
    pair.run();
    assert_eq!([0, 1].map(|to| pair.arrived(to)), [0, 0]);
    assert!(pair.talks());
}

#[test]
fn an_old_acknowledgement_that_says_full_does_not_stop_a_sender() {
    let mut pair = Pair::of_one_cluster();
    assert!(pair.talks());
    // The sequencer takes nothing, so it says that it is full.
    let long = Message::State {
        sequence: crate::protocol::id::SequenceNumber(1),
        offset: 0,
        len: 1,
        bytes: vec![7; 256 << 10],
    };
    for _ in 0..limits::UNDELIVERED_LEN_MAX / (256 << 10) + 4 {
        assert_eq!(pair.ends[0].send(Recipients::One(SEQUENCER), &long), []);
    }
    pair.run();
    assert!(pair.counters(1).undelivered > 0);
    let full: Vec<Vec<u8>> = pair.carried.drain(..).filter(|(from, _)| *from == 1).map(|(_, bytes)| bytes).collect();
    while pair.arrived(1) > 0 {
        pair.run();
    }
    assert_eq!(pair.ends[0].backlog_len(SEQUENCER), 0);
    for datagram in full.iter().rev().take(limits::REPLAY_WINDOW_LEN) {
        assert_eq!(pair.deliver(0, datagram), Err(DropReason::Replayed));
    }
    pair.send(0);
    pair.send(0);
    let sent = pair.transmit(0);
    assert_eq!(sent.len(), 1, "both share a datagram");
    pair.deliver(1, &sent[0]).unwrap();
    assert_eq!(pair.arrived(1), 2);
}

#[test]
fn a_datagram_of_an_earlier_session_of_either_node_is_dropped_and_counted() {
    for (restarted, node) in NAMES.into_iter().enumerate() {
        let mut pair = Pair::of_one_cluster();
        assert!(pair.talks());
        let old: Vec<(usize, Vec<u8>)> = pair.carried.drain(..).collect();
        pair.ends[restarted] = endpoint(&keyring(node), 10);
        assert!(!pair.talks(), "what the other had queued is for a life that has ended");
        assert!(pair.talks());
        let stale = [0, 1].map(|of| pair.counters(of).stale);
        for (from, datagram) in &old {
            pair.now = pair.now + SECOND;
            // Only a hello of the life that goes on is no relic; it draws an answer.
            let is_hello = pair.deliver(1 - from, datagram).is_ok();
            assert!(!is_hello || *from != restarted);
        }
        let stale_after = [0, 1].map(|of| pair.counters(of).stale);
        assert!((0..2).all(|of| stale_after[of] > stale[of]), "{stale:?} {stale_after:?}");
        pair.run();
        assert_eq!([0, 1].map(|to| pair.arrived(to)), [0, 0]);
        assert!(pair.talks());
        assert_eq!(pair.counters(restarted).peer_restarts, 0);
        assert_eq!(pair.counters(1 - restarted).peer_restarts, 1);
    }
}

#[test]
fn a_reflected_datagram_is_dropped_and_counted() {
    let mut pair = Pair::of_one_cluster();
    assert!(pair.talks());
    for (from, mut datagram) in std::mem::take(&mut pair.carried) {
        assert_eq!(pair.deliver(from, &datagram), Err(DropReason::Reflected));
        // With the addresses exchanged it has to be sealed for the other direction.
        datagram.swap(1, 2);
        assert_eq!(pair.deliver(from, &datagram), Err(DropReason::Forged));
    }
    assert!((0..2).all(|of| pair.counters(of).reflected > 0));
    assert_eq!(pair.counters(0).reflected, pair.counters(0).forged);
}

#[test]
fn a_truncated_datagram_is_dropped_and_counted_wherever_it_is_cut() {
    let mut pair = Pair::of_one_cluster();
    pair.send(0);
    let whole = pair.transmit(0).remove(0);
    for len in 0..whole.len() {
        assert_eq!(pair.deliver(1, &whole[..len]), Err(DropReason::Truncated));
        // Even if its length is made to fit, the tag does not.
        let mut cut = whole[..len].to_vec();
        if len >= 5 {
            cut[3..5].copy_from_slice(&(len as u16).to_le_bytes());
            let reason = pair.deliver(1, &cut).unwrap_err();
            assert!(matches!(reason, DropReason::Forged | DropReason::Truncated), "{reason}");
        }
    }
    assert!(pair.ends[1].unrouted().truncated >= whole.len() as u64);
    pair.deliver(1, &whole).unwrap();
}

#[test]
fn a_datagram_of_another_cluster_is_dropped_and_counted() {
    let mut other = Pair::new(
        NAMES.map(|node| Keyring::of_cluster_key(&Secret::new([8; SECRET_LEN]), node, Membership::of(1).nodes())),
    );
    other.send(0);
    let mut datagram = other.transmit(0).remove(0);
    let mut pair = Pair::of_one_cluster();
    assert_eq!(pair.deliver(1, &datagram), Err(DropReason::OtherCluster));
    assert_eq!(pair.counters(1).other_cluster, 1);
    // Nor is it one of ours if it says so, even where both clusters were given the same secrets.
    let mut same = Pair::new(NAMES.map(|node| {
        let mut same = Keyring::new(ClusterId(9), node);
        let peer = NAMES[usize::from(node == FRONT_END)];
        let secrets = keyring(node);
        let (_, secret) = secrets.secrets(Generation::FIRST).find(|(known, _)| *known == peer).unwrap();
        for peer in Membership::of(1).nodes().into_iter().filter(|peer| *peer != node) {
            same.insert(Generation::FIRST, peer, secret.clone());
        }
        same
    }));
    same.send(0);
    let own = keyring(FRONT_END).cluster().0.to_le_bytes();
    for mut datagram in [std::mem::take(&mut datagram), same.transmit(0).remove(0)] {
        datagram[5..13].copy_from_slice(&own);
        assert_eq!(pair.deliver(1, &datagram), Err(DropReason::Forged));
    }
}

#[test]
fn two_nodes_go_over_to_the_next_keys_as_soon_as_both_have_them() {
    let mut pair = Pair::new(NAMES.map(|node| generations(node, &[1])));
    assert!(pair.talks());
    pair.ends[0].change_keys(&generations(FRONT_END, &[1, 2]));
    assert!(pair.talks());
    assert_eq!([pair.generation(0), pair.generation(1)], [Generation(1); 2], "one of them has no others");
    pair.ends[1].change_keys(&generations(SEQUENCER, &[1, 2]));
    assert!(pair.talks() && pair.talks());
    assert_eq!([pair.generation(0), pair.generation(1)], [Generation(2); 2]);
    pair.ends[1].change_keys(&generations(SEQUENCER, &[2, 3]));
    pair.ends[0].change_keys(&generations(FRONT_END, &[2, 3]));
    assert!(pair.talks() && pair.talks());
    assert_eq!([pair.generation(0), pair.generation(1)], [Generation(3); 2]);
    for of in 0..2 {
        let Counters { unknown_key, forged, peer_restarts, packets_retransmitted, .. } = pair.counters(of);
        assert_eq!([unknown_key, forged, peer_restarts, packets_retransmitted], [0; 4], "nothing was lost");
    }
    // What was sealed before is of no use any more.
    let old = pair.carried[0].1.clone();
    assert_eq!(pair.deliver(1, &old), Err(DropReason::UnknownKey));
    assert_eq!(pair.counters(1).unknown_key, 1);
}

#[test]
fn processes_that_begin_with_keys_of_neighbouring_rotations_find_what_they_share() {
    let sets: [&[u16]; 3] = [&[1], &[1, 2], &[2, 3]];
    for (one, other) in (0..3).flat_map(|one| (0..3).map(move |other| (one, other))) {
        let mut pair = Pair::new([generations(FRONT_END, sets[one]), generations(SEQUENCER, sets[other])]);
        let have_common = sets[one].iter().any(|number| sets[other].contains(number));
        assert_eq!(pair.talks(), have_common, "{:?} and {:?}", sets[one], sets[other]);
        if !have_common {
            assert!((0..2).all(|of| pair.counters(of).unknown_key > 0));
            continue;
        }
        // One of them begins anew, with whatever keys: a backup, or those that it missed.
        for again in 0..3 {
            pair.ends[1] = endpoint(&generations(SEQUENCER, sets[again]), 10 + again as u128);
            let _lost_with_the_old_life = pair.talks();
            let have_common = sets[one].iter().any(|number| sets[again].contains(number));
            assert_eq!(pair.talks(), have_common, "{:?}, {:?}, then {:?}", sets[one], sets[other], sets[again]);
        }
    }
}
