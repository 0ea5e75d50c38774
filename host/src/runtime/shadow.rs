//! The module that is to take over in a swap: how it is loaded, and the executor that it has to itself.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::config::ModuleSource;
use crate::market::{Digest, MarketState};
use crate::protocol::id::Incarnation;
use crate::protocol::replica_manager::{StartFailure, Task};
use crate::protocol::swap::SwapId;
use crate::sandbox::{Engine, LoadedModule};

use super::clock::Clock;
use super::executor::{Answer, Executor, RunResults};
use super::guest_log::GuestLines;
use super::injection::{ASLEEP, ModuleFaults};
use super::kept_modules::KeptModules;
use super::node;
use super::replica::ModuleExecutor;

/// The life of a shadow, as its executor counts. Each start has an executor of its own.
const SHADOW_LIFE: Incarnation = Incarnation(0);

/// The modules of a replica by their places in the list, to which swaps add.
#[derive(Clone)]
pub struct Modules(Arc<Mutex<Vec<LoadedModule>>>);

impl Modules {
    /// The modules that the replica begins with.
    pub fn new(modules: Vec<LoadedModule>) -> Modules {
        Modules(Arc::new(Mutex::new(modules)))
    }

    /// The module at a place of the list.
    pub fn get(&self, module: usize) -> LoadedModule {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[module].clone()
    }

    fn push(&self, module: LoadedModule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(module);
    }
}

/// What becomes of a swap here.
#[derive(Debug)]
pub enum ShadowAnswer {
    /// The module is the last one of the list, or cannot be had.
    Loaded(SwapId, Result<Digest, String>),
    /// The shadow has imported the state, or could not.
    Started(SwapId, Result<(), StartFailure>),
    /// Results of the shadow's oldest runs.
    Executed(SwapId, RunResults),
}

/// The shadow, if there is one, and whatever is being loaded.
pub struct Shadow {
    engine: Engine,
    modules: Modules,
    kept: Option<KeptModules>,
    clock: Clock,
    running: Option<Running>,
    loaded_out: mpsc::UnboundedSender<(SwapId, Result<LoadedModule, String>)>,
    loaded: mpsc::UnboundedReceiver<(SwapId, Result<LoadedModule, String>)>,
}

struct Running {
    swap: SwapId,
    /// The module's place in the list.
    module: usize,
    executor: ModuleExecutor,
    /// The life that injected faults strike; they leave a shadow alone.
    life: Arc<AtomicU64>,
}

impl Shadow {
    /// No shadow yet. Modules that are loaded are kept, if there is where.
    pub fn new(engine: Engine, modules: Modules, kept: Option<KeptModules>, clock: Clock) -> Shadow {
        let (loaded_out, loaded) = mpsc::unbounded_channel();
        Shadow { engine, modules, kept, clock, running: None, loaded_out, loaded }
    }

    /// Loads a module from a file, on a thread of its own: compiling may take long.
    pub fn load(&self, swap: SwapId, path: String, digest: Digest) {
        let (engine, kept, out) = (self.engine.clone(), self.kept.clone(), self.loaded_out.clone());
        let body = move || {
            let _nobody_waits = out.send((swap, load(&engine, kept.as_ref(), &path, digest)));
        };
        let thread = std::thread::Builder::new().name("loader".to_owned()).spawn(body);
        thread.expect("the system can start one more thread");
    }

    /// Starts a shadow, in place of the one there is.
    pub fn start(
        &mut self,
        swap: SwapId,
        module: usize,
        state: Option<Arc<MarketState>>,
        faults: &Arc<ModuleFaults>,
        guest_lines: &GuestLines,
    ) {
        let life = Arc::new(AtomicU64::new(ASLEEP));
        let (modules, sinks, faults, asleep) =
            (self.modules.clone(), guest_lines.sinks(), Arc::clone(faults), Arc::clone(&life));
        let instantiate =
            move |module: usize| Ok(faults.around_shadow(modules.get(module).instantiate_with_log(sinks())?, &asleep));
        let mut executor = Executor::start(instantiate, self.engine.limits().fuel_per_call, self.clock);
        executor.begin(SHADOW_LIFE, module, state);
        self.running = Some(Running { swap, module, executor, life });
    }

    /// Hands the shadow a run.
    pub fn execute(&mut self, swap: SwapId, run: Vec<Task>) {
        if let Some(running) = self.running.as_mut().filter(|running| running.swap == swap) {
            // Never at once: the network waits for the replica, and not for its shadow.
            let _handed_over = running.executor.submit(SHADOW_LIFE, run, true);
        }
    }

    /// Gives the shadow up.
    pub fn stop(&mut self, swap: SwapId) {
        self.running.take_if(|running| running.swap == swap);
    }

    /// The shadow, at which nothing waits, goes on as the replica's executor, in this life; and which module it has.
    pub fn take(
        &mut self,
        swap: SwapId,
        incarnation: Incarnation,
        faults: &Arc<ModuleFaults>,
    ) -> Option<(ModuleExecutor, Digest)> {
        let mut running = self.running.take_if(|running| running.swap == swap)?;
        running.executor.rename(incarnation);
        faults.awaken(&running.life);
        Some((running.executor, self.modules.get(running.module).digest()))
    }

    /// What comes next; never, if nothing is under way. Cancel-safe.
    pub async fn next(&mut self) -> ShadowAnswer {
        let Shadow { running, loaded, modules, .. } = self;
        tokio::select! {
            Some((swap, loaded)) = loaded.recv() => {
                let digest = loaded.map(|module| {
                    let digest = module.digest();
                    modules.push(module);
                    digest
                });
                ShadowAnswer::Loaded(swap, digest)
            }
            answer = next_of(running) => answer,
        }
    }
}

async fn next_of(running: &mut Option<Running>) -> ShadowAnswer {
    let Some(Running { swap, executor, .. }) = running else { return std::future::pending().await };
    match executor.next().await {
        Answer::Started(_, started) => ShadowAnswer::Started(*swap, started),
        Answer::Executed(_, results) => ShadowAnswer::Executed(*swap, results),
    }
}

fn load(engine: &Engine, kept: Option<&KeptModules>, path: &str, digest: Digest) -> Result<LoadedModule, String> {
    let bytes = node::bytes_of(engine, &ModuleSource::named(path)).map_err(|error| error.to_string())?;
    let module = engine.load(&bytes).map_err(|error| error.to_string())?;
    if module.digest() == digest {
        let is_kept = kept.map_or(Ok(()), |kept| kept.keep(&bytes, digest));
        is_kept.map_err(|error| format!("it cannot be kept for the next process: {error}"))?;
        return Ok(module);
    }
    let (found, wanted) = (module.digest().short(), digest.short());
    Err(format!(
        "{path} is another module here than where the swap was asked for: its digest is {found}, not {wanted}; copy it again"
    ))
}
