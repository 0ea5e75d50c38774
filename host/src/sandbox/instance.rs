//! One running guest: a store of its own, and the three calls of the contract, each within its budget.
//!
//! A guest that failed once is not asked again: its store is dropped at the fault, memory and all, and what is left
//! answers [`GuestFault::Finished`].

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;

use super::bindings::Replica;
use super::bindings::exports::dsms::replica::market::Guest;
use super::convert::{self, ConvertError};
use super::fault::{Allowance, fault_of};
use super::host_state::HostState;
use super::limits::SandboxLimits;
use crate::market::{Context, GuestFault, MarketState, Module, Outcome, Request};

/// Longest refusal of a state that is passed on, in bytes. The guest words it, people read it.
const REFUSAL_BYTES_MAX: usize = 1024;

/// A running module. Calls block the thread; an ordinary thread with 2 MiB of stack is the place for them.
pub struct Instance {
    /// Gone after a fault.
    live: Option<Box<Live>>,
    limits: Arc<SandboxLimits>,
    fuel_of_last_call: u64,
}

struct Live {
    store: Store<HostState>,
    replica: Replica,
}

impl Instance {
    pub(super) fn new(store: Store<HostState>, replica: Replica, limits: Arc<SandboxLimits>) -> Instance {
        Instance { live: Some(Box::new(Live { store, replica })), limits, fuel_of_last_call: 0 }
    }

    /// What the last call used of its budget, in units of fuel.
    pub fn fuel_of_last_call(&self) -> u64 {
        self.fuel_of_last_call
    }

    /// The linear memory that the guest holds, in bytes; 0 once it is finished.
    pub fn memory_bytes(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.store.data().meter.memory_bytes())
    }

    /// Whether an earlier fault ended this instance.
    pub fn is_finished(&self) -> bool {
        self.live.is_none()
    }

    fn state_allowance(&self) -> Allowance {
        Allowance { fuel: self.limits.fuel_per_state_call, bytes_max: self.limits.state_bytes_max }
    }

    /// Makes one call under the given allowance. Without a context of its own it sees that of the call before.
    fn call<T>(
        &mut self,
        allowance: Allowance,
        context: Option<Context>,
        run: impl FnOnce(&Guest, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<T, GuestFault> {
        let live = self.live.as_mut().ok_or(GuestFault::Finished)?;
        let store = &mut live.store;
        let context = context.unwrap_or(store.data().context);
        store.data_mut().begin_call(context);
        store.set_hostcall_fuel(allowance.bytes_max);
        store.set_fuel(allowance.fuel).expect("the engine meters fuel");
        let answer = run(live.replica.dsms_replica_market(), store);
        store.data_mut().log.end_call();
        self.fuel_of_last_call = allowance.fuel - store.get_fuel().expect("the engine meters fuel");
        let answer = answer.map_err(|error| fault_of(&error, allowance, &store.data().log));
        answer.map_err(|fault| self.finish(fault))
    }

    fn finish(&mut self, fault: GuestFault) -> GuestFault {
        self.live = None;
        fault
    }

    fn converted<T>(&mut self, what: &str, value: Result<T, ConvertError>) -> Result<T, GuestFault> {
        value.map_err(|error| self.finish(GuestFault::BadExport(format!("{what} returned {error}"))))
    }
}

impl Module for Instance {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        let allowance = Allowance { fuel: self.limits.fuel_per_call, bytes_max: self.limits.outcome_bytes_max };
        let given = convert::request_to_guest(request);
        let given_context = convert::context_to_guest(context);
        let outcome =
            self.call(allowance, Some(context), |market, store| market.call_execute(store, given_context, given))?;
        let outcome = self.converted("execute", convert::outcome_from_guest(outcome))?;
        Ok(outcome.into_canonical())
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        let state = self.call(self.state_allowance(), None, |market, store| market.call_export_state(store))?;
        let state = self.converted("export-state", convert::state_from_guest(&state))?;
        Ok(state.into_canonical())
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        let given = convert::state_to_guest(state);
        let answer =
            self.call(self.state_allowance(), None, |market, store| market.call_import_state(store, &given))?;
        Ok(answer.map_err(|mut refusal| {
            refusal.truncate(refusal.floor_char_boundary(REFUSAL_BYTES_MAX));
            refusal
        }))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
