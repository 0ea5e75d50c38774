//! Fetches from other managers what this one is missing, and serves them: pieces of the log, and checkpoints.
//!
//! What is missing is orders, when the process is new or the sequencer gave up on it, and checkpoints, when those orders are not held
//! by anybody any more or the own state is not to be trusted. A checkpoint is checked against its certificate as a whole; a source
//! whose bytes are not the certified ones is passed over for the next.

use std::collections::VecDeque;

use super::{Life, ReplicaManager};
use crate::protocol::checkpoint::Checkpoint;
use crate::protocol::event::{Cause, Event};
use crate::protocol::id::{NodeId, ReplicaId, SequenceNumber};
use crate::protocol::limits::{FETCH_AGAIN_AFTER, FETCH_TIMEOUT, STATE_LEN_MAX, STATE_PIECE_LEN_MAX};
use crate::protocol::message::{Certificate, Message, Order};
use crate::protocol::recipients::Recipients;
use crate::protocol::record::Record;
use crate::protocol::time::Instant;

/// Something that is being fetched, one piece at a time.
#[derive(Debug)]
pub(super) struct Fetch {
    wanted: Wanted,
    /// Who is asked now; nobody while it is waited before all are asked again.
    source: Option<ReplicaId>,
    /// Who is asked next.
    next: VecDeque<ReplicaId>,
    deadline: Instant,
}

#[derive(Debug)]
enum Wanted {
    /// The orders after the log's end.
    Log,
    /// The certificate of any checkpoint that somebody holds.
    Offer,
    /// This checkpoint, with the pieces of it that are here.
    State { certificate: Certificate, bytes: Vec<u8> },
}

impl Fetch {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl ReplicaManager {
    /// Fetches the orders after the log's end, unless something is being fetched already.
    pub(super) fn fetch_log(&mut self, now: Instant) {
        if self.fetch.is_none() && !matches!(self.life, Life::Joining { .. }) {
            self.fetch_from_anybody(Wanted::Log, now);
        }
    }

    /// Nothing is missing any more.
    pub(super) fn end_fetch_log(&mut self, now: Instant) {
        if self.fetch.take_if(|fetch| matches!(fetch.wanted, Wanted::Log)).is_some() {
            self.restore(now);
            self.start_runs();
        }
    }

    /// Whether nobody had the orders that are missing, so that it is waited a little before all are asked again.
    pub(super) fn is_fetch_fruitless(&self) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| matches!(fetch.wanted, Wanted::Log) && fetch.source.is_none())
    }

    fn fetch_from_anybody(&mut self, wanted: Wanted, now: Instant) {
        self.fetch = Some(Fetch { wanted, source: None, next: VecDeque::new(), deadline: now });
        self.ask_next_source(now);
    }

    /// Fetches the latest certified checkpoint that this manager knows of, not from before this place.
    pub(super) fn fetch_checkpoint(&mut self, not_before: SequenceNumber, now: Instant) {
        let certificate = self.certifier.certificate(not_before).or(self.certifier.latest());
        match certificate.filter(|certificate| certificate.sequence >= not_before).cloned() {
            Some(certificate) => self.fetch_state(certificate, None, now),
            None => self.fetch_from_anybody(Wanted::Offer, now),
        }
    }

    fn fetch_state(&mut self, certificate: Certificate, first: Option<ReplicaId>, now: Instant) {
        // Whoever offered it holds it, then whoever has voted for it, then whoever was repaired with it.
        let mut next = self.peers(now);
        next.make_contiguous().sort_by_key(|peer| (Some(*peer) != first, !certificate.voters.contains(peer)));
        let wanted = Wanted::State { certificate, bytes: Vec::new() };
        self.fetch = Some(Fetch { wanted, source: None, next, deadline: now });
        self.ask_next_source(now);
    }

    /// Turns to the next source; when there is none left, waits a little before all are asked again.
    fn ask_next_source(&mut self, now: Instant) {
        let Some(fetch) = &mut self.fetch else { return };
        if fetch.next.is_empty() && fetch.source.is_none() && !matches!(fetch.wanted, Wanted::State { .. }) {
            let peers = self.peers(now);
            self.fetch.as_mut().expect("it was matched above").next = peers;
        }
        let Some(fetch) = &mut self.fetch else { return };
        fetch.source = fetch.next.pop_front();
        if fetch.source.is_some() {
            return self.ask(now);
        }
        match fetch.wanted {
            Wanted::Log => {
                fetch.deadline = now + FETCH_AGAIN_AFTER;
                let after = self.log.end();
                self.transmit(Recipients::One(NodeId::Sequencer), Message::Missing { after });
            }
            Wanted::Offer => fetch.deadline = now + FETCH_AGAIN_AFTER,
            // Nobody has it any more. What the others offer instead is certified as well.
            Wanted::State { .. } => {
                self.fetch = None;
                self.fetch_instead(now);
            }
        }
    }

    /// All other managers, those that were heard of lately first.
    fn peers(&self, now: Instant) -> VecDeque<ReplicaId> {
        let lively = self.watch.lively(now);
        let mut peers: Vec<ReplicaId> =
            ReplicaId::first(self.config.membership.replicas_len).filter(|peer| *peer != self.config.replica).collect();
        peers.sort_by_key(|peer| lively.iter().position(|other| other == peer).unwrap_or(usize::MAX));
        peers.into()
    }

    /// A certified checkpoint cannot be had from anybody: begins with another one of one's own if that is possible, or asks for
    /// whatever there is.
    fn fetch_instead(&mut self, now: Instant) {
        if matches!(self.life, Life::Blocked { .. }) {
            // It follows the order meanwhile, and asks for passage again.
            if self.has_gap() {
                self.fetch_log(now);
            }
            return;
        }
        if let Life::Restoring(recovery) = &mut self.life {
            recovery.not_before = SequenceNumber(0);
        }
        if self.base(SequenceNumber(0)).is_some() {
            return self.restore(now);
        }
        self.fetch_from_anybody(Wanted::Offer, now);
    }

    fn ask(&mut self, now: Instant) {
        let log_end = self.log.end();
        let Some(fetch) = &mut self.fetch else { return };
        let Some(source) = fetch.source else { return };
        fetch.deadline = now + FETCH_TIMEOUT;
        let message = match &fetch.wanted {
            Wanted::Log => Message::FetchLog { after: log_end },
            Wanted::Offer => Message::FetchOffer,
            Wanted::State { certificate, bytes } => {
                Message::FetchState { sequence: certificate.sequence, offset: bytes.len() as u64 }
            }
        };
        self.transmit_to(source, message);
    }

    pub(super) fn on_fetch_timeout(&mut self, now: Instant) {
        if let Some(Fetch { wanted: Wanted::State { bytes, .. }, .. }) = &mut self.fetch {
            bytes.clear();
        }
        self.ask_next_source(now);
    }

    pub(super) fn on_fetch_log(&mut self, peer: ReplicaId, after: SequenceNumber) {
        let answer = match (self.log.piece(after), self.stable.back()) {
            (Some(orders), _) => Message::Log { after, orders },
            (None, Some((_, certificate))) => Message::Offer(certificate.clone()),
            (None, None) => Message::Log { after, orders: Vec::new() },
        };
        self.transmit_to(peer, answer);
    }

    pub(super) fn on_fetch_offer(&mut self, peer: ReplicaId) {
        let after = self.log.end();
        let latest = self.stable.back().map(|(_, certificate)| Message::Offer(certificate.clone()));
        self.transmit_to(peer, latest.unwrap_or(Message::Log { after, orders: Vec::new() }));
    }

    pub(super) fn on_log(&mut self, peer: ReplicaId, after: SequenceNumber, orders: Vec<Order>, now: Instant) {
        let Some(Fetch { wanted, source: Some(source), .. }) = &self.fetch else { return };
        if *source != peer {
            return;
        }
        match wanted {
            Wanted::Log if after <= self.log.end() => {}
            Wanted::Offer => return self.ask_next_source(now),
            Wanted::Log | Wanted::State { .. } => return,
        }
        let is_empty = orders.is_empty();
        self.take_in(orders, now);
        if !self.has_gap() {
            self.end_fetch_log(now);
        } else if is_empty {
            self.ask_next_source(now);
        } else {
            self.ask(now);
        }
    }

    pub(super) fn on_offer(&mut self, peer: ReplicaId, certificate: Certificate, now: Instant) {
        if let Life::Blocked { at, .. } = self.life
            && self.fetch.is_none()
            && certificate.sequence >= at
        {
            return self.fetch_state(certificate, Some(peer), now);
        }
        let Some(Fetch { wanted, source: Some(source), .. }) = &self.fetch else { return };
        let is_useful = match wanted {
            Wanted::Log => certificate.sequence > self.log.end(),
            Wanted::Offer => true,
            Wanted::State { .. } => return,
        };
        if *source != peer {
            return;
        }
        if !is_useful {
            return self.ask_next_source(now);
        }
        if matches!(self.life, Life::Voting | Life::Replaying(_)) {
            // The orders between are gone, and this life cannot go on without them.
            self.recover(Cause::Behind(self.log.end()), now);
        }
        self.fetch_state(certificate, Some(peer), now);
    }

    pub(super) fn on_fetch_state(&mut self, peer: ReplicaId, sequence: SequenceNumber, offset: u64) {
        if self.served.as_ref().is_none_or(|(served, _)| *served != sequence) {
            let held = self.stable.iter().find(|(stable, _)| stable.sequence == sequence);
            self.served = held.map(|(stable, _)| (sequence, stable.encode()));
        }
        let encoded = self.served.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let rest = usize::try_from(offset).ok().and_then(|offset| encoded.get(offset..)).unwrap_or(&[]);
        let bytes = rest[..rest.len().min(STATE_PIECE_LEN_MAX)].to_vec();
        let message = Message::State { sequence, offset, len: encoded.len() as u64, bytes };
        self.transmit_to(peer, message);
    }

    pub(super) fn on_state(
        &mut self,
        peer: ReplicaId,
        sequence: SequenceNumber,
        offset: u64,
        len: u64,
        piece: &[u8],
        now: Instant,
    ) {
        let Some(fetch) = &mut self.fetch else { return };
        let Wanted::State { certificate, bytes } = &mut fetch.wanted else { return };
        let is_expected =
            fetch.source == Some(peer) && certificate.sequence == sequence && offset == bytes.len() as u64;
        if !is_expected {
            return;
        }
        bytes.extend_from_slice(piece);
        let whole = bytes.len() as u64 == len;
        let is_impossible = len > STATE_LEN_MAX as u64 || piece.is_empty() || bytes.len() as u64 > len;
        if !is_impossible && !whole {
            return self.ask(now);
        }
        let replica = self.config.replica;
        let decoded = match is_impossible {
            true => Err("it is not held there any more".to_owned()),
            false => Checkpoint::decode(bytes, certificate),
        };
        match decoded {
            Ok(checkpoint) => {
                let certificate = certificate.clone();
                self.fetch = None;
                self.event(Event::StateFetched { replica, from: peer, sequence, len_bytes: len }, now);
                self.adopt(checkpoint, certificate, now);
            }
            Err(reason) => {
                bytes.clear();
                self.event(Event::StateRefused { replica, from: peer, sequence, reason }, now);
                self.ask_next_source(now);
            }
        }
    }

    /// Begins with a checkpoint of another manager.
    fn adopt(&mut self, checkpoint: Checkpoint, certificate: Certificate, now: Instant) {
        let (sequence, had_gap) = (checkpoint.sequence, self.has_gap());
        if let Life::Restoring(recovery) = &mut self.life
            && let Some(corrupt) = recovery.corrupt.take_if(|corrupt| corrupt.sequence == sequence)
        {
            let (own, certified) = corrupt.first_difference(&checkpoint);
            let replica = self.config.replica;
            self.event(Event::FirstDifference { replica, sequence, own, certified }, now);
        }
        let begins_anew = self.log.end() < sequence || self.log.start() > sequence;
        if begins_anew {
            self.stable.clear();
            self.tentative = None;
            self.log.begin_after(sequence);
            self.hold_back.forget(sequence);
        }
        self.keep(checkpoint, certificate);
        if begins_anew {
            self.persist(Record::Begin(sequence));
        }
        self.deliver_held_back(now);
        self.check_gap_closed(had_gap);
        match self.life {
            Life::Blocked { at, .. } if sequence >= at => self.unblock(at, now),
            // The life began with an earlier checkpoint while this one was on its way, and the orders between are gone.
            Life::Replaying(_) | Life::Voting if self.execution.executed < self.log.start() => {
                self.recover(Cause::Behind(self.execution.executed), now);
            }
            _ => self.restore(now),
        }
    }
}
