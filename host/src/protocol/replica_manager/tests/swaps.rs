//! Another module for the replica, first as its shadow.

use super::*;
use crate::protocol::limits::SHADOW_STARTS_MAX;
use crate::protocol::swap::{Candidate, Stage};

const SWAP: SwapId = SwapId(7);

fn candidate() -> Candidate {
    Candidate::File { path: "/new.wasm".to_owned(), digest: Digest::of_bytes(b"new") }
}

impl Bench {
    fn swap(&mut self, swap: SwapId, candidate: Candidate) {
        self.receive(NodeId::FRONT_END, Message::Swap { swap, candidate });
    }

    fn loaded(&mut self, loaded: Result<Digest, String>) {
        self.manager.handle_loaded(SWAP, loaded, self.now);
        self.drain();
    }

    fn shadow_started(&mut self, started: Result<(), StartFailure>) {
        self.manager.handle_shadow_started(SWAP, started, self.now);
        self.drain();
    }

    /// A shadow that follows the order from its beginning.
    fn follow(&mut self) {
        self.swap(SWAP, candidate());
        self.loaded(Ok(Digest::of_bytes(b"new")));
        self.shadow_started(Ok(()));
        assert_eq!(self.swap_asks, ["load", "start"]);
    }

    fn execute_shadow(&mut self) {
        while let Some((swap, run)) = self.shadow_runs.pop_front() {
            let results = run.iter().map(done).collect();
            self.manager.handle_shadow_executed(swap, results, self.now);
            self.drain();
        }
    }

    fn promote(&mut self) {
        self.receive(NodeId::FRONT_END, Message::Promote { swap: SWAP });
    }

    /// The places at which the shadow has told its outcome.
    fn shadow_replies(&self) -> Vec<u64> {
        let place = |(_, message): &(Recipients, Message)| match message {
            Message::ShadowReply { sequence, .. } => Some(sequence.0),
            _ => None,
        };
        self.sent.iter().filter_map(place).collect()
    }

    fn stage(&self) -> Stage {
        let stage = |(_, message): &(Recipients, Message)| match message {
            Message::SwapReport { stage, .. } => Some(stage.clone()),
            _ => None,
        };
        self.sent.iter().rev().find_map(stage).expect("a swap was reported")
    }
}

#[test]
fn a_shadow_follows_the_replica_and_is_never_ahead_of_it() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.execute_all();
    bench.deliver_up_to(5);
    bench.follow();
    bench.execute_shadow();
    assert_eq!(bench.shadow_replies(), [1, 2, 3], "4 and 5 are not executed by the replica yet");
    bench.execute_all();
    bench.execute_shadow();
    assert_eq!(bench.shadow_replies(), [1, 2, 3, 4, 5]);
    assert_eq!(bench.replies.len(), 5, "only the replica replies");
    assert_eq!(bench.manager.phase(), Phase::Voting);
}

#[test]
fn a_shadow_that_is_promoted_goes_on_where_the_replica_was() {
    let mut bench = Bench::voting(2);
    bench.deliver_up_to(3);
    bench.execute_all();
    bench.follow();
    bench.execute_shadow();
    // The replica is in the middle of the next orders, which the shadow has to reply to.
    bench.deliver_up_to(6);
    bench.promote();
    assert_eq!(bench.swap_asks.last(), Some(&"promote"));
    assert_eq!(bench.stage(), Stage::Promoted { incarnation: Incarnation(2), sequence: SequenceNumber(3) });
    assert_eq!(bench.manager.phase(), Phase::Voting);
    assert_eq!(bench.runs.front().map(|(life, _)| *life), Some(Incarnation(2)));
    bench.execute_all();
    let replied: Vec<u64> = bench.replies.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(replied, [1, 2, 3, 4, 5, 6], "each order was replied to once");
    assert!(bench.kinds().contains(&"swapped"));
    // What fails now is followed by the module that was replaced.
    for _ in 0..2 {
        bench.deliver_up_to(7);
        bench.fail();
        bench.start();
        bench.execute_all_but_the_last();
    }
    let life = bench.manager.incarnation;
    assert_eq!(bench.starts.last(), Some(&(life, 0, false)), "the module that was replaced is the next spare");
}

impl Bench {
    fn execute_all_but_the_last(&mut self) {
        while self.runs.iter().any(|(_, run)| run[0].order.sequence.0 < 7) {
            let (life, run) = self.runs.pop_front().expect("it was seen");
            let (before, rest): (Vec<Task>, Vec<Task>) = run.into_iter().partition(|task| task.order.sequence.0 < 7);
            let results = before.iter().map(done).collect();
            if !rest.is_empty() {
                self.runs.push_front((life, rest));
            }
            self.manager.handle_executed(life, results, self.now);
            self.drain();
        }
    }
}

#[test]
fn a_module_that_cannot_be_loaded_or_started_changes_nothing() {
    let refused = Err(StartFailure::Refused("not today".to_owned()));
    let failed = Err(StartFailure::Fault(GuestFault::StackOverflow));
    for (loaded, started) in [
        (Err("no such file".to_owned()), Ok(())),
        (Ok(Digest::of_bytes(b"new")), refused),
        (Ok(state_digest()), failed),
    ] {
        let mut bench = Bench::voting(1);
        bench.swap(SWAP, candidate());
        bench.loaded(loaded);
        bench.shadow_started(started);
        assert!(matches!(bench.stage(), Stage::Failed(_)), "{:?}", bench.stage());
        assert_eq!(bench.swap_asks.last(), Some(&"stop"));
        bench.deliver_up_to(1);
        bench.execute();
        assert_eq!((bench.replies.len(), bench.manager.incarnation), (1, Incarnation(1)));
    }
}

#[test]
fn a_shadow_that_fails_is_given_up_and_the_replica_votes_on() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(2);
    bench.execute_all();
    bench.follow();
    let (swap, _) = bench.shadow_runs.pop_front().expect("it was handed the orders");
    bench.manager.handle_shadow_executed(swap, vec![Err(GuestFault::StackOverflow)], bench.now);
    bench.drain();
    assert!(matches!(bench.stage(), Stage::Failed(words) if words.contains("#1")));
    bench.promote();
    assert_eq!(bench.manager.incarnation, Incarnation(1), "a swap that has failed is not promoted");
}

#[test]
fn a_swap_can_be_taken_back_without_a_file() {
    let mut bench = Bench::voting(1);
    bench.swap(SWAP, Candidate::Previous);
    assert!(matches!(bench.stage(), Stage::Failed(_)), "nothing was replaced yet");
    bench.follow();
    bench.promote();
    bench.swap_asks.clear();
    let back = SwapId(SWAP.0 + 1);
    bench.swap(back, Candidate::Previous);
    bench.manager.handle_shadow_started(back, Ok(()), bench.now);
    bench.drain();
    bench.receive(NodeId::FRONT_END, Message::Promote { swap: back });
    assert_eq!(bench.swap_asks, ["start", "promote"]);
    assert_eq!(bench.manager.incarnation, Incarnation(3));
    let swapped = bench.events.iter().rev().find_map(|event| match event {
        Event::Swapped { module, previous, .. } => Some((*module, *previous)),
        _ => None,
    });
    assert_eq!(swapped, Some((Digest::of_bytes(&[0]), Digest::of_bytes(b"new"))));
}

#[test]
fn a_quarantined_replica_votes_again_with_another_module() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(3);
    bench.execute_all();
    for _ in 0..20 {
        if bench.manager.phase() == Phase::Quarantined {
            break;
        }
        let life = bench.manager.incarnation.0;
        (1..=3).for_each(|sequence| bench.accuse(life, sequence));
        bench.pass(std::time::Duration::from_secs(10));
        bench.start();
        bench.execute_all();
    }
    assert_eq!(bench.manager.phase(), Phase::Quarantined);
    bench.deliver_up_to(5);
    bench.swap_asks.clear();
    bench.follow();
    bench.execute_shadow();
    assert_eq!(bench.shadow_replies(), [1, 2, 3, 4, 5]);
    bench.replies.clear();
    bench.promote();
    assert_eq!(bench.manager.phase(), Phase::Voting);
    bench.deliver_up_to(6);
    bench.execute_all();
    assert_eq!(bench.replies.last(), Some(&(6, Some(6))));
}

#[test]
fn a_shadow_that_the_log_was_cut_off_behind_begins_again_and_is_too_slow_in_the_end() {
    let mut bench = Bench::voting(1);
    bench.follow();
    for round in 1.. {
        assert!(round <= 3 * u64::from(SHADOW_STARTS_MAX), "{:?}", bench.swap_asks);
        let begun = bench.swap_asks.len();
        bench.deliver_up_to(round * EVERY);
        bench.execute_all();
        // It has not come to what it was handed before the others certify checkpoints that are further on.
        (2..=3).for_each(|voter| bench.checkpoint_vote(voter, round * EVERY, bench.own_digest(round * EVERY)));
        bench.deliver_up_to(round * EVERY + 1);
        bench.execute_all();
        bench.shadow_runs.clear();
        match bench.stage() {
            Stage::Failed(words) => {
                assert!(words.contains("too slow"), "{words}");
                break;
            }
            stage => {
                assert_eq!(stage == Stage::Importing, bench.swap_asks.len() > begun, "{:?}", bench.swap_asks);
                bench.shadow_started(Ok(()));
            }
        }
    }
    let starts = bench.swap_asks.iter().filter(|ask| ask.starts_with("start")).count();
    assert_eq!(starts, SHADOW_STARTS_MAX as usize);
}

#[test]
fn a_swap_that_is_given_up_says_so_unless_the_shadow_has_taken_over() {
    let mut bench = Bench::voting(1);
    bench.follow();
    bench.receive(NodeId::FRONT_END, Message::EndSwap { swap: SWAP });
    assert!(matches!(bench.stage(), Stage::Failed(_)));
    bench.promote();
    assert_eq!(bench.manager.incarnation, Incarnation(1), "it is over");
    let mut bench = Bench::voting(1);
    bench.follow();
    bench.promote();
    bench.receive(NodeId::FRONT_END, Message::EndSwap { swap: SWAP });
    assert!(matches!(bench.stage(), Stage::Promoted { .. }), "{:?}", bench.stage());
}
