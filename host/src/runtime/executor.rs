//! The executor: runs a replica's module, on a thread of its own unless that is not worth it.
//!
//! A guest call may take as long as its budget of fuel lasts, and the network must not wait for it: so long runs, slow modules and
//! exports of the state go to the executor's thread. A short run of a module that has been quick is executed at once, where it is:
//! handing it to a thread and back costs several times as much as the call. A module that suddenly becomes slow holds up the
//! network for one run of a few calls, each bounded by its fuel; after that it is handed over.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::mpsc as results;

use crate::market::{Context, GuestFault, Module};
use crate::protocol::limits::RUNS_LEN_MAX;
use crate::protocol::message::{Command, Order};
use crate::protocol::replica_manager::Executed;

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

/// What became of one run: one result an order.
pub type RunResults = Vec<Result<Executed, GuestFault>>;

/// A module and the thread that calls it. Dropping it ends the thread after the runs it holds.
#[derive(Debug)]
pub struct Executor<M> {
    module: Arc<Mutex<Result<M, GuestFault>>>,
    clock: Clock,
    may_run_at_once: bool,
    /// How long the slower ones of recent calls took; `None` until there was one.
    call_took: Option<Duration>,
    /// Runs at the thread. While there are any, later ones must go there too.
    handed_over_len: usize,
    runs: mpsc::SyncSender<Vec<Order>>,
    results: results::UnboundedReceiver<(RunResults, Duration)>,
}

impl<M: Module + Send + 'static> Executor<M> {
    /// Starts the thread with a module, or with the fault that it could not be instantiated for.
    ///
    /// `fuel_per_call` is what bounds a call.
    pub fn start(module: Result<M, GuestFault>, fuel_per_call: u64, clock: Clock) -> Executor<M> {
        let module = Arc::new(Mutex::new(module));
        // The replica manager has at most RUNS_LEN_MAX runs here, so neither side ever waits for room.
        let (runs, runs_in) = mpsc::sync_channel::<Vec<Order>>(RUNS_LEN_MAX);
        let (results_out, results) = results::unbounded_channel();
        let thread_module = Arc::clone(&module);
        let body = move || {
            while let Ok(run) = runs_in.recv() {
                if results_out.send(execute(&thread_module, &run, clock)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("executor".to_owned()).stack_size(STACK_LEN).spawn(body);
        thread.expect("the system can start one more thread");
        Executor {
            module,
            clock,
            may_run_at_once: fuel_per_call <= AT_ONCE_FUEL_MAX,
            call_took: None,
            handed_over_len: 0,
            runs,
            results,
        }
    }

    /// Takes one run. Returns its results if it was executed at once; otherwise [`Executor::next`] will.
    pub fn submit(&mut self, run: Vec<Order>) -> Option<RunResults> {
        let is_short =
            run.len() <= AT_ONCE_LEN_MAX && run.iter().all(|order| matches!(order.command, Command::Request(_)));
        let is_quick = self.may_run_at_once && self.call_took.is_some_and(|took| took <= QUICK_CALL_MAX);
        if self.handed_over_len == 0 && is_short && is_quick {
            let (results, took) = execute(&self.module, &run, self.clock);
            self.learn(took);
            return Some(results);
        }
        self.handed_over_len += 1;
        self.runs.try_send(run).expect("the replica manager hands over no more runs than fit");
        None
    }

    /// The results of the oldest run at the thread. Cancel-safe.
    pub async fn next(&mut self) -> RunResults {
        let results = self.results.recv().await.expect("the executor thread lives as long as its handle");
        self.take_back(results)
    }

    /// The results of the oldest run at the thread, if they are there already.
    pub fn try_next(&mut self) -> Option<RunResults> {
        let results = self.results.try_recv().ok()?;
        Some(self.take_back(results))
    }

    fn take_back(&mut self, (results, took): (RunResults, Duration)) -> RunResults {
        self.handed_over_len -= 1;
        self.learn(took);
        results
    }

    /// A slow call is remembered for some dozens of quick ones.
    fn learn(&mut self, took: Duration) {
        let remembered = self.call_took.unwrap_or(took) * 15 / 16;
        self.call_took = Some(took.max(remembered));
    }
}

/// Executes a run; the results, and how long a call took on average.
fn execute<M: Module>(module: &Mutex<Result<M, GuestFault>>, run: &[Order], clock: Clock) -> (RunResults, Duration) {
    // The lock is never contended: a run is executed at once only while there is none at the thread. A panic of the host
    // within a call leaves the module as it is, and the next call finds it.
    let mut module = module.lock().unwrap_or_else(PoisonError::into_inner);
    let started_at = clock.now();
    let results: RunResults = run.iter().map(|order| execute_one(&mut module, order)).collect();
    let calls_len = u32::try_from(run.len().max(1)).expect("a run is short");
    (results, clock.now().since(started_at) / calls_len)
}

fn execute_one<M: Module>(module: &mut Result<M, GuestFault>, order: &Order) -> Result<Executed, GuestFault> {
    let module = module.as_mut().map_err(|fault| fault.clone())?;
    match &order.command {
        Command::Request(request) => {
            let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
            module.execute(context, request).map(Executed::Outcome)
        }
        Command::Barrier => module.export_state().map(|state| Executed::StateDigest(state.digest())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{MarketState, Outcome, Request, parse_request};
    use crate::protocol::id::{ClientId, NodeId, RequestId, RequestNumber, SequenceNumber};

    /// Answers with the thread it was called on, in the only number an outcome has room for.
    struct WhoCalls {
        caller: std::thread::ThreadId,
    }

    impl Module for WhoCalls {
        fn execute(&mut self, _: Context, _: &Request) -> Result<Outcome, GuestFault> {
            let at_once = std::thread::current().id() == self.caller;
            Ok(Outcome::Added { capacity: u32::from(at_once) })
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            assert_ne!(std::thread::current().id(), self.caller, "an export may be long");
            Ok(MarketState::default())
        }

        fn import_state(&mut self, _: &MarketState) -> Result<Result<(), String>, GuestFault> {
            Ok(Ok(()))
        }
    }

    fn executor() -> Executor<WhoCalls> {
        Executor::start(Ok(WhoCalls { caller: std::thread::current().id() }), 1, Clock::start())
    }

    fn run(len: usize, command: Command) -> Vec<Order> {
        let id = RequestId { client: ClientId(1), number: RequestNumber(1) };
        vec![Order { sequence: SequenceNumber(1), time_ms: 0, origin: NodeId::FrontEnd, id, command }; len]
    }

    fn request() -> Command {
        Command::Request(parse_request(&["NYKB1001", "get-shares"]).unwrap())
    }

    fn next<M: Module + Send + 'static>(executor: &mut Executor<M>) -> RunResults {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(executor.next())
    }

    const AT_ONCE: Result<Executed, GuestFault> = Ok(Executed::Outcome(Outcome::Added { capacity: 1 }));
    const BY_THREAD: Result<Executed, GuestFault> = Ok(Executed::Outcome(Outcome::Added { capacity: 0 }));

    #[test]
    fn only_a_short_run_of_a_module_known_to_be_quick_is_executed_at_once() {
        let mut executor = executor();
        assert_eq!(executor.submit(run(1, request())), None, "nothing is known of the module yet");
        assert_eq!(next(&mut executor), [BY_THREAD]);
        executor.call_took = Some(QUICK_CALL_MAX);
        assert_eq!(executor.submit(run(2, request())), Some(vec![AT_ONCE; 2]));
        executor.call_took = Some(QUICK_CALL_MAX);
        assert_eq!(executor.submit(run(AT_ONCE_LEN_MAX + 1, request())), None, "the run is long");
        assert_eq!(executor.submit(run(1, request())), None, "it must not overtake the one before");
        assert_eq!((next(&mut executor).len(), next(&mut executor)), (AT_ONCE_LEN_MAX + 1, vec![BY_THREAD]));
        executor.call_took = Some(QUICK_CALL_MAX * 2);
        assert_eq!(executor.submit(run(1, request())), None, "the module is slow");
        assert_eq!(next(&mut executor), [BY_THREAD]);
    }

    #[test]
    fn a_barrier_never_runs_on_the_network_thread() {
        let mut executor = executor();
        executor.call_took = Some(Duration::ZERO);
        assert_eq!(executor.submit(run(1, Command::Barrier)), None);
        assert!(matches!(next(&mut executor)[..], [Ok(Executed::StateDigest(_))]));
    }

    #[test]
    fn a_module_that_could_not_be_instantiated_answers_with_its_fault() {
        let mut executor: Executor<WhoCalls> = Executor::start(Err(GuestFault::StackOverflow), 1, Clock::start());
        assert_eq!(executor.submit(run(2, request())), None);
        assert_eq!(next(&mut executor), vec![Err(GuestFault::StackOverflow); 2]);
    }
}
