//! Many runs, one after the other and on several threads, until one of them breaks a law.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::coverage::Coverage;
use super::draw::{DrawOptions, draw};
use super::laws::Broken;
use super::panics;
use super::replica::MakeModule;
use super::scenario::Scenario;
use super::world::{Report, World};

/// What many runs came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Runs that were begun and ended.
    pub runs: u64,
    /// Those in which a law was broken.
    pub failed: u64,
    /// Requests that were answered with an outcome.
    pub answered: u64,
    /// How often faults struck.
    pub struck: u64,
    /// How often a law was looked at.
    pub checked: u64,
    /// Datagrams that were sent.
    pub datagrams: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// Which faults struck where and when.
    pub coverage: Coverage,
    /// The failed run of the smallest seed, with the law that it broke.
    pub failure: Option<(u64, Broken)>,
}

/// Runs one plan. `is_told` says whether lines are wanted.
pub fn run(scenario: &Scenario, make: &MakeModule, is_told: bool) -> Report {
    World::new(scenario.clone(), make, is_told).run()
}

/// Runs the plans of `runs` seeds from `first` on, on so many threads. Ends early when a run breaks a law, unless it is to go on.
/// `progress` is told how many runs have ended, now and then, from any thread.
pub fn campaign(
    first: u64,
    runs: u64,
    options: &DrawOptions,
    make: &MakeModule,
    threads: usize,
    goes_on: bool,
    progress: &(dyn Fn(u64) + Sync),
) -> Tally {
    let (next, ended, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let sum = Mutex::new(Tally::default());
    let work = || {
        let mut tally = Tally::default();
        while !is_over.load(Ordering::Relaxed) {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            if offset >= runs {
                break;
            }
            let seed = first.wrapping_add(offset);
            let scenario = draw(seed, options);
            let report = run(&scenario, make, false);
            if report.broken.is_some() && !goes_on {
                is_over.store(true, Ordering::Relaxed);
            }
            tally.add(seed, &scenario, &report);
            progress(ended.fetch_add(1, Ordering::Relaxed) + 1);
        }
        sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner).merge(tally);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| panics::quietly(work));
        }
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Tally {
    fn add(&mut self, seed: u64, scenario: &Scenario, report: &Report) {
        self.runs += 1;
        self.answered += report.answered_len as u64;
        self.struck += report.observed.struck_len();
        self.checked += report.checked;
        self.datagrams += report.datagrams_len;
        self.virtual_ms += report.took.as_millis() as u64;
        self.coverage.add(scenario, &report.observed, report.broken.is_none());
        if let Some(broken) = &report.broken {
            self.failed += 1;
            self.note_failure(seed, broken.clone());
        }
    }

    fn note_failure(&mut self, seed: u64, broken: Broken) {
        if self.failure.as_ref().is_none_or(|(earliest, _)| seed < *earliest) {
            self.failure = Some((seed, broken));
        }
    }

    fn merge(&mut self, other: Tally) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.answered += other.answered;
        self.struck += other.struck;
        self.checked += other.checked;
        self.datagrams += other.datagrams;
        self.virtual_ms += other.virtual_ms;
        self.coverage.merge(other.coverage);
        if let Some((seed, broken)) = other.failure {
            self.note_failure(seed, broken);
        }
    }
}
