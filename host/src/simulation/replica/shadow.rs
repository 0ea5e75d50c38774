//! The module that is to take over in a swap: reading it, and its instance, which follows the replica's.
//!
//! Faults of the plan strike the replica's own instance alone. A module that fails at a request every time does so here as well.

use std::sync::Arc;
use std::time::Duration;

use super::executor::{Executor, Job};
use super::{Done, NextModule, Replica};
use crate::market::{Context, GuestFault, MarketState, Module};
use crate::protocol::id::Incarnation;
use crate::protocol::message::Command;
use crate::protocol::replica_manager::{Executed, StartFailure, Task};
use crate::protocol::swap::SwapId;

/// How long it takes to read a module, and to compile it if it is new.
const LOAD_MIN_US: u64 = 500;
const LOAD_MAX_US: u64 = 400_000;

impl Replica {
    /// Reads the module at this path: the number of that job, and how long it takes.
    pub fn load(&mut self, swap: SwapId, path: &str) -> (u64, Duration) {
        let module = NextModule::named(path).unwrap_or(NextModule::Missing);
        self.job_number += 1;
        self.loading.insert(self.job_number, (swap, module));
        (self.job_number, Duration::from_micros(self.random.between(LOAD_MIN_US, LOAD_MAX_US)))
    }

    /// Starts a shadow, in place of the one there is.
    pub fn start_shadow(&mut self, swap: SwapId, module: usize, state: Option<Arc<MarketState>>) {
        self.shadow = Some((swap, Executor::starting(module, state)));
    }

    /// Hands the shadow a run.
    pub fn submit_to_shadow(&mut self, swap: SwapId, run: Vec<Task>) {
        if let Some((_, executor)) = self.shadow.as_mut().filter(|(of, _)| *of == swap) {
            executor.submit(run);
        }
    }

    /// Gives the shadow up.
    pub fn stop_shadow(&mut self, swap: SwapId) {
        self.shadow.take_if(|(of, _)| *of == swap);
    }

    /// The shadow is the replica's instance from now on.
    pub fn promote(&mut self, swap: SwapId, incarnation: Incarnation) {
        let (of, executor) = self.shadow.take().expect("a manager promotes the shadow that it has started");
        assert_eq!(of, swap, "there is one shadow at a time");
        self.newest = self.newest.max(executor.newest);
        self.executor = executor;
        self.incarnation = incarnation;
        self.is_tainted = false;
    }

    pub(super) fn poll_shadow_job(&mut self) -> Option<(u64, Duration)> {
        let (_, executor) = self.shadow.as_ref()?;
        executor.next_job()?;
        let per_call = self.call_took + self.slower(executor.module);
        self.job_number += 1;
        let (_, executor) = self.shadow.as_mut()?;
        Some((self.job_number, executor.begin(self.job_number, per_call)))
    }

    pub(super) fn finish_for_swap(&mut self, job_number: u64) -> Option<Done> {
        if let Some((swap, module)) = self.loading.remove(&job_number) {
            let loaded = match module {
                NextModule::Missing => Err(format!("{}: there is no such file", module.name())),
                _ => {
                    self.added.push(module);
                    Ok(module.digest())
                }
            };
            return Some(Done::Loaded(swap, loaded));
        }
        let (swap, mut executor) = self.shadow.take()?;
        let done = match executor.end(job_number) {
            Some(Job::Start(module, state)) => {
                let started = self.start_instance(module, state.as_deref());
                Done::ShadowStarted(swap, started.map(|instance| executor.instance = Some(instance)))
            }
            Some(Job::Run(run)) => Done::ShadowExecuted(swap, self.execute_as_shadow(&mut executor, &run)),
            None => {
                self.shadow = Some((swap, executor));
                return None;
            }
        };
        self.shadow = Some((swap, executor));
        Some(done)
    }

    /// How much longer a call of this module takes than one of the replica's own modules.
    pub(super) fn slower(&self, module: usize) -> Duration {
        module.checked_sub(self.own_len).map_or(Duration::ZERO, |added| self.added[added].slower())
    }

    /// An instance of the module at this place of the list.
    pub(super) fn instantiate(&self, module: usize) -> Result<Box<dyn Module>, GuestFault> {
        match module.checked_sub(self.own_len) {
            None => (self.make)(self.id, module),
            Some(added) => self.added[added].instance((self.make)(self.id, 0)?),
        }
    }

    fn start_instance(&self, module: usize, state: Option<&MarketState>) -> Result<Box<dyn Module>, StartFailure> {
        let mut instance = self.instantiate(module).map_err(StartFailure::Fault)?;
        if let Some(state) = state {
            instance.import_state(state).map_err(StartFailure::Fault)?.map_err(StartFailure::Refused)?;
        }
        Ok(instance)
    }

    fn execute_as_shadow(&mut self, executor: &mut Executor, run: &[Task]) -> Vec<Result<Executed, GuestFault>> {
        let mut results = Vec::with_capacity(run.len());
        for Task { order, .. } in run {
            let Command::Request(request) = &order.command else {
                unreachable!("a shadow is asked for requests alone")
            };
            let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
            executor.newest = order.sequence;
            let outcome = self
                .fail_always(executor.module, order.sequence)
                .and_then(|()| executor.instance.as_mut().ok_or(GuestFault::Finished)?.execute(context, request));
            let is_over = outcome.is_err();
            results.push(outcome.map(|outcome| Executed { outcome: Some(outcome), checkpoint: None }));
            if is_over {
                executor.give_up();
                break;
            }
        }
        results
    }
}
