//! `dsms replay`: a saved run, or the history of an incident, once more and step by step.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::incident;
use super::module::make_modules;
use super::output::say;
use crate::simulation::campaign::run as run_plan;
use crate::simulation::panics::quietly;
use crate::simulation::saved::Saved;

/// Exit code when a law was broken.
const BROKEN_EXIT: u8 = 1;

/// Replay a saved run or incident, and tell what happens in it step by step.
///
/// The file is one that `dsms sim` saved when a law was broken: a plan of requests and faults, as text that may be edited. The same
/// plan gives the same run, on any machine. Or it is one that `dsms shrink` saved: the requests that led to an incident in a real
/// cluster. They are executed on the reference market and on each module, one after the other.
///
/// Exit code: 0 every law held, or no module differs from the reference market; 1 one was broken, or one does; 2 the file could not be
/// read.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The saved run or incident.
    file: PathBuf,
    /// Other modules than those of the file; `reference` is the embedded one. For a run, one is for all replicas, and several are for
    /// each in turn; an incident is executed on each.
    #[arg(long, value_name = "FILE.wasm")]
    module: Vec<String>,
    /// Only the verdict.
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let path = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {path}"))?;
    let plan = match Saved::from_text(&text).with_context(|| format!("{path} cannot be replayed"))? {
        Saved::Run(plan) => plan,
        Saved::History(history) => return incident::replay(&history, &args.module, args.quiet, args.json),
    };
    let names = if args.module.is_empty() { &plan.modules } else { &args.module };
    let make = make_modules(names)?;
    let report = quietly(|| run_plan(&plan, &make, !args.quiet));
    let held = report.broken.is_none();
    if args.json {
        let broken = report.broken.as_ref().map(|broken| json!({"law": broken.law, "words": broken.words}));
        say!(
            "{}",
            json!({"held": held, "broken": broken, "answered": report.answered_len, "trace": report.trace, "lines": report.lines})
        );
    } else {
        report.lines.iter().for_each(|line| say!("{line}"));
        match &report.broken {
            Some(broken) => say!("a law is broken. {broken}"),
            None => say!(
                "every law held: {} requests answered in {:.1} s of virtual time, trace {}",
                report.answered_len,
                report.took.as_secs_f64(),
                &report.trace[..16]
            ),
        }
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(BROKEN_EXIT) })
}
