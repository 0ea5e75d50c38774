//! The sending half: messages in, packets out, each repeated until it is acknowledged.
//!
//! It belongs to one pair of sessions and is made anew for the next. The bytes of the stream are held once, from the first
//! that is not acknowledged to the last that is not sent; a packet is a range of them, so that repeating it needs no copy.
//! The half decides which packet goes next and whether one may go at all. When to stop waiting is not its affair (`retry.rs`).

use std::collections::VecDeque;
use std::time::Duration;

use super::super::mutation::{self, Mutation};
use super::super::time::Instant;
use super::SendError;
use super::byte_queue::ByteQueue;
use super::congestion::Congestion;
use super::datagram::{Packet, PacketNumber, Receipt};
use super::drop_reason::DropReason;
use super::limits::{BACKLOG_LEN_MAX, MESSAGE_LEN_MAX, MESSAGE_PREFIX_LEN, REORDERED_LEN_MAX, WINDOW_LEN_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    /// Taken for lost; to be sent again.
    Lost,
    /// Acknowledged, but not all packets before it.
    Acknowledged,
}

/// A packet that was sent.
#[derive(Debug)]
struct Sent {
    /// Where its bytes begin in the whole stream of this pair of sessions, and how many they are.
    start: u64,
    len: usize,
    state: State,
    /// Which transmission of all was its latest.
    transmission: u64,
    sent_at: Instant,
    retransmitted: bool,
}

/// What an acknowledgement brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets acknowledged for the first time.
    pub acknowledged: usize,
    /// Packets taken for lost because of it.
    pub lost: usize,
    /// A measured round trip, if one of those packets was sent only once.
    pub round_trip: Option<Duration>,
}

/// A packet on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The packet.
    pub packet: Packet<'a>,
    /// Whether it was sent before.
    pub retransmitted: bool,
}

/// The sending half of a channel.
#[derive(Debug)]
pub struct SendHalf {
    /// The stream from `stream_start` on.
    stream: ByteQueue,
    /// How much of the stream has been acknowledged and is gone.
    stream_start: u64,
    /// Bytes of `stream` that packets were cut from.
    cut_len: usize,
    chunk_len_max: usize,
    /// The packets from `first` on, without gaps.
    packets: VecDeque<Sent>,
    first: PacketNumber,
    /// How many of `packets` are in each state but [`State::Acknowledged`]. Those are the rest.
    in_flight: usize,
    lost: usize,
    /// No packet before this one is lost; where to look for the next that is.
    lost_from: PacketNumber,
    /// The transmission that comes next.
    transmission: u64,
    /// The latest transmission that is known to have arrived.
    arrived: Option<u64>,
    /// A loss of a transmission before this one belongs to a run of losses that the window was halved for already.
    halved_at: u64,
    congestion: Congestion,
    /// The peer refuses packets until it has taken messages.
    peer_full: bool,
}

impl SendHalf {
    /// The half before the first message. Packets carry up to `chunk_len_max` bytes.
    pub fn new(chunk_len_max: usize) -> SendHalf {
        SendHalf {
            stream: ByteQueue::default(),
            stream_start: 0,
            cut_len: 0,
            chunk_len_max,
            packets: VecDeque::new(),
            first: PacketNumber(0),
            in_flight: 0,
            lost: 0,
            lost_from: PacketNumber(0),
            transmission: 0,
            arrived: None,
            halved_at: 0,
            congestion: Congestion::new(),
            peer_full: false,
        }
    }

    /// Forget everything, but keep the memory.
    pub fn reset(&mut self) {
        let (mut stream, mut packets) = (std::mem::take(&mut self.stream), std::mem::take(&mut self.packets));
        stream.clear();
        packets.clear();
        *self = SendHalf { stream, packets, ..SendHalf::new(self.chunk_len_max) };
    }

    /// Queue a message, all of it or nothing.
    pub fn push(&mut self, message: &[u8]) -> Result<(), SendError> {
        if message.len() > MESSAGE_LEN_MAX {
            return Err(SendError::TooLong);
        }
        if self.stream.len() + MESSAGE_PREFIX_LEN + message.len() > BACKLOG_LEN_MAX {
            return Err(SendError::Backlogged);
        }
        self.stream.push(&(message.len() as u32).to_le_bytes());
        self.stream.push(message);
        Ok(())
    }

    /// Bytes that are not acknowledged, sent or not.
    pub fn backlog_len(&self) -> usize {
        self.stream.len()
    }

    /// Whether an answer is waited for.
    pub fn is_waiting(&self) -> bool {
        !self.packets.is_empty()
    }

    /// The next packet to send now, if one may go. One packet alone goes to a peer that is only `probed`, or that is full.
    pub fn next_packet(&mut self, probed: bool, now: Instant) -> Option<Outgoing<'_>> {
        let window = if probed || self.peer_full { 1 } else { self.congestion.window() };
        if self.in_flight >= window {
            return None;
        }
        let retransmitted = self.lost > 0;
        let index = if retransmitted { self.next_lost() } else { self.cut()? };
        let number = self.first.after(index);
        let packet = &mut self.packets[index];
        packet.state = State::InFlight;
        packet.retransmitted = retransmitted;
        packet.transmission = self.transmission;
        packet.sent_at = now;
        self.in_flight += 1;
        self.transmission += 1;
        let start = (packet.start - self.stream_start) as usize;
        let chunk = self.stream.slice(start..start + packet.len);
        Some(Outgoing { packet: Packet { number, chunk }, retransmitted })
    }

    /// Where the first lost packet is; it is not lost any more.
    fn next_lost(&mut self) -> usize {
        let from = self.lost_from.places_after(self.first).unwrap_or(0);
        let found = self.packets.range(from..).position(|packet| packet.state == State::Lost);
        let index = from + found.expect("a packet that is counted as lost is found");
        self.lost -= 1;
        self.lost_from = self.first.after(index + 1);
        index
    }

    /// Cut a new packet from bytes that were not sent. Returns its place.
    fn cut(&mut self) -> Option<usize> {
        let len = (self.stream.len() - self.cut_len).min(self.chunk_len_max);
        if len == 0 || self.packets.len() == WINDOW_LEN_MAX {
            return None;
        }
        self.packets.push_back(Sent {
            start: self.stream_start + self.cut_len as u64,
            len,
            state: State::InFlight,
            transmission: 0,
            sent_at: Instant(0),
            retransmitted: false,
        });
        self.cut_len += len;
        Some(self.packets.len() - 1)
    }

    /// The peer told what it has received.
    pub fn on_receipt(&mut self, receipt: &Receipt, now: Instant) -> Result<Progress, DropReason> {
        let last = receipt.selective.last().map_or(receipt.acknowledged, |last| receipt.acknowledged.after(last + 1));
        if last > self.first.after(self.packets.len()) {
            return Err(DropReason::AcknowledgesUnsent);
        }
        let Some(len) = receipt.acknowledged.places_after(self.first) else {
            // An older receipt that was overtaken; a later one has said as much and more.
            return Ok(Progress::default());
        };
        let in_flight = self.in_flight;
        let mut progress = Progress::default();
        for _ in 0..len {
            self.on_arrived(0, &mut progress, now);
            let packet = self.packets.pop_front().expect("a packet that was sent is there");
            self.stream.discard(packet.len);
            self.stream_start += packet.len as u64;
            self.cut_len -= packet.len;
            self.first = self.first.after(1);
        }
        for place in receipt.selective.iter() {
            self.on_arrived(place, &mut progress, now);
        }
        if progress.acknowledged > 0 {
            self.congestion.on_acknowledged(progress.acknowledged, in_flight);
            progress.lost = self.find_lost();
        }
        if self.peer_full && !receipt.full {
            // What was refused meanwhile is gone; nobody will acknowledge a later packet to prove it.
            self.mark_all_lost();
        }
        self.peer_full = receipt.full;
        self.check();
        Ok(progress)
    }

    fn on_arrived(&mut self, index: usize, progress: &mut Progress, now: Instant) {
        let packet = &mut self.packets[index];
        match packet.state {
            State::InFlight => self.in_flight -= 1,
            State::Lost => self.lost -= 1,
            State::Acknowledged => return,
        }
        packet.state = State::Acknowledged;
        progress.acknowledged += 1;
        if !packet.retransmitted {
            // Karn's rule, for the order of transmissions as well: of a repeated packet nobody knows which one arrived.
            self.arrived = self.arrived.max(Some(packet.transmission));
            progress.round_trip = Some(now.since(packet.sent_at));
        }
    }

    /// Find packets that were overtaken by so many transmissions that they must be lost.
    fn find_lost(&mut self) -> usize {
        let mut acknowledged = self.packets.len() - self.in_flight - self.lost;
        let Some(arrived) = self.arrived else { return 0 };
        let mut found = 0;
        // Only what lies before an acknowledged packet can have been overtaken, so without a gap there is nothing to scan.
        for index in 0..self.packets.len() {
            if acknowledged == 0 {
                break;
            }
            let packet = &mut self.packets[index];
            match packet.state {
                State::Acknowledged => acknowledged -= 1,
                State::InFlight if packet.transmission + REORDERED_LEN_MAX <= arrived => {
                    if mutation::is_on(Mutation::ForgetRetransmission) {
                        packet.state = State::Acknowledged;
                        self.in_flight -= 1;
                        continue;
                    }
                    packet.state = State::Lost;
                    found += 1;
                    self.lost_from = self.lost_from.min(self.first.after(index));
                    if packet.transmission >= self.halved_at {
                        self.congestion.on_loss();
                        self.halved_at = self.transmission;
                    }
                }
                State::InFlight | State::Lost => {}
            }
        }
        self.in_flight -= found;
        self.lost += found;
        found
    }

    /// Nothing was acknowledged for a whole timeout; `first` tells it from a repetition. All that is in flight is taken
    /// for lost, and goes again as fast as the congestion window lets it.
    pub fn on_timeout(&mut self, first: bool) {
        if !self.peer_full {
            self.congestion.on_timeout(first);
            self.halved_at = self.transmission;
        }
        self.mark_all_lost();
        self.check();
    }

    /// The peer answers again after a silence that was not the path's congestion.
    pub fn on_reachable(&mut self) {
        self.congestion = Congestion::new();
    }

    fn mark_all_lost(&mut self) {
        self.packets
            .iter_mut()
            .filter(|packet| packet.state == State::InFlight)
            .for_each(|packet| packet.state = State::Lost);
        self.lost += self.in_flight;
        self.in_flight = 0;
        self.lost_from = self.first;
    }

    fn check(&self) {
        assert!(
            self.in_flight + self.lost <= self.packets.len() && self.packets.len() <= WINDOW_LEN_MAX,
            "{} in flight and {} lost of {} packets",
            self.in_flight,
            self.lost,
            self.packets.len()
        );
        assert!(self.cut_len <= self.stream.len(), "{} bytes sent of {}", self.cut_len, self.stream.len());
        assert!(!self.packets.is_empty() || self.cut_len == 0, "{} bytes sent in no packet", self.cut_len);
    }
}

#[cfg(test)]
#[path = "tests/send.rs"]
mod tests;
