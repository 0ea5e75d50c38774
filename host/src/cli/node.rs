//! `dsms node`: one role.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::config::ClusterConfig;
use crate::protocol::id::NodeId;
use crate::runtime::node::{self, ADDRESS_IN_USE_EXIT};

/// Run one node of a cluster in this process.
///
/// `dsms up` starts one of these for each role. On several machines, start each node on the one that has its address, with the configuration
/// that `dsms init` wrote, the same everywhere, and beside it the key file of that node. Nodes may be started in any order, and again at any
/// time: a replica manager goes on with what it has kept in the configuration's data directory. SIGTERM ends a node in order, and SIGHUP
/// has it read its key file again. It logs to standard error.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Which node: front-end, sequencer, or replica-1 and on.
    name: NodeId,
    /// The cluster's configuration.
    #[arg(long, value_name = "FILE", default_value = "dsms.toml")]
    config: PathBuf,
    /// End when standard input ends, as `dsms up` wants it.
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Runs the command.
pub fn run(args: NodeArgs) -> anyhow::Result<ExitCode> {
    let config = ClusterConfig::load(&args.config)?;
    config.require_ports()?;
    let running = node::run(args.name, config, args.supervised);
    let runtime = super::runtime().context("cannot start the runtime")?;
    let ended = runtime.block_on(running);
    // A guest call that is under way on the executor thread is not waited for: it harms nobody.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if args.supervised && error.is_address_in_use() => {
            eprintln!("dsms: {}: {error}", args.name);
            Ok(ExitCode::from(ADDRESS_IN_USE_EXIT))
        }
        Err(error) => Err(error).with_context(|| args.name.to_string()),
    }
}
