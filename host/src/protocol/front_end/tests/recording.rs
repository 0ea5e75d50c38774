//! Which entries are written for each way in which an order ends.

use super::*;
use crate::protocol::event_log::EventRecord;
use crate::protocol::ledger::Entry;

/// A front end whose entries are kept.
fn kept(tolerance: Tolerance) -> Bench {
    let mut bench = Bench::new(tolerance);
    bench.front_end.keep_entries(0);
    bench
}

/// The entries of this turn, each as a few words.
fn entries(bench: &mut Bench) -> Vec<String> {
    let words = |entry| match entry {
        Entry::Record(record) => {
            let replies_len = record.replies.iter().flatten().count();
            let concluded = match record.conclusion {
                None => "open",
                Some(Conclusion::Released { .. }) => "released",
                Some(Conclusion::NoAgreement { .. }) => "no agreement",
                Some(Conclusion::TimedOut { .. }) => "timed out",
            };
            format!("#{} {concluded}, {replies_len} replies", record.sequence)
        }
        Entry::Event(event) => format!("{}: {}", event.index, event.event.kind()),
        other => format!("{other:?}"),
    };
    std::iter::from_fn(|| bench.front_end.poll_entry()).map(words).collect()
}

#[test]
fn what_was_released_is_written_once_all_have_replied_whom_anybody_waits_for() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5]);
    assert_eq!(entries(&mut bench), [""; 0], "the third may still be wrong");
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(entries(&mut bench), ["#1 released, 3 replies"]);
    bench.reply(3, 1, executed(1, 5));
    assert_eq!(entries(&mut bench), [""; 0], "it repeats itself");
}

#[test]
fn a_wrong_reply_is_written_with_the_event_of_it_and_a_late_one_as_a_later_entry() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 5, 6]);
    assert_eq!(entries(&mut bench), ["1: diverged", "#1 released, 3 replies"]);
    bench.judged_request(2, &[5, 5]);
    bench.pass(SuspicionPolicy::default().deadline_ceiling);
    assert_eq!(entries(&mut bench), ["2: suspected", "#2 released, 2 replies"]);
    bench.reply(3, 2, executed(2, 6));
    assert_eq!(entries(&mut bench), ["3: diverged", "#2 released, 3 replies"]);
}

#[test]
fn no_agreement_and_what_becomes_void_are_written() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5, 6, 7]);
    assert_eq!(entries(&mut bench), ["1: no-agreement", "#1 no agreement, 3 replies"]);
    bench.request(2);
    bench.sequenced(2, 2);
    (1..=3).for_each(|replica| bench.reply(replica, 2, fault()));
    assert_eq!(entries(&mut bench), ["2: no-agreement", "3: voided", "#2 no agreement, 3 replies"]);
    // Of an earlier process, which may have written what was asked.
    (1..=3).for_each(|replica| bench.reply(replica, 3, fault()));
    assert_eq!(entries(&mut bench), ["4: voided", "#3 no agreement, 3 replies"]);
}

#[test]
fn what_timed_out_is_written_and_again_when_it_is_agreed_on_after_all() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5]);
    bench.pass(REQUEST_TIMEOUT);
    let written = entries(&mut bench);
    assert!(written.contains(&"#1 timed out, 1 replies".to_owned()), "{written:?}");
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(entries(&mut bench), ["#1 released, 2 replies"]);
}

#[test]
fn a_barrier_is_written() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.client(CONNECTION, ClientMessage::Digest { number: RequestNumber(1) });
    bench.sequenced(1, 1);
    let digest = Response::StateDigest(Digest::of_bytes(b"state"));
    (1..=3).for_each(|replica| bench.reply(replica, 1, digest.clone()));
    assert_eq!(entries(&mut bench), ["#1 released, 3 replies"]);
}

#[test]
fn at_the_end_what_is_open_is_written_as_it_is() {
    let mut bench = kept(Tolerance::BYZANTINE);
    bench.judged_request(1, &[5]);
    bench.judged_request(2, &[5, 5]);
    assert_eq!(entries(&mut bench), [""; 0]);
    bench.front_end.write_down_all();
    assert_eq!(entries(&mut bench), ["#1 open, 1 replies", "#2 released, 2 replies"]);
}

#[test]
fn events_are_counted_on_from_those_of_earlier_processes_and_come_after_them() {
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    bench.front_end = FrontEnd::new(bench.front_end.config);
    bench.front_end.keep_entries(40);
    let at = Instant(7);
    bench.front_end.handle_message(NodeId::Sequencer, Message::Event { at, event: Box::new(Event::Ready) }, bench.now);
    assert_eq!(entries(&mut bench), ["41: ready"]);
    let earlier = |index| EventRecord { index, at, node: NodeId::Sequencer, event: Event::Ready };
    bench.front_end.handle_earlier_events(vec![earlier(39), earlier(40)]);
    bench.client(CONNECTION, ClientMessage::Events { number: RequestNumber(1), after: 0 });
    let answer = std::iter::from_fn(|| bench.front_end.poll_output()).last();
    let Some(Output::Answer { message: ServerMessage { body: ServerBody::Events(events), .. }, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(events.iter().map(|event| event.index).collect::<Vec<_>>(), [39, 40, 41]);
    assert_eq!(entries(&mut bench), [""; 0], "they are written already");
}

#[test]
fn a_place_that_this_process_does_not_know_is_looked_up_in_what_earlier_ones_have_written() {
    let mut bench = kept(Tolerance::BYZANTINE);
    let why = |bench: &mut Bench, sequence| {
        bench.drain();
        bench.client(CONNECTION, ClientMessage::Why { number: RequestNumber(9), sequence });
        bench.drain()
    };
    assert_eq!(why(&mut bench, 3), ["recollects 3"]);
    bench.judged_request(4, &[5, 5, 5]);
    assert_eq!(why(&mut bench, 3), ["recollects 3"], "nothing was heard of it");
    bench.reply(1, 3, executed(3, 5));
    assert_eq!(why(&mut bench, 3), ["recollects 3"], "what was asked there is not known here");
    assert!(why(&mut bench, 4)[0].starts_with("1/9: Why(Recorded"));
    let mut bench = Bench::new(Tolerance::BYZANTINE);
    assert!(why(&mut bench, 3)[0].starts_with("1/9: Why(NotRecorded"), "nothing is written here");
}
