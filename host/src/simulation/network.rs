//! The network of a run: how long each datagram is on its way, and what becomes of it on the way.
//!
//! It stands in for the sockets of `runtime/network.rs`. A garbled datagram arrives as it is, and it is for the channel to find out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::{FaultKind, PlannedFault};
use super::random::Random;
use crate::protocol::id::NodeId;
use crate::protocol::time::Instant;

/// By how much a datagram is held back so that others overtake it, in microseconds.
const REORDERED_BY_US: u64 = 5_000;

/// Longest queue of a slow link, in microseconds; what would wait longer is lost, as in a router.
const QUEUE_MAX_US: u64 = 300_000;

/// All links, with the faults that are active on them.
#[derive(Debug)]
pub struct Network {
    seed: u64,
    latency_us: u64,
    jitter_us: u64,
    links: BTreeMap<(NodeId, NodeId), Link>,
    /// The faults that can strike now, under their places in the plan.
    active: BTreeMap<usize, PlannedFault>,
    /// Links on which the next datagram of at least this many bytes is lost, for those who script a run.
    drops: BTreeMap<(NodeId, NodeId), usize>,
}

#[derive(Debug)]
struct Link {
    random: Random,
    /// When a slow link is free again.
    free_at: Instant,
    /// When the last datagram in order arrives.
    arrival: Instant,
}

/// What becomes of one datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives; twice if it was doubled, never if it was lost.
    pub arrivals: Vec<Instant>,
    /// The faults that have struck at it, by their places in the plan.
    pub struck: Vec<usize>,
    /// It was lost because a script says so.
    pub dropped: bool,
}

impl Network {
    /// The network of a run.
    pub fn new(seed: u64, latency_us: u64, jitter_us: u64) -> Network {
        let (links, active, drops) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Network { seed, latency_us, jitter_us, links, active, drops }
    }

    /// A fault of links can strike from now on.
    pub fn begin(&mut self, index: usize, fault: PlannedFault) {
        self.active.insert(index, fault);
    }

    /// It strikes no more.
    pub fn end(&mut self, index: usize) {
        self.active.remove(&index);
    }

    /// The next datagram of this link that has at least so many bytes is lost.
    pub fn drop_next(&mut self, from: NodeId, to: NodeId, len_min: usize) {
        self.drops.insert((from, to), len_min);
    }

    /// A datagram is sent. One that is garbled on its way is altered here.
    pub fn send(&mut self, from: NodeId, to: NodeId, datagram: &mut [u8], now: Instant) -> Fate {
        let Network { seed, latency_us, jitter_us, links, active, drops } = self;
        let link = links.entry((from, to)).or_insert_with(|| Link {
            random: Random::of(*seed, &format!("link {from} {to}")),
            free_at: now,
            arrival: now,
        });
        let mut fate = Fate::default();
        if drops.get(&(from, to)).is_some_and(|len_min| datagram.len() >= *len_min) {
            drops.remove(&(from, to));
            fate.dropped = true;
            return fate;
        }
        let (mut copies, mut late_us, mut is_overtaken) = (1u64, link.random.below(*jitter_us + 1), false);
        let is_here = |fault: &PlannedFault| {
            fault.place.node() == Some(from) && fault.peer.is_none_or(|peer| peer.node() == Some(to))
        };
        for (index, fault) in active.iter().filter(|(_, fault)| is_here(fault)) {
            let struck = match fault.kind {
                FaultKind::Cut => {
                    copies = 0;
                    true
                }
                FaultKind::Loss { per_mille } => {
                    let is_lost = link.random.per_mille(per_mille);
                    copies = if is_lost { 0 } else { copies };
                    is_lost
                }
                FaultKind::Garble { per_mille } => {
                    let is_garbled = link.random.per_mille(per_mille);
                    if is_garbled {
                        garble(datagram, &mut link.random);
                    }
                    is_garbled
                }
                FaultKind::Duplicate { per_mille } => {
                    let is_doubled = link.random.per_mille(per_mille);
                    copies += u64::from(is_doubled && copies > 0);
                    is_doubled
                }
                FaultKind::Reorder { per_mille } => {
                    let is_held_back = link.random.per_mille(per_mille);
                    is_overtaken |= is_held_back;
                    late_us += if is_held_back { REORDERED_BY_US } else { 0 };
                    is_held_back
                }
                FaultKind::Delay { by_us, jitter_us } => {
                    late_us += by_us + link.random.below(jitter_us + 1);
                    is_overtaken = true;
                    true
                }
                FaultKind::SlowLink { each_us } => {
                    let begins_at = link.free_at.max(now);
                    let waits_us = begins_at.since(now).as_micros() as u64;
                    if waits_us > QUEUE_MAX_US {
                        copies = 0;
                    } else {
                        link.free_at = begins_at + Duration::from_micros(each_us);
                        late_us += waits_us + each_us;
                    }
                    true
                }
                _ => false,
            };
            if struck {
                fate.struck.push(*index);
            }
        }
        let mut arrival = now + Duration::from_micros(*latency_us + late_us);
        if !is_overtaken {
            // A path keeps the order of what it carries, unless a fault says otherwise.
            arrival = arrival.max(link.arrival);
            link.arrival = arrival;
        }
        fate.arrivals = (0..copies).map(|copy| arrival + Duration::from_micros(copy * 100)).collect();
        fate
    }
}

/// Flips one bit.
fn garble(datagram: &mut [u8], random: &mut Random) {
    let place = random.below(datagram.len() as u64) as usize;
    datagram[place] ^= 1 << random.below(8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::fault::Place;

    const NOW: Instant = Instant(1_000_000);

    fn network(kind: FaultKind) -> Network {
        let mut network = Network::new(1, 100, 0);
        let place = Place::Node(NodeId::FRONT_END);
        let peer = Some(Place::Node(NodeId::Sequencer));
        network.begin(0, PlannedFault { at_ms: 0, lasts_ms: 1, place, peer, kind });
        network
    }

    fn send(network: &mut Network, from: NodeId, to: NodeId) -> Fate {
        network.send(from, to, &mut b"datagram".to_owned(), NOW)
    }

    #[test]
    fn each_fault_does_what_it_says_to_the_direction_it_names() {
        let (from, to) = (NodeId::FRONT_END, NodeId::Sequencer);
        let arrivals = |kind| {
            let mut network = network(kind);
            let back = send(&mut network, to, from);
            assert_eq!((back.arrivals.len(), back.struck.len()), (1, 0), "{kind:?} on the way back");
            let fate = send(&mut network, from, to);
            assert_eq!(fate.struck, [0], "{kind:?}");
            fate.arrivals.iter().map(|at| at.since(NOW).as_micros() as u64).collect::<Vec<_>>()
        };
        assert!(arrivals(FaultKind::Cut).is_empty());
        assert!(arrivals(FaultKind::Loss { per_mille: 1000 }).is_empty());
        assert_eq!(arrivals(FaultKind::Garble { per_mille: 1000 }), [100]);
        assert_eq!(arrivals(FaultKind::Duplicate { per_mille: 1000 }), [100, 200]);
        assert_eq!(arrivals(FaultKind::Reorder { per_mille: 1000 }), [100 + REORDERED_BY_US]);
        assert_eq!(arrivals(FaultKind::Delay { by_us: 50, jitter_us: 0 }), [150]);
        assert_eq!(arrivals(FaultKind::SlowLink { each_us: 1000 }), [1100]);
    }

    #[test]
    fn a_garbled_datagram_arrives_with_one_bit_flipped() {
        let mut sent = *b"datagram";
        network(FaultKind::Garble { per_mille: 1000 }).send(NodeId::FRONT_END, NodeId::Sequencer, &mut sent, NOW);
        let flipped: u32 = sent.iter().zip(b"datagram").map(|(sent, whole)| (sent ^ whole).count_ones()).sum();
        assert_eq!(flipped, 1);
    }

    #[test]
    fn a_slow_link_queues_and_in_the_end_loses() {
        let mut network = network(FaultKind::SlowLink { each_us: 100_000 });
        let fates: Vec<usize> =
            (0..6).map(|_| send(&mut network, NodeId::FRONT_END, NodeId::Sequencer).arrivals.len()).collect();
        assert_eq!(fates, [1, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn a_fault_that_is_over_strikes_no_more() {
        let mut network = network(FaultKind::Cut);
        network.end(0);
        assert_eq!(send(&mut network, NodeId::FRONT_END, NodeId::Sequencer).arrivals.len(), 1);
        network.drop_next(NodeId::FRONT_END, NodeId::Sequencer, 5);
        assert!(
            network.send(NodeId::FRONT_END, NodeId::Sequencer, &mut b"1234".to_owned(), NOW).arrivals.len() == 1,
            "too short"
        );
        assert!(send(&mut network, NodeId::FRONT_END, NodeId::Sequencer).dropped);
        assert!(!send(&mut network, NodeId::FRONT_END, NodeId::Sequencer).dropped);
    }
}
