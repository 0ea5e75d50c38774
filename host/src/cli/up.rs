//! `dsms up`: the whole cluster on this machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::here::CONFIG_FILE;
use super::module::tell_of_compiling;
use super::output::say;
use crate::config::{ClusterConfig, ModuleSource};
use crate::protocol::limits::{FRONT_ENDS_LEN_MAX, REPLICAS_LEN_MAX};
use crate::protocol::quorum::Tolerance;
use crate::runtime::clock::Clock;
use crate::runtime::node::{load, sandbox_limits};
use crate::runtime::stop::Stop;
use crate::runtime::up::{Cluster, LogTo, program_name};
use crate::sandbox::{CacheStatus, Engine, Origin};
use crate::storage::Durability;

/// Start a whole cluster on this machine, one process a role, and keep it until Ctrl-C.
///
/// Nothing needs to be configured: without options it runs three replicas of the reference module in mode byzantine, on
/// free ports of the loopback interface. Clients started in the same directory find it by themselves. What was ordered is kept there as
/// well, and the next `dsms up` goes on with it.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// What to tolerate: byzantine (one wrong replica), crash (all but one crashed), both (one wrong and one crashed).
    #[arg(long, value_parser = parse_mode, default_value = "byzantine", conflicts_with = "config")]
    mode: Tolerance,
    /// How many replicas; by default as many as the mode needs.
    #[arg(long, value_name = "N", conflicts_with = "config", value_parser = clap::value_parser!(u8).range(1..=REPLICAS_LEN_MAX as i64))]
    replicas: Option<u8>,
    /// How many front ends: clients go to another when one is gone.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "config", value_parser = clap::value_parser!(u8).range(1..=FRONT_ENDS_LEN_MAX as i64))]
    front_ends: u8,
    /// A module for all replicas, or, given once a replica, one for each in turn; `reference` is the embedded one.
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "config")]
    module: Vec<PathBuf>,
    /// A module that takes the place of one that cannot be brought back; given several times, one after the other.
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "config")]
    spare: Vec<PathBuf>,
    /// Where what is ordered is kept, so that `dsms up` goes on with it; `.dsms/data` by default. In place of the configuration's.
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// What that outlives: fsync (a power cut; it waits for the disk), os (the end of all processes, but no power cut); fsync by default.
    #[arg(long, value_name = "fsync|os", value_parser = parse_durability, conflicts_with = "ephemeral")]
    durability: Option<Durability>,
    /// Keep nothing: what is ordered ends with the cluster.
    #[arg(long)]
    ephemeral: bool,
    /// Allow `dsms fault` to inject faults while the cluster runs.
    #[arg(long)]
    allow_faults: bool,
    /// A configuration file, in place of the options above.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Reads a mode by its name.
pub(super) fn parse_mode(text: &str) -> Result<Tolerance, String> {
    let named = Tolerance::NAMED.iter().find(|(name, _)| *name == text);
    named.map(|(_, tolerance)| *tolerance).ok_or_else(|| "expected byzantine, crash or both".to_owned())
}

fn parse_durability(text: &str) -> Result<Durability, String> {
    let named = Durability::NAMED.iter().find(|(name, _)| *name == text);
    named.map(|(_, durability)| *durability).ok_or_else(|| "expected fsync or os".to_owned())
}

/// Runs the command.
pub fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    let runtime = super::runtime().context("cannot start the runtime")?;
    let ended = runtime.block_on(start_and_watch(args));
    // A module that is still being compiled is not waited for.
    runtime.shutdown_background();
    ended
}

async fn start_and_watch(args: UpArgs) -> anyhow::Result<ExitCode> {
    let clock = Clock::start();
    let started_at = clock.now();
    let mut stop = Stop::on_signals().context("cannot listen for signals")?;
    let directory = std::env::current_dir().context("cannot find the current directory")?;
    let mut config = match &args.config {
        Some(path) => ClusterConfig::load(path)?,
        None => {
            if directory.join(CONFIG_FILE).exists() {
                eprintln!(
                    "dsms: {CONFIG_FILE} is here, and is not read unless it is named: dsms up --config {CONFIG_FILE}"
                );
            }
            let replicas_len = args.replicas.map(usize::from);
            let modules = modules(&args.module, args.mode, replicas_len)?;
            let spares: Vec<ModuleSource> = args.spare.iter().map(ModuleSource::named).collect();
            let config = ClusterConfig::for_mode(args.mode, replicas_len, modules)?.with_spares(&spares)?;
            config.with_front_ends(args.front_ends.into())
        }
    };
    config.allow_faults |= args.allow_faults;
    if let Some(directory) = &args.data {
        config = config.with_data(directory);
    }
    if let Some(durability) = args.durability {
        config = config.with_durability(durability);
    }
    if args.ephemeral {
        config.data = None;
    }
    let preparing = tokio::task::spawn_blocking({
        let config = config.clone();
        move || prepare_modules(&config)
    });
    tokio::select! {
        prepared = preparing => prepared.context("a module could not be compiled")??,
        () = stop.requested() => return Ok(ExitCode::SUCCESS),
    }
    let Some(mut cluster) = Cluster::start(&directory, config, LogTo::StandardError, &mut stop).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    print_ready(&cluster, clock.now().since(started_at));
    let watched = cluster.watch(&mut stop).await;
    eprintln!("dsms: stopping");
    cluster.end().await;
    watched?;
    Ok(ExitCode::SUCCESS)
}

/// One module for each replica: the one given, for all of them, or as many as there are replicas.
fn modules(paths: &[PathBuf], mode: Tolerance, replicas_len: Option<usize>) -> anyhow::Result<Vec<ModuleSource>> {
    let wanted = replicas_len.unwrap_or_else(|| mode.replicas_len_min().max(paths.len()));
    match paths {
        [] => Ok(Vec::new()),
        [all] => Ok(vec![ModuleSource::named(all); wanted]),
        each if each.len() == wanted => Ok(each.iter().map(ModuleSource::named).collect()),
        each => anyhow::bail!(
            "--module is given {} times for {wanted} replicas; give it once for all of them, or once for each",
            each.len()
        ),
    }
}

/// Checks and compiles every module once, before any node does, so that a bad one is one clear error and not one per replica.
pub(super) fn prepare_modules(config: &ClusterConfig) -> anyhow::Result<()> {
    let engine = Engine::new(sandbox_limits(config))?.with_notice(tell_of_compiling);
    if let CacheStatus::Off(reason) = engine.cache_status() {
        eprintln!("dsms: compiled modules are not kept: {reason}");
    }
    let mut prepared: Vec<&ModuleSource> = Vec::new();
    for source in config.replicas.iter().flat_map(|replica| [&replica.module].into_iter().chain(&replica.spares)) {
        if prepared.contains(&source) {
            continue;
        }
        prepared.push(source);
        let module = load(&engine, source).with_context(|| format!("module {source}"))?;
        if module.origin() == Origin::Compiled {
            eprintln!("dsms: compiled module {source}, digest {}", module.digest().short());
        }
        module.instantiate().map_err(|fault| anyhow::anyhow!("module {source} cannot be started: {fault}"))?;
    }
    Ok(())
}

fn print_ready(cluster: &Cluster, took: Duration) {
    let config = cluster.config();
    let (replicas_len, tolerance) = (config.replicas.len(), config.tolerance);
    let addresses: Vec<String> =
        config.front_ends.iter().map(|front_end| front_end.client_address.to_string()).collect();
    let program = program_name();
    say!(
        "dsms: ready in {:.2} s: {replicas_len} replicas, mode {tolerance}, clients at {}",
        took.as_secs_f64(),
        addresses.join(" and ")
    );
    say!("dsms: in another terminal, from this directory: {program} sh    (stop the cluster here with Ctrl-C)");
}
