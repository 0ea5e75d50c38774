//! `dsms sim`: the whole cluster in one thread, from one seed, until a law breaks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::module::make_modules;
use super::output::{say, shell_word};
use crate::protocol::quorum::Tolerance;
use crate::runtime::clock::Clock;
use crate::simulation::campaign::{Tally, campaign, run as run_plan};
use crate::simulation::draw::{DrawOptions, REQUESTS_LEN_DEFAULT, draw};
use crate::simulation::fault::KINDS;
use crate::simulation::panics::quietly;
use crate::simulation::replica::MakeModule;
use crate::simulation::shrink::shrink;
use crate::simulation::{Broken, Scenario};

/// Exit code when a law was broken, or a cell of the baseline is not covered any more.
const BROKEN_EXIT: u8 = 1;

/// A baseline names the cells at which at least so many faults have struck. What is struck at less often may be missed after any change,
/// without anything being wrong.
const BASELINE_FAULTS_MIN: u64 = 5;

/// Run the whole cluster in virtual time, from seeds, until a law breaks.
///
/// Each seed is one run: a plan of requests and faults is drawn from it and happens to the same protocol that a real cluster runs,
/// with a network, clocks and processes that the simulator makes fail. At every step the run is held to laws, such as one total
/// order, a quorum behind every answer, and no restart without a majority; in the end everybody must be answered and every replica
/// must vote again. The first run that breaks a law is shrunk to few requests and faults, and saved for `dsms replay`.
///
/// Exit code: 0 every law held, 1 one was broken or the baseline is not covered, 2 the runs could not be made.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many seeds, from the first one on.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Requests of each run.
    #[arg(long, value_name = "N", default_value_t = REQUESTS_LEN_DEFAULT, value_parser = requests_len)]
    requests: usize,
    /// The mode: byzantine, crash or both; drawn from the seed otherwise.
    #[arg(long, value_parser = super::up::parse_mode)]
    mode: Option<Tolerance>,
    /// What may go wrong: `all`, `none`, or names separated by commas, such as `kill,loss`. A wrong name is answered with all of them.
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = fault_names)]
    faults: FaultNames,
    /// A module for all replicas, or, given once a replica, one for each in turn; `reference` is the embedded one. They run in the
    /// real sandbox, which is slower than the native reference market that runs otherwise.
    #[arg(long, value_name = "FILE.wasm")]
    module: Vec<String>,
    /// How many runs at once; as many as there are processors otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Go on after a run that breaks a law. Only the one of the smallest seed is shrunk and saved.
    #[arg(long)]
    keep_going: bool,
    /// Print which faults struck where and when, who noticed, and whether all was well in the end.
    #[arg(long)]
    coverage: bool,
    /// Fail if a line of this file, `FAULT ROLE PHASE`, is not covered by these runs. Write such a file with --write-baseline.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the cells at which at least five faults of these runs strike as a baseline.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Where a run that breaks a law is saved.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The kinds of faults that may be in a plan, by name; `None` for all.
#[derive(Clone, Debug)]
struct FaultNames(Option<Vec<&'static str>>);

fn requests_len(text: &str) -> Result<usize, String> {
    let len = text.parse().ok().filter(|len| (1..=10_000).contains(len));
    len.ok_or_else(|| "expected a number from 1 to 10000".to_owned())
}

fn fault_names(text: &str) -> Result<FaultNames, String> {
    let known = || KINDS.map(|kind| kind.name());
    match text {
        "all" => Ok(FaultNames(None)),
        "none" => Ok(FaultNames(Some(Vec::new()))),
        list => {
            let name = |word: &str| {
                let found = known().into_iter().find(|name| *name == word.trim());
                found.ok_or_else(|| {
                    format!("there is no fault {word:?}; expected all, none, or some of {}", known().join(", "))
                })
            };
            list.split(',').map(name).collect::<Result<_, _>>().map(|names| FaultNames(Some(names)))
        }
    }
}

/// A run that has broken a law, shrunk and saved.
struct Saved {
    plan: Scenario,
    plan_file: PathBuf,
    transcript_file: PathBuf,
}

/// Runs the command.
pub fn run(args: SimArgs) -> anyhow::Result<ExitCode> {
    let make = make_modules(&args.module)?;
    let options = DrawOptions {
        tolerance: args.mode,
        faults: args.faults.0.clone(),
        requests_len: args.requests,
        modules: args.module.clone(),
        ..DrawOptions::default()
    };
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let clock = Clock::start();
    let began_at = clock.now();
    let bar = progress_bar(args.runs);
    let tally =
        campaign(args.seed, args.runs, &options, &make, jobs, args.keep_going, &|ended| bar.set_position(ended));
    bar.finish_and_clear();
    let took = clock.now().since(began_at);
    let saved = match &tally.failure {
        Some((seed, broken)) => Some(shrink_and_save(&draw(*seed, &options), broken, &make, &args.out)?),
        None => None,
    };
    let uncovered = match &args.baseline {
        Some(path) => uncovered(path, &tally)?,
        None => Vec::new(),
    };
    if let Some(path) = &args.write_baseline {
        let lines: String =
            tally.coverage.covered(BASELINE_FAULTS_MIN).iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        say!("{}", to_json(&tally, took, saved.as_ref(), &uncovered));
    } else {
        print_text(&args, &tally, took, saved.as_ref(), &uncovered);
    }
    let is_good = tally.failed == 0 && uncovered.is_empty();
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(BROKEN_EXIT) })
}

/// On standard error, and only where somebody can see it move.
fn progress_bar(runs: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {per_sec}, {eta} left");
    ProgressBar::new(runs).with_style(style.expect("the template is well formed"))
}

fn shrink_and_save(plan: &Scenario, broken: &Broken, make: &MakeModule, out: &Path) -> anyhow::Result<Saved> {
    let bar = ProgressBar::new_spinner();
    let plan = shrink(plan, broken, make, &mut |plan| {
        bar.set_message(format!("shrinking: {} requests, {} faults", plan.requests.len(), plan.faults.len()));
        bar.tick();
    });
    bar.finish_and_clear();
    let report = quietly(|| run_plan(&plan, make, true));
    let file = |ending: &str| out.join(format!("dsms-run-{}.{ending}", plan.seed));
    let (plan_file, transcript_file) = (file("toml"), file("txt"));
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&plan_file, plan.to_text())?;
    let verdict = report.broken.as_ref().map_or_else(String::new, |broken| format!("\nLAW BROKEN  {broken}\n"));
    write(&transcript_file, report.lines.join("\n") + &verdict)?;
    Ok(Saved { plan, plan_file, transcript_file })
}

/// The lines of a baseline that these runs do not cover.
fn uncovered(path: &Path, tally: &Tally) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let baseline: BTreeSet<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    Ok(baseline.difference(&tally.coverage.covered(1)).cloned().collect())
}

fn print_text(args: &SimArgs, tally: &Tally, took: Duration, saved: Option<&Saved>, uncovered: &[String]) {
    if args.coverage {
        say!("{}", tally.coverage.to_text());
    }
    let Tally { runs, failed, answered, struck, checked, datagrams, virtual_ms, coverage, failure } = tally;
    let (cells, minutes) = (coverage.covered_len(), *virtual_ms as f64 / 60_000.0);
    say!(
        "{runs} runs, {} passed, {failed} failed: {answered} requests answered, {struck} faults struck in {cells} cells of \
         fault, role and phase",
        runs - failed
    );
    say!(
        "{checked} looks at a law, {datagrams} datagrams, {minutes:.0} minutes of virtual time in {:.1} s",
        took.as_secs_f64()
    );
    for line in uncovered {
        say!("not covered any more: {line}");
    }
    if let (Some((seed, broken)), Some(saved)) = (failure, saved) {
        let Saved { plan, plan_file, transcript_file } = saved;
        say!("seed {seed} breaks a law. {broken}");
        say!(
            "shrunk to {} requests and {} faults, told in {}",
            plan.requests.len(),
            plan.faults.len(),
            transcript_file.display()
        );
        say!("replay it: dsms replay {}", shell_word(plan_file));
    }
}

fn to_json(tally: &Tally, took: Duration, saved: Option<&Saved>, uncovered: &[String]) -> serde_json::Value {
    let failure = tally.failure.as_ref().map(|(seed, broken)| {
        json!({
            "seed": seed,
            "law": broken.law,
            "words": broken.words,
            "plan": saved.map(|saved| saved.plan_file.display().to_string()),
            "transcript": saved.map(|saved| saved.transcript_file.display().to_string()),
        })
    });
    json!({
        "runs": tally.runs,
        "passed": tally.runs - tally.failed,
        "failed": tally.failed,
        "answered": tally.answered,
        "struck": tally.struck,
        "checked": tally.checked,
        "datagrams": tally.datagrams,
        "virtual-ms": tally.virtual_ms,
        "took-ms": took.as_millis() as u64,
        "failure": failure,
        "uncovered": uncovered,
        "coverage": tally.coverage.to_json(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_or_refused_with_all_names() {
        assert!(fault_names("all").unwrap().0.is_none());
        assert!(fault_names("none").unwrap().0.unwrap().is_empty());
        assert_eq!(fault_names("kill, loss").unwrap().0.unwrap(), ["kill", "loss"]);
        let words = fault_names("kill,flood").unwrap_err();
        assert!(words.contains("\"flood\"") && words.contains("trap-always"), "{words}");
    }
}
