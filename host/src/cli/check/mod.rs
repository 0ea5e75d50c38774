//! `dsms check`: one module against the contract and the rules of the market, without a cluster.
//!
//! What is examined is `conformance`'s affair; here it is printed, and whatever `dsms replay` can show again is saved.

mod progress;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::incident::absolute;
use super::module::read_module;
use super::output::{say, shell_word};
use crate::conformance::{Examination, Finding, Options, Report, examine};
use crate::sandbox::{Engine, SandboxLimits};
use crate::simulation::History;
use crate::simulation::history::{FORMAT, PastModule, PastRequest};

/// Check one module: the contract, and everything that a replica has to do.
///
/// The contract comes first: exports, and each import with the reason why a replica may not have it. A module that
/// meets it is then examined: golden requests for every rule of the market; what is refused changes nothing; its state
/// goes into another instance and all goes on; equal histories have equal answers, whatever random numbers, time,
/// memory and order of import; drawn requests are answered as the reference market answers them; and what calls cost
/// against the limits.
///
/// Whatever is found is shown with the shortest history of requests that shows it, and with one command that shows it
/// again.
///
/// Exit code: 0 it can run as a replica, 1 it cannot, or there was no time for one of the examinations, 2 there is no such file.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A .wasm file, or `reference` for the built-in module.
    module: PathBuf,
    /// What is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    seed: u64,
    /// Only this examination; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = Examination::names())]
    only: Vec<String>,
    /// How long the examinations may take together, in seconds. Slow modules are examined with fewer requests.
    #[arg(long, value_name = "SECONDS", default_value_t = Options::default().time.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time: u64,
    /// Drawn requests at most.
    #[arg(long, value_name = "N", default_value_t = Options::default().requests_max,
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    requests: u64,
    /// Where requests that show a failure are saved; `MODULE.check` in this directory otherwise.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Checks the module and prints what was found. Exit code 0 when it is good, 1 when it is not; an error (2) when there
/// is no module to check.
pub fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let engine = Engine::new(SandboxLimits::default())?;
    let report = check(&engine, &args)?;
    if args.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        text::lines(&report).iter().for_each(|line| say!("{line}"));
    }
    Ok(if report.good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn check(engine: &Engine, args: &CheckArgs) -> anyhow::Result<Report> {
    let bytes = read_module(engine, &args.module)?;
    let options = Options {
        seed: args.seed,
        time: Duration::from_secs(args.time),
        requests_max: args.requests,
        only: args.only.iter().filter_map(|name| Examination::named(name)).collect(),
    };
    let name = args.module.display().to_string();
    let mut shown = progress::Shown::new(bytes.len());
    let mut report = examine(engine, &name, &bytes, &options, &mut |progress| shown.show(progress));
    shown.clear();
    let saving = Saving { engine, module: &args.module, digest: &report.digest.clone(), args };
    for examined in &mut report.examinations {
        for (finding, number) in examined.findings.iter_mut().zip(1..) {
            finding.command = Some(saving.command(examined.examination, number, finding)?);
        }
    }
    Ok(report)
}

/// What is needed to save a history.
struct Saving<'a> {
    engine: &'a Engine,
    module: &'a Path,
    digest: &'a str,
    args: &'a CheckArgs,
}

impl Saving<'_> {
    /// The command that shows a finding again; saves its requests if they show it by themselves.
    fn command(&self, examination: Examination, number: usize, finding: &Finding) -> anyhow::Result<String> {
        let module = shell_word(self.module);
        if finding.replay.is_empty() {
            return Ok(format!("dsms check {module} --only {} {}", examination.name(), self.options()));
        }
        let directory = self.directory();
        let file = directory.join(format!("{}-{number}.toml", examination.name()));
        let text = self.history(finding.replay.clone())?.to_text()?;
        std::fs::create_dir_all(&directory)
            .and_then(|()| std::fs::write(&file, text))
            .with_context(|| format!("cannot write {}; choose another directory with --out DIR", file.display()))?;
        Ok(format!("dsms replay {} --module {module}", shell_word(&file)))
    }

    /// The options that decide what is drawn and how much of it, as far as they are not those by default.
    fn options(&self) -> String {
        let CheckArgs { seed, time, requests, .. } = *self.args;
        let usual = Options::default();
        let more = |is_given: bool, words: String| if is_given { words } else { String::new() };
        format!("--seed {seed}")
            + &more(requests != usual.requests_max, format!(" --requests {requests}"))
            + &more(time != usual.time.as_secs(), format!(" --time {time}"))
    }

    fn directory(&self) -> PathBuf {
        let beside = || PathBuf::from(self.module.file_stem().unwrap_or_default()).with_added_extension("check");
        self.args.out.clone().unwrap_or_else(beside)
    }

    fn history(&self, requests: Vec<PastRequest>) -> anyhow::Result<History> {
        let name = absolute(&self.module.display().to_string())?;
        let limits = self.engine.limits();
        Ok(History {
            format: FORMAT.to_owned(),
            wrong: 0,
            crashed: 0,
            replicas: 1,
            unknown: 0,
            released: None,
            fuel_per_call: limits.fuel_per_call,
            memory_bytes_max: limits.memory_bytes_max,
            replies: Vec::new(),
            modules: vec![PastModule { name, digest: self.digest.to_owned(), replicas: Vec::new() }],
            requests,
        })
    }
}

#[cfg(test)]
mod tests;
