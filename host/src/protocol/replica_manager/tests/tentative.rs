//! Tentative checkpoints: when a manager writes one down, and which process begins with it.

use super::*;

/// So rarely does a manager write one down here, and it votes on none by itself.
const TENTATIVE_EVERY: u64 = 25;

/// Some orders after the first one.
const LAST: u64 = TENTATIVE_EVERY + 2;

impl Bench {
    /// A manager with rare checkpoints, and with what an earlier process has left.
    fn rare(recovered: Recovered) -> Bench {
        let recovery =
            RecoveryPolicy { checkpoint_every: 1000, tentative_every: TENTATIVE_EVERY, ..RecoveryPolicy::default() };
        Bench::with_policy(recovery, Membership::of(3), 1, recovered)
    }

    /// The first process of such a manager, which has executed up to this place.
    fn rare_up_to(last: u64) -> Bench {
        let mut bench = Bench::rare(Recovered::default());
        bench.joined(0, 0);
        bench.start();
        bench.starts.clear();
        bench.deliver_up_to(last);
        bench.execute_all();
        bench
    }

    /// The process ends, and another one begins with what all of them have left.
    fn next(self) -> Bench {
        let records = self.records.clone();
        let mut next = Bench::rare(self.left());
        next.records.splice(0..0, records);
        next
    }

    /// A barrier is delivered next, and another replica has the same checkpoint.
    fn certify_next(&mut self) {
        let sequence = self.manager.log.end().next().0;
        self.deliver(Order { command: Command::Barrier, ..order(sequence, sequence) });
        self.certify(sequence);
    }

    /// The place of the one that a next process would find.
    fn tentative(&self) -> Option<u64> {
        self.left().tentative.map(|tentative| tentative.sequence.0)
    }
}

#[test]
fn the_next_process_begins_with_it_executes_what_follows_and_asks_whether_the_others_have_the_same() {
    let bench = Bench::rare_up_to(LAST);
    assert!(!bench.sent_names().contains(&"checkpoint-vote"), "nobody votes on it");
    let mut bench = bench.next();
    bench.joined(1, LAST);
    assert_eq!(bench.starts, [(Incarnation(2), 0, true)]);
    assert!(bench.manager.began_tentatively());
    bench.start();
    assert_eq!(bench.places().concat(), [LAST - 1, LAST]);
    bench.execute_all();
    assert!(bench.sent_names().contains(&"want-checkpoint"));
}

#[test]
fn the_next_process_repeats_replies_that_may_not_have_left() {
    let mut bench = Bench::rare_up_to(LAST).next();
    bench.joined(1, LAST);
    bench.start();
    bench.execute_all();
    let replies: Vec<Replied> = (1..=LAST).map(|sequence| (sequence, Some(sequence))).collect();
    assert_eq!(bench.replies, replies);
}

#[test]
fn no_process_after_that_begins_with_it() {
    let mut bench = Bench::rare_up_to(LAST).next();
    bench.joined(1, LAST);
    let mut bench = bench.next();
    bench.joined(2, LAST);
    assert_eq!(bench.starts, [(Incarnation(3), 0, false)], "it ended with it once");
}

#[test]
fn one_of_a_life_before_the_last_one_is_not_begun_with() {
    let mut bench = Bench::rare_up_to(LAST).next();
    // The end of what was written is lost, and others know more.
    bench.joined(5, LAST);
    assert_eq!(bench.starts, [(Incarnation(6), 0, false)]);
}

#[test]
fn the_life_after_the_one_that_began_with_it_does_not() {
    let mut bench = Bench::rare_up_to(LAST).next();
    bench.joined(1, LAST);
    bench.start();
    bench.fail();
    assert_eq!(bench.starts, [(Incarnation(2), 0, true), (Incarnation(3), 0, false)]);
    assert!(!bench.manager.began_tentatively());
}

#[test]
fn what_a_life_has_written_is_not_begun_with_if_that_life_was_wrong() {
    let mut bench = Bench::rare_up_to(LAST);
    assert_eq!(bench.tentative(), Some(TENTATIVE_EVERY));
    (1..=3).for_each(|sequence| bench.accuse(1, sequence));
    assert_eq!(bench.tentative(), None);
}

#[test]
fn one_is_due_so_many_orders_after_the_last_certified_or_tentative_one() {
    let mut bench = Bench::rare_up_to(6);
    bench.certify_next();
    for (last, expected) in [(31, None), (32, Some(32)), (56, Some(32)), (57, Some(57))] {
        bench.deliver_up_to(last);
        bench.execute_all();
        assert_eq!(bench.tentative(), expected, "after #{last}");
    }
    bench.certify_next();
    assert_eq!(bench.tentative(), None, "a certified one is later");
}

#[test]
fn none_is_written_where_votes_have_not_agreed() {
    let mut bench = Bench::voting(1);
    bench.deliver_up_to(10 * EVERY);
    bench.execute_all();
    assert_eq!(bench.tentative(), None);
}

#[test]
fn none_is_written_before_the_others_have_said_that_they_have_the_same() {
    let mut bench = Bench::rare_up_to(LAST).next();
    bench.joined(1, LAST);
    bench.start();
    bench.execute_all();
    let last = LAST + 3 * TENTATIVE_EVERY;
    bench.deliver_up_to(last);
    bench.execute_all();
    assert_eq!(bench.tentative(), None);
    bench.certify_next();
    bench.deliver_up_to(last + 1 + TENTATIVE_EVERY);
    bench.execute_all();
    assert_eq!(bench.tentative(), Some(last + 1 + TENTATIVE_EVERY));
}

#[test]
fn one_that_counts_a_request_that_became_void_is_not_begun_with() {
    let mut bench = Bench::rare_up_to(LAST);
    bench.void(TENTATIVE_EVERY);
    assert_eq!(bench.tentative(), None);
    // It is told only after the next process has begun.
    for has_started in [false, true] {
        let mut bench = Bench::rare_up_to(LAST).next();
        if has_started {
            bench.joined(1, LAST);
        }
        bench.void(TENTATIVE_EVERY - 1);
        if !has_started {
            bench.joined(1, LAST);
        }
        let (_, _, has_state) = bench.starts.last().unwrap();
        assert!(!has_state, "it begins with the empty market");
    }
    let mut bench = Bench::rare_up_to(LAST).next();
    bench.joined(1, LAST);
    bench.void(LAST);
    assert_eq!(bench.starts.len(), 1, "what is void comes after it");
}

#[test]
fn an_operator_who_wants_none_has_none_written_and_none_begun_with() {
    let never = RecoveryPolicy { checkpoint_every: 1000, tentative_every: 0, ..RecoveryPolicy::default() };
    let left = Bench::rare_up_to(LAST).left();
    let mut bench = Bench::with_policy(never, Membership::of(3), 1, left);
    bench.joined(1, LAST);
    assert_eq!(bench.starts, [(Incarnation(2), 0, false)]);
    bench.start();
    bench.execute_all();
    bench.certify_next();
    bench.deliver_up_to(LAST + 3 * TENTATIVE_EVERY);
    bench.execute_all();
    assert!(!bench.records.iter().any(|(_, record)| matches!(record, Record::Tentative(_))));
}
