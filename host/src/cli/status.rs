//! `dsms status`: is the cluster well? One line, and with `--check` an exit code, for whoever watches it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::protocol::client_message::{ClusterStatus, NodeState, NodeStatus};
use crate::protocol::id::NodeId;
use crate::protocol::limits::PROGRESS_INTERVAL;
use crate::protocol::message::Phase;
use crate::protocol::quorum::Tolerance;

use super::connect::{ConnectArgs, block_on, status_of};
use super::output::say;

/// Say in one line whether the cluster is well: how many replicas vote, and what is amiss.
///
/// With --check the exit code is that of a monitoring plug-in: 0 all is well, 1 clients are served but something is amiss, 2 clients are
/// not served, 3 nobody can say, since the front end gives no answer. `dsms ps` shows each node.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Exit with 0, 1, 2 or 3; without this, with 0 whenever the front end answers.
    #[arg(long)]
    check: bool,
    /// With --check: something is amiss as soon as a replica is so many orders behind.
    #[arg(long, value_name = "ORDERS", default_value_t = 100_000, requires = "check")]
    lag_max: u64,
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// A node of which nothing was heard for so long, two heartbeats, is shown as silent; the front end itself waits longer before it says so.
pub(super) const QUIET_AFTER: Duration = PROGRESS_INTERVAL.saturating_mul(2);

/// Whether a node is silent, as people are told.
pub(super) fn is_silent(node: &NodeStatus) -> bool {
    node.state == NodeState::Silent || node.last_seen.is_some_and(|ago| ago > QUIET_AFTER)
}

/// How well a cluster is; the numbers are exit codes of --check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Health {
    fn name(self) -> &'static str {
        match self {
            Health::Ok => "OK",
            Health::Warning => "WARNING",
            Health::Critical => "CRITICAL",
            Health::Unknown => "UNKNOWN",
        }
    }
}

/// What is to be said of a cluster.
#[derive(Debug, PartialEq, Eq)]
struct Assessment {
    health: Health,
    voting_len: usize,
    replicas_len: usize,
    /// What is amiss, one sentence each.
    amiss: Vec<String>,
}

/// Runs the command.
pub fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let asked = block_on(async { status_of(&mut args.connect.client().await?).await });
    let assessment = match asked {
        Ok(status) => assess(&status, args.lag_max),
        Err(error) if !args.check => return Err(error),
        Err(error) => Assessment {
            health: Health::Unknown,
            voting_len: 0,
            replicas_len: 0,
            amiss: vec![format!("{error:#}").replace('\n', " ")],
        },
    };
    let Assessment { health, voting_len, replicas_len, amiss } = &assessment;
    if args.json {
        let object = json!({"health": health.name(), "voting": voting_len, "replicas": replicas_len, "amiss": amiss});
        say!("{object}");
    } else {
        say!("{}", line(&assessment));
    }
    Ok(ExitCode::from(if args.check { *health as u8 } else { 0 }))
}

fn line(assessment: &Assessment) -> String {
    let Assessment { health, voting_len, replicas_len, amiss } = assessment;
    let counted = match health {
        Health::Unknown => Vec::new(),
        _ => vec![format!("{voting_len} of {replicas_len} replicas vote")],
    };
    let sentences: Vec<&str> = counted.iter().chain(amiss).map(String::as_str).collect();
    format!("{}: {}", health.name(), sentences.join("; "))
}

/// Whether clients are served, and whatever is not as it should be.
fn assess(status: &ClusterStatus, lag_max: u64) -> Assessment {
    let quorum = Tolerance { wrong: status.wrong, crashed: status.crashed }.quorum();
    let ordered = status.nodes.iter().filter_map(|node| Some(node.progress?.delivered.0)).max().unwrap_or(0);
    let replicas: Vec<&NodeStatus> = status.nodes.iter().filter(|node| node.node.replica().is_some()).collect();
    let voting_len = replicas.iter().filter(|replica| is_voting(replica)).count();
    let mut amiss = Vec::new();
    let mut health = Health::Ok;
    for node in status.nodes.iter().filter(|node| !is_up(node)) {
        let words = match node.last_seen {
            Some(ago) => format!("is silent for {:.1} s", ago.as_secs_f64()),
            None => "was never heard of".to_owned(),
        };
        amiss.push(format!("{} {words}", node.node));
        // Without it nothing is ordered.
        health = health.max(if node.node == NodeId::Sequencer { Health::Critical } else { Health::Warning });
    }
    for replica in replicas.iter().filter(|replica| is_up(replica)) {
        amiss.extend(complaint(replica, ordered, lag_max));
    }
    if !amiss.is_empty() {
        health = health.max(Health::Warning);
    }
    if voting_len < quorum {
        amiss.insert(0, format!("{quorum} have to for an answer"));
        health = Health::Critical;
    }
    Assessment { health, voting_len, replicas_len: replicas.len(), amiss }
}

fn is_up(node: &NodeStatus) -> bool {
    node.state == NodeState::Up && !is_silent(node)
}

fn is_voting(replica: &NodeStatus) -> bool {
    is_up(replica) && replica.progress.is_some_and(|progress| progress.phase == Phase::Voting)
}

/// What is amiss with a replica whose manager answers.
fn complaint(replica: &NodeStatus, ordered: u64, lag_max: u64) -> Option<String> {
    let (node, progress) = (replica.node, replica.progress?);
    let lag = ordered.saturating_sub(progress.executed.0);
    match progress.phase {
        Phase::Recovering => Some(format!("{node} is recovering, {lag} orders behind")),
        Phase::Quarantined => Some(format!("{node} is quarantined; give it another module with `dsms swap`")),
        Phase::Voting if replica.is_suspected => Some(format!("{node} owes replies")),
        Phase::Voting if replica.wrong_len > 0 => {
            Some(format!("{node} was wrong {} times in a row", replica.wrong_len))
        }
        Phase::Voting if lag > lag_max => Some(format!("{node} is {lag} orders behind")),
        Phase::Voting => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::Membership;
    use crate::protocol::id::{Incarnation, ReplicaId, SequenceNumber};
    use crate::protocol::message::Progress;

    fn progress(phase: Phase, executed: u64) -> Progress {
        Progress {
            incarnation: Incarnation(1),
            phase,
            delivered: SequenceNumber(50),
            executed: SequenceNumber(executed),
            module: None,
            process: 7,
        }
    }

    /// Three replicas in mode byzantine, changed by the test.
    fn cluster(change: impl FnOnce(&mut Vec<NodeStatus>)) -> Assessment {
        let mut nodes: Vec<NodeStatus> = Membership::of(3)
            .nodes()
            .into_iter()
            .map(|node| NodeStatus {
                node,
                state: NodeState::Up,
                progress: Some(progress(Phase::Voting, 50)),
                last_seen: Some(Duration::ZERO),
                wrong_len: 0,
                restarts_len: 0,
                is_suspected: false,
            })
            .collect();
        change(&mut nodes);
        assess(&ClusterStatus { wrong: 1, crashed: 0, nodes }, 10)
    }

    fn replica(nodes: &mut [NodeStatus], number: u8) -> &mut NodeStatus {
        let id = NodeId::ReplicaManager(ReplicaId::new(number).unwrap());
        nodes.iter_mut().find(|node| node.node == id).unwrap()
    }

    #[track_caller]
    fn check(assessment: &Assessment, expected: &str) {
        assert_eq!(line(assessment), expected);
    }

    #[test]
    fn a_cluster_that_is_well_is_ok() {
        check(&cluster(|_| ()), "OK: 3 of 3 replicas vote");
    }

    #[test]
    fn what_is_amiss_is_a_warning_as_long_as_enough_replicas_vote() {
        let silent_for = |ms| cluster(|nodes| replica(nodes, 2).last_seen = Some(Duration::from_millis(ms)));
        check(&silent_for(1000), "OK: 3 of 3 replicas vote");
        check(&silent_for(1100), "WARNING: 2 of 3 replicas vote; replica-2 is silent for 1.1 s");
        let wrong = cluster(|nodes| replica(nodes, 1).wrong_len = 2);
        check(&wrong, "WARNING: 3 of 3 replicas vote; replica-1 was wrong 2 times in a row");
        let behind = cluster(|nodes| replica(nodes, 3).progress = Some(progress(Phase::Voting, 39)));
        check(&behind, "WARNING: 3 of 3 replicas vote; replica-3 is 11 orders behind");
        let suspected = cluster(|nodes| replica(nodes, 3).is_suspected = true);
        check(&suspected, "WARNING: 3 of 3 replicas vote; replica-3 owes replies");
    }

    #[test]
    fn a_cluster_that_answers_nobody_is_critical() {
        let two = cluster(|nodes| {
            (replica(nodes, 1).state, replica(nodes, 1).last_seen) = (NodeState::Unknown, None);
            replica(nodes, 2).progress = Some(progress(Phase::Recovering, 20));
        });
        check(
            &two,
            "CRITICAL: 1 of 3 replicas vote; 2 have to for an answer; replica-1 was never heard of; replica-2 is recovering, 30 orders behind",
        );
        let sequencer = cluster(|nodes| {
            let sequencer = nodes.iter_mut().find(|node| node.node == NodeId::Sequencer).unwrap();
            (sequencer.state, sequencer.last_seen) = (NodeState::Silent, Some(Duration::from_secs(3)));
        });
        check(&sequencer, "CRITICAL: 3 of 3 replicas vote; sequencer is silent for 3.0 s");
    }
}
