//! An instance of a module, and the jobs that wait for it, one after the other, under virtual time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::market::{MarketState, Module};
use crate::protocol::id::SequenceNumber;
use crate::protocol::replica_manager::Task;

/// How long it takes to start a module, in calls.
const START_CALLS: u32 = 3;

/// Results are handed back after this long, however many of the run are still to come, as the real executor does.
const HAND_BACK_AFTER: Duration = Duration::from_millis(5);

/// What one executor has to do, and does.
#[derive(Default)]
pub struct Executor {
    /// The instance, once it is started and until it fails.
    pub instance: Option<Box<dyn Module>>,
    /// Its module's place in the list.
    pub module: usize,
    /// The call of the job in front does not come back.
    pub is_mute: bool,
    /// The newest request that the instance was called with.
    pub newest: SequenceNumber,
    jobs: VecDeque<Job>,
    /// The number of the job that is being done.
    doing: Option<u64>,
    /// How many tasks of the run in front are done when it is over.
    piece_len: usize,
}

/// Something to be done.
pub enum Job {
    /// Make an instance of this module, with this state.
    Start(usize, Option<Arc<MarketState>>),
    /// Execute these.
    Run(Vec<Task>),
}

impl Executor {
    /// An executor that is to make an instance of this module first, with this state.
    pub fn starting(module: usize, state: Option<Arc<MarketState>>) -> Executor {
        Executor { jobs: VecDeque::from([Job::Start(module, state)]), module, ..Executor::default() }
    }

    /// Takes one run.
    pub fn submit(&mut self, run: Vec<Task>) {
        self.jobs.push_back(Job::Run(run));
    }

    /// What it could begin with now.
    pub fn next_job(&self) -> Option<&Job> {
        self.jobs.front().filter(|_| self.doing.is_none() && !self.is_mute)
    }

    /// Begins with the next job, under this number, and says how long it takes.
    pub fn begin(&mut self, number: u64, per_call: Duration) -> Duration {
        let at_once = HAND_BACK_AFTER.as_micros().checked_div(per_call.as_micros()).unwrap_or(u128::MAX);
        let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
        self.doing = Some(number);
        let calls = match self.jobs.front().expect("the caller has seen it") {
            Job::Start(..) => START_CALLS,
            Job::Run(run) => {
                self.piece_len = run.len().min(at_once).max(1);
                self.piece_len as u32
            }
        };
        calls * per_call
    }

    /// The time of the job with this number is over: that job, or the piece of the run that took so long. `None` if it is not the present one.
    pub fn end(&mut self, number: u64) -> Option<Job> {
        self.doing.take_if(|doing| *doing == number)?;
        let mut job = self.jobs.pop_front().expect("the executor is busy with the job in front");
        if let Job::Run(run) = &mut job {
            let rest = run.split_off(self.piece_len.min(run.len()));
            if !rest.is_empty() {
                self.jobs.push_front(Job::Run(rest));
            }
        }
        Some(job)
    }

    /// The instance has failed: nothing more is done.
    pub fn give_up(&mut self) {
        self.instance = None;
        self.jobs.clear();
    }
}
