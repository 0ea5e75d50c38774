//! A client on its own machine whose requests keep coming while something goes wrong.

use std::io::Write;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use dsms::workload::{Mix, listings};
use serde_json::Value;

use crate::harness::{DEADLINE, lines};
use crate::machines::Machines;

/// Sends one request after the other, each when the one before it has been answered, until it is told to end. Each has to have an answer
/// of the market.
pub struct Load {
    answered: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Load {
    pub fn start(machines: &Machines) -> Load {
        let mut command = machines.command("client");
        command.args(["--json", "--script", "-"]);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut requests = client.stdin.take().unwrap();
        let answers = lines(client.stdout.take().unwrap());
        let (told, answered) = channel();
        let thread = std::thread::spawn(move || {
            for request in listings().chain(Mix::new(1, 1)) {
                writeln!(requests, "{request}").unwrap();
                let line = answers.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no answer to {request}"));
                let answer: Value = serde_json::from_str(&line).unwrap();
                assert!(answer["sequence"].is_u64() && answer.get("error").is_none(), "{answer} to {request}");
                if told.send(()).is_err() {
                    break;
                }
            }
            drop(requests);
            assert!(client.wait().unwrap().success());
        });
        Load { answered, thread }
    }

    /// Waits until so many more requests have been answered, which were not sent before now, but for one.
    pub fn wait_for_answers(&self, len: usize) {
        let _earlier = self.answered.try_iter().count();
        (0..=len).for_each(|_| self.answered.recv_timeout(DEADLINE).expect("requests are answered"));
    }

    /// Ends it; fails if any request was not answered.
    pub fn end(self) {
        drop(self.answered);
        self.thread.join().unwrap();
    }
}
