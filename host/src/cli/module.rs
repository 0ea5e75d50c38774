//! Modules by the names that people give on the command line.

use std::path::Path;
use std::sync::Arc;

use crate::config::ModuleSource;
pub use crate::config::REFERENCE;
use crate::protocol::limits::REPLICAS_LEN_MAX;
use crate::runtime::node::load;
use crate::sandbox::{Engine, LoadError, LoadedModule, Origin, SandboxLimits, reference_module};
use crate::simulation::replica::{MakeModule, native};

/// The bytes of a module: of a file, or of the embedded one.
pub fn read_module(engine: &Engine, path: &Path) -> Result<Vec<u8>, LoadError> {
    match ModuleSource::named(path) {
        ModuleSource::Reference => Ok(reference_module().to_vec()),
        ModuleSource::File(path) => engine.read_module(&path),
    }
}

/// That a large module is being compiled. With one processor a MiB takes some seconds, and an interpreter has many.
pub fn compiling_words(len: usize) -> String {
    format!("compiling a module of {} MiB, once for all; that may take half a minute", len >> 20)
}

/// Says so.
pub fn tell_of_compiling(len: usize) {
    eprintln!("dsms: {}", compiling_words(len));
}

/// Loads a module: a .wasm file, or the embedded one. Says so when it had to be compiled, which may take a while.
pub fn load_module(engine: &Engine, name: &str) -> anyhow::Result<LoadedModule> {
    let loaded = load(engine, &ModuleSource::named(name)).map_err(|error| match error {
        // It names the file itself.
        LoadError::Unreadable { .. } => error.into(),
        _ => anyhow::Error::new(error).context(format!("module {name}")),
    })?;
    if loaded.origin() == Origin::Compiled {
        eprintln!("dsms: compiled module {name}, digest {}", loaded.digest().short());
    }
    Ok(loaded)
}

/// What makes the simulator's modules: the named ones in the sandbox, or the reference market, called natively, if none is named. One
/// name is for all replicas, several are for each in turn, and a spare is the same module again.
pub fn make_modules(names: &[String]) -> anyhow::Result<MakeModule> {
    if names.is_empty() {
        return Ok(native());
    }
    if names.len() > REPLICAS_LEN_MAX {
        anyhow::bail!("--module is given {} times; a cluster has at most {REPLICAS_LEN_MAX} replicas", names.len());
    }
    let engine = Engine::new(SandboxLimits::default())?.with_notice(tell_of_compiling);
    let loaded: Vec<LoadedModule> = names.iter().map(|name| load_module(&engine, name)).collect::<Result<_, _>>()?;
    Ok(Arc::new(move |replica, _spare| {
        let module = &loaded[replica.index() % loaded.len()];
        Ok(Box::new(module.instantiate()?))
    }))
}
