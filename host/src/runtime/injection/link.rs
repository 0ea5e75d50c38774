//! Faults of links: datagrams that are lost, late, doubled or overtaken.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::fault::FaultKind;
use crate::protocol::id::NodeId;
use crate::protocol::time::Instant;

use super::Trigger;

/// By how much a datagram is held back so that others overtake it.
const REORDERED_BY: Duration = Duration::from_millis(5);

/// Most datagrams that are held back at once; what goes beyond is lost, as in a network.
const DELAYED_LEN_MAX: usize = 8192;

/// The faults of this node's links, and the datagrams that they hold back.
#[derive(Debug, Default)]
pub struct Links {
    pub(super) triggers: Vec<Trigger>,
    delayed: BTreeMap<(Instant, u64), (NodeId, Vec<u8>)>,
    delayed_len: u64,
}

impl Links {
    /// Whether nothing is disturbed and nothing is held back.
    pub fn are_undisturbed(&self) -> bool {
        self.triggers.is_empty() && self.delayed.is_empty()
    }

    /// A datagram is to be sent. Returns how many copies go out at once; those that go later are kept here.
    pub fn send(&mut self, to: NodeId, datagram: &[u8], now: Instant) -> usize {
        let of_link = |trigger: &&mut Trigger| trigger.fault.peer.is_none_or(|peer| peer == to);
        let mut copies = 1;
        for trigger in self.triggers.iter_mut().filter(of_link) {
            let drops = matches!(trigger.kind(), FaultKind::Cut | FaultKind::Loss);
            if drops && trigger.fires(now) {
                return 0;
            }
            if trigger.kind() == FaultKind::Duplicate && trigger.fires(now) {
                copies += 1;
            }
        }
        let mut at_once = 0;
        for _ in 0..copies {
            let mut late = Duration::ZERO;
            for trigger in self.triggers.iter_mut().filter(of_link) {
                late += match trigger.kind() {
                    FaultKind::Delay(by, jitter) if trigger.fires(now) => {
                        let jitter = u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX);
                        by + Duration::from_micros(trigger.below(jitter.saturating_add(1)))
                    }
                    FaultKind::Reorder if trigger.fires(now) => REORDERED_BY,
                    _ => Duration::ZERO,
                };
            }
            if late.is_zero() {
                at_once += 1;
            } else if self.delayed.len() < DELAYED_LEN_MAX {
                self.delayed_len += 1;
                self.delayed.insert((now + late, self.delayed_len), (to, datagram.to_vec()));
            }
        }
        at_once
    }

    /// A datagram has come in: is it let through?
    pub fn receive(&mut self, from: NodeId, now: Instant) -> bool {
        let cuts = |trigger: &&mut Trigger| {
            trigger.kind() == FaultKind::Cut && trigger.fault.peer.is_none_or(|peer| peer == from)
        };
        !self.triggers.iter_mut().filter(cuts).any(|trigger| trigger.fires(now))
    }

    /// The next datagram whose time has come.
    pub fn poll_delayed(&mut self, now: Instant) -> Option<(NodeId, Vec<u8>)> {
        let entry = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// When the next one's time comes.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.delayed.first_key_value().map(|((at, _), _)| (*at, "delayed datagram"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultKey;
    use super::*;
    use crate::protocol::fault::{Fault, FaultId};

    const NOW: Instant = Instant(1_000_000);

    fn links(faults: &[Fault]) -> Links {
        let triggers = faults
            .iter()
            .map(|fault| Trigger::new(FaultKey { asked: NodeId::FRONT_END, id: FaultId(1) }, fault.clone(), NOW))
            .collect();
        Links { triggers, ..Links::default() }
    }

    #[test]
    fn each_fault_does_what_it_says_to_the_link_it_names() {
        let fault = |kind| Fault { peer: Some(NodeId::Sequencer), ..Fault::of(kind) };
        let send = |kind, to| links(&[fault(kind)]).send(to, b"x", NOW);
        assert_eq!(send(FaultKind::Loss, NodeId::Sequencer), 0);
        assert_eq!(send(FaultKind::Loss, NodeId::FRONT_END), 1, "another link");
        assert_eq!(send(FaultKind::Duplicate, NodeId::Sequencer), 2);
        assert_eq!(send(FaultKind::Cut, NodeId::Sequencer), 0);
        assert!(!links(&[fault(FaultKind::Cut)]).receive(NodeId::Sequencer, NOW));
        assert!(links(&[fault(FaultKind::Cut)]).receive(NodeId::FRONT_END, NOW));
        assert!(links(&[fault(FaultKind::Loss)]).receive(NodeId::Sequencer, NOW), "loss is the sender's");
    }

    #[test]
    fn a_late_datagram_goes_out_when_its_time_has_come() {
        let late = Duration::from_millis(20);
        let mut links = links(&[Fault::of(FaultKind::Delay(late, Duration::ZERO)), Fault::of(FaultKind::Duplicate)]);
        assert_eq!(links.send(NodeId::FRONT_END, b"x", NOW), 0);
        assert_eq!(links.poll_delayed(NOW), None);
        assert_eq!(links.poll_timeout().unwrap().0, NOW + late);
        assert_eq!(links.poll_delayed(NOW + late), Some((NodeId::FRONT_END, b"x".to_vec())));
        assert_eq!(links.poll_delayed(NOW + late), Some((NodeId::FRONT_END, b"x".to_vec())), "and its double");
        assert_eq!(links.poll_delayed(NOW + late), None);
    }

    #[test]
    fn a_reordered_datagram_is_overtaken_by_the_next() {
        let mut links = links(&[Fault { count: Some(1), ..Fault::of(FaultKind::Reorder) }]);
        assert_eq!(links.send(NodeId::FRONT_END, b"first", NOW), 0);
        assert_eq!(links.send(NodeId::FRONT_END, b"second", NOW), 1);
        assert_eq!(links.poll_delayed(NOW + REORDERED_BY), Some((NodeId::FRONT_END, b"first".to_vec())));
    }
}
