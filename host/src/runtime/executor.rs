//! The executor: the thread that owns a replica's module.
//!
//! Guest calls run here and nowhere else, so a slow module keeps nobody from the network. The thread takes runs of orders and
//! answers each run whole, in order.

use std::sync::mpsc;

use tokio::sync::mpsc as results;

use crate::market::{Context, GuestFault, Module};
use crate::protocol::limits::RUNS_LEN_MAX;
use crate::protocol::message::{Command, Order};
use crate::protocol::replica_manager::Executed;

/// Stack of the executor thread in bytes: the guest's own, and room for the host's frames around it.
const STACK_LEN: usize = 8 * 1024 * 1024;

/// What became of one run: one result an order.
pub type RunResults = Vec<Result<Executed, GuestFault>>;

/// The hand-over to the executor thread. Dropping it ends the thread after the runs it holds.
#[derive(Debug)]
pub struct Executor {
    runs: mpsc::SyncSender<Vec<Order>>,
    results: results::Receiver<RunResults>,
}

impl Executor {
    /// Starts the thread with a module that is instantiated on it.
    pub fn start<M: Module>(instantiate: impl FnOnce() -> Result<M, GuestFault> + Send + 'static) -> Executor {
        // The replica manager has at most RUNS_LEN_MAX runs here, so neither side ever waits for room.
        let (runs, runs_in) = mpsc::sync_channel::<Vec<Order>>(RUNS_LEN_MAX);
        let (results_out, results) = results::channel::<RunResults>(RUNS_LEN_MAX);
        let body = move || {
            let mut module = instantiate();
            while let Ok(run) = runs_in.recv() {
                let results = run.into_iter().map(|order| execute(&mut module, &order)).collect();
                if results_out.blocking_send(results).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("executor".to_owned()).stack_size(STACK_LEN).spawn(body);
        thread.expect("the system can start one more thread");
        Executor { runs, results }
    }

    /// Hands over one run.
    pub fn submit(&self, run: Vec<Order>) {
        self.runs.try_send(run).expect("the replica manager hands over no more runs than fit");
    }

    /// The next run's results. Cancel-safe.
    pub async fn next(&mut self) -> RunResults {
        self.results.recv().await.expect("the executor thread lives as long as its handle")
    }

    /// The next run's results, if they are there already.
    pub fn try_next(&mut self) -> Option<RunResults> {
        self.results.try_recv().ok()
    }
}

fn execute<M: Module>(module: &mut Result<M, GuestFault>, order: &Order) -> Result<Executed, GuestFault> {
    let module = module.as_mut().map_err(|fault| fault.clone())?;
    match &order.command {
        Command::Request(request) => {
            let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
            module.execute(context, request).map(Executed::Outcome)
        }
        Command::Barrier => module.export_state().map(|state| Executed::StateDigest(state.digest())),
    }
}
