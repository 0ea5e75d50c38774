//! A module that was checked, compiled and linked: everything that can be done once for all its instances.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;

use super::bindings::ReplicaPre;
use super::contract::ContractReport;
use super::fault::{Allowance, fault_of};
use super::host_state::HostState;
use super::instance::Instance;
use super::limits::{HANDLES_MAX, Meter, SandboxLimits};
use super::log::{GuestLog, LogSink};
use super::random::{Seeds, VirtualRandom};
use crate::market::{Context, Digest, GuestFault};

/// Where compiled code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled now.
    Compiled,
    /// An earlier process compiled it.
    Cache,
}

/// A replica module, ready to be instantiated any number of times, from any thread. Cheap to clone.
#[derive(Clone)]
pub struct LoadedModule {
    pre: ReplicaPre<HostState>,
    limits: Arc<SandboxLimits>,
    about: Arc<About>,
    seeds: Seeds,
}

#[derive(Debug)]
struct About {
    digest: Digest,
    origin: Origin,
    len: usize,
    report: ContractReport,
}

impl LoadedModule {
    pub(super) fn new(
        pre: ReplicaPre<HostState>,
        limits: Arc<SandboxLimits>,
        digest: Digest,
        origin: Origin,
        len: usize,
        report: ContractReport,
    ) -> LoadedModule {
        // Instantiating finds the image of the initial memory ready. Should there be no memory for one, it copies instead.
        let _ = pre.instance_pre().component().initialize_copy_on_write_image();
        let about = Arc::new(About { digest, origin, len, report });
        LoadedModule { pre, limits, about, seeds: Seeds::default() }
    }

    /// The module's identity: the digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.about.digest
    }

    /// Whether the module was compiled now or came from the cache.
    pub fn origin(&self) -> Origin {
        self.about.origin
    }

    /// The size of the module's file, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.about.len
    }

    /// How the module meets the contract.
    pub fn report(&self) -> &ContractReport {
        &self.about.report
    }

    /// The same module with other random bytes. Replicas that share a seed and a sequence number draw the same.
    pub fn with_seeds(mut self, seeds: Seeds) -> LoadedModule {
        self.seeds = seeds;
        self
    }

    /// The limits that its instances run under.
    pub fn limits(&self) -> &SandboxLimits {
        &self.limits
    }

    /// Starts an instance whose log goes nowhere.
    pub fn instantiate(&self) -> Result<Instance, GuestFault> {
        self.instantiate_with_log(Box::new(|_| {}))
    }

    /// Starts an instance. The guest's own initialisation runs here, within the budget of a state call.
    pub fn instantiate_with_log(&self, sink: LogSink) -> Result<Instance, GuestFault> {
        let state = HostState {
            context: Context { sequence_number: 0, time_ms: 0 },
            random: VirtualRandom::new(self.seeds),
            log: GuestLog::new(sink, self.limits.log_bytes_per_call_max),
            meter: Meter::new(&self.limits),
        };
        let mut store = Store::new(self.pre.engine(), state);
        store.limiter(|state| &mut state.meter);
        store.set_max_component_handles(HANDLES_MAX);
        let allowance = Allowance { fuel: self.limits.fuel_per_state_call, bytes_max: self.limits.outcome_bytes_max };
        store.set_hostcall_fuel(allowance.bytes_max);
        store.set_fuel(allowance.fuel).expect("the engine meters fuel");
        let started = self.pre.instantiate(&mut store);
        store.data_mut().log.end_call();
        match started {
            Ok(replica) => Ok(Instance::new(store, replica, Arc::clone(&self.limits))),
            Err(error) => Err(fault_of(&error, allowance, &store.data().log)),
        }
    }
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedModule").field("digest", &self.about.digest).finish_non_exhaustive()
    }
}
