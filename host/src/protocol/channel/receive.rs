//! The receiving half: packets in any order in, messages in order out, and what to acknowledge when.
//!
//! It belongs to one pair of sessions and is made anew for the next. It does not know the sessions, nor how a datagram is sent.

use super::super::time::Instant;
use super::byte_queue::ByteQueue;
use super::datagram::{Packet, PacketNumber, Receipt};
use super::drop_reason::DropReason;
use super::limits::{
    ACKNOWLEDGE_AFTER, MESSAGE_LEN_MAX, MESSAGE_PREFIX_LEN, UNACKNOWLEDGED_LEN_MAX, UNDELIVERED_LEN_MAX, WINDOW_LEN_MAX,
};
use super::packet_set::PacketSet;

/// How a packet that was taken in came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// As the next one.
    InOrder,
    /// Behind a gap.
    OutOfOrder,
}

/// The receiving half of a channel.
#[derive(Debug)]
pub struct ReceiveHalf {
    /// Bytes in order that no message has been taken from.
    stream: ByteQueue,
    /// The first packet that has not arrived.
    next: PacketNumber,
    /// Which packets have arrived, counted from `next`; place 0 never has.
    behind_gap: PacketSet,
    /// The bytes of those packets, each at its number modulo the window. A vacated buffer stays for the next packet.
    chunks: Vec<Vec<u8>>,
    /// Packets taken in since the last acknowledgement.
    unacknowledged: u32,
    acknowledge_now: bool,
    acknowledge_at: Option<Instant>,
    /// Packets are refused until half of what has arrived is taken.
    full: bool,
    /// The stream announced a message longer than any may be.
    broken: bool,
}

impl ReceiveHalf {
    /// The half before the first packet.
    pub fn new() -> ReceiveHalf {
        ReceiveHalf::with_memory(ByteQueue::default(), vec![Vec::new(); WINDOW_LEN_MAX])
    }

    fn with_memory(stream: ByteQueue, chunks: Vec<Vec<u8>>) -> ReceiveHalf {
        ReceiveHalf {
            stream,
            next: PacketNumber(0),
            behind_gap: PacketSet::default(),
            chunks,
            unacknowledged: 0,
            acknowledge_now: false,
            acknowledge_at: None,
            full: false,
            broken: false,
        }
    }

    /// Forget everything, but keep the memory.
    pub fn reset(&mut self) {
        let (mut stream, mut chunks) = (std::mem::take(&mut self.stream), std::mem::take(&mut self.chunks));
        stream.clear();
        chunks.iter_mut().for_each(Vec::clear);
        *self = ReceiveHalf::with_memory(stream, chunks);
    }

    /// Take in a packet. One that closes a gap brings along those behind it.
    pub fn on_packet(&mut self, packet: Packet<'_>, now: Instant) -> Result<Arrival, DropReason> {
        if let Some(reason) = self.ignore_packet(packet.number) {
            return Err(reason);
        }
        let place = packet.number.places_after(self.next).expect("a packet before the window is ignored");
        let had_gap = !self.behind_gap.is_empty();
        if place == 0 {
            self.stream.push(packet.chunk);
            self.advance();
            while self.behind_gap.contains(0) {
                let chunk = &mut self.chunks[slot(self.next)];
                self.stream.push(chunk);
                chunk.clear();
                self.advance();
            }
        } else {
            let chunk = &mut self.chunks[slot(packet.number)];
            assert!(chunk.is_empty(), "the place of {:?} holds {} bytes already", packet.number, chunk.len());
            chunk.extend_from_slice(packet.chunk);
            self.behind_gap.insert(place);
        }
        self.unacknowledged += 1;
        self.acknowledge_now |= had_gap || place > 0 || self.unacknowledged >= UNACKNOWLEDGED_LEN_MAX;
        self.acknowledge_at.get_or_insert(now + ACKNOWLEDGE_AFTER);
        Ok(if place == 0 { Arrival::InOrder } else { Arrival::OutOfOrder })
    }

    /// Why a packet is not taken in. Its sender may be missing an acknowledgement, or must know that we are full.
    fn ignore_packet(&mut self, number: PacketNumber) -> Option<DropReason> {
        if self.broken {
            return Some(DropReason::BrokenStream);
        }
        let place = number.places_after(self.next);
        if place.is_none_or(|place| place < WINDOW_LEN_MAX && self.behind_gap.contains(place)) {
            self.acknowledge_now = true;
            return Some(DropReason::Duplicate);
        }
        if place.is_some_and(|place| place >= WINDOW_LEN_MAX) {
            return Some(DropReason::BeyondWindow);
        }
        self.full |= self.stream.len() > UNDELIVERED_LEN_MAX;
        if self.full {
            self.acknowledge_now = true;
            return Some(DropReason::Undelivered);
        }
        None
    }

    fn advance(&mut self) {
        self.next = self.next.after(1);
        self.behind_gap.advance();
    }

    /// Move the next message into `message`; `false` when none is complete.
    pub fn poll_message(&mut self, message: &mut Vec<u8>) -> bool {
        let Some((prefix, rest)) = self.stream.as_slice().split_first_chunk::<MESSAGE_PREFIX_LEN>() else {
            return false;
        };
        let len = u32::from_le_bytes(*prefix) as usize;
        if len > MESSAGE_LEN_MAX {
            // Only a peer with a bug says this. Where its next message begins is anybody's guess.
            self.broken = true;
            self.stream.clear();
            return false;
        }
        let Some(content) = rest.get(..len) else { return false };
        message.clear();
        message.extend_from_slice(content);
        self.stream.discard(MESSAGE_PREFIX_LEN + len);
        if self.full && self.stream.len() <= UNDELIVERED_LEN_MAX / 2 {
            self.full = false;
            self.acknowledge_now = true;
        }
        true
    }

    /// What to tell the peer in every datagram to it.
    pub fn receipt(&self) -> Receipt {
        Receipt { acknowledged: self.next, selective: self.behind_gap, full: self.full }
    }

    /// A datagram with the receipt is on its way.
    pub fn on_receipt_sent(&mut self) {
        self.unacknowledged = 0;
        self.acknowledge_now = false;
        self.acknowledge_at = None;
    }

    /// Send a receipt in this turn, even if nothing has changed.
    pub fn acknowledge_now(&mut self) {
        self.acknowledge_now = true;
    }

    /// Whether a receipt must go out in this turn, by itself if need be.
    pub fn is_receipt_due(&self) -> bool {
        self.acknowledge_now
    }

    /// The wait for data that can carry the receipt may be over.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.acknowledge_at = None;
            self.acknowledge_now = true;
        }
    }

    /// When that wait is over.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.acknowledge_at?, "acknowledge"))
    }
}

/// Where the bytes of a packet wait. Packets of one window never share a slot.
fn slot(number: PacketNumber) -> usize {
    (number.0 % WINDOW_LEN_MAX as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_000_000);

    fn packet(number: u64, chunk: &[u8]) -> Packet<'_> {
        Packet { number: PacketNumber(number), chunk }
    }

    fn messages(half: &mut ReceiveHalf) -> Vec<Vec<u8>> {
        let mut message = Vec::new();
        std::iter::from_fn(|| half.poll_message(&mut message).then(|| message.clone())).collect()
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u32).to_le_bytes(), message].concat()
    }

    #[test]
    fn packets_in_any_order_become_the_same_messages() {
        let stream = [framed(b"one"), framed(b""), framed(b"three")].concat();
        let chunks: Vec<&[u8]> = stream.chunks(4).collect();
        for first in 0..chunks.len() {
            let mut half = ReceiveHalf::new();
            for step in 0..chunks.len() {
                let number = (first + step * 3) % chunks.len();
                assert!(half.on_packet(packet(number as u64, chunks[number]), NOW).is_ok());
            }
            assert_eq!(messages(&mut half), [&b"one"[..], b"", b"three"], "beginning with packet {first}");
            assert_eq!(half.receipt().acknowledged, PacketNumber(chunks.len() as u64));
            assert!(half.receipt().selective.is_empty());
        }
    }

    #[test]
    fn a_packet_is_taken_in_once_and_its_repetition_is_acknowledged_at_once() {
        let mut half = ReceiveHalf::new();
        assert_eq!(half.on_packet(packet(0, &framed(b"m")), NOW), Ok(Arrival::InOrder));
        assert_eq!(half.on_packet(packet(2, b"!"), NOW), Ok(Arrival::OutOfOrder));
        half.on_receipt_sent();
        for number in [0, 2] {
            assert_eq!(half.on_packet(packet(number, b"?"), NOW), Err(DropReason::Duplicate));
            assert!(half.is_receipt_due());
            half.on_receipt_sent();
        }
        assert_eq!(messages(&mut half), [b"m"]);
    }

    #[test]
    fn acknowledgements_wait_for_data_unless_there_is_a_gap_or_much_to_acknowledge() {
        let mut half = ReceiveHalf::new();
        half.on_packet(packet(0, b"x"), NOW).unwrap();
        assert!(!half.is_receipt_due());
        assert_eq!(half.poll_timeout(), Some((NOW + ACKNOWLEDGE_AFTER, "acknowledge")));
        half.handle_timeout(NOW + ACKNOWLEDGE_AFTER);
        assert!(half.is_receipt_due());
        half.on_receipt_sent();
        assert_eq!((half.is_receipt_due(), half.poll_timeout()), (false, None));

        half.on_packet(packet(2, b"x"), NOW).unwrap();
        assert!(half.is_receipt_due(), "behind a gap");
        half.on_receipt_sent();
        half.on_packet(packet(1, b"x"), NOW).unwrap();
        assert!(half.is_receipt_due(), "closes the gap");
        half.on_receipt_sent();

        for number in 3..3 + u64::from(UNACKNOWLEDGED_LEN_MAX) {
            assert!(!half.is_receipt_due());
            half.on_packet(packet(number, b"x"), NOW).unwrap();
        }
        assert!(half.is_receipt_due());
    }

    #[test]
    fn no_more_than_a_window_is_held_behind_a_gap() {
        let mut half = ReceiveHalf::new();
        let last = WINDOW_LEN_MAX as u64 - 1;
        assert_eq!(half.on_packet(packet(last, b"x"), NOW), Ok(Arrival::OutOfOrder));
        assert_eq!(half.on_packet(packet(last + 1, b"x"), NOW), Err(DropReason::BeyondWindow));
        assert_eq!(half.on_packet(packet(u64::MAX, b"x"), NOW), Err(DropReason::BeyondWindow));
    }

    #[test]
    fn a_full_half_refuses_packets_and_says_so_until_half_is_taken() {
        let mut half = ReceiveHalf::new();
        let chunk = framed(&[7; 4092]);
        let mut number = 0;
        while half.on_packet(packet(number, &chunk), NOW) != Err(DropReason::Undelivered) {
            number += 1;
        }
        assert_eq!(number as usize, UNDELIVERED_LEN_MAX / chunk.len() + 1);
        assert!(half.receipt().full);
        half.on_receipt_sent();
        let mut message = Vec::new();
        let mut taken = 0;
        while half.receipt().full {
            assert!(!half.is_receipt_due() && half.poll_message(&mut message));
            taken += 1;
        }
        assert_eq!(taken, UNDELIVERED_LEN_MAX / chunk.len() / 2 + 1);
        assert!(half.is_receipt_due(), "the peer is told");
        assert_eq!(half.on_packet(packet(number, &chunk), NOW), Ok(Arrival::InOrder));
    }

    #[test]
    fn a_message_longer_than_any_may_be_breaks_the_stream_and_nothing_else() {
        let mut half = ReceiveHalf::new();
        half.on_packet(packet(0, &framed(b"good")), NOW).unwrap();
        half.on_packet(packet(1, &(MESSAGE_LEN_MAX as u32 + 1).to_le_bytes()), NOW).unwrap();
        assert_eq!(messages(&mut half), [b"good"]);
        assert_eq!(half.on_packet(packet(2, b"x"), NOW), Err(DropReason::BrokenStream));
        assert!(messages(&mut half).is_empty());
        half.reset();
        half.on_packet(packet(0, &framed(b"anew")), NOW).unwrap();
        assert_eq!(messages(&mut half), [b"anew"]);
    }
}
