//! Networks that lose and delay, by the kernel's own means.

use dsms::protocol::id::{Membership, NodeId};
use serde_json::Value;

use crate::lab::skip;
use crate::machines::Machines;

/// Loses, delays, and delays differently, so that datagrams also overtake each other.
const LOSSY: [&str; 6] = ["netem", "loss", "5%", "delay", "5ms", "3ms"];

/// A line of 4 Mbit/s with a short queue: what comes faster waits, 16 ms at most, and what finds the queue full is lost.
const NARROW: [&str; 7] = ["tbf", "rate", "4mbit", "burst", "4kb", "limit", "8kb"];

/// Has all nodes send through a discipline, and asserts that every request is answered although it loses.
fn requests_are_answered_through(discipline: &[&str], requests_len: usize) {
    let Some(machines) = Machines::start() else { return };
    let names: Vec<String> = Membership::of(3).nodes().iter().map(NodeId::to_string).collect();
    for name in &names {
        if let Err(words) = machines.lab.shape(name, discipline) {
            let kind = discipline[0];
            skip(&format!(
                "`tc qdisc add … {kind}` does not work here ({words}), so no network lost and delayed like it"
            ));
            return;
        }
    }
    // Enough at once that their datagrams follow each other closely.
    let len = requests_len.to_string();
    let load = ["--json", "--clients", "8", "--in-flight", "8", "--requests", &len];
    let output = machines.run("bench", &load);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(output.status.success(), "{report}");
    machines.wait_until_well();
    let lost: Vec<u64> = names.iter().map(|name| machines.lab.lost_len(name)).collect();
    println!("lost: {lost:?}; {report}");
    assert!(lost.iter().sum::<u64>() > 0, "nothing was lost");
}

#[test]
fn requests_are_answered_over_a_network_that_loses_and_delays() {
    requests_are_answered_through(&LOSSY, 1000);
}

#[test]
fn requests_are_answered_over_lines_that_are_narrow() {
    requests_are_answered_through(&NARROW, 4000);
}
