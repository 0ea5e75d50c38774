//! The compiler and the rules that every module runs under: from bytes to a [`LoadedModule`].
//!
//! One engine serves a whole process. It is set up so that a guest computes the same on every host: metered by fuel,
//! NaNs in one form, relaxed SIMD in its deterministic form, no threads, no shared memory.
//!
//! Instances are allocated on demand rather than from a pool. Both share the pages of a module that nobody wrote to
//! (copy-on-write images); a pool saves some ten microseconds for each new instance, but fixes at the start how many
//! memories, tables and core instances a module may have, and keeps what dropped instances leave behind. A replica starts
//! an instance after a fault, not for each request.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, OptLevel, WasmBacktraceDetails};

use super::bindings;
use super::bindings::dsms::replica::log::Level;
use super::cache::{Cache, CacheStatus};
use super::contract;
use super::error::{LoadError, SandboxError};
use super::fault::FRAMES_MAX;
use super::host_state::{HostState, charge};
use super::limits::SandboxLimits;
use super::loaded::{LoadedModule, Origin};
use super::log::LogLevel;
use super::wasi;
use crate::market::Digest;

/// A module of this many bytes takes seconds to compile.
const LARGE_LEN: usize = 1 << 20;

/// Compiles modules and links them to the virtual world. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    linker: Arc<Linker<HostState>>,
    limits: Arc<SandboxLimits>,
    cache: Arc<Cache>,
    /// Told how many bytes a large module has before it is compiled.
    notice: Option<fn(usize)>,
}

impl Engine {
    /// An engine with the given limits and the user's cache of compiled modules: `$DSMS_CACHE_DIR`, else
    /// `$XDG_CACHE_HOME/dsms`, else `~/.cache/dsms`.
    ///
    /// A cache that cannot be used is no error, see [`Engine::cache_status`].
    pub fn new(limits: SandboxLimits) -> Result<Engine, SandboxError> {
        Engine::build(limits, Cache::open_default())
    }

    /// An engine whose cache is the given directory; without one, every module is compiled anew.
    pub fn with_cache_dir(limits: SandboxLimits, dir: Option<&Path>) -> Result<Engine, SandboxError> {
        let cache = match dir {
            Some(dir) => Cache::open(dir),
            None => Cache::off("no directory was given"),
        };
        Engine::build(limits, cache)
    }

    fn build(limits: SandboxLimits, cache: Cache) -> Result<Engine, SandboxError> {
        let engine = |error: wasmtime::Error| SandboxError::Engine { words: format!("{error:#}") };
        let inner = wasmtime::Engine::new(&config(&limits)).map_err(engine)?;
        let linker = link(&inner).map_err(engine)?;
        Ok(Engine { inner, linker: Arc::new(linker), limits: Arc::new(limits), cache: Arc::new(cache), notice: None })
    }

    /// The same engine, which tells of each large module, by its size in bytes, before it is compiled: that takes seconds.
    pub fn with_notice(self, notice: fn(usize)) -> Engine {
        Engine { notice: Some(notice), ..self }
    }

    /// Whether compiled modules are kept, and where, or why not.
    pub fn cache_status(&self) -> &CacheStatus {
        self.cache.status()
    }

    /// The limits that every instance of this engine runs under.
    pub fn limits(&self) -> &SandboxLimits {
        &self.limits
    }

    /// Checks a module against the contract and makes it ready to be instantiated. Takes milliseconds when it is in the
    /// cache; else up to 20 seconds of processor time, for a large module.
    pub fn load(&self, bytes: &[u8]) -> Result<LoadedModule, LoadError> {
        let (component, digest, origin) = self.compile(bytes)?;
        let report = contract::report_on(&self.inner, &component);
        if !report.is_met() {
            return Err(LoadError::Contract(Box::new(report)));
        }
        let linked = self.linker.instantiate_pre(&component).and_then(bindings::ReplicaPre::new);
        let pre = linked.map_err(|error| LoadError::Unlinkable { words: format!("{error:#}") })?;
        Ok(LoadedModule::new(pre, Arc::clone(&self.limits), digest, origin, bytes.len(), report))
    }

    /// [`Engine::load`] of a file's content.
    pub fn load_file(&self, path: &Path) -> Result<LoadedModule, LoadError> {
        self.load(&self.read_module(path)?)
    }

    /// The bytes of a module file, unless it is too large to be one.
    pub fn read_module(&self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let unreadable = |cause| LoadError::Unreadable { path: path.to_owned(), cause };
        let len = std::fs::metadata(path).map_err(unreadable)?.len();
        self.admit_len(usize::try_from(len).unwrap_or(usize::MAX))?;
        std::fs::read(path).map_err(unreadable)
    }

    pub(super) fn compile(&self, bytes: &[u8]) -> Result<(Component, Digest, Origin), LoadError> {
        self.admit_len(bytes.len())?;
        contract::recognise(bytes)?;
        let digest = Digest::of_bytes(bytes);
        if let Some(component) = self.cache.load(&self.inner, digest) {
            return Ok((component, digest, Origin::Cache));
        }
        if let Some(notice) = self.notice.filter(|_| bytes.len() >= LARGE_LEN) {
            notice(bytes.len());
        }
        let component = Component::from_binary(&self.inner, bytes)
            .map_err(|error| LoadError::Invalid { words: format!("{error:#}") })?;
        self.cache.store(&component, digest);
        Ok((component, digest, Origin::Compiled))
    }

    pub(super) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }

    fn admit_len(&self, len: usize) -> Result<(), LoadError> {
        let max = self.limits.module_bytes_max;
        if len > max { Err(LoadError::TooLarge { len, max }) } else { Ok(()) }
    }
}

fn config(limits: &SandboxLimits) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .shared_memory(false)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .max_wasm_stack(limits.stack_bytes_max)
        // No call is asynchronous, but wasmtime wants room for the stack of one.
        .async_stack_size(limits.stack_bytes_max + (1 << 20))
        // A trap is told by its name and the functions it happened in. The tables that lead to source lines would only make
        // compiled code larger: modules are built without what they point to.
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

fn link(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    let mut log = linker.instance(bindings::LOG_INTERFACE)?;
    log.func_wrap("write", |mut store: wasmtime::StoreContextMut<'_, HostState>, (level, text): (Level, String)| {
        charge(&mut store, text.len())?;
        store.data_mut().log.write(level.into(), &text);
        Ok(())
    })?;
    Ok(linker)
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> LogLevel {
        match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        }
    }
}
