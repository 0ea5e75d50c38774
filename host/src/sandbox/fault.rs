//! Tells from the way in which a guest's call ended which [`GuestFault`] it is.

use wasmtime::{Trap, WasmBacktrace};

use super::error::abridged;
use super::limits::LimitHit;
use super::log::GuestLog;
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

/// How wasmtime words that a value from the guest is larger than the host accepts. The error has no type that could be
/// asked for; a test holds the wording.
const HOSTCALL_FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Innermost functions that a trap names. The guest controls how deep its stack is and how its functions are called.
pub(super) const FRAMES_MAX: usize = 4;

/// Most bytes of the name of one of them.
const NAME_BYTES_MAX: usize = 80;

/// What the call was allowed, to say in a fault which bound was passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) fuel: u64,
    pub(super) bytes_max: usize,
}

/// The fault behind an error of wasmtime. `log` has what the guest has last written to its standard error.
pub(super) fn fault_of(error: &wasmtime::Error, allowance: Allowance, log: &GuestLog) -> GuestFault {
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
        Some(trap) => return GuestFault::Trap(explained(&words_of(*trap), error, log)),
        None => {}
    }
    if error.chain().any(|cause| cause.to_string().contains(HOSTCALL_FUEL_EXHAUSTED)) {
        let what = format!("a value handed to the host, of more than {} bytes", allowance.bytes_max);
        return GuestFault::Oversized { what };
    }
    match error.downcast_ref() {
        Some(Misuse(words)) => GuestFault::Trap(explained(&abridged(words.clone()), error, log)),
        // What is left breaks the component model's own rules: a text that is not UTF-8, a case that the variant does
        // not have, a list that ends outside of the memory, too many handles.
        None => GuestFault::BadExport(abridged(format!("broke a rule of the component model: {error:#}"))),
    }
}

/// The trap's name. Traps end on every host at the same instruction, so this text is the same on all of them.
fn words_of(trap: Trap) -> String {
    let words = trap.to_string();
    words.strip_prefix("wasm trap: ").unwrap_or(&words).to_owned()
}

/// What the module said of its end, or else the functions in which it came, as far as the module names them.
fn explained(trap: &str, error: &wasmtime::Error, log: &GuestLog) -> String {
    let words = log.last_words();
    if !words.is_empty() {
        return format!("{trap}; the module's last words: {words}");
    }
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let told = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
    // Only wasmtime's text of a backtrace has the names as people write them: a line for each frame, `0:
    // module!function`.
    let names: Vec<String> = frames
        .iter()
        .zip(told.lines().skip(1))
        .filter(|(frame, _)| frame.func_name().is_some())
        .filter_map(|(frame, line)| {
            let module = format!("{}!", frame.module().name().unwrap_or("<unknown>"));
            line.split_once(&module).map(|(_, name)| shortened(name))
        })
        .collect();
    if names.is_empty() { trap.to_owned() } else { format!("{trap}, in {}", names.join(", called by ")) }
}

/// Without the hash that Rust ends its names with, and not too long.
fn shortened(name: &str) -> String {
    let is_hash =
        |end: &str| end.len() == 17 && end.starts_with('h') && end[1..].bytes().all(|b| b.is_ascii_hexdigit());
    let name = name.rsplit_once("::").filter(|(_, end)| is_hash(end)).map_or(name, |(start, _)| start);
    match name.len() > NAME_BYTES_MAX {
        false => name.to_owned(),
        true => format!("{}…", &name[..name.floor_char_boundary(NAME_BYTES_MAX)]),
    }
}
