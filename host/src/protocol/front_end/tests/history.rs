//! What a client is told of the order's history.

use super::*;
use crate::protocol::client_message::PastOrder;
use crate::protocol::limits::{HISTORY_PIECE_LEN_MAX, HISTORY_PLACE_BYTES_MAX};
use crate::protocol::wire;

impl Bench {
    fn history(&mut self, after: u64) -> Vec<PastOrder> {
        while self.front_end.poll_output().is_some() {}
        self.client(CONNECTION, ClientMessage::History { number: RequestNumber(9), after });
        match self.front_end.poll_output() {
            Some(Output::Answer { message: ServerMessage { body: ServerBody::History(history), .. }, .. }) => history,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_history_tells_what_was_asked_what_is_void_and_what_is_not_known() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5, 5]);
    bench.request_words(2, "NYKA1001 add-share NYKM100925 Equity 5");
    bench.sequenced(2, 2);
    (1..=3).for_each(|replica| bench.reply(replica, 2, fault()));
    bench.reply(1, 3, executed(3, 5));
    bench.request(4);
    bench.sequenced(4, 4);
    bench.reply(1, 4, fault());
    let told = bench.history(0);
    let numbers = |past: &PastOrder| (past.sequence.0, past.asked.map(|(id, _)| id.number.0), past.is_void);
    let expected = [(1, Some(1), false), (2, Some(2), true), (3, None, false), (4, Some(4), false)];
    assert_eq!(told.iter().map(numbers).collect::<Vec<_>>(), expected);
    assert_eq!(bench.history(3), told[3..]);
    assert_eq!(bench.history(4), []);
}

#[test]
fn the_history_is_told_in_pieces_that_are_short_enough() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    for number in 1..=HISTORY_PIECE_LEN_MAX as u64 + 1 {
        bench.request_words(number, "NYKA1001 swap-shares NYKM100925 Equity NYKA110925 Dividend --buyer NYKB1001");
        bench.sequenced(number, number);
    }
    let first = bench.history(0);
    assert_eq!((first.len(), first[0].sequence.0), (HISTORY_PIECE_LEN_MAX, 1));
    let place = PastOrder { sequence: SequenceNumber(SequenceNumber::RECEIVED_MAX), ..first[0] };
    assert!(wire::encode_state(&place).len() <= HISTORY_PLACE_BYTES_MAX);
    let next = bench.history(first.last().unwrap().sequence.0);
    assert_eq!(next.len(), 1);
}
