//! Processes that end, hang or are stopped: found, agreed on, started again, and back in the vote with the state of the others,
//! while requests keep coming.

use dsms::protocol::id::{NodeId, ReplicaId};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::Cluster;
use crate::load::Load;

fn replica(number: u8) -> NodeId {
    NodeId::ReplicaManager(ReplicaId::new(number).unwrap())
}

/// Kills a replica's process while it is asked, and waits until the new one votes, with the state of the others.
fn kill_and_await_return(cluster: &Cluster, number: u8) -> Pid {
    let before = cluster.node_pid(replica(number));
    kill_process(before, Signal::KILL).unwrap();
    await_return(cluster, number);
    let after = cluster.node_pid(replica(number));
    assert_ne!(before, after);
    after
}

fn await_return(cluster: &Cluster, number: u8) {
    let name = format!("replica=replica-{number}");
    cluster.wait_for_log(&["info", "votes again", &name]);
    cluster.wait_for_log(&["info", "state equals the certified one", &name]);
}

#[test]
fn a_killed_process_is_started_again_and_votes_with_the_state_of_the_others() {
    let cluster = Cluster::start(&[]);
    let load = Load::start(&cluster, 1);
    let killed = cluster.node_pid(replica(2));
    kill_process(killed, Signal::KILL).unwrap();
    cluster.wait_for_log(&["replica-2 is started again", "the managers agree"]);
    await_return(&cluster, 2);
    load.end();
    cluster.equal_digest();
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    let agreed = log.lines().find(|line| line.contains("crash agreed replica=replica-2")).expect(&log);
    let process = format!("process={} by=replica-1,replica-3", killed.as_raw_nonzero());
    assert!(agreed.contains(&process), "{agreed}");
}

#[test]
fn a_process_that_is_killed_again_and_during_its_recovery_comes_back() {
    let cluster = Cluster::start(&["--mode", "crash"]);
    let load = Load::start(&cluster, 1);
    let again = kill_and_await_return(&cluster, 3);
    kill_process(again, Signal::KILL).unwrap();
    let started = cluster.wait_for_log(&["replica-3 is started again"]);
    // It is joining, or just has. Its command line may not be there to find it by yet.
    let (_, process) = started.split_once("(process ").unwrap();
    let process = process.split(')').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
    cluster.wait_for_log(&["replica-3 is started again"]);
    await_return(&cluster, 3);
    load.end();
    cluster.equal_digest();
}

#[test]
fn a_process_that_hangs_is_killed_once_the_managers_agree_and_started_again() {
    let cluster = Cluster::start(&[]);
    let load = Load::start(&cluster, 1);
    kill_process(cluster.node_pid(replica(1)), Signal::STOP).unwrap();
    cluster.wait_for_log(&["replica-1 does not answer", "killed"]);
    await_return(&cluster, 1);
    load.end();
    cluster.equal_digest();
}

#[test]
fn a_process_that_ends_while_nobody_asks_is_started_again_without_a_vote() {
    let cluster = Cluster::start(&[]);
    cluster.request("NYKA1001", "add-share NYKM100925 Equity 3");
    // All have replied, so nobody is suspected.
    cluster.equal_digest();
    kill_process(cluster.node_pid(replica(2)), Signal::KILL).unwrap();
    cluster.wait_for_log(&["replica-2 is started again", "it has ended"]);
    await_return(&cluster, 2);
    cluster.equal_digest();
}
