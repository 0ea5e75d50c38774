//! Requests that keep coming while something goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::harness::{Cluster, requests_as};

/// A client that keeps asking until it is told to end, and checks that each of its requests is answered.
pub struct Load {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Load {
    pub fn start(cluster: &Cluster, client: u64) -> Load {
        let address = cluster.client_address();
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut answered_len = 0;
            while !told.load(Ordering::Relaxed) {
                // A client of its own for each round, so that no request is taken for a retry.
                let lines = ["NYKA1001 add-share NYKM100925 Equity 3", "NYKB1001 get-shares"];
                for answer in requests_as(address, client * 1_000_000 + answered_len as u64, &lines) {
                    assert!(answer.get("error").is_none(), "{answer}");
                    answered_len += 1;
                }
            }
            answered_len
        });
        Load { ends, thread }
    }

    /// Ends the load; fails if any request was answered with an error.
    pub fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        assert!(self.thread.join().unwrap() > 0);
    }
}
