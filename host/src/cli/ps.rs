//! `dsms ps`: every node, and how it is.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::config::{ClusterConfig, ModuleSource};
use crate::protocol::client_message::{ClientMessage, ClusterStatus, NodeState, NodeStatus, ServerBody};
use crate::protocol::id::NodeId;
use crate::protocol::message::Phase;
use crate::runtime::directory::ClusterDirectory;

use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;

/// Show every node: its role, state, address, module, sequence number, lag, and when it was last seen.
///
/// Exit code 0 when every node is up, 1 when one is not.
#[derive(Debug, Args)]
pub struct PsArgs {
    /// Print JSON: an object with the cluster's tolerances and one object for each node.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: PsArgs) -> anyhow::Result<ExitCode> {
    let status = block_on(async {
        let body = args.connect.client().await?.call(|number| ClientMessage::Status { number }).await?;
        match body {
            ServerBody::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    })?;
    // Addresses are in the configuration of the directory's own cluster; a front end does not tell strangers.
    let config = match args.connect.connect {
        None => Some(ClusterDirectory::within(".".as_ref()).running()?),
        Some(_) => None,
    };
    let rows: Vec<Row> = status.nodes.iter().map(|node| Row::new(node, &status, config.as_ref())).collect();
    if args.json {
        let nodes: Vec<Value> = rows.iter().map(Row::to_json).collect();
        say!("{}", json!({"wrong": status.wrong, "crashed": status.crashed, "nodes": nodes}));
    } else {
        print_table(&rows);
    }
    let all_up = rows.iter().all(|row| matches!(row.state, "up" | "voting"));
    Ok(ExitCode::from(if all_up { 0 } else { 1 }))
}

struct Row {
    node: NodeId,
    state: &'static str,
    address: Option<String>,
    module: Option<String>,
    module_digest: Option<String>,
    incarnation: Option<u32>,
    sequence: Option<u64>,
    lag: Option<u64>,
    last_seen_ms: Option<u128>,
}

impl Row {
    fn new(node: &NodeStatus, cluster: &ClusterStatus, config: Option<&ClusterConfig>) -> Row {
        let ordered = cluster.nodes.iter().filter_map(|node| Some(node.progress?.delivered.0)).max().unwrap_or(0);
        let state = match node.state {
            NodeState::Up => match node.progress.map(|progress| progress.phase) {
                Some(Phase::Voting) if node.node.replica().is_some() => "voting",
                Some(Phase::Recovering) => "recovering",
                Some(Phase::Quarantined) => "quarantined",
                _ => "up",
            },
            NodeState::Unknown => "unknown",
            NodeState::Silent => "silent",
        };
        let module = config.and_then(|config| match node.node {
            NodeId::ReplicaManager(replica) => Some(match &config.replicas.get(replica.index())?.module {
                ModuleSource::Reference => "reference".to_owned(),
                ModuleSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            }),
            _ => None,
        });
        let progress = node.progress.as_ref();
        Row {
            node: node.node,
            state,
            address: config.map(|config| config.address_of(node.node).to_string()),
            module,
            module_digest: progress.and_then(|progress| progress.module).map(|digest| digest.to_string()),
            incarnation: progress.filter(|_| node.node.replica().is_some()).map(|progress| progress.incarnation.0),
            sequence: progress.map(|progress| progress.executed.0),
            lag: progress.map(|progress| ordered.saturating_sub(progress.executed.0)),
            last_seen_ms: node.last_seen.map(|ago| ago.as_millis()),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "node": self.node.to_string(),
            "role": self.node.role(),
            "state": self.state,
            "address": self.address,
            "module": self.module,
            "module_digest": self.module_digest,
            "incarnation": self.incarnation,
            "sequence": self.sequence,
            "lag": self.lag,
            "last_seen_ms": self.last_seen_ms.map(|ago| u64::try_from(ago).unwrap_or(u64::MAX)),
        })
    }
}

fn print_table(rows: &[Row]) {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    say!(
        "{:<12} {:<16} {:<8} {:<22} {:<26} {:>10} {:>6} {:>10}",
        "NODE",
        "ROLE",
        "STATE",
        "ADDRESS",
        "MODULE",
        "SEQUENCE",
        "LAG",
        "LAST SEEN"
    );
    for row in rows {
        let digest = row.module_digest.as_deref().map(|digest| digest[..12].to_owned());
        let module = match (&row.module, digest) {
            (Some(name), Some(digest)) => Some(format!("{name} {digest}")),
            (name, digest) => name.clone().or(digest),
        };
        say!(
            "{:<12} {:<16} {:<8} {:<22} {:<26} {:>10} {:>6} {:>10}",
            row.node.to_string(),
            row.node.role(),
            row.state,
            or_dash(row.address.clone()),
            or_dash(module),
            or_dash(row.sequence.map(|sequence| sequence.to_string())),
            or_dash(row.lag.map(|lag| lag.to_string())),
            or_dash(row.last_seen_ms.map(|ago| format!("{ago} ms"))),
        );
    }
}
