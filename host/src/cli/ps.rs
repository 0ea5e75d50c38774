//! `dsms ps`: every node, and how it is.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::config::{ClusterConfig, ModuleSource};
use crate::market::Digest;
use crate::protocol::client_message::{ClusterStatus, NodeState, NodeStatus};
use crate::protocol::id::NodeId;
use crate::protocol::message::Phase;
use crate::protocol::strikes::STRIKES_MAX;
use crate::sandbox::reference_module;

use super::connect::{ConnectArgs, block_on, status_of};
use super::output::say;
use super::status::is_silent;

/// Show every node: its state, address, module, incarnation, how often it was wrong in a row, how far it is, and when it was last seen.
///
/// A replica is voting, suspected (it owes a reply for too long), recovering or quarantined; silent when nothing is heard of its
/// manager. RESTARTS counts how often a module was instantiated anew since the front end's process began, to bring the replica back or in
/// a swap; a start of the cluster from what it has kept is none, though it begins another incarnation. Exit code 0 when every node is up, 1
/// when one is not.
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
    let status = block_on(async { status_of(&mut args.connect.client().await?).await })?;
    let config = args.connect.config()?;
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

/// The columns of the table: words to the left, numbers to the right.
const HEADINGS: [&str; 11] = [
    "NODE",
    "STATE",
    "ADDRESS",
    "MODULE",
    "WRONG",
    "INCARNATION",
    "RESTARTS",
    "SEQUENCE",
    "LAG",
    "LAST SEEN",
    "PROCESS",
];

/// How many of them hold words.
const WORDS_LEN: usize = 4;

struct Row {
    node: NodeId,
    state: &'static str,
    address: Option<String>,
    module: Option<String>,
    module_digest: Option<String>,
    incarnation: Option<u32>,
    wrong_len: Option<u64>,
    restarts_len: Option<u32>,
    process: Option<u32>,
    sequence: Option<u64>,
    lag: Option<u64>,
    last_seen_ms: Option<u128>,
}

impl Row {
    fn new(node: &NodeStatus, cluster: &ClusterStatus, config: Option<&ClusterConfig>) -> Row {
        let ordered = cluster.nodes.iter().filter_map(|node| Some(node.progress?.delivered.0)).max().unwrap_or(0);
        let state = match node.state {
            NodeState::Up if is_silent(node) => "silent",
            NodeState::Up => match node.progress.map(|progress| progress.phase) {
                Some(Phase::Voting) if node.is_suspected => "suspected",
                Some(Phase::Voting) if node.node.replica().is_some() => "voting",
                Some(Phase::Recovering) => "recovering",
                Some(Phase::Quarantined) => "quarantined",
                _ => "up",
            },
            NodeState::Unknown => "unknown",
            NodeState::Silent => "silent",
        };
        let digest = node.progress.and_then(|progress| progress.module);
        let module = config.and_then(|config| module_name(config, node.node, digest));
        let progress = node.progress.as_ref();
        Row {
            node: node.node,
            state,
            address: config.map(|config| config.address_of(node.node).to_string()),
            module,
            module_digest: digest.map(|digest| digest.to_string()),
            incarnation: progress.filter(|_| node.node.replica().is_some()).map(|progress| progress.incarnation.0),
            wrong_len: node.node.replica().map(|_| node.wrong_len),
            restarts_len: node.node.replica().map(|_| node.restarts_len),
            process: progress.map(|progress| progress.process),
            sequence: progress.map(|progress| progress.executed.0),
            lag: progress.map(|progress| ordered.saturating_sub(progress.executed.0)),
            last_seen_ms: node.last_seen.map(|ago| ago.as_millis()),
        }
    }

    fn cells(&self) -> [String; 11] {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let digest = self.module_digest.as_deref().map(|digest| digest[..12].to_owned());
        let module = match (&self.module, digest) {
            (Some(name), Some(digest)) => Some(format!("{name} {digest}")),
            (name, digest) => name.clone().or(digest),
        };
        [
            self.node.to_string(),
            self.state.to_owned(),
            or_dash(self.address.clone()),
            or_dash(module),
            or_dash(self.wrong_len.map(|len| format!("{len}/{STRIKES_MAX}"))),
            or_dash(self.incarnation.map(|incarnation| incarnation.to_string())),
            or_dash(self.restarts_len.map(|restarts| restarts.to_string())),
            or_dash(self.sequence.map(|sequence| sequence.to_string())),
            or_dash(self.lag.map(|lag| lag.to_string())),
            or_dash(self.last_seen_ms.map(|ago| format!("{ago} ms"))),
            or_dash(self.process.map(|process| process.to_string())),
        ]
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
            "restarts": self.restarts_len,
            "wrong_in_a_row": self.wrong_len,
            "process": self.process,
            "sequence": self.sequence,
            "lag": self.lag,
            "last_seen_ms": self.last_seen_ms.map(|ago| u64::try_from(ago).unwrap_or(u64::MAX)),
        })
    }
}

/// The name of the module that a replica runs: its first one or a spare, whichever has this digest.
fn module_name(config: &ClusterConfig, node: NodeId, digest: Option<Digest>) -> Option<String> {
    let replica = config.replicas.get(node.replica()?.index())?;
    let mut sources = std::iter::once(&replica.module).chain(&replica.spares);
    let is_running = |source: &&ModuleSource| match source {
        ModuleSource::Reference => digest == Some(Digest::of_bytes(reference_module())),
        ModuleSource::File(path) => std::fs::read(path).is_ok_and(|bytes| digest == Some(Digest::of_bytes(&bytes))),
    };
    // A module that came in a swap, or whose file was built anew since, has only its digest here.
    let source = if digest.is_some() { sources.find(is_running)? } else { &replica.module };
    Some(match source {
        ModuleSource::Reference => "reference".to_owned(),
        ModuleSource::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
    })
}

fn print_table(rows: &[Row]) {
    let cells: Vec<[String; 11]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &cells {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column < WORDS_LEN { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        say!("{}", line.join("  ").trim_end());
    }
}
