//! A client against front ends that a test plays: what arrives at which of them, and what comes of it.

use std::cell::RefCell;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::protocol::client_message::ClusterStatus;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::id::NodeId;
use crate::runtime::frames::{CLIENT_FRAME_LEN_MAX, FrameReader, put_frame};

/// Longest wait for anything that happens at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A front end that is played.
struct Played(TcpListener);

impl Played {
    async fn start() -> Played {
        Played(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn name(&self) -> FrontEndName {
        self.0.local_addr().unwrap().into()
    }

    /// Lets the next client in; what it says first is who it is.
    async fn accept(&self) -> Conversation {
        let stream = tokio::time::timeout(PATIENCE, self.0.accept()).await.expect("a client comes").unwrap().0;
        let (read, write) = stream.into_split();
        let mut conversation = Conversation { frames: FrameReader::new(read, CLIENT_FRAME_LEN_MAX), write };
        assert_eq!(conversation.next().await, ClientMessage::Hello { client: ID });
        conversation
    }

    /// Nobody waits to be let in.
    async fn assert_left_alone(&self) {
        tokio::select! {
            biased;
            accepted = self.0.accept() => panic!("{accepted:?}"),
            () = std::future::ready(()) => {}
        }
    }
}

struct Conversation {
    frames: FrameReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Conversation {
    async fn next(&mut self) -> ClientMessage {
        tokio::time::timeout(PATIENCE, self.frames.next()).await.expect("something is asked").unwrap()
    }

    async fn say(&mut self, number: RequestNumber, body: ServerBody) {
        let mut frame = Vec::new();
        put_frame(&ServerMessage { number, body }, &mut frame).unwrap();
        self.write.write_all(&frame).await.unwrap();
    }

    /// Answers the next message, whose number it returns, with something that tells it from other answers.
    async fn answer_next(&mut self, text: &str) -> RequestNumber {
        let number = self.next().await.number().unwrap();
        self.say(number, answer(text)).await;
        number
    }
}

const ID: ClientId = ClientId(7);

fn answer(text: &str) -> ServerBody {
    ServerBody::FaultRefused(text.to_owned())
}

fn request(number: RequestNumber) -> ClientMessage {
    ClientMessage::Request { number, words: vec![format!("request {}", number.0)] }
}

fn client_of(front_ends: &[FrontEndName], patience: Duration) -> Client {
    let target = Target { front_ends: front_ends.to_vec(), tls: None, tokens: Vec::new() };
    Client::new(target, ID, patience)
}

/// A front end that does not run. Its port is held, so that nobody else gets it.
struct Stopped(TcpSocket);

impl Stopped {
    fn new() -> Stopped {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Stopped(socket)
    }

    fn name(&self) -> FrontEndName {
        self.0.local_addr().unwrap().into()
    }

    fn start(self) -> Played {
        Played(self.0.listen(16).unwrap())
    }
}

thread_local! {
    /// What the client of this test has told.
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(words: &str) {
    TOLD.with_borrow_mut(|told| told.push(words.to_owned()));
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test)
}

/// Two front ends that are played, and a client that is connected to the first one.
async fn at_the_first_of_two() -> (Played, Played, Client) {
    let (first, second) = (Played::start().await, Played::start().await);
    let mut client = client_of(&[first.name(), second.name()], PATIENCE);
    client.open().await.unwrap();
    (first, second, client)
}

#[test]
fn the_first_front_end_that_lets_it_connect_is_asked_and_what_it_is_passed_over_for_is_told() {
    run(async {
        let (first, second, third) = (Stopped::new(), Played::start().await, Played::start().await);
        let mut client = client_of(&[first.name(), second.name(), third.name()], PATIENCE).with_notice(note);
        client.open().await.unwrap();
        assert_eq!(*client.front_end(), second.name());
        let (answered, _) = tokio::join!(client.call(request), async { second.accept().await.answer_next("a").await });
        assert_eq!(answered.unwrap(), answer("a"));
        third.assert_left_alone().await;
        let told = TOLD.take();
        let expected = [format!("no front end answers at {}: ", first.name()), format!("; asking {}", second.name())];
        assert!(told.len() == 1 && expected.iter().all(|words| told[0].contains(words)), "{told:?}");
    });
}

#[test]
fn what_was_not_answered_is_sent_again_under_its_number_to_the_next_front_end_and_nothing_else_is() {
    run(async {
        let (first, second, mut client) = at_the_first_of_two().await;
        let numbers: Vec<u64> = (0..3).map(|_| client.send(request).0).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let served = async {
            let mut lost = first.accept().await;
            for number in [1, 2, 3] {
                assert_eq!(lost.next().await, request(RequestNumber(number)));
            }
            // In another order than they were asked: the client has to remember that the second is answered.
            lost.say(RequestNumber(2), answer("two")).await;
            drop(lost);
            let mut found = second.accept().await;
            for number in [1, 3] {
                assert_eq!(found.next().await, request(RequestNumber(number)));
                found.say(RequestNumber(number), answer("after the first was lost")).await;
            }
        };
        let asked = async {
            let mut answers = Vec::new();
            while client.unanswered_len() > 0 {
                answers.push(client.next_in_order().await.unwrap());
            }
            answers
        };
        let (answers, ()) = tokio::join!(asked, served);
        assert_eq!(answers, ["after the first was lost", "two", "after the first was lost"].map(answer));
        assert_eq!(client.moved_len(), 1);
    });
}

#[test]
fn the_only_front_end_is_asked_again_when_it_comes_back() {
    run(async {
        let front_end = Played::start().await;
        let mut client = client_of(&[front_end.name()], PATIENCE);
        client.open().await.unwrap();
        let served = async {
            assert_eq!(front_end.accept().await.next().await, request(RequestNumber(1)));
            let mut again = front_end.accept().await;
            assert_eq!(again.answer_next("again").await, RequestNumber(1));
        };
        let (answered, ()) = tokio::join!(client.call(request), served);
        assert_eq!(answered.unwrap(), answer("again"));
    });
}

#[test]
fn a_front_end_that_is_started_a_little_later_is_waited_for_and_that_is_told() {
    run(async {
        let front_end = Stopped::new();
        let mut client = client_of(&[front_end.name()], PATIENCE).with_notice(note);
        let started = async {
            while TOLD.with_borrow(Vec::is_empty) {
                tokio::task::yield_now().await;
            }
            front_end.start()
        };
        let (opened, _front_end) = tokio::join!(client.open(), started);
        opened.unwrap();
        let told = TOLD.take();
        assert!(told.len() == 1 && told[0].contains("trying again"), "{told:?}");
    });
}

#[test]
fn a_front_end_that_closes_or_refuses_is_left_for_the_next() {
    for last_word in [ServerBody::Closed("it ends".to_owned()), ServerBody::Refused("no such token".to_owned())] {
        run(async {
            let (first, second) = (Played::start().await, Played::start().await);
            let mut client = client_of(&[first.name(), second.name()], PATIENCE);
            client.open().await.unwrap();
            let served = async {
                let mut unwilling = first.accept().await;
                unwilling.next().await;
                unwilling.say(RequestNumber(0), last_word).await;
                assert_eq!(second.accept().await.answer_next("b").await, RequestNumber(1));
            };
            let (answered, ()) = tokio::join!(client.call(request), served);
            assert_eq!(answered.unwrap(), answer("b"));
        });
    }
}

#[test]
fn a_front_end_that_stays_too_busy_is_left_for_the_next_and_busy_is_the_answer_if_all_are() {
    let busy = || ServerBody::Answer(Answer::Busy { message: "full".to_owned() });
    run(async {
        let (first, second, mut client) = at_the_first_of_two().await;
        let mut asked_len = [0, 0];
        let served = async {
            for (front_end, asked_len) in [&first, &second].into_iter().zip(&mut asked_len) {
                let mut conversation = front_end.accept().await;
                // Until it has left.
                while let Ok(asked) = conversation.frames.next::<ClientMessage>().await {
                    assert_eq!(asked, request(RequestNumber(1)));
                    conversation.say(RequestNumber(1), busy()).await;
                    *asked_len += 1;
                }
            }
        };
        let asked = async {
            let answered = client.call(request).await;
            drop(client);
            answered
        };
        let (answered, ()) = tokio::join!(asked, served);
        assert_eq!(answered.unwrap(), busy());
        assert!(asked_len[0] > 1 && asked_len[0] == asked_len[1], "{asked_len:?}");
    });
}

#[test]
fn if_nobody_answers_every_front_end_is_named_with_its_reason() {
    run(async {
        let (dead, refusing) = (Stopped::new(), Played::start().await);
        let mut client = client_of(&[refusing.name(), dead.name()], Duration::from_millis(500));
        client.open().await.unwrap();
        let served = async {
            let mut unwilling = refusing.accept().await;
            unwilling.next().await;
            unwilling.say(RequestNumber(0), ServerBody::Refused("no such token".to_owned())).await;
        };
        let (answered, ()) = tokio::join!(client.call(request), served);
        let error = answered.unwrap_err();
        let words = error.to_string();
        assert!(words.contains(&format!("the front end at {} refuses: no such token", refusing.name())), "{words}");
        assert!(words.contains(&format!("no front end answers at {}: Connection refused", dead.name())), "{words}");
        assert_eq!(error.shared_cause(), None);
    });
}

#[test]
fn where_all_refuse_that_is_told_at_once() {
    run(async {
        let front_end = Played::start().await;
        let mut client = client_of(&[front_end.name()], PATIENCE);
        client.open().await.unwrap();
        let served = async {
            let mut unwilling = front_end.accept().await;
            unwilling.say(RequestNumber(0), ServerBody::Refused("no such token".to_owned())).await;
        };
        let (answered, ()) = tokio::join!(client.call(request), served);
        // It does not come again, though it might still wait.
        front_end.assert_left_alone().await;
        assert_eq!(answered.unwrap_err().shared_cause(), Some(Cause::Refused));
    });
}

/// Asks for a fault.
fn add_fault(number: RequestNumber) -> ClientMessage {
    ClientMessage::Faults { number, ask: FaultAsk::Add { node: NodeId::Sequencer, fault: Fault::of(FaultKind::Loss) } }
}

#[test]
fn a_fault_is_asked_for_once_and_what_has_become_of_it_is_not_made_up() {
    run(async {
        let (first, second, mut client) = at_the_first_of_two().await;
        let served = async { assert_eq!(first.accept().await.next().await, add_fault(RequestNumber(1))) };
        let (asked, ()) = tokio::join!(client.call(add_fault), served);
        let words = asked.unwrap_err().to_string();
        assert!(words.contains(&first.name().to_string()) && words.contains("nobody is asked again"), "{words}");
        second.assert_left_alone().await;
        // The client itself goes on.
        drop(first);
        let (answered, number) =
            tokio::join!(client.call(request), async { second.accept().await.answer_next("b").await });
        assert_eq!((answered.unwrap(), number), (answer("b"), RequestNumber(2)));
    });
}

#[test]
fn a_front_end_that_refuses_has_added_no_fault_so_the_next_one_is_asked() {
    run(async {
        let (first, second, mut client) = at_the_first_of_two().await;
        let served = async {
            let mut unwilling = first.accept().await;
            unwilling.next().await;
            unwilling.say(RequestNumber(0), ServerBody::Refused("no such token".to_owned())).await;
            let mut willing = second.accept().await;
            assert_eq!(willing.next().await, add_fault(RequestNumber(1)));
            willing.say(RequestNumber(1), answer("added")).await;
        };
        let (asked, ()) = tokio::join!(client.call(add_fault), served);
        assert_eq!(asked.unwrap(), answer("added"));
    });
}

#[test]
fn a_front_end_that_says_nothing_is_left_and_one_that_only_takes_its_time_is_not() {
    run(async {
        let (silent, slow) = (Played::start().await, Played::start().await);
        let mut client = client_of(&[silent.name(), slow.name()], PATIENCE);
        client.open().await.unwrap();
        let served = async {
            let mut hung = silent.accept().await;
            assert_eq!(hung.next().await, request(RequestNumber(1)));
            assert_eq!(hung.next().await, ClientMessage::Status { number: RequestNumber(0) });
            let mut conversation = slow.accept().await;
            assert_eq!(conversation.next().await, request(RequestNumber(1)));
            // Longer than it takes to leave one that is silent.
            for _ in 0..4 {
                assert_eq!(conversation.next().await, ClientMessage::Status { number: RequestNumber(0) });
                let status = ClusterStatus { wrong: 1, crashed: 0, nodes: Vec::new() };
                conversation.say(RequestNumber(0), ServerBody::Status(status)).await;
            }
            conversation.say(RequestNumber(1), answer("at last")).await;
        };
        let (answered, ()) = tokio::join!(client.call(request), served);
        assert_eq!(answered.unwrap(), answer("at last"));
        assert_eq!(client.moved_len(), 1);
    });
}

#[test]
fn a_client_that_is_new_does_not_wait_for_ever() {
    run(async {
        let front_end = Stopped::new();
        let opened = client_of(&[front_end.name()], Duration::from_millis(200)).open().await;
        let words = opened.unwrap_err().to_string();
        assert!(words.contains(&format!("no front end answers at {}", front_end.name())), "{words}");
    });
}
