//! Modules that are to take over: what is compared, and what comes of it.

use super::*;
use crate::market::Digest;
use crate::protocol::swap::{Candidate, Stage, SwapAsk, SwapId, SwapStatus};

impl Bench {
    fn swap_ask(&mut self, ask: SwapAsk) -> Result<Option<SwapStatus>, String> {
        self.front_end.on_swap_ask(ConnectionId(1), RequestNumber(99), ask, self.now);
        let mut answer = None;
        let mut rest = VecDeque::new();
        while let Some(output) = self.front_end.poll_output() {
            match output {
                Output::Answer { message: ServerMessage { body: ServerBody::Swap(status), .. }, .. } => {
                    answer = Some(Ok(status));
                }
                Output::Answer { message: ServerMessage { body: ServerBody::SwapRefused(words), .. }, .. } => {
                    answer = Some(Err(words));
                }
                other => rest.push_back(other),
            }
        }
        self.front_end.outputs = rest;
        answer.expect("every question is answered")
    }

    fn begin(&mut self, shadow_len: u64) -> SwapId {
        let candidate = Candidate::File { path: "/new.wasm".to_owned(), digest: Digest::of_bytes(b"new") };
        let ask = SwapAsk::Begin { replica: replica(3), candidate, shadow_len };
        self.swap_ask(ask).unwrap().expect("it is another module").swap
    }

    fn look(&mut self, swap: SwapId) -> SwapStatus {
        self.swap_ask(SwapAsk::Look { replica: replica(3), swap }).unwrap().expect("it was begun")
    }

    fn manager_says(&mut self, message: Message) {
        self.front_end.handle_message(NodeId::ReplicaManager(replica(3)), message, self.now);
    }

    fn following(&mut self, swap: SwapId) {
        let stage = Stage::Following { executed: SequenceNumber(0), target: SequenceNumber(0) };
        self.manager_says(Message::SwapReport { swap, stage });
    }

    fn shadow_reply(&mut self, swap: SwapId, sequence: u64, capacity: u32) {
        let response = executed(sequence, capacity);
        self.manager_says(Message::ShadowReply { swap, sequence: SequenceNumber(sequence), response });
    }

    /// The names of what was sent about swaps.
    fn swap_messages(&mut self) -> Vec<&'static str> {
        let mut names = Vec::new();
        while let Some(output) = self.front_end.poll_output() {
            if let Output::Transmit { message, .. } = output
                && ["swap", "promote", "end-swap"].contains(&message.name())
            {
                names.push(message.name());
            }
        }
        names
    }

    fn ready() -> Bench {
        let mut bench = Bench::new(Tolerance::BYZANTINE);
        (1..=3).for_each(|number| bench.progress(number, 1, Phase::Voting));
        bench
    }

    /// A shadow that needs two outcomes, and two requests that were answered with 5.
    fn following_two_requests() -> (Bench, SwapId) {
        let mut bench = Bench::ready();
        let swap = bench.begin(2);
        bench.following(swap);
        (1..=2).for_each(|number| bench.judged_request(number, &[5, 5, 5]));
        (bench, swap)
    }
}

fn replica(number: u8) -> ReplicaId {
    ReplicaId::new(number).unwrap()
}

#[test]
fn a_shadow_takes_over_after_enough_outcomes_that_equal_the_released_ones() {
    let (mut bench, swap) = Bench::following_two_requests();
    bench.shadow_reply(swap, 1, 5);
    assert_eq!(bench.swap_messages(), ["swap"]);
    bench.shadow_reply(swap, 2, 5);
    assert_eq!(bench.swap_messages(), ["promote"]);
    let promoted = Stage::Promoted { incarnation: Incarnation(2), sequence: SequenceNumber(2) };
    bench.manager_says(Message::SwapReport { swap, stage: promoted.clone() });
    let status = bench.look(swap);
    assert_eq!((status.equal_len, status.stage), (2, promoted));
}

#[test]
fn an_outcome_that_differs_ends_the_swap_and_is_kept_with_the_released_one() {
    let mut bench = Bench::ready();
    let swap = bench.begin(2);
    bench.following(swap);
    bench.judged_request(1, &[5, 5, 5]);
    bench.shadow_reply(swap, 1, 6);
    assert_eq!(bench.swap_messages(), ["swap", "end-swap"]);
    let status = bench.look(swap);
    let mismatch = status.mismatch.expect("the outcomes differ");
    assert_eq!(
        (mismatch.sequence, mismatch.shadow, mismatch.released),
        (SequenceNumber(1), executed(1, 6), executed(1, 5))
    );
    assert!(mismatch.command.is_some());
    bench.shadow_reply(swap, 2, 5);
    assert_eq!(
        bench.swap_messages(),
        ["end-swap"],
        "the manager goes on with a swap that is over, so it is told again"
    );
}

#[test]
fn what_is_not_released_yet_is_compared_when_it_is() {
    let mut bench = Bench::ready();
    let swap = bench.begin(1);
    bench.following(swap);
    bench.request(1);
    bench.sequenced(1, 1);
    bench.shadow_reply(swap, 1, 5);
    assert_eq!(bench.swap_messages(), ["swap"]);
    bench.reply(1, 1, executed(1, 5));
    bench.reply(2, 1, executed(1, 5));
    assert_eq!(bench.swap_messages(), ["promote"]);
}

#[test]
fn a_module_that_the_replica_has_and_a_replica_that_is_being_changed_are_said() {
    let mut bench = Bench::ready();
    let present = Digest::of_bytes(b"present");
    bench.manager_says(Message::Progress(Progress { module: Some(present), ..PROGRESS }));
    let candidate = Candidate::File { path: "/same.wasm".to_owned(), digest: present };
    let ask = SwapAsk::Begin { replica: replica(3), candidate, shadow_len: 1 };
    assert_eq!(bench.swap_ask(ask), Ok(None));
    let absent = SwapAsk::Begin { replica: replica(4), candidate: Candidate::Previous, shadow_len: 1 };
    let refused = bench.swap_ask(absent).unwrap_err();
    assert_eq!(refused, "this cluster has no replica-4; its replicas are replica-1, replica-2, replica-3");
    let swap = bench.begin(1);
    let again = SwapAsk::Begin { replica: replica(3), candidate: Candidate::Previous, shadow_len: 1 };
    assert!(bench.swap_ask(again.clone()).unwrap_err().contains("under way"));
    bench.swap_ask(SwapAsk::End { replica: replica(3), swap }).unwrap();
    assert!(matches!(bench.look(swap).stage, Stage::Failed(_)));
    bench.pass(Duration::from_millis(1));
    bench.swap_ask(again).unwrap();
}

#[test]
fn a_swap_ends_with_the_process_of_its_manager() {
    let mut bench = Bench::ready();
    let swap = bench.begin(1);
    bench.manager_says(Message::Join);
    assert!(matches!(bench.look(swap).stage, Stage::Failed(words) if words.contains("restarted")));
}

#[test]
fn how_a_swap_ended_that_is_given_up_after_it_was_to_be_promoted_is_what_its_manager_says() {
    let promoted = Stage::Promoted { incarnation: Incarnation(2), sequence: SequenceNumber(1) };
    for ended in [promoted, Stage::Failed("it was given up before it took over".to_owned())] {
        let mut bench = Bench::ready();
        let swap = bench.begin(1);
        bench.following(swap);
        bench.judged_request(1, &[5, 5, 5]);
        bench.judged_request(2, &[5, 5, 5]);
        bench.shadow_reply(swap, 1, 5);
        bench.shadow_reply(swap, 2, 6);
        assert_eq!(bench.swap_messages(), ["swap", "promote", "end-swap"]);
        assert!(!bench.look(swap).stage.is_over(), "the module may have taken over, or may not");
        bench.manager_says(Message::SwapReport { swap, stage: ended.clone() });
        let status = bench.look(swap);
        assert_eq!((status.stage, status.mismatch.map(|mismatch| mismatch.sequence.0)), (ended, Some(2)));
    }
}

#[test]
fn outcomes_of_an_instance_that_began_again_do_not_count_for_the_next_one() {
    let (mut bench, swap) = Bench::following_two_requests();
    bench.shadow_reply(swap, 1, 5);
    bench.manager_says(Message::SwapReport { swap, stage: Stage::Importing });
    bench.following(swap);
    bench.shadow_reply(swap, 1, 5);
    assert_eq!((bench.look(swap).equal_len, bench.swap_messages()), (1, vec!["swap"]));
    bench.shadow_reply(swap, 2, 5);
    assert_eq!(bench.swap_messages(), ["promote"]);
}
