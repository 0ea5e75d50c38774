//! `dsms watch`: a module that is built, checked and swapped in after each save.
//!
//! Every step is a command that a person can type, and is run as one: `./build`, `dsms check`, `dsms swap`.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use self::sources::Sources;
use self::step::{Ended, Step, Stop};
use super::connect::{ConnectArgs, block_on};
use super::output::shell_word;
use crate::protocol::id::NodeId;
use crate::runtime::client::FrontEndName;

mod sources;
mod step;

/// How often the sources are looked at. A change is complete when nothing has changed for so long.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Longest wait for a front end on this machine to accept a connection, to know that a cluster runs.
const CONNECT_PATIENCE: Duration = Duration::from_millis(200);

/// Exit code with --once, when a step has failed.
const FAILED_EXIT: u8 = 1;

/// Build a module project, check the module and swap it into the running cluster, again after each save.
///
/// DIR is a project as `dsms new` makes it: its `build` writes out/replica.wasm. If a cluster runs (of the current directory, or the one of
/// --connect), a module that passes the check is swapped into the replica: it follows the order as a shadow while the replica votes with the
/// module that it has, and takes over if none of its outcomes differs. Without a cluster, the swap comes as soon as one is started.
///
/// A file that is saved while a step is under way ends that step and begins anew. What is built or installed (out, target, node_modules,
/// __pycache__), what `dsms check` saves (*.check), and hidden files are not looked at. Ctrl-C ends it, and the step that is under way.
///
/// Exit code: 0 after Ctrl-C, or with --once if every step was good; 1 with --once if one was not; 2 if there is nothing to watch.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The project's directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Whose module is replaced.
    #[arg(long, value_name = "REPLICA", default_value = "replica-3")]
    replica: NodeId,
    /// How many outcomes have to equal the released ones first. With 0, those of the requests since the last checkpoint decide.
    #[arg(long, value_name = "N", default_value_t = 0)]
    shadow: u64,
    /// Build, check and swap once, and end.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// How a round of the steps ended.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    Swapped,
    NoCluster,
    /// A step has failed, and has said why.
    Failed,
    Changed,
    Stopped,
}

/// Runs the command.
pub fn run(args: WatchArgs) -> anyhow::Result<ExitCode> {
    if args.replica.replica().is_none() {
        bail!("{} runs no module; give a replica, such as replica-3", args.replica);
    }
    let build = args.directory.join("build");
    if !build.is_file() {
        bail!(
            "{} has no build script, {}; `dsms new` makes a project that has one",
            args.directory.display(),
            build.display()
        );
    }
    block_on(args.watch())
}

impl WatchArgs {
    async fn watch(&self) -> anyhow::Result<ExitCode> {
        let mut stop = Stop::listen().context("cannot wait for signals")?;
        loop {
            let sources = Sources::look(&self.directory)?;
            let round = self.round(&sources, &mut stop).await?;
            match round {
                Round::Stopped => return Ok(ExitCode::SUCCESS),
                Round::Failed if self.once => return Ok(ExitCode::from(FAILED_EXIT)),
                _ if self.once => return Ok(ExitCode::SUCCESS),
                Round::Changed => {}
                Round::Swapped | Round::NoCluster | Round::Failed => {
                    eprintln!("dsms: waiting for a change in {}; Ctrl-C ends", self.directory.display());
                    if !self.wait(&sources, round == Round::NoCluster, &mut stop).await? {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
            if !self.settle(&mut stop).await? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    /// Builds, checks, swaps: as far as the module lets it.
    async fn round(&self, sources: &Sources, stop: &mut Stop) -> anyhow::Result<Round> {
        // With --once nobody waits for a save, so none ends a step.
        let sources = (!self.once).then_some((&*self.directory, sources));
        let module = self.directory.join("out/replica.wasm");
        let build = self.directory.join("build");
        let build = Step::new(build_program(&build), &[]);
        // What the steps save goes where nothing is watched: it is no change of the sources.
        let (out, found) = (self.directory.join("out"), self.directory.join("out/replica.check"));
        let check = Step::dsms(&["check", path_text(&module)?, "--out", path_text(&found)?])?;
        for step in [&build, &check] {
            match step.run(sources, stop).await? {
                Ended::Good => {}
                Ended::Bad => return Ok(Round::Failed),
                Ended::Changed => return Ok(Round::Changed),
                Ended::Stopped => return Ok(Round::Stopped),
            }
        }
        if !self.cluster_runs() {
            eprintln!(
                "dsms: the module is good, but no cluster runs to swap it into; start one with `dsms up`, in another"
            );
            eprintln!("      terminal, in the directory in which this runs");
            return Ok(Round::NoCluster);
        }
        let (replica, shadow) = (self.replica.to_string(), self.shadow.to_string());
        let elsewhere = self.connect.words();
        let mut words = vec!["swap", &replica, path_text(&module)?, "--shadow", &shadow, "--out", path_text(&out)?];
        words.extend(elsewhere.iter().map(String::as_str));
        Ok(match Step::dsms(&words)?.run(sources, stop).await? {
            Ended::Good => Round::Swapped,
            Ended::Bad => Round::Failed,
            Ended::Changed => Round::Changed,
            Ended::Stopped => Round::Stopped,
        })
    }

    /// Waits for a change, or for a cluster. False if it is to end instead.
    async fn wait(&self, sources: &Sources, for_cluster: bool, stop: &mut Stop) -> anyhow::Result<bool> {
        loop {
            if stop.asked_within(LOOK_EVERY).await {
                return Ok(false);
            }
            if Sources::look(&self.directory)? != *sources || (for_cluster && self.cluster_runs()) {
                return Ok(true);
            }
        }
    }

    /// Waits until nothing changes any more: editors save in several steps, and several files at once. False if it is to end instead.
    async fn settle(&self, stop: &mut Stop) -> anyhow::Result<bool> {
        let mut earlier = Sources::look(&self.directory)?;
        loop {
            if stop.asked_within(LOOK_EVERY).await {
                return Ok(false);
            }
            let now = Sources::look(&self.directory)?;
            if now == earlier {
                return Ok(true);
            }
            earlier = now;
        }
    }

    /// Whether a front end can be reached. What a cluster leaves behind that was killed is no cluster.
    fn cluster_runs(&self) -> bool {
        let accepts = |name: &FrontEndName| {
            let found = (&*name.host, name.port).to_socket_addrs();
            found.is_ok_and(|mut found| found.any(|at| TcpStream::connect_timeout(&at, CONNECT_PATIENCE).is_ok()))
        };
        self.connect.front_ends().is_ok_and(|front_ends| front_ends.iter().any(accepts))
    }
}

/// How a program is named so that it is not looked for in $PATH.
fn build_program(build: &Path) -> PathBuf {
    if build.is_absolute() || build.starts_with(".") { build.to_owned() } else { Path::new(".").join(build) }
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", shell_word(path)))
}
