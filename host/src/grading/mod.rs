//! Examines many replica modules, each in a process of its own, and compares them with each other.
//!
//! A module is examined by [`examine_one`]: `conformance` first, then one history of requests that is the same for all modules, then
//! simulated clusters in which its peers are the reference market. That happens in a child process, see [`child`], which tells of each
//! part as soon as it is done; a child that takes too long is ended, and keeps what it has told. What came of a module is an
//! [`Examined`], which is [kept](store) so that a run that was stopped goes on where it was.
//!
//! From all of them follow the [score] of each, at which requests several of them [fail together](coincidence), and the
//! [files](output) that people and their tools read. Names and messages are whatever a hostile module has made of them: each form
//! escapes them in its own way.

pub mod answers;
pub mod child;
pub mod clusters;
pub mod coincidence;
pub mod output;
pub mod score;
pub mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::conformance::{Deadline, Examination, Options, Progress, Report, examine};
use crate::sandbox::Engine;
use crate::simulation::panics::quietly;

pub use answers::Answers;
pub use clusters::Clusters;
pub use score::Score;

/// What a kept result says first; it changes whenever results of before would be misread, or are not comparable any more.
pub const FORMAT: &str = concat!("dsms-grade 1, dsms ", env!("CARGO_PKG_VERSION"));

/// How all modules of a run are examined. Results are compared only where this is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// How long one module may take, from the start of its process, in seconds.
    pub time_s: u64,
    /// How many requests the history has that is the same for all modules.
    pub requests: u32,
}

impl Settings {
    /// So much of the time as this percentage, and no longer than so many seconds. The parts together leave a fifth of the time for
    /// compiling and for calls that are not interrupted.
    fn part(&self, percent: u32, seconds_max: u64) -> Duration {
        (Duration::from_secs(self.time_s) * percent / 100).min(Duration::from_secs(seconds_max))
    }
}

/// A part of an examination, as the child tells it: one JSON object a line. One that is told again replaces the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What `dsms check` finds.
    Check(Box<Report>),
    /// Where it differs from the reference market in the common history.
    Answers(Answers),
    /// How clusters fared of which it was a replica.
    Clusters(Clusters),
}

/// How the examination of a module ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself.
    Whole,
    /// Its time was over.
    OutOfTime,
    /// Its process failed, in these words.
    Failed(String),
}

/// What is known of one module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Examined {
    /// [`FORMAT`].
    pub format: String,
    /// The digest of its bytes, 64 hexadecimal digits.
    pub digest: String,
    /// How it was examined.
    pub settings: Settings,
    /// How that ended.
    pub ended: Ended,
    /// How long it took.
    pub milliseconds: u64,
    /// What `dsms check` finds.
    pub check: Option<Box<Report>>,
    /// Where it differs from the reference market in the common history.
    pub answers: Option<Answers>,
    /// How clusters fared of which it was a replica.
    pub clusters: Option<Clusters>,
}

/// One module of a run, under the name that it has there.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// Its name, different from all others of the run. No control characters are in it.
    pub name: String,
    /// What is known of it.
    pub examined: Examined,
    /// What that is worth.
    pub score: Score,
}

impl Grade {
    /// The grade of a module that was examined.
    pub fn new(name: String, mut examined: Examined) -> Grade {
        if let Some(check) = &mut examined.check {
            check.module.clone_from(&name);
        }
        let score = Score::of(&examined);
        Grade { name, examined, score }
    }

    /// In a word or a sentence: what became of it.
    pub fn verdict(&self) -> String {
        match (&self.examined.ended, &self.examined.check) {
            (Ended::OutOfTime, _) => "out of time".to_owned(),
            (Ended::Failed(words), _) => format!("not examined: {words}"),
            (Ended::Whole, Some(check)) if check.good && !self.is_all_examined() => {
                "good, as far as there was time for it".to_owned()
            }
            (Ended::Whole, Some(check)) if check.good => "good".to_owned(),
            (Ended::Whole, Some(check)) => match score::not_running(check) {
                Some(words) => format!("does not run: {words}"),
                None => match check.findings().count() {
                    0 => "no finding, as far as there was time for it".to_owned(),
                    1 => "1 finding".to_owned(),
                    len => format!("{len} findings"),
                },
            },
            (Ended::Whole, None) => "not examined".to_owned(),
        }
    }

    /// Whether it may be recommended as a replica: it was asked the whole common history, and never failed so that it could not go on.
    pub fn is_fit(&self) -> bool {
        let is_whole = |answers: &Answers| answers.asked == answers.of && answers.stopped.is_none();
        self.examined.ended == Ended::Whole && self.examined.answers.as_ref().is_some_and(is_whole)
    }

    /// Whether every golden rule and every request of the common history had its turn.
    fn is_all_examined(&self) -> bool {
        let golden = self.examined.check.iter().flat_map(|check| &check.examinations);
        let mut golden = golden.filter(|made| made.examination == Examination::Golden);
        golden.all(|made| made.is_complete) && self.examined.answers.as_ref().is_some_and(|all| all.asked == all.of)
    }
}

/// Examines the module with these bytes in this process, and tells of each part when it is done; of the check, whenever more is known.
pub fn examine_one(engine: &Engine, name: &str, bytes: &[u8], settings: &Settings, tell: &mut dyn FnMut(Part)) {
    let options = Options { seed: settings.seed, time: settings.part(40, 20), ..Options::default() };
    let report = examine(engine, name, bytes, &options, &mut |progress| {
        if let Progress::Examined(report) = progress {
            tell(Part::Check(Box::new(report.clone())));
        }
    });
    let runs = score::not_running(&report).is_none();
    tell(Part::Check(Box::new(report)));
    let Some(module) = runs.then(|| engine.load(bytes).ok()).flatten() else { return };

    let until = Deadline::after(settings.part(25, 30));
    let history = answers::history(settings);
    let start = || -> answers::Started { Ok(Box::new(module.instantiate()?)) };
    tell(Part::Answers(quietly(|| answers::ask(&start, &history, &|| until.is_over()))));

    let until = Deadline::after(settings.part(15, 10));
    tell(Part::Clusters(quietly(|| clusters::run(&module, settings.seed, &|| until.is_over()))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{SandboxLimits, reference_module};

    #[test]
    fn what_the_check_has_found_out_is_told_before_it_is_over() {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
        let settings = Settings { seed: 1, time_s: 60, requests: 100 };
        let (mut made, mut others) = (Vec::new(), Vec::new());
        examine_one(&engine, "reference", reference_module(), &settings, &mut |part| match part {
            Part::Check(report) => made.push((report.good, report.examinations.len())),
            Part::Answers(answers) => others.push(answers.asked),
            Part::Clusters(clusters) => others.push(clusters.runs as u32),
        });
        let len = Examination::names().len();
        assert_eq!(made, (1..=len).chain([len]).map(|len| (true, len)).collect::<Vec<_>>());
        assert!(others.len() == 2 && others[0] == 100, "{others:?}");
    }
}
