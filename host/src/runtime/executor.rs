//! The executor: runs a replica's module, on a thread of its own unless that is not worth it.
//!
//! A guest call may take as long as its budget of fuel lasts, and the network must not wait for it: so long runs, slow modules and
//! exports of the state go to the executor's thread. A short run of a module that has been quick is executed at once, where it is:
//! handing it to a thread and back costs several times as much as the call. A module that suddenly becomes slow holds up the
//! network for one run of a few calls, each bounded by its fuel; after that it is handed over.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::mpsc as answers;

use crate::market::{Context, GuestFault, MarketState, Module};
use crate::protocol::id::Incarnation;
use crate::protocol::message::Command;
use crate::protocol::replica_manager::{Executed, StartFailure, Task};

use super::clock::Clock;

/// Stack of the executor thread in bytes: the guest's own, and room for the host's frames around it.
const STACK_LEN: usize = 8 * 1024 * 1024;

/// Longest run that is executed at once. Under load runs are longer, and worth a thread that works beside the network.
const AT_ONCE_LEN_MAX: usize = 4;

/// A module whose calls take longer than this is not called at once: handing over costs some tens of microseconds.
const QUICK_CALL_MAX: Duration = Duration::from_micros(50);

/// A budget that a call can use up in a second or so. With a larger one no call is made on the network thread, however quick the
/// module has been.
const AT_ONCE_FUEL_MAX: u64 = 1_000_000_000;

/// Results of a slow module are handed back after this long, however many of the run are still to come.
const HAND_BACK_AFTER: Duration = Duration::from_millis(5);

/// What became of tasks: one result a task, in order. The last one may be a fault, after which nothing more comes.
pub type RunResults = Vec<Result<Executed, GuestFault>>;

/// What the thread says.
#[derive(Debug)]
pub enum Answer {
    /// The module of a life is ready, or could not be started.
    Started(Incarnation, Result<(), StartFailure>),
    /// Some results of the oldest runs of a life.
    Executed(Incarnation, RunResults),
}

/// The instance of a life, until it fails.
struct Live<M> {
    incarnation: Incarnation,
    module: Option<M>,
}

/// What the thread has to do.
enum Job {
    Start { incarnation: Incarnation, module: usize, state: Option<Arc<MarketState>> },
    Run { incarnation: Incarnation, run: Vec<Task> },
}

/// A replica's instances, one after the other, and the thread that calls them. Dropping it ends the thread after what it holds.
///
/// The replica manager bounds what is here: a few runs and one start for each life, and those of a life that has ended are skipped.
pub struct Executor<M> {
    live: Arc<Mutex<Live<M>>>,
    /// The life that was asked for last; the thread gives up the runs of others.
    wanted: Arc<AtomicU32>,
    clock: Clock,
    may_run_at_once: bool,
    /// How long the slower ones of recent calls took; `None` until there was one.
    call_took: Option<Duration>,
    /// Jobs at the thread. While there are any, later ones must go there too.
    handed_over_len: usize,
    jobs: mpsc::Sender<Job>,
    answers: answers::UnboundedReceiver<FromThread>,
}

struct FromThread {
    /// `None` from a job that ends without an answer, since its life has ended.
    answer: Option<Answer>,
    /// How long a call took on average.
    call_took: Option<Duration>,
    is_last: bool,
}

impl<M: Module + Send + 'static> Executor<M> {
    /// Starts the thread, without an instance yet. `instantiate` makes one of the module with this place in the list.
    ///
    /// `fuel_per_call` is what bounds a call.
    pub fn start(
        instantiate: impl Fn(usize) -> Result<M, GuestFault> + Send + 'static,
        fuel_per_call: u64,
        clock: Clock,
    ) -> Executor<M> {
        let live = Arc::new(Mutex::new(Live { incarnation: Incarnation(0), module: None }));
        let wanted = Arc::new(AtomicU32::new(0));
        let (jobs, jobs_in) = mpsc::channel();
        let (answers_out, answers) = answers::unbounded_channel();
        let (thread_live, thread_wanted) = (Arc::clone(&live), Arc::clone(&wanted));
        let body = move || {
            while let Ok(job) = jobs_in.recv() {
                let gone = match job {
                    Job::Start { incarnation, module, state } => {
                        let started = start(&thread_live, incarnation, || instantiate(module), state.as_deref());
                        let answer = Some(Answer::Started(incarnation, started));
                        answers_out.send(FromThread { answer, call_took: None, is_last: true }).is_err()
                    }
                    Job::Run { incarnation, run } => {
                        let wanted = || thread_wanted.load(Ordering::Relaxed) == incarnation.0;
                        let hand_back = |results: RunResults, call_took, is_last| {
                            let answer = (!results.is_empty()).then_some(Answer::Executed(incarnation, results));
                            answers_out.send(FromThread { answer, call_took, is_last }).is_err()
                        };
                        execute(&thread_live, incarnation, &run, clock, wanted, hand_back)
                    }
                };
                if gone {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("executor".to_owned()).stack_size(STACK_LEN).spawn(body);
        thread.expect("the system can start one more thread");
        Executor {
            live,
            wanted,
            clock,
            may_run_at_once: fuel_per_call <= AT_ONCE_FUEL_MAX,
            call_took: None,
            handed_over_len: 0,
            jobs,
            answers,
        }
    }

    /// Has an instance made for a new life; [`Executor::next`] tells what came of it. What is under way for an earlier life is given
    /// up after the call that is running.
    pub fn begin(&mut self, incarnation: Incarnation, module: usize, state: Option<Arc<MarketState>>) {
        self.wanted.store(incarnation.0, Ordering::Relaxed);
        self.call_took = None;
        self.hand_over(Job::Start { incarnation, module, state });
    }

    /// The instance, at which nothing waits, goes on as another life.
    pub fn rename(&mut self, incarnation: Incarnation) {
        self.wanted.store(incarnation.0, Ordering::Relaxed);
        self.live.lock().unwrap_or_else(PoisonError::into_inner).incarnation = incarnation;
    }

    /// Takes one run. Returns its results if it was executed at once, which `may_wait` forbids; otherwise [`Executor::next`] will.
    pub fn submit(&mut self, incarnation: Incarnation, run: Vec<Task>, may_wait: bool) -> Option<RunResults> {
        let is_short = run.len() <= AT_ONCE_LEN_MAX && run.iter().all(|task| !task.checkpoint);
        let is_quick = self.may_run_at_once && self.call_took.is_some_and(|took| took <= QUICK_CALL_MAX);
        if self.handed_over_len == 0 && is_short && is_quick && !may_wait {
            let mut at_once = Vec::new();
            let hand_back = |mut results: RunResults, took, _| {
                at_once.append(&mut results);
                self.call_took = slower(self.call_took, took);
                false
            };
            execute(&self.live, incarnation, &run, self.clock, || true, hand_back);
            return Some(at_once);
        }
        self.hand_over(Job::Run { incarnation, run });
        None
    }

    /// What the thread says next. Cancel-safe.
    pub async fn next(&mut self) -> Answer {
        loop {
            let from_thread = self.answers.recv().await.expect("the executor thread lives as long as its handle");
            if let Some(answer) = self.take_back(from_thread) {
                return answer;
            }
        }
    }

    /// What the thread has said already.
    pub fn try_next(&mut self) -> Option<Answer> {
        loop {
            let from_thread = self.answers.try_recv().ok()?;
            if let Some(answer) = self.take_back(from_thread) {
                return Some(answer);
            }
        }
    }

    fn hand_over(&mut self, job: Job) {
        self.handed_over_len += 1;
        // A thread that is gone has panicked, and said so; the next answer is waited for in vain, which ends the process.
        let _gone = self.jobs.send(job);
    }

    fn take_back(&mut self, from_thread: FromThread) -> Option<Answer> {
        self.handed_over_len -= usize::from(from_thread.is_last);
        self.call_took = slower(self.call_took, from_thread.call_took);
        from_thread.answer
    }
}

/// A slow call is remembered for some dozens of quick ones.
fn slower(known: Option<Duration>, took: Option<Duration>) -> Option<Duration> {
    let Some(took) = took else { return known };
    Some(took.max(known.unwrap_or(took) * 15 / 16))
}

/// Replaces the instance by one that begins with this state.
fn start<M: Module>(
    live: &Mutex<Live<M>>,
    incarnation: Incarnation,
    instantiate: impl FnOnce() -> Result<M, GuestFault>,
    state: Option<&MarketState>,
) -> Result<(), StartFailure> {
    let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
    // The old one goes first, so that there are never two at once.
    *live = Live { incarnation, module: None };
    let mut module = instantiate().map_err(StartFailure::Fault)?;
    if let Some(state) = state {
        module.import_state(state).map_err(StartFailure::Fault)?.map_err(StartFailure::Refused)?;
    }
    live.module = Some(module);
    Ok(())
}

/// Executes a run and hands its results back, in one piece unless it takes long; true if nobody takes them.
fn execute<M: Module>(
    live: &Mutex<Live<M>>,
    incarnation: Incarnation,
    run: &[Task],
    clock: Clock,
    is_wanted: impl Fn() -> bool,
    mut hand_back: impl FnMut(RunResults, Option<Duration>, bool) -> bool,
) -> bool {
    // The lock is never contended: a run is executed at once only while there is nothing at the thread. A panic of the host within
    // a call leaves the module as it is, and the next call finds it.
    let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut results, mut handed_back_at, mut calls_len) = (Vec::with_capacity(run.len()), clock.now(), 0);
    let mut took = None;
    for task in run {
        if live.incarnation != incarnation || !is_wanted() {
            break;
        }
        // The instance of this life has failed, which was said.
        let Some(module) = &mut live.module else { break };
        let result = execute_one(module, task);
        calls_len += 1;
        if result.is_err() {
            live.module = None;
        }
        results.push(result);
        let since = clock.now().since(handed_back_at);
        if since >= HAND_BACK_AFTER {
            took = slower(took, Some(since / calls_len));
            if hand_back(std::mem::take(&mut results), took, false) {
                return true;
            }
            (handed_back_at, calls_len) = (clock.now(), 0);
        }
    }
    if calls_len > 0 {
        took = slower(took, Some(clock.now().since(handed_back_at) / calls_len));
    }
    hand_back(results, took, true)
}

fn execute_one<M: Module>(module: &mut M, task: &Task) -> Result<Executed, GuestFault> {
    let Task { order, execute, checkpoint } = task;
    let outcome = match &order.command {
        Command::Request(request) if *execute => {
            let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
            Some(module.execute(context, request)?)
        }
        _ => None,
    };
    let checkpoint = match checkpoint {
        true => {
            let state = module.export_state()?;
            let digest = state.digest();
            Some((Arc::new(state), digest))
        }
        false => None,
    };
    Ok(Executed { outcome, checkpoint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Outcome, Request, parse_request};
    use crate::protocol::id::{ClientId, NodeId, RequestId, RequestNumber, SequenceNumber};
    use crate::protocol::message::Order;

    /// Answers with the thread it was called on, in the only number an outcome has room for. Fails when it is asked for a certain
    /// order.
    struct WhoCalls {
        caller: std::thread::ThreadId,
    }

    const FAILS_AT: u64 = 13;

    impl Module for WhoCalls {
        fn execute(&mut self, context: Context, _: &Request) -> Result<Outcome, GuestFault> {
            if context.sequence_number == FAILS_AT {
                return Err(GuestFault::StackOverflow);
            }
            let at_once = std::thread::current().id() == self.caller;
            Ok(Outcome::Added { capacity: u32::from(at_once) })
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            assert_ne!(std::thread::current().id(), self.caller, "an export may be long");
            Ok(MarketState::default())
        }

        fn import_state(&mut self, _: &MarketState) -> Result<Result<(), String>, GuestFault> {
            Ok(Err("not today".to_owned()))
        }
    }

    const LIFE: Incarnation = Incarnation(1);

    fn task(sequence: u64, checkpoint: bool) -> Task {
        let order = Order {
            sequence: SequenceNumber(sequence),
            time_ms: 0,
            origin: NodeId::FRONT_END,
            id: RequestId { client: ClientId(1), number: RequestNumber(1) },
            command: Command::Request(parse_request(&["NYKB1001", "get-shares"]).unwrap()),
        };
        Task { order, execute: true, checkpoint }
    }

    fn run(len: u64) -> Vec<Task> {
        (1..=len).map(|sequence| task(sequence, false)).collect()
    }

    fn start_executor(fuel_per_call: u64) -> Executor<WhoCalls> {
        let caller = std::thread::current().id();
        let mut executor = Executor::start(move |_| Ok(WhoCalls { caller }), fuel_per_call, Clock::start());
        executor.begin(LIFE, 0, None);
        assert!(matches!(next(&mut executor), Answer::Started(LIFE, Ok(()))));
        executor
    }

    fn next(executor: &mut Executor<WhoCalls>) -> Answer {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(executor.next())
    }

    fn results(executor: &mut Executor<WhoCalls>) -> RunResults {
        match next(executor) {
            Answer::Executed(LIFE, results) => results,
            other => panic!("{other:?}"),
        }
    }

    fn at_once(is: bool) -> Result<Executed, GuestFault> {
        Ok(Executed { outcome: Some(Outcome::Added { capacity: u32::from(is) }), checkpoint: None })
    }

    #[test]
    fn short_runs_of_a_quick_module_are_executed_at_once_and_all_others_by_the_thread() {
        let mut executor = start_executor(AT_ONCE_FUEL_MAX);
        assert_eq!(executor.submit(LIFE, run(1), false), None, "nothing is known of the module yet");
        assert_eq!(results(&mut executor), [at_once(false)]);
        executor.call_took = Some(Duration::ZERO);
        assert_eq!(executor.submit(LIFE, run(2), false), Some(vec![at_once(true), at_once(true)]));
        executor.call_took = Some(Duration::ZERO);
        assert_eq!(executor.submit(LIFE, run(1 + AT_ONCE_LEN_MAX as u64), false), None);
        assert_eq!(executor.submit(LIFE, run(1), false), None, "a run may not pass an earlier one");
        assert_eq!(results(&mut executor).len(), 1 + AT_ONCE_LEN_MAX);
        assert_eq!(results(&mut executor), [at_once(false)]);
        executor.call_took = Some(Duration::ZERO);
        assert_eq!(executor.submit(LIFE, vec![task(1, true)], false), None, "an export may be long");
        assert!(results(&mut executor)[0].as_ref().unwrap().checkpoint.is_some());
        executor.call_took = Some(QUICK_CALL_MAX * 2);
        assert_eq!(executor.submit(LIFE, run(1), false), None, "the module is slow");
        results(&mut executor);
    }

    #[test]
    fn with_a_large_budget_nothing_is_executed_at_once() {
        let mut executor = start_executor(AT_ONCE_FUEL_MAX + 1);
        executor.call_took = Some(Duration::ZERO);
        assert_eq!(executor.submit(LIFE, run(1), false), None);
    }

    #[test]
    fn nothing_follows_a_fault_until_the_next_life() {
        let mut executor = start_executor(AT_ONCE_FUEL_MAX);
        executor.submit(LIFE, vec![task(1, false), task(FAILS_AT, false), task(2, false)], false);
        assert_eq!(results(&mut executor), [at_once(false), Err(GuestFault::StackOverflow)]);
        assert_eq!(executor.submit(LIFE, run(1 + AT_ONCE_LEN_MAX as u64), false), None);
        let second = Incarnation(2);
        executor.begin(second, 0, None);
        assert!(matches!(next(&mut executor), Answer::Started(incarnation, Ok(())) if incarnation == second));
        assert_eq!(executor.handed_over_len, 0, "the run of the life that has ended was given up");
    }

    #[test]
    fn a_module_that_refuses_its_state_is_not_started() {
        let mut executor = start_executor(AT_ONCE_FUEL_MAX);
        executor.begin(Incarnation(2), 0, Some(Arc::new(MarketState::default())));
        let Answer::Started(_, Err(StartFailure::Refused(words))) = next(&mut executor) else { panic!("it started") };
        assert_eq!(words, "not today");
    }
}
