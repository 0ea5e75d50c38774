//! What the operator is told when a sandbox cannot be set up, or a module not be loaded: what, where, and what to do next.

use std::io;
use std::path::PathBuf;

use super::contract::ContractReport;
use crate::market::GuestFault;

/// The sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refuses the settings.
    #[error("cannot set up the WebAssembly engine: {words}; check the sandbox limits, the stack limit first")]
    Engine {
        /// wasmtime's own words.
        words: String,
    },
}

/// Why a file or a byte string is no replica module.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the module {}: {cause}; give the path of a .wasm file, or `reference` for the built-in module", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is too large to be compiled.
    #[error(
        "the module has {len} bytes, the most is {max}; strip its debug information, or raise the limit `module_bytes_max`"
    )]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes are not WebAssembly.
    #[error("this is not WebAssembly: {found}; {next}")]
    NotWasm {
        /// What they are instead.
        found: &'static str,
        /// What to do.
        next: &'static str,
    },
    /// The bytes are a core module.
    #[error(
        "this is a core WebAssembly module, not a component; build it for the target wasm32-wasip2, or make a component \
         of it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The bytes begin as a component does, and then are none.
    #[error("the component is damaged, or uses what a replica may not use: {words}; build it again")]
    Invalid {
        /// Where and why, in wasmtime's words.
        words: String,
    },
    /// The component is none of the contract's.
    #[error("the component does not meet the contract dsms:replica@{}:\n{}", super::bindings::CONTRACT_VERSION, .0.complaint())]
    Contract(Box<ContractReport>),
    /// The component could not be linked, for a reason that the contract check does not know.
    #[error("the component cannot be linked: {words}; compare its imports with wit/replica.wit")]
    Unlinkable {
        /// wasmtime's own words.
        words: String,
    },
}

/// Most bytes of a module's own words in a fault: names of what it imports and exports, and what is wrong with them. The module
/// controls how many there are, and a fault has to fit into a message.
const FAULT_WORDS_BYTES_MAX: usize = 4096;

/// A module that was to take over and could not even be loaded, as the fault of that module.
impl From<LoadError> for GuestFault {
    fn from(error: LoadError) -> GuestFault {
        match error {
            LoadError::Contract(report) if report.has_foreign_imports() => {
                GuestFault::RefusedImport(abridged(report.complaint().to_string()))
            }
            LoadError::Contract(report) => GuestFault::BadExport(abridged(report.complaint().to_string())),
            LoadError::TooLarge { .. } => GuestFault::Oversized { what: error.to_string() },
            other => GuestFault::BadExport(abridged(other.to_string())),
        }
    }
}

/// The beginning of words that a module controls.
pub(super) fn abridged(mut words: String) -> String {
    if words.len() > FAULT_WORDS_BYTES_MAX {
        words.truncate(words.floor_char_boundary(FAULT_WORDS_BYTES_MAX));
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_fault_are_few_however_many_a_module_has() {
        let words = "é".repeat(1_000_000);
        let invalid = LoadError::Invalid { words: words.clone() };
        let GuestFault::BadExport(told) = invalid.into() else { panic!("another fault") };
        assert!(told.len() <= FAULT_WORDS_BYTES_MAX + "…".len() && told.ends_with("é…"), "{} bytes", told.len());
        assert_eq!(abridged("short".to_owned()), "short");
    }
}
