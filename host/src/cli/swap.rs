//! `dsms swap`: another module for one replica of a running cluster.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::connect::{ConnectArgs, block_on, status_of, tell_whose, unexpected};
use super::incident::absolute;
use super::module::{load_module, tell_of_compiling};
use super::output::say;
use super::shrink::{self, ShrinkArgs};
use super::why::response_words;
use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::protocol::id::{NodeId, ReplicaId};
use crate::protocol::message::{Command, Response};
use crate::protocol::swap::{Candidate, Mismatch, Stage, SwapAsk, SwapStatus};
use crate::runtime::client::{Client, ClientError};
use crate::sandbox::{Engine, SandboxLimits};

/// How often it is asked how far the swap is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// After so many looks at which nothing new was seen it is said what is waited for: the cluster may be idle.
const QUIET_LOOKS: u32 = 30;

/// Exit code when the module does not take over.
const FAILED_EXIT: u8 = 1;

/// Give one replica of the running cluster another module, without losing or delaying a request.
///
/// The module imports the state and follows the order as a shadow, while the replica votes with the module that it has. Once enough of the
/// shadow's outcomes have equalled the released ones it takes over, between two requests; the module that it replaces becomes the
/// replica's first spare. The first outcome that differs ends the swap instead, and is shown with the fewest requests that lead to it,
/// saved for `dsms replay`.
///
/// The outcomes of the requests since the last checkpoint count as well. Ctrl-C gives the swap up. The file is read by the replica's own node.
///
/// Exit code: 0 the module has taken over, or the replica had it already; 1 it has not, and nothing has changed; 2 the swap could not begin.
#[derive(Debug, Args)]
pub struct SwapArgs {
    /// Whose module is to change: replica-1 and so on.
    replica: String,
    /// The module that takes over: a .wasm file, or `reference` for the embedded one.
    #[arg(required_unless_present = "rollback", conflicts_with = "rollback")]
    module: Option<String>,
    /// How many outcomes have to equal the released ones first.
    #[arg(long, value_name = "N", default_value_t = 100)]
    shadow: u64,
    /// Go back to the module that the last swap of this replica has replaced, as soon as it has caught up.
    #[arg(long, conflicts_with = "shadow")]
    rollback: bool,
    /// Where the requests that lead to an outcome that differs are saved.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print JSON: one object, and one more of the requests that lead to an outcome that differs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// What was asked for.
struct Wanted {
    replica: ReplicaId,
    candidate: Candidate,
    /// The module by its name; nothing for the previous one.
    name: Option<String>,
}

/// Runs the command.
pub fn run(args: SwapArgs) -> anyhow::Result<ExitCode> {
    let replica = args.replica()?;
    let (candidate, name) = match &args.module {
        None => (Candidate::Previous, None),
        Some(module) => {
            // What is compiled here is in the cache when the node asks for it, and what is wrong with it is said at once.
            let digest =
                load_module(&Engine::new(SandboxLimits::default())?.with_notice(tell_of_compiling), module)?.digest();
            let path = absolute(module)?;
            (Candidate::File { path: path.clone(), digest }, Some(path))
        }
    };
    let wanted = Wanted { replica, candidate, name };
    let shadow_len = if args.rollback { 0 } else { args.shadow };
    let Some(status) = block_on(swap(&args.connect, &wanted, shadow_len))? else {
        args.say_unneeded(&wanted);
        return Ok(ExitCode::SUCCESS);
    };
    args.say_ended(&wanted, &status);
    if let (Some(mismatch), Some(name)) = (&status.mismatch, wanted.name) {
        let sequence = mismatch.sequence.0;
        let args = ShrinkArgs { sequence, module: vec![name], out: args.out, json: args.json, connect: args.connect };
        let _what_was_found = shrink::run(args)?;
    }
    Ok(match status.stage {
        Stage::Promoted { .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED_EXIT),
    })
}

/// Has the module swapped and waits until that is over. Nothing, if the replica has it already.
async fn swap(connect: &ConnectArgs, wanted: &Wanted, shadow_len: u64) -> anyhow::Result<Option<SwapStatus>> {
    let mut client = connect.client().await?;
    // From here on, so that none is missed while an answer is waited for.
    let mut interrupts = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let (replica, candidate) = (wanted.replica, wanted.candidate.clone());
    let Some(mut status) = ask(&mut client, SwapAsk::Begin { replica, candidate, shadow_len }).await? else {
        return Ok(None);
    };
    tell_whose(&client);
    let bar = ProgressBar::new_spinner();
    let mut looks_without_news = 0;
    while !status.stage.is_over() {
        bar.set_message(progress_words(&status));
        bar.tick();
        if looks_without_news == QUIET_LOOKS && matches!(status.stage, Stage::Following { .. }) {
            let SwapStatus { equal_len, shadow_len, .. } = status;
            bar.suspend(|| {
                eprintln!(
                    "dsms: {equal_len} of {shadow_len} outcomes are right; the others come with the next requests. Ctrl-C gives the swap up, \
                     --shadow N wants fewer"
                );
            });
        }
        let swap = status.swap;
        let interrupted = tokio::time::timeout(LOOK_EVERY, interrupts.recv()).await.is_ok();
        let next = if interrupted { SwapAsk::End { replica, swap } } else { SwapAsk::Look { replica, swap } };
        let Some(looked) = ask(&mut client, next).await? else { bail!("the front end has forgotten the swap") };
        looks_without_news = if looked.equal_len == status.equal_len { looks_without_news + 1 } else { 0 };
        status = looked;
    }
    bar.finish_and_clear();
    Ok(Some(status))
}

async fn ask(client: &mut Client, ask: SwapAsk) -> anyhow::Result<Option<SwapStatus>> {
    let answered = client.call(|number| ClientMessage::Swap { number, ask }).await.map_err(|error| match error {
        ClientError::Unsure(_) => anyhow::Error::new(error).context("`dsms ps` shows which module each replica runs"),
        _ => error.into(),
    });
    match answered? {
        ServerBody::Swap(status) => Ok(status),
        ServerBody::SwapRefused(words) => bail!(words),
        other => Err(unexpected(&other)),
    }
}

fn progress_words(status: &SwapStatus) -> String {
    let SwapStatus { replica, shadow_len, equal_len, .. } = status;
    match &status.stage {
        Stage::Loading => format!("{replica}: the module is loaded, and compiled if it has to be"),
        Stage::Importing => format!("{replica}: the module imports the state"),
        Stage::Following { executed, target } => {
            let behind = target.0.saturating_sub(executed.0);
            format!("{replica}: {equal_len} of {shadow_len} outcomes are right, {behind} requests behind")
        }
        Stage::Promoted { .. } | Stage::Failed(_) => String::new(),
    }
}

impl SwapArgs {
    /// The replica that is named. Where there can be no such node, the error says which replicas the cluster has.
    fn replica(&self) -> anyhow::Result<ReplicaId> {
        let Ok(node) = self.replica.parse::<NodeId>() else {
            let status = block_on(async { status_of(&mut self.connect.client().await?).await })?;
            let replicas = status.nodes.iter().filter_map(|node| node.node.replica());
            let names: Vec<String> = replicas.map(|replica| replica.to_string()).collect();
            bail!("this cluster has no {}; its replicas are {}", self.replica, names.join(", "));
        };
        node.replica().with_context(|| format!("{node} runs no module; give a replica, such as replica-1"))
    }

    fn say_unneeded(&self, wanted: &Wanted) {
        let Wanted { replica, name, .. } = wanted;
        if self.json {
            say!("{}", json!({"replica": replica.to_string(), "module": name, "swapped": false, "unneeded": true}));
        } else {
            say!("{replica} runs {} already: nothing to do", name.as_deref().unwrap_or("that module"));
        }
    }

    fn say_ended(&self, wanted: &Wanted, status: &SwapStatus) {
        if self.json {
            return say!("{}", to_json(wanted, status));
        }
        let replica = status.replica;
        let name = wanted.name.as_deref().unwrap_or("the module that it had before");
        match &status.stage {
            Stage::Promoted { incarnation, sequence } => {
                say!(
                    "{replica} runs {name} since #{sequence}, as incarnation {incarnation}, after {} outcomes that were right",
                    status.equal_len
                );
                if status.mismatch.is_some() {
                    say!(
                        "it took over before an outcome of it that came with the last ones was seen not to be the released one"
                    );
                }
                say!("take it back: dsms swap {replica} --rollback");
            }
            Stage::Failed(words) if self.rollback => {
                say!("{replica} keeps the module that it has and does not go back: {words}");
            }
            Stage::Failed(words) => say!("{replica} keeps the module that it has: {name} does not take over, {words}"),
            Stage::Loading | Stage::Importing | Stage::Following { .. } => unreachable!("a swap is waited for"),
        }
        if let Some(mismatch) = &status.mismatch {
            print_mismatch(mismatch, status.equal_len);
        }
    }
}

fn print_mismatch(mismatch: &Mismatch, equal_len: u64) {
    let Mismatch { sequence, shadow, released, .. } = mismatch;
    let words = |response: &Response| response_words(response, *sequence).replace('\n', "\n            ");
    say!("  #{sequence} {}", command_words(mismatch));
    say!("  released: {}", words(released));
    say!("  shadow:   {}", words(shadow));
    say!("  {equal_len} outcomes were right before");
}

fn command_words(mismatch: &Mismatch) -> String {
    match &mismatch.command {
        Some(Command::Request(request)) => request.to_string(),
        _ => "a request that is not known".to_owned(),
    }
}

fn to_json(wanted: &Wanted, status: &SwapStatus) -> serde_json::Value {
    let (mut incarnation, mut sequence, mut reason) = (None, None, None);
    match &status.stage {
        Stage::Promoted { incarnation: life, sequence: after } => {
            (incarnation, sequence) = (Some(life.0), Some(after.0));
        }
        Stage::Failed(words) => reason = Some(words),
        Stage::Loading | Stage::Importing | Stage::Following { .. } => {}
    }
    let outcome = |response: &Response, sequence| match response {
        Response::Executed { outcome, .. } => outcome.to_json(),
        other => json!(response_words(other, sequence)),
    };
    json!({
        "replica": status.replica.to_string(),
        "module": wanted.name,
        "swapped": incarnation.is_some(),
        "unneeded": false,
        "incarnation": incarnation,
        "after": sequence,
        "equal": status.equal_len,
        "shadow": status.shadow_len,
        "reason": reason,
        "mismatch": status.mismatch.as_ref().map(|mismatch| json!({
            "sequence": mismatch.sequence.0,
            "request": command_words(mismatch),
            "released": outcome(&mismatch.released, mismatch.sequence),
            "shadow": outcome(&mismatch.shadow, mismatch.sequence),
        })),
    })
}
