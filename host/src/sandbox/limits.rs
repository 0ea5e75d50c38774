//! How much a guest may use, and the meter that ends a call when it asks for more.
//!
//! Every number here is controlled by the operator and consumed by the guest, which is not trusted. All replicas of a
//! cluster need the same numbers: a budget that one replica exceeds and another does not is a difference between them.

use wasmtime::ResourceLimiter;

/// The bounds of one module instance. The defaults suit modules in Rust and C, and leave room for those that carry an
/// interpreter with them (JavaScript on QuickJS, Python).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Largest module file, in bytes. A Python module has about 18 MiB; compiling is paid before any other limit holds.
    pub module_bytes_max: usize,
    /// Budget of one `execute`, in units of fuel: one for about each WebAssembly instruction, more for calls of the host.
    ///
    /// A compiled module needs some thousands, an interpreter some millions. The default ends an endless loop after a
    /// fraction of a second, on every host at the same instruction.
    pub fuel_per_call: u64,
    /// Budget of one instantiation, `export-state` or `import-state`: these touch the whole market, not one share. The
    /// reference module imports 100,000 holdings with a fiftieth of the default, the Python one with half of it. A guest uses 1 to 5 units in a
    /// nanosecond, so the default ends an endless loop within half a minute.
    pub fuel_per_state_call: u64,
    /// Cap on all linear memories of an instance together, in bytes.
    pub memory_bytes_max: u64,
    /// Cap on the elements of all tables of an instance together. They hold function pointers; a Python module has some
    /// ten thousand of them.
    pub table_elements_max: u64,
    /// The stack of WebAssembly frames, in bytes. The calling thread needs this much and 256 KiB more.
    pub stack_bytes_max: usize,
    /// What one call may write to its log and to its standard streams together, in bytes; the rest is counted and dropped.
    pub log_bytes_per_call_max: usize,
    /// Largest outcome, in bytes of the host's memory. The default admits the longest outcome there can be, every share of
    /// one type: 36,525 dates, 3 slots, 3 markets, 12 bytes each.
    pub outcome_bytes_max: usize,
    /// Largest exported state, in bytes of the host's memory: about 24 for each holding.
    pub state_bytes_max: usize,
}

impl Default for SandboxLimits {
    fn default() -> SandboxLimits {
        SandboxLimits {
            module_bytes_max: 64 << 20,
            fuel_per_call: 200_000_000,
            fuel_per_state_call: 30_000_000_000,
            memory_bytes_max: 128 << 20,
            table_elements_max: 100_000,
            stack_bytes_max: 1 << 20,
            log_bytes_per_call_max: 16 << 10,
            outcome_bytes_max: 4 << 20,
            state_bytes_max: 64 << 20,
        }
    }
}

/// Core instances, and tables, of one component. A Python module is linked from about twenty libraries; a component that
/// instantiates thousands is after the host's memory, since each costs some kilobytes that the memory cap does not see.
const CORE_INSTANCES_MAX: usize = 256;
/// Linear memories of one component. Each reserves 4 GiB of address space (not of memory).
const MEMORIES_MAX: usize = 8;
/// Handles to streams and the like that a guest may keep at one time.
pub(super) const HANDLES_MAX: usize = 4096;

/// A limit that the guest ran into; carried through wasmtime as the error that ends the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LimitHit {
    #[error("asked for {asked} bytes of memory, the cap is {max}")]
    Memory { asked: u64, max: u64 },
    #[error("asked for tables of {asked} elements, the cap is {max}")]
    Tables { asked: u64, max: u64 },
}

/// Adds up what one instance holds, and refuses growth beyond the cap by ending the call: a guest that saw a failed
/// allocation instead could go on from it in its own way, and answer differently from one that has more.
#[derive(Debug)]
pub(super) struct Meter {
    memory_bytes: u64,
    memory_bytes_max: u64,
    table_elements: u64,
    table_elements_max: u64,
}

impl Meter {
    pub(super) fn new(limits: &SandboxLimits) -> Meter {
        Meter {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
        }
    }

    /// Bytes of linear memory that the instance holds now.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

/// The total after one of its parts grows.
fn grown(total: u64, current: usize, desired: usize) -> u64 {
    total.saturating_sub(current as u64).saturating_add(desired as u64)
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let asked = grown(self.memory_bytes, current, desired);
        if asked > self.memory_bytes_max {
            return Err(LimitHit::Memory { asked, max: self.memory_bytes_max }.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // The module's own maximum: its memory.grow fails, as the standard says.
        }
        self.memory_bytes = asked;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let asked = grown(self.table_elements, current, desired);
        if asked > self.table_elements_max {
            return Err(LimitHit::Tables { asked, max: self.table_elements_max }.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
