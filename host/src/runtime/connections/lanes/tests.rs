//! Turns, bounds and ends of lanes.

use super::*;
use crate::market::{Answer, BadRequest};

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);
const THREE: ConnectionId = ConnectionId(3);
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4711);

fn lanes() -> Lanes {
    let mut lanes = Lanes::default();
    for connection in [ONE, TWO, THREE] {
        lanes.open(connection, PEER);
        assert!(lanes.may_read(connection));
    }
    lanes
}

fn answer_of(len: usize) -> ServerMessage {
    let answer = Answer::TimedOut { message: "x".repeat(len) };
    ServerMessage { number: RequestNumber(1), body: ServerBody::Answer(answer) }
}

fn taken(lanes: &mut Lanes) -> Vec<(u64, u8)> {
    let arrivals = std::iter::from_fn(|| lanes.next());
    arrivals
        .map(|arrival| match arrival {
            Arrival::Frame(connection, frame) => (connection.0, frame[0]),
            Arrival::Gone(connection) => (connection.0, 0),
        })
        .collect()
}

#[test]
fn lanes_are_served_in_turn_whatever_one_of_them_has_sent() {
    let mut lanes = lanes();
    for frame in 1..=4 {
        lanes.put(ONE, &[frame]);
    }
    lanes.put(TWO, &[1]);
    lanes.put(TWO, &[2]);
    lanes.put(THREE, &[1]);
    assert_eq!(taken(&mut lanes), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3), (1, 4)]);
    assert!(!lanes.has_arrivals());
    lanes.put(THREE, &[9]);
    lanes.put(ONE, &[9]);
    assert_eq!(taken(&mut lanes), [(3, 9), (1, 9)]);
}

#[test]
fn nothing_is_read_any_more_once_that_is_said_and_what_was_read_is_answered() {
    let mut lanes = lanes();
    lanes.put(ONE, &[1]);
    lanes.stop_reading();
    lanes.put(TWO, &[1]);
    assert!(!lanes.may_read(ONE) && !lanes.may_read(TWO));
    assert_eq!(taken(&mut lanes), [(1, 1)]);
    assert!(lanes.is_written());
    lanes.answer(ONE, &answer_of(1));
    assert!(!lanes.is_written());
    let mut writing = Vec::new();
    assert!(lanes.take_outgoing(ONE, &mut writing) && !lanes.is_written(), "taken is not written");
    lanes.on_written(ONE, writing.len());
    assert!(lanes.is_written());
}

#[test]
fn a_lane_with_too_many_messages_is_not_read_until_one_is_answered() {
    let mut lanes = lanes();
    for _ in 0..IN_FLIGHT_PER_CLIENT_MAX {
        assert!(lanes.may_read(ONE));
        lanes.put(ONE, &[1]);
    }
    assert!(!lanes.may_read(ONE) && lanes.may_read(TWO));
    assert_eq!(taken(&mut lanes).len(), IN_FLIGHT_PER_CLIENT_MAX);
    assert!(!lanes.may_read(ONE), "what is taken is not answered");
    lanes.answer(ONE, &answer_of(1));
    assert!(lanes.may_read(ONE));
    lanes.put(ONE, &[1]);
    assert!(!lanes.may_read(ONE));
    lanes.expect_no_answer(ONE);
    assert!(lanes.may_read(ONE));
}

#[test]
fn a_lane_with_too_many_bytes_that_have_arrived_is_not_read_until_they_are_taken() {
    let mut lanes = lanes();
    lanes.put(ONE, &[1; ARRIVED_LEN_MAX]);
    assert!(!lanes.may_read(ONE) && lanes.may_read(TWO));
    taken(&mut lanes);
    assert!(lanes.may_read(ONE));
}

#[test]
fn a_client_that_does_not_read_is_not_read_and_goes_on_when_it_has_read() {
    let mut lanes = lanes();
    lanes.answer(ONE, &answer_of(WAITING_LEN_PAUSE));
    assert!(!lanes.may_read(ONE) && lanes.may_read(TWO));
    let mut writing = Vec::new();
    assert!(lanes.take_outgoing(ONE, &mut writing) && !lanes.take_outgoing(ONE, &mut Vec::new()));
    assert!(!lanes.may_read(ONE), "taken is not written");
    lanes.on_written(ONE, writing.len());
    assert!(lanes.may_read(ONE));
    assert_eq!(lanes.waiting_len, 0);
}

#[test]
fn a_client_that_never_reads_is_closed_alone_and_it_is_told_of() {
    let mut lanes = lanes();
    let len = WAITING_LEN_MAX / 4;
    for _ in 0..4 {
        assert_eq!(lanes.ending(ONE), None);
        lanes.answer(ONE, &answer_of(len));
    }
    assert!(matches!(lanes.ending(ONE), Some(ServerBody::Closed(words)) if words.contains("wait to be read")));
    assert!(lanes.poll_notice().is_some_and(|notice| notice.contains("client at 127.0.0.1:4711 ends")));
    assert_eq!((lanes.waiting_len, lanes.ending(TWO)), (0, None));
    lanes.answer(ONE, &answer_of(len));
    assert_eq!(lanes.waiting_len, 0, "an ending connection takes no answers");
    lanes.close(ONE);
    assert_eq!(taken(&mut lanes), [(1, 0)]);
    assert!(!lanes.may_read(ONE));
}

#[test]
fn where_all_have_too_much_to_read_the_one_with_the_most_is_closed() {
    let mut lanes = lanes();
    let (most, len) = (ConnectionId(100), WAITING_LEN_MAX / 2 - 100);
    lanes.open(most, PEER);
    lanes.answer(most, &answer_of(len));
    lanes.answer(most, &answer_of(len / 2));
    for number in 1000.. {
        lanes.open(ConnectionId(number), PEER);
        lanes.answer(ConnectionId(number), &answer_of(len));
        if lanes.ending(most).is_some() {
            break;
        }
        assert!(lanes.waiting_len <= WAITING_ALL_LEN_MAX);
    }
    assert!(lanes.waiting_len <= WAITING_ALL_LEN_MAX);
    assert_eq!(lanes.notices.len(), 1);
}

#[test]
fn what_a_client_sent_before_it_went_is_taken_but_not_what_came_before_it_was_ended() {
    let mut lanes = lanes();
    lanes.put(ONE, &[1]);
    lanes.put(ONE, &[2]);
    lanes.close(ONE);
    lanes.put(TWO, &[1]);
    lanes.end(TWO, ServerBody::Refused("it breaks the rules".to_owned()));
    lanes.put(TWO, &[2]);
    lanes.close(TWO);
    assert_eq!(taken(&mut lanes), [(1, 1), (2, 0), (1, 2), (1, 0)]);
    assert!(lanes.next().is_none());
}

#[test]
fn a_connection_is_idle_when_nothing_is_asked_answered_or_written() {
    let mut lanes = lanes();
    assert_eq!(lanes.check_idle(ONE, 0), Ok(()));
    lanes.put(ONE, &[1]);
    assert_eq!(lanes.check_idle(ONE, 0), Err(1));
    assert_eq!(lanes.check_idle(ONE, 1), Err(1), "it waits for its answer");
    taken(&mut lanes);
    lanes.answer(ONE, &answer_of(1));
    assert_eq!(lanes.check_idle(ONE, 1), Err(1), "the answer is not written");
    let mut writing = Vec::new();
    lanes.take_outgoing(ONE, &mut writing);
    lanes.on_written(ONE, writing.len());
    assert_eq!(lanes.check_idle(ONE, 1), Ok(()));
}

#[test]
fn an_answer_too_long_for_a_message_is_told_of_in_its_place() {
    let mut lanes = lanes();
    let field = "x".repeat(crate::runtime::frames::SERVER_FRAME_LEN_MAX);
    let refused = BadRequest { field, given: String::new(), message: String::new() };
    let body = ServerBody::Answer(Answer::BadRequest(refused));
    lanes.answer(ONE, &ServerMessage { number: RequestNumber(1), body });
    let mut writing = Vec::new();
    assert!(lanes.take_outgoing(ONE, &mut writing));
    assert!(String::from_utf8_lossy(&writing).contains("longer than a message may be"));
}

#[test]
fn the_rest_of_a_frame_is_what_its_writer_has_not_written() {
    let frames = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9];
    for (written_len, expected) in [
        (0, &[][..]),
        (1, &frames[1..6]),
        (5, &frames[5..6]),
        (6, &[]),
        (8, &frames[8..10]),
        (10, &[]),
        (14, &[9]),
        (15, &[]),
    ] {
        assert_eq!(rest_of_frame(&frames, written_len), expected, "after {written_len} bytes");
    }
}
