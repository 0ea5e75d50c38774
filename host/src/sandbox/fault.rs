//! Tells from the way in which a guest's call ended which [`GuestFault`] it is.

use wasmtime::Trap;

use super::error::abridged;
use super::limits::LimitHit;
use crate::market::GuestFault;

/// The guest asked to end its process; carried through wasmtime as the error that ends the call.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("asked to exit with code {code}")]
pub(super) struct Exit {
    pub(super) code: i32,
}

/// The guest called a function of the host in a way that the function forbids, which ends the call as a trap does.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

/// How wasmtime words that a value from the guest is larger than the host accepts. The error has no type that could be asked
/// for; a test holds the wording.
const HOSTCALL_FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// What the call was allowed, to say in a fault which bound was passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) fuel: u64,
    pub(super) bytes_max: usize,
}

/// The fault behind an error of wasmtime. `last_words` is the end of the guest's standard error.
pub(super) fn fault_of(error: &wasmtime::Error, allowance: Allowance, last_words: &str) -> GuestFault {
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return match *hit {
            LimitHit::Memory { asked, max } => GuestFault::MemoryExceeded { asked_bytes: asked, max_bytes: max },
            LimitHit::Tables { .. } => GuestFault::Oversized { what: hit.to_string() },
        };
    }
    if let Some(Exit { code }) = error.downcast_ref() {
        return GuestFault::Exited { code: *code };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return GuestFault::BudgetExhausted { fuel: allowance.fuel },
        Some(Trap::StackOverflow) => return GuestFault::StackOverflow,
        Some(trap) => return GuestFault::Trap(with_last_words(&words_of(*trap), last_words)),
        None => {}
    }
    if error.chain().any(|cause| cause.to_string().contains(HOSTCALL_FUEL_EXHAUSTED)) {
        let what = format!("a value handed to the host, of more than {} bytes", allowance.bytes_max);
        return GuestFault::Oversized { what };
    }
    match error.downcast_ref() {
        Some(Misuse(words)) => GuestFault::Trap(with_last_words(&abridged(words.clone()), last_words)),
        // What is left breaks the component model's own rules: a text that is not UTF-8, a case that the variant does not
        // have, a list that ends outside of the memory, too many handles.
        None => GuestFault::BadExport(abridged(format!("broke a rule of the component model: {error:#}"))),
    }
}

/// The trap's name. Traps end on every host at the same instruction, so this text is the same on all of them.
fn words_of(trap: Trap) -> String {
    let words = trap.to_string();
    words.strip_prefix("wasm trap: ").unwrap_or(&words).to_owned()
}

fn with_last_words(trap: &str, last_words: &str) -> String {
    match last_words {
        "" => trap.to_owned(),
        words => format!("{trap}; the module's last words: {words}"),
    }
}
