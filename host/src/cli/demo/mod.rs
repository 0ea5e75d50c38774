//! `dsms demo`: what the whole is about, in some 20 seconds.

use std::fs::{DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::config::{ClusterConfig, Keys, ModuleSource};
use crate::protocol::event::Event;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::id::ReplicaId;
use crate::protocol::quorum::Tolerance;
use crate::protocol::strikes::STRIKES_MAX;
use crate::protocol::time::Instant;
use crate::runtime::clock::Clock;
use crate::runtime::stop::Stop;
use crate::runtime::up::{Cluster, LogTo};

use super::output::say;
use super::up::prepare_modules;

mod load;
mod stage;
mod verdict;

use load::{CLIENTS_LEN, Load};
use stage::Stage;
use verdict::{Recovery, Verdict};

/// Requests that are answered before something goes wrong, and after all is well again.
const HEALTHY_LEN: usize = 3000;

/// Exit code when a promise was broken.
const BROKEN_EXIT: u8 = 1;

/// See a cluster bear wrong answers, a crash, and both at once; some 20 seconds, nothing else is needed.
///
/// Starts a cluster of three replicas and one of four, asks them all the while, injects faults, and compares every answer with the
/// reference market. Exit code 0 if every promise was kept, 1 if one was broken.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Chooses the requests.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A module for each replica in turn, instead of the embedded one; `reference` is that one. The first act has three replicas.
    #[arg(long, value_name = "FILE.wasm")]
    module: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let directory = std::env::temp_dir().join(format!("dsms-demo-{}", std::process::id()));
    DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let played = super::runtime()?.block_on(play(&args, &directory));
    let is_kept = matches!(&played, Ok(verdict) if verdict.is_kept());
    if is_kept {
        std::fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot remove the directory {}", directory.display()))?;
    } else {
        eprintln!("dsms: the logs of all nodes are in {}", directory.display());
    }
    played.map(|_| ExitCode::from(if is_kept { 0 } else { BROKEN_EXIT }))
}

async fn play(args: &DemoArgs, directory: &Path) -> anyhow::Result<Verdict> {
    let mut stop = Stop::on_signals().context("cannot listen for signals")?;
    let narrator = Narrator::start();
    let mut verdict = Verdict::default();
    let modules = args.module.iter().map(ModuleSource::named);
    say!("dsms demo, seed {}: {CLIENTS_LEN} clients ask all the while, and things go wrong\n", args.seed);
    for act in [Act::OneAfterTheOther, Act::BothAtOnce] {
        let directory = directory.join(act.directory_name());
        DirBuilder::new().mode(0o700).create(&directory)?;
        let mut config =
            ClusterConfig::for_mode(act.mode(), None, modules.clone().take(act.mode().replicas_len_min()).collect())?;
        let prepared = config.clone();
        tokio::task::spawn_blocking(move || prepare_modules(&prepared)).await??;
        config.allow_faults = true;
        config.keys = Keys::Shared(directory.join("cluster.key"));
        config.data = None;
        let log = LogTo::File(Arc::new(File::create(directory.join("log"))?));
        let Some(mut cluster) = Cluster::start(&directory, config, log, &mut stop).await? else {
            anyhow::bail!("interrupted");
        };
        let address = cluster.config().front_ends[0].client_address;
        let played = tokio::select! {
            played = perform(act, address, args.seed, &narrator, &mut verdict) => played,
            watched = cluster.watch(&mut stop) => watched.map_err(anyhow::Error::from)
                .and_then(|()| Err(anyhow::anyhow!("interrupted"))),
        };
        cluster.end().await;
        played?;
    }
    verdict.print();
    Ok(verdict)
}

#[derive(Clone, Copy, Debug)]
enum Act {
    OneAfterTheOther,
    BothAtOnce,
}

impl Act {
    fn mode(self) -> Tolerance {
        match self {
            Act::OneAfterTheOther => Tolerance::BYZANTINE,
            Act::BothAtOnce => Tolerance::BOTH,
        }
    }

    /// Where its cluster and the log of it are.
    fn directory_name(self) -> &'static str {
        match self {
            Act::OneAfterTheOther => "byzantine",
            Act::BothAtOnce => "both",
        }
    }
}

async fn perform(
    act: Act,
    address: SocketAddr,
    seed: u64,
    narrator: &Narrator,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let mut stage = Stage::open(address, narrator.clock).await?;
    let mut load = Load::start(address, seed).await?;
    let replica = |number| ReplicaId::new(number).expect("the number of a replica");
    let wrong = Fault { count: Some(STRIKES_MAX), ..Fault::of(FaultKind::Wrong) };
    match act {
        Act::OneAfterTheOther => {
            narrator.tell("three replicas, mode byzantine: one of them may be wrong");
            load.answers(HEALTHY_LEN).await?;
            narrator.tell(&format!("  {HEALTHY_LEN} requests answered; all is well"));
            stage.add(replica(2), wrong).await?;
            narrator.tell("replica-2 begins to answer wrongly");
            see_wrong(&mut stage, replica(2), narrator, verdict).await?;
            load.answers(HEALTHY_LEN).await?;
            stage.add(replica(3), Fault::of(FaultKind::Kill)).await?;
            narrator.tell("the process of replica-3 is killed");
            see_killed(&mut stage, replica(3), narrator, verdict).await?;
        }
        Act::BothAtOnce => {
            narrator.tell("four replicas, mode both: one may be wrong while another one has crashed");
            load.answers(HEALTHY_LEN).await?;
            narrator.tell(&format!("  {HEALTHY_LEN} requests answered; all is well"));
            stage.add(replica(4), Fault::of(FaultKind::Kill)).await?;
            stage.add(replica(1), wrong).await?;
            narrator.tell("replica-1 begins to answer wrongly, and the process of replica-4 is killed");
            see_wrong(&mut stage, replica(1), narrator, verdict).await?;
            see_killed(&mut stage, replica(4), narrator, verdict).await?;
        }
    }
    load.answers(HEALTHY_LEN).await?;
    let answered = load.end().await?;
    stage.look().await?;
    let right_len = load::right_len(&answered);
    narrator.tell(&format!("  {} requests answered, {right_len} of them rightly\n", answered.len()));
    verdict.requests_len += answered.len();
    verdict.right_len += right_len;
    verdict.false_alarms += stage.false_alarms();
    let faults = stage.faults().await?;
    verdict.faults_len += faults.len();
    verdict.fired_len += faults.iter().filter(|status| status.fired > 0).count();
    Ok(())
}

/// Follows the repair of a replica that answers wrongly.
async fn see_wrong(
    stage: &mut Stage,
    replica: ReplicaId,
    narrator: &Narrator,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let third = move |event: &Event| matches!(event, Event::Diverged { charge, run_len } if charge.replica == replica && *run_len == STRIKES_MAX);
    stage.until("the third wrong answer in a row", third).await?;
    verdict.detected_len += 1;
    narrator.tell(&format!("  {replica} was wrong {STRIKES_MAX} times in a row: outvoted and accused each time"));
    see_back(stage, replica, narrator, verdict, "wrong answers", third).await
}

/// Follows the repair of a replica whose process is gone.
async fn see_killed(
    stage: &mut Stage,
    replica: ReplicaId,
    narrator: &Narrator,
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    let agreed = move |event: &Event| matches!(event, Event::CrashAgreed { charge, .. } if charge.replica == replica);
    let record = stage.until("the agreement on a crash", agreed).await?;
    verdict.detected_len += 1;
    let suspected = stage.first(|event| matches!(event, Event::Suspected { charge, .. } if charge.replica == replica));
    let after = suspected.map_or(Duration::ZERO, |suspected| record.at.since(suspected));
    narrator.tell(&format!(
        "  {replica} was suspected, and {:.1} s later the managers agreed: it has crashed",
        after.as_secs_f64()
    ));
    see_back(stage, replica, narrator, verdict, "crash", agreed).await
}

/// Waits until a replica votes again, with the state of the others.
async fn see_back(
    stage: &mut Stage,
    replica: ReplicaId,
    narrator: &Narrator,
    verdict: &mut Verdict,
    cause: &'static str,
    began: impl Fn(&Event) -> bool,
) -> anyhow::Result<()> {
    let is_back = |event: &Event| matches!(event, Event::Recovered { replica: back, .. } if *back == replica);
    let record = stage.until("the recovery", is_back).await?;
    let Event::Recovered { instantiated_after, replayed_len, .. } = record.event else {
        unreachable!("it was matched above")
    };
    let is_verified = |event: &Event| matches!(event, Event::Verified { replica: back, .. } if *back == replica);
    stage.until("the comparison with the others", is_verified).await?;
    let whole = stage.first(began).map_or(Duration::ZERO, |began_at| record.at.since(began_at));
    verdict.recoveries.push(Recovery { replica, cause, replayed_len, instantiated_after, whole });
    narrator.tell(&format!(
        "  {replica} votes again, {:.1} ms later ({replayed_len} requests executed again), with the state of the others",
        whole.as_secs_f64() * 1000.0
    ));
    Ok(())
}

/// Tells the story, with the time since it began.
struct Narrator {
    clock: Clock,
    started_at: Instant,
}

impl Narrator {
    fn start() -> Narrator {
        let clock = Clock::start();
        Narrator { clock, started_at: clock.now() }
    }

    fn tell(&self, words: &str) {
        say!("{:>5.1} s  {words}", self.clock.now().since(self.started_at).as_secs_f64());
    }
}
