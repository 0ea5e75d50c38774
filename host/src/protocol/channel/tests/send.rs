//! Tests of the sending half alone.

use super::super::limits::{CONGESTION_WINDOW_INITIAL, CONGESTION_WINDOW_MIN};
use super::super::packet_set::PacketSet;
use super::*;

const NOW: Instant = Instant(1_000_000);
const CHUNK_LEN: usize = 100;

/// A half with this many full packets to send.
fn half_with_packets(len: usize) -> SendHalf {
    let mut half = SendHalf::new(CHUNK_LEN);
    (0..len).for_each(|_| half.push(&[7; CHUNK_LEN - MESSAGE_PREFIX_LEN]).unwrap());
    half
}

/// Send whatever may go. Returns the packets' numbers, each with whether it went before.
fn transmit(half: &mut SendHalf) -> Vec<(u64, bool)> {
    let mut sent = Vec::new();
    while let Some(outgoing) = half.next_packet(false, NOW) {
        sent.push((outgoing.packet.number.0, outgoing.retransmitted));
    }
    sent
}

fn receipt(acknowledged: u64, places: &[usize]) -> Receipt {
    let mut selective = PacketSet::default();
    places.iter().for_each(|&place| selective.insert(place));
    Receipt { acknowledged: PacketNumber(acknowledged), selective, full: false }
}

#[test]
fn short_messages_share_a_packet_and_a_long_one_spans_several() {
    let mut half = SendHalf::new(CHUNK_LEN);
    (0..3).for_each(|_| half.push(b"short").unwrap());
    half.push(&[1; 2 * CHUNK_LEN]).unwrap();
    let mut stream = Vec::new();
    let mut lens = Vec::new();
    while let Some(outgoing) = half.next_packet(false, NOW) {
        stream.extend_from_slice(outgoing.packet.chunk);
        lens.push(outgoing.packet.chunk.len());
    }
    assert_eq!(lens, [100, 100, 31]);
    assert!(stream.starts_with(b"\x05\0\0\0short\x05\0\0\0short\x05\0\0\0short\xc8\0\0\0\x01\x01"));
}

#[test]
fn a_lost_packet_goes_again_with_its_number_and_its_bytes() {
    let mut half = SendHalf::new(CHUNK_LEN);
    for byte in 0..8 {
        half.push(&[byte; CHUNK_LEN - MESSAGE_PREFIX_LEN]).unwrap();
    }
    transmit(&mut half);
    half.push(b"later").unwrap();
    let progress = half.on_receipt(&receipt(2, &[1, 2, 3]), NOW).unwrap();
    assert_eq!((progress.acknowledged, progress.lost), (5, 1));
    let outgoing = half.next_packet(false, NOW).unwrap();
    assert!(outgoing.retransmitted);
    assert_eq!((outgoing.packet.number, outgoing.packet.chunk[CHUNK_LEN - 1]), (PacketNumber(2), 2));
    assert_eq!(transmit(&mut half), [(8, false)]);
}

#[test]
fn fewer_than_three_later_packets_are_reordering_and_not_loss() {
    let mut half = half_with_packets(8);
    transmit(&mut half);
    assert_eq!(half.on_receipt(&receipt(0, &[1, 2]), NOW).unwrap().lost, 0);
    assert_eq!(half.on_receipt(&receipt(0, &[1, 2, 3]), NOW).unwrap().lost, 1);
    // It is on its way again, and what was sent before it proves nothing about it.
    assert_eq!(transmit(&mut half), [(0, true)]);
    assert_eq!(half.on_receipt(&receipt(0, &[1, 2, 3, 4, 5, 6, 7]), NOW).unwrap().lost, 0);
}

#[test]
fn a_run_of_losses_halves_the_window_once() {
    let mut half = half_with_packets(100);
    assert_eq!(transmit(&mut half).len(), CONGESTION_WINDOW_INITIAL);
    assert_eq!(half.on_receipt(&receipt(0, &[5, 10]), NOW).unwrap().lost, 7);
    let window = half.congestion.window();
    assert_eq!(half.on_receipt(&receipt(0, &[5, 10, 20]), NOW).unwrap().lost, 9);
    assert_eq!(half.congestion.window(), window);
}

#[test]
fn a_timeout_repeats_all_that_is_not_acknowledged_a_small_window_at_a_time() {
    let mut half = half_with_packets(20);
    transmit(&mut half);
    half.on_receipt(&receipt(1, &[1]), NOW).unwrap();
    half.on_timeout(true);
    assert_eq!(transmit(&mut half), [(1, true), (3, true), (4, true), (5, true)]);
    assert_eq!(half.in_flight, CONGESTION_WINDOW_MIN);
    let progress = half.on_receipt(&receipt(6, &[]), NOW).unwrap();
    assert_eq!(progress, Progress { acknowledged: 4, lost: 0, round_trip: None });
    half.on_receipt(&receipt(20, &[]), NOW).unwrap();
    assert!(!half.is_waiting() && half.backlog_len() == 0);
    assert_eq!(transmit(&mut half), []);
}

#[test]
fn only_a_packet_that_was_sent_once_measures_the_round_trip() {
    let mut half = half_with_packets(2);
    transmit(&mut half);
    half.on_timeout(true);
    transmit(&mut half);
    half.push(b"once").unwrap();
    transmit(&mut half);
    let later = NOW + Duration::from_millis(7);
    assert_eq!(half.on_receipt(&receipt(2, &[]), later).unwrap().round_trip, None);
    assert_eq!(half.on_receipt(&receipt(3, &[]), later).unwrap().round_trip, Some(Duration::from_millis(7)));
}

#[test]
fn what_is_acknowledged_and_was_never_sent_changes_nothing() {
    let mut half = half_with_packets(4);
    transmit(&mut half);
    for receipt in [receipt(5, &[]), receipt(0, &[4]), receipt(4, &[0]), receipt(u64::MAX, &[255])] {
        assert_eq!(half.on_receipt(&receipt, NOW), Err(DropReason::AcknowledgesUnsent), "{receipt:?}");
    }
    assert_eq!(half.in_flight, 4);
    half.on_receipt(&receipt(3, &[]), NOW).unwrap();
    assert_eq!(half.on_receipt(&receipt(1, &[0]), NOW), Ok(Progress::default()), "an overtaken receipt");
}

#[test]
fn a_full_backlog_refuses_the_whole_message_and_takes_it_once_there_is_room() {
    let mut half = SendHalf::new(CHUNK_LEN);
    let message = vec![7; MESSAGE_LEN_MAX];
    assert_eq!(half.push(&vec![7; MESSAGE_LEN_MAX + 1]), Err(SendError::TooLong));
    while half.push(&message).is_ok() {}
    let len = half.backlog_len();
    assert!(len <= BACKLOG_LEN_MAX && len + MESSAGE_PREFIX_LEN + message.len() > BACKLOG_LEN_MAX);
    let rest = BACKLOG_LEN_MAX - len - MESSAGE_PREFIX_LEN;
    assert_eq!(half.push(&message[..rest + 1]), Err(SendError::Backlogged));
    assert_eq!(half.push(&message[..rest]), Ok(()));
    assert_eq!(half.push(b""), Err(SendError::Backlogged));
    assert_eq!(half.backlog_len(), BACKLOG_LEN_MAX);
    transmit(&mut half);
    half.on_receipt(&receipt(1, &[]), NOW).unwrap();
    assert_eq!(half.push(b""), Ok(()));
}

#[test]
fn no_more_packets_than_a_window_are_unacknowledged() {
    let mut half = half_with_packets(2 * WINDOW_LEN_MAX);
    transmit(&mut half);
    // All but the first arrive, and so the window of packets and not the congestion window is what ends it.
    for _ in 0..100 {
        let places: Vec<usize> = (1..half.packets.len()).collect();
        half.on_receipt(&receipt(0, &places), NOW).unwrap();
        transmit(&mut half);
    }
    assert_eq!(half.packets.len(), WINDOW_LEN_MAX);
}

#[test]
fn one_packet_probes_a_full_peer_until_it_has_room() {
    let mut half = half_with_packets(50);
    transmit(&mut half);
    half.on_receipt(&Receipt { full: true, ..receipt(10, &[]) }, NOW).unwrap();
    assert_eq!(transmit(&mut half), []);
    half.on_timeout(true);
    assert_eq!(transmit(&mut half), [(10, true)]);
    half.on_receipt(&receipt(10, &[]), NOW).unwrap();
    assert_eq!(transmit(&mut half)[..2], [(10, true), (11, true)], "everything that was refused");
}
