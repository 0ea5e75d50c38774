//! `dsms keys`: the key files of a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{say, shell_word};
use crate::config::{ClusterConfig, Keys};
use crate::protocol::id::NodeId;
use crate::runtime::keys::{key_file, read_keyring, rotate};

/// Show which keys the nodes of a cluster have, or give them new ones while it runs.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Show the key files that are here, with their generations and never with what is in them.
    Ls(LsArgs),
    /// Write a next generation of secrets into the key files of all nodes, which have to be here.
    ///
    /// Copy each file to the machine of its node, then have the node read it: kill -HUP PROCESS, or start it again. Nodes go over to the new
    /// secrets pair by pair, as soon as both have them, and still accept those before. Do not rotate again until every node has its new file;
    /// the next rotation then ends the present generation.
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
struct LsArgs {
    /// The cluster's configuration.
    #[arg(long, value_name = "FILE", default_value = "dsms.toml")]
    config: PathBuf,
    /// Print JSON: an object for each node.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RotateArgs {
    /// The cluster's configuration.
    #[arg(long, value_name = "FILE", default_value = "dsms.toml")]
    config: PathBuf,
}

/// Runs the command.
pub fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        KeysCommand::Ls(args) => list(&args),
        KeysCommand::Rotate(args) => {
            let (directory, nodes) = key_files(&args.config)?;
            let generation = rotate(&directory, &nodes)?;
            say!("generation {generation} is in the key files of {} nodes", nodes.len());
            say!(
                "copy each to its machine, and have its node read it: kill -HUP PROCESS (`dsms ps` shows it), or start the node again"
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(args: &LsArgs) -> anyhow::Result<ExitCode> {
    let (directory, nodes) = key_files(&args.config)?;
    let mut rows = Vec::new();
    let mut all_good = true;
    for node in &nodes {
        let path = key_file(&directory, *node);
        if !path.exists() {
            rows.push((*node, "not here".to_owned(), json!({"node": node.to_string(), "here": false})));
            continue;
        }
        let (words, json) = match read_keyring(&path, *node, &nodes) {
            Ok(keyring) => {
                let generations: Vec<u16> = keyring.generations().map(|generation| generation.0).collect();
                let listed: Vec<String> = generations.iter().map(u16::to_string).collect();
                let words = format!("cluster {}  generation {}", keyring.cluster(), listed.join(", "));
                (
                    words,
                    json!({"node": node.to_string(), "here": true, "cluster": keyring.cluster().to_string(), "generations": generations}),
                )
            }
            Err(error) => {
                all_good = false;
                (error.to_string(), json!({"node": node.to_string(), "here": true, "error": error.to_string()}))
            }
        };
        rows.push((*node, words, json));
    }
    if args.json {
        say!("{}", Value::Array(rows.into_iter().map(|(_, _, json)| json).collect()));
    } else {
        rows.iter().for_each(|(node, words, _)| say!("{node:<10}  {words}"));
    }
    Ok(ExitCode::from(if all_good { 0 } else { 1 }))
}

/// The directory of the key files of a cluster, and its nodes.
fn key_files(config: &Path) -> anyhow::Result<(PathBuf, Vec<NodeId>)> {
    let loaded = ClusterConfig::load(config)?;
    match &loaded.keys {
        Keys::OfNodes(directory) => Ok((directory.clone(), loaded.nodes())),
        Keys::Shared(_) => anyhow::bail!(
            "{}: its nodes share one key, and have none of their own; `dsms init` writes a configuration with a key file for each node",
            shell_word(config)
        ),
    }
}
