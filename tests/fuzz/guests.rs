//! The sandbox with components that somebody damaged, or wrote to do harm, and the cache with files that somebody changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use dsms::market::{Context, GuestFault, MarketState, Module, Outcome};
use dsms::sandbox::{Engine, Instance, LoadError, LoadedModule, Origin, SandboxLimits, reference_module};

use crate::draw::Draw;
use crate::messages;

/// Small limits, so that a guest that uses up one of them is done in milliseconds.
const LIMITS: SandboxLimits = SandboxLimits {
    module_bytes_max: 1 << 20,
    fuel_per_call: 200_000,
    fuel_per_state_call: 2_000_000,
    memory_bytes_max: 4 << 20,
    table_elements_max: 1_000,
    stack_bytes_max: 128 << 10,
    log_bytes_per_call_max: 4 << 10,
    outcome_bytes_max: 64 << 10,
    state_bytes_max: 256 << 10,
};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::with_cache_dir(LIMITS, None).expect("the limits are possible"));

/// Bytes that claim to be a component: loaded or refused, and called if they are loaded. Returns what came of it, in a word.
pub fn component(bytes: &[u8]) -> &'static str {
    match ENGINE.load(bytes) {
        Ok(module) => call(&module, &mut Draw::new(bytes)),
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            let _fault: GuestFault = refused.into();
            "refused"
        }
    }
}

/// The reference module, damaged.
pub fn damaged_component(bytes: &[u8]) -> &'static str {
    let mut draw = Draw::new(bytes);
    let mut damaged = reference_module().to_vec();
    for _ in 0..1 + draw.below(3) {
        // Anywhere, or within the first and the last kilobyte: that is where a component has its own sections.
        let len = damaged.len();
        let within = draw.pick(&[0..len, 0..len.min(1024), len.saturating_sub(1024)..len]);
        let place = within.start + (draw.below(65_536) * 37) % within.len().max(1);
        match draw.below(8) {
            0 => damaged.truncate(place),
            1 => drop(damaged.drain(place..damaged.len().min(place + 1 + draw.below(64)))),
            2 => damaged.insert(place, draw.byte()),
            _ => {
                if let Some(byte) = damaged.get_mut(place) {
                    *byte ^= 1 << draw.below(8);
                }
            }
        }
    }
    component(&damaged)
}

/// A component that meets the contract, around code that does what it can to harm its host.
pub fn hostile_component(bytes: &[u8]) -> &'static str {
    let mut draw = Draw::new(bytes);
    let text = skeleton(&format!("(local $i i32) (local $n i64) {} {}", code(&mut draw, 4), address(&mut draw)));
    let binary = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let module = match ENGINE.load(&binary) {
        Ok(module) => module,
        Err(refused) => panic!("the skeleton meets the contract: {refused}\n{text}"),
    };
    call(&module, &mut draw)
}

/// A component that is almost one of the contract's: some of the skeleton's types, names and instructions are others.
pub fn altered_component(bytes: &[u8]) -> &'static str {
    const WORDS: [&str; 24] = [
        "u8",
        "u16",
        "u32",
        "u64",
        "s64",
        "f32",
        "char",
        "bool",
        "string",
        "$share",
        "$market",
        "$outcome",
        "(list u8)",
        "(option $request)",
        "(tuple u8 string)",
        "(list (list (list string)))",
        "(result (error string))",
        "\"execute\"",
        "\"export-state\"",
        "i32",
        "i64",
        "(own $pollable)",
        "$memory",
        "0",
    ];
    let mut draw = Draw::new(bytes);
    let text = skeleton("(call $added (i32.const 1))");
    let mut words: Vec<&str> = text.split_inclusive([' ', '(', ')', '\n']).collect();
    for _ in 0..1 + draw.below(3) {
        let [place, other] = std::array::from_fn(|_| draw.below(65_536) * 7 % words.len());
        let word = words[place].trim_end_matches([' ', '(', ')', '\n']);
        let kind = |word: &str| word.bytes().next().map(|byte| (byte == b'"', byte == b'$', byte.is_ascii_digit()));
        let same_kind: Vec<&str> = WORDS.into_iter().filter(|other| kind(other) == kind(word)).collect();
        match draw.below(4) {
            0 => words[place] = "",
            1 => words.insert(place, words[other]),
            2 => words.swap(place, other),
            _ if !word.is_empty() && !same_kind.is_empty() => {
                let delimiter = &words[place][word.len()..];
                words[place] = draw.pick(&same_kind);
                words.insert(place + 1, delimiter);
            }
            _ => {}
        }
    }
    match wat::parse_str(words.concat()) {
        Ok(binary) => component(&binary),
        Err(_no_text_of_a_component) => "not-written",
    }
}

/// The skeleton of `guest.wat` with this `execute`.
fn skeleton(execute: &str) -> String {
    let text = include_str!("../../host/src/sandbox/tests/guest.wat");
    text.replace("EXECUTE", execute).replace("TIME", "u64").replace("VERSION", "1.0.0")
}

/// Calls everything, in any order; after a fault there is nothing more to be had.
fn call(module: &LoadedModule, draw: &mut Draw<'_>) -> &'static str {
    let mut instance = match module.instantiate() {
        Ok(instance) => instance,
        Err(_fault) => return "not-instantiated",
    };
    for sequence_number in 1..=3 {
        let context = Context { sequence_number, time_ms: draw.number() };
        let answered = match draw.below(4) {
            0 => instance.export_state().map(|state| check_state(&state)),
            1 => instance.import_state(&messages::state(draw)).map(|imported| check_imported(&imported)),
            _ => instance.execute(context, &messages::request(draw)).map(|outcome| check_outcome(&outcome)),
        };
        assert!(instance.memory_bytes() <= LIMITS.memory_bytes_max);
        if let Err(fault) = answered {
            check_finished(&mut instance);
            return name_of(&fault);
        }
    }
    "answered"
}

fn check_imported(imported: &Result<(), String>) {
    assert!(imported.as_ref().err().is_none_or(|refusal| refusal.len() <= 1024));
}

fn check_outcome(outcome: &Outcome) {
    assert!(outcome.size_bytes() <= 2 * LIMITS.outcome_bytes_max);
    assert_eq!(&outcome.clone().into_canonical(), outcome);
    let _json = outcome.to_json();
}

fn check_state(state: &MarketState) {
    let _digest = state.digest();
}

fn check_finished(instance: &mut Instance) {
    assert!(instance.is_finished());
    assert_eq!(instance.memory_bytes(), 0);
    assert_eq!(instance.export_state(), Err(GuestFault::Finished));
}

fn name_of(fault: &GuestFault) -> &'static str {
    match fault {
        GuestFault::Trap(_) => "trap",
        GuestFault::BudgetExhausted { .. } => "budget-exhausted",
        GuestFault::MemoryExceeded { .. } => "memory-exceeded",
        GuestFault::StackOverflow => "stack-overflow",
        GuestFault::RefusedImport(_) => "refused-import",
        GuestFault::BadExport(_) => "bad-export",
        GuestFault::Oversized { .. } => "oversized",
        GuestFault::Exited { .. } => "exited",
        GuestFault::Finished => "finished",
    }
}

/// A number as an `i32.const`: small, at the edge of the memory, or far outside.
fn constant(draw: &mut Draw<'_>) -> i32 {
    match draw.below(6) {
        0 => draw.word() as i32,
        1 => 131_072 - draw.below(16) as i32,
        2 => -1 - draw.below(16) as i32,
        3 => draw.below(4096) as i32,
        _ => draw.below(16) as i32,
    }
}

/// An expression of type `i32`.
fn value(draw: &mut Draw<'_>, depth: usize) -> String {
    if depth == 0 {
        return format!("(i32.const {})", constant(draw));
    }
    let inner = |draw: &mut Draw<'_>| value(draw, depth - 1);
    match draw.below(14) {
        0 => format!("(i32.load offset={} {})", draw.word(), inner(draw)),
        1 => format!("(i32.load8_u {})", inner(draw)),
        2 => format!("(i32.add {} {})", inner(draw), inner(draw)),
        3 => format!("(i32.div_s {} {})", inner(draw), inner(draw)),
        4 => format!("(i32.rem_u {} {})", inner(draw), inner(draw)),
        5 => format!("(memory.grow {})", inner(draw)),
        6 => "(memory.size)".to_owned(),
        7 => format!("(i32.trunc_f64_s (f64.sqrt (f64.convert_i32_s {})))", inner(draw)),
        8 => format!("(call $recurse {})", inner(draw)),
        9 => "(i32.wrap_i64 (call $random-u64))".to_owned(),
        10 => format!("(call $sleep (i64.extend_i32_s {}))", inner(draw)),
        11 => "(local.get $i)".to_owned(),
        12 => format!("(i32.reinterpret_f32 (f32.div (f32.convert_i32_u {}) (f32.const 0)))", inner(draw)),
        _ => format!("(if (result i32) {} (then {}) (else {}))", inner(draw), inner(draw), inner(draw)),
    }
}

/// Some statements.
fn code(draw: &mut Draw<'_>, depth: usize) -> String {
    let mut statements = String::new();
    for _ in 0..draw.below(4) {
        statements.push_str(&statement(draw, depth));
        statements.push(' ');
    }
    statements
}

fn statement(draw: &mut Draw<'_>, depth: usize) -> String {
    let levels = depth.min(2);
    let any = |draw: &mut Draw<'_>| value(draw, levels);
    match draw.below(18) {
        0 if depth > 0 => format!("(loop $l {} (br_if $l {}))", code(draw, depth - 1), value(draw, levels)),
        1 if depth > 0 => format!("(block $b {} (br_if $b {}))", code(draw, depth - 1), value(draw, levels)),
        2 if depth > 0 => format!("(if {} (then {}))", any(draw), code(draw, depth - 1)),
        3 => format!("(memory.fill {} {} {})", any(draw), any(draw), any(draw)),
        4 => format!("(memory.copy {} {} {})", any(draw), any(draw), any(draw)),
        5 => format!("(call $write {} {} {})", any(draw), any(draw), any(draw)),
        6 => format!("(call $random-bytes (i64.extend_i32_s {}) {})", any(draw), any(draw)),
        7 => format!("(call $block {})", any(draw)),
        8 => format!("(call $exit-with-code {})", any(draw)),
        9 => format!("(drop (call $holdings {} {}))", any(draw), any(draw)),
        10 => "(unreachable)".to_owned(),
        11 => format!("(i32.store8 {} {})", any(draw), any(draw)),
        12 => "(local.set $n (call $now))".to_owned(),
        13 => format!("(drop (memory.grow {}))", any(draw)),
        14 => format!("(i64.store offset={} {} (local.get $n))", draw.word(), any(draw)),
        _ => format!("(local.set $i {})", any(draw)),
    }
}

/// Where the outcome is said to be: an answer, a list that is too long or somewhere else, an outcome of any bytes, or nowhere.
fn address(draw: &mut Draw<'_>) -> String {
    match draw.below(8) {
        0 => format!("(call $added {})", value(draw, 2)),
        1 => format!("(call $holdings (i32.const {}) (i32.const {}))", draw.word() as i32, draw.below(14)),
        2 => format!("(call $holdings (i32.const {}) (i32.const {}))", draw.below(12_000), draw.below(14)),
        3 => value(draw, 2),
        _ => {
            let mut stores = String::new();
            for offset in (0..16).step_by(4) {
                stores.push_str(&format!("(i32.store offset={offset} (i32.const 64) (i32.const {})) ", constant(draw)));
            }
            format!("{stores} (i32.store8 (i32.const 64) (i32.const {})) (i32.const 64)", draw.below(9))
        }
    }
}

/// A directory of compiled code in which one file was damaged, cut short, exchanged or renamed: what is loaded from there is the
/// module that was asked for.
pub fn cache_file(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let scratch = tempfile::tempdir().expect("there is room for a directory");
    let dir = scratch.path().join("cache");
    let engine = Engine::with_cache_dir(LIMITS, Some(&dir)).expect("the limits are possible");
    let modules = [&*MODULES[0], &*MODULES[1]];
    for (module, compiled) in modules.iter().zip(&*COMPILED) {
        for (name, code) in compiled {
            write(&dir.join(name), code);
        }
        assert_eq!(load(&engine, module).map(|module| module.origin()), Ok(Origin::Cache), "an intact file is used");
    }
    let (name, code) = &COMPILED[0][0];
    let (other_name, other) = &COMPILED[1][0];
    let path = dir.join(name);
    let mut damaged = code.clone();
    let is_damaged = match draw.below(8) {
        0 => {
            damaged.truncate(draw.below(65_536) % code.len());
            write(&path, &damaged);
            true
        }
        1 => {
            write(&path, other);
            true
        }
        2 => {
            write(&path, &draw.bytes(300));
            true
        }
        3 => {
            // The file of another module, under a name that begins as this one's does.
            let renamed = format!("{}{}", &name[..name.len() - 70], &other_name[other_name.len() - 70..]);
            fs::remove_file(&path).expect("it was written above");
            write(&dir.join(renamed), code);
            true
        }
        4 => {
            fs::remove_file(&path).expect("it was written above");
            fs::create_dir(&path).expect("nothing is there any more");
            true
        }
        5 => {
            write(&dir.join(format!("{}.tmp", draw.word())), &draw.bytes(300));
            false
        }
        _ => {
            let place = (draw.below(65_536) * 53) % damaged.len();
            damaged[place] ^= 1 << draw.below(8);
            write(&path, &damaged);
            true
        }
    };
    let loaded = load(&engine, modules[0]).expect("the module itself is sound");
    assert_eq!(loaded.origin() == Origin::Compiled, is_damaged);
    let request = messages::request(&mut draw);
    let outcome = loaded
        .instantiate()
        .and_then(|mut instance| instance.execute(Context { sequence_number: 1, time_ms: 0 }, &request));
    assert_eq!(outcome, Ok(Outcome::Added { capacity: 1 }), "it is the module that was asked for");
}

fn load(engine: &Engine, bytes: &[u8]) -> Result<LoadedModule, String> {
    engine.load(bytes).map_err(|refused: LoadError| refused.to_string())
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("there is room for a file");
}

/// Two modules, which answer 1 and 2.
static MODULES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [1, 2].map(|answer| {
        wat::parse_str(skeleton(&format!("(call $added (i32.const {answer}))"))).expect("the skeleton is sound")
    })
});

/// The name and the content of a file.
type NamedFile = (String, Vec<u8>);

/// The files that the cache keeps for each of them.
static COMPILED: LazyLock<[Vec<NamedFile>; 2]> = LazyLock::new(|| {
    [0, 1].map(|index| {
        let scratch = tempfile::tempdir().expect("there is room for a directory");
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
        let engine = Engine::with_cache_dir(LIMITS, Some(scratch.path())).expect("the limits are possible");
        load(&engine, &MODULES[index]).expect("the module is sound");
        let files = fs::read_dir(scratch.path()).expect("it is ours").map(|entry| {
            let path = entry.expect("it is ours").path();
            let name = path.file_name().expect("files have names").to_string_lossy().into_owned();
            (name, fs::read(path).expect("it is ours"))
        });
        files.collect()
    })
});
