//! `dsms grade`: many modules, each in a process of its own, and against each other.

mod names;
pub mod one;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::output::say;
use crate::grading::output::{Class, csv, gradescope, html, json, junit, table};
use crate::grading::{Examined, Grade, Settings, child, store};

/// Grade many modules: each by itself, in simulated clusters, and against each other.
///
/// Each module is examined in a process of its own: by everything that `dsms check` does; by one history of requests that is the same for
/// all modules; and as one replica of simulated clusters, whose others are the reference market, with faults. A module that hangs or harms
/// its process costs its own time and nothing else. Then the modules are compared: which of them fail at the same requests, since a
/// mistake that two of three share outvotes a right answer, and which three make the best cluster.
///
/// Of 100 points 60 are for golden rules, 15 for drawn histories, 10 for determinism, 10 for the state, 5 for the clusters. A module that
/// cannot be run has none.
///
/// DIR gets results.json, grades.csv, junit.xml, report.html and gradescope/NAME.json. Each result is kept at once, under the
/// digest of the module, so a run that was stopped goes on where it was, and modules that were graded in the same way before are not
/// examined again.
///
/// Exit code: 0 every module was graded, however badly; 2 the grading could not be made.
#[derive(Args, Debug)]
pub struct GradeArgs {
    /// .wasm files; `reference` is the built-in module.
    #[arg(required = true)]
    modules: Vec<PathBuf>,
    /// Where results are written and kept.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many modules at once; as many as there are processors otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// How long one module may take, in seconds. Slow modules are asked less; one that is not done then is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time: u64,
    /// What is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many requests the history has that is the same for all modules.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    requests: u32,
    /// Forget the results that are kept of these modules.
    #[arg(long)]
    again: bool,
    /// Print results.json instead of the table.
    #[arg(long)]
    json: bool,
}

/// A module that is to be graded.
struct Submission {
    path: PathBuf,
    name: String,
    digest: String,
}

/// Grades the modules and writes everything down. Exit code 0; an error (2) when that cannot be done.
pub fn run(args: GradeArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings { seed: args.seed, time_s: args.time, requests: args.requests };
    let names = names::distinct(&args.modules);
    let submissions: Vec<Submission> = args
        .modules
        .iter()
        .zip(names)
        .map(|(path, name)| Ok(Submission { path: path.clone(), name, digest: one::digest(path)? }))
        .collect::<anyhow::Result<_>>()?;
    let tell = |line: String| if args.json { eprintln!("{line}") } else { say!("{line}") };
    let examined = super::runtime()?.block_on(examine_all(&submissions, settings, &args, &tell))?;
    let grades: Vec<Grade> = submissions
        .iter()
        .map(|submission| Grade::new(submission.name.clone(), examined[&submission.digest].clone()))
        .collect();
    let class = Class::new(settings, &grades);
    let results = serde_json::to_string(&json::value(&class))?;
    write_all(&args.out, &class, &results)?;
    if args.json {
        say!("{results}");
    } else {
        say!("");
        table::lines(&class).iter().for_each(|line| say!("{line}"));
        say!("see {}", args.out.join("report.html").display());
    }
    Ok(ExitCode::SUCCESS)
}

/// What is known of each module, by digest: kept from before, or found out now, so many at once.
async fn examine_all(
    submissions: &[Submission],
    settings: Settings,
    args: &GradeArgs,
    tell: &dyn Fn(String),
) -> anyhow::Result<BTreeMap<String, Examined>> {
    let program = std::env::current_exe().context("where is the program of this process?")?;
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = Arc::new(Semaphore::new(args.jobs.map_or_else(processors, usize::from)));
    let mut all = BTreeMap::new();
    let mut children: JoinSet<Examined> = JoinSet::new();
    let mut begun: BTreeMap<&str, &Submission> = BTreeMap::new();
    for submission in submissions {
        if begun.insert(&submission.digest, submission).is_some() {
            continue;
        }
        if let Some(examined) = store::kept(&args.out, &submission.digest, &settings).filter(|_| !args.again) {
            let grade = Grade::new(submission.name.clone(), examined.clone());
            tell(format!("{}, graded before", table::streamed(&grade)));
            all.insert(submission.digest.clone(), examined);
            continue;
        }
        let mut command = Command::new(&program);
        command.arg("grade-one").args([
            format!("--digest={}", submission.digest),
            format!("--seed={}", settings.seed),
            format!("--time={}", settings.time_s),
            format!("--requests={}", settings.requests),
        ]);
        command.arg("--").arg(&submission.path);
        let (jobs, digest) = (Arc::clone(&jobs), submission.digest.clone());
        children.spawn(async move {
            let _turn = jobs.acquire_owned().await.expect("nobody closes it");
            child::run(command, &digest, settings).await
        });
    }
    while let Some(ended) = children.join_next().await {
        let examined = ended.context("an examination was lost; type the same command again to go on")?;
        store::keep(&args.out, &examined)?;
        let name = begun[&*examined.digest].name.clone();
        tell(table::streamed(&Grade::new(name, examined.clone())));
        all.insert(examined.digest.clone(), examined);
    }
    Ok(all)
}

fn write_all(out: &Path, class: &Class, results: &str) -> anyhow::Result<()> {
    store::write(&out.join("results.json"), results)?;
    store::write(&out.join("grades.csv"), &csv::text(class))?;
    store::write(&out.join("junit.xml"), &junit::text(class))?;
    store::write(&out.join("report.html"), &html::text(class))?;
    for (grade, number) in class.grades.iter().zip(1..) {
        let text = serde_json::to_string_pretty(&gradescope::value(grade))?;
        store::write(&out.join("gradescope").join(gradescope::file_name(&grade.name, number)), &text)?;
    }
    Ok(())
}
