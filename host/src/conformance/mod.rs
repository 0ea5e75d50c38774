//! Examines one replica module: does it meet the contract, and does it behave as a replica has to?
//!
//! [`examine`] goes as far as the module lets it: the bytes, an instance, and then one [`Examination`] after the other,
//! each in a file of its own. What a module does otherwise than it should is a [`Finding`], with the shortest history
//! of requests that shows it. The judge is always the reference market, called natively; that the reference market
//! itself answers as the market specification says is what the golden requests, written by hand, hold it to.
//!
//! Nothing is printed here and no file is written: a [`Report`] can be turned into JSON, so that whoever examines many
//! modules can do it in a process for each. A module that hangs is ended by its budget of instructions, and time that
//! runs out makes examinations shorter, which the report says; but one call of a module is never interrupted.

mod cost;
#[cfg(test)]
mod coverage;
mod deadline;
mod determinism;
mod finding;
mod golden;
mod histories;
mod random_histories;
mod refused_input;
mod report;
mod round_trip;
mod subject;

use std::time::Duration;

use crate::market::Digest;
use crate::sandbox::{Engine, LoadError, LoadedModule};
use crate::simulation::panics::quietly;

pub use cost::{Cost, OperationCost, StateCost};
pub use deadline::Deadline;
pub use finding::{Finding, Kind, Weight, difference as state_difference};
pub use golden::{GoldenRule, golden, golden_rules};
pub use report::{Contract, Examined, ImportVerdict, Loading, Report, Starting};
pub use round_trip::round_trip;
pub use subject::{Scope, Subject};

/// One of the ways in which a module is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Examination {
    /// Requests with the answers that the market specification demands, written by hand, rule by rule.
    Golden,
    /// What is refused, requests and states, changes nothing.
    RefusedInput,
    /// The state goes out of the module and into another instance, and all goes on as before.
    RoundTrip,
    /// Equal histories have equal answers, whatever else differs.
    Determinism,
    /// Drawn requests are answered as the reference market answers them.
    RandomHistories,
    /// What calls cost, against the limits.
    Cost,
}

impl Examination {
    /// All of them, in the order in which they are made, with the share of the time that each may take if those before
    /// it have used theirs up.
    const ALL: [(Examination, u32); 6] = [
        (Examination::Golden, 40),
        (Examination::RefusedInput, 10),
        (Examination::RoundTrip, 12),
        (Examination::Determinism, 14),
        (Examination::RandomHistories, 16),
        (Examination::Cost, 8),
    ];

    /// Its name, as in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Examination::Golden => "golden",
            Examination::RefusedInput => "refused-input",
            Examination::RoundTrip => "round-trip",
            Examination::Determinism => "determinism",
            Examination::RandomHistories => "random-histories",
            Examination::Cost => "cost",
        }
    }

    /// The names of all of them.
    pub fn names() -> [&'static str; 6] {
        Examination::ALL.map(|(examination, _)| examination.name())
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Examination> {
        Examination::ALL.into_iter().map(|(examination, _)| examination).find(|examination| examination.name() == name)
    }
}

/// How a module is to be examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// How long the examinations may take together, compiling not included. A module with an interpreter needs some of
    /// it; a compiled one is done long before.
    pub time: Duration,
    /// Most requests of the random histories together, and of the other examinations in proportion.
    pub requests_max: u64,
    /// Only these examinations; all of them if there is none.
    pub only: Vec<Examination>,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, time: Duration::from_secs(20), requests_max: 10_000, only: Vec::new() }
    }
}

/// What is being done, for who waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress<'a> {
    /// The module is compiled, or read from the cache.
    Loading,
    /// An examination goes on.
    Examining {
        /// Which.
        examination: Examination,
        /// So many of its steps are done.
        done: u64,
        /// Of so many.
        of: u64,
    },
    /// An examination is over. This is known so far, and counts even if the next one never ends.
    Examined(&'a Report),
}

/// Examines the module with these bytes; `name` is what the report calls it.
pub fn examine(
    engine: &Engine,
    name: &str,
    bytes: &[u8],
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    progress(Progress::Loading);
    let mut report = Report::new(name, bytes.len(), Digest::of_bytes(bytes), options.seed);
    let began = Deadline::after(Duration::ZERO);
    match engine.load(bytes) {
        Ok(loaded) => {
            report.contract = Contract::from(loaded.report());
            report.load = Some(Loading::new(loaded.origin(), engine.cache_status(), began.passed_by()));
            quietly(|| examine_loaded(&loaded, options, progress, &mut report));
        }
        Err(LoadError::Contract(told)) => report.contract = Contract::from(&*told),
        Err(other) => report.contract = Contract::unreadable(other.to_string()),
    }
    report.judge();
    report
}

fn examine_loaded(module: &LoadedModule, options: &Options, progress: &mut dyn FnMut(Progress), report: &mut Report) {
    let began = Deadline::after(Duration::ZERO);
    let started = module.instantiate();
    report.instantiate = Some(Starting::new(&started, began.passed_by()));
    if started.is_err() {
        return;
    }
    let subject = Subject::of(module);
    let chosen = |examination| options.only.is_empty() || options.only.contains(&examination);
    let plan: Vec<(Examination, u32)> =
        Examination::ALL.into_iter().filter(|(examination, _)| chosen(*examination)).collect();
    let end = Deadline::after(options.time);
    for (place, (examination, share)) in plan.iter().enumerate() {
        let shares: u32 = plan[place..].iter().map(|(_, share)| share).sum();
        let deadline = Deadline::after(end.left() * *share / shares);
        let mut scope = Scope::new(&subject, *examination, options, deadline, progress);
        let examined = match examination {
            Examination::Golden => golden(&mut scope),
            Examination::RefusedInput => refused_input::refused_input(&mut scope),
            Examination::RoundTrip => round_trip(&mut scope),
            Examination::Determinism => determinism::determinism(&mut scope),
            Examination::RandomHistories => random_histories::random_histories(&mut scope),
            Examination::Cost => {
                let (examined, cost) = cost::cost(&mut scope, module);
                report.cost = cost;
                examined
            }
        };
        report.examinations.push(examined);
        report.judge();
        progress(Progress::Examined(report));
    }
}
