//! The sandbox against guests that behave and guests that do not.
//!
//! Most guests here are the one of `guest.wat`, a component in WebAssembly text, with an `execute` that misbehaves in one way.

mod contract;
mod stock_wasi;

use std::sync::mpsc::channel;

use super::*;
use crate::market::{Context, GuestFault, MarketState, Module, Outcome, Request, parse_request};

fn engine() -> Engine {
    limited(SandboxLimits::default())
}

fn limited(limits: SandboxLimits) -> Engine {
    Engine::with_cache_dir(limits, None).unwrap()
}

/// A component whose `execute` is the given code.
fn guest(execute: &str) -> Vec<u8> {
    let text = include_str!("guest.wat").replace("EXECUTE", execute).replace("TIME", "u64").replace("VERSION", "1.0.0");
    wat::parse_str(text).unwrap()
}

fn request() -> Request {
    let words: Vec<&str> = "NYKA1001 add-share NYKM100925 Equity 100".split(' ').collect();
    parse_request(&words).unwrap()
}

fn context(sequence_number: u64) -> Context {
    Context { sequence_number, time_ms: 1000 + sequence_number }
}

#[track_caller]
fn execute_once(engine: &Engine, code: &str) -> Result<Outcome, GuestFault> {
    let mut instance = engine.load(&guest(code)).unwrap().instantiate().unwrap();
    let answer = instance.execute(context(7), &request());
    assert_eq!(instance.is_finished(), answer.is_err());
    if instance.is_finished() {
        assert_eq!(instance.memory_bytes(), 0);
        assert_eq!(instance.execute(context(8), &request()), Err(GuestFault::Finished));
        assert_eq!(instance.export_state(), Err(GuestFault::Finished));
        assert_eq!(instance.import_state(&MarketState::default()), Err(GuestFault::Finished));
    }
    answer
}

#[track_caller]
fn check(code: &str, expected: Result<Outcome, GuestFault>) {
    assert_eq!(execute_once(&engine(), code), expected, "{code}");
}

fn added(capacity: u32) -> Result<Outcome, GuestFault> {
    Ok(Outcome::Added { capacity })
}

#[test]
fn instances_and_modules_can_go_to_any_thread() {
    fn check<T: Send>() {}
    check::<Instance>();
    check::<LoadedModule>();
    check::<Engine>();
}

#[test]
fn a_guest_that_behaves_is_answered() {
    check("(call $added (i32.const 100))", added(100));
}

#[test]
fn traps_are_told_by_name() {
    let trap = |name: &str| Err(GuestFault::Trap(name.to_owned()));
    check("unreachable", trap("wasm `unreachable` instruction executed"));
    check("(i32.div_u (i32.const 1) (i32.const 0))", trap("integer divide by zero"));
    check("(i32.load (i32.const -4))", trap("out of bounds memory access"));
}

#[test]
fn a_trap_without_words_names_the_functions_it_happened_in() {
    let named = |name: &str, code: &str| {
        let text = include_str!("guest.wat").replace("TIME", "u64").replace("VERSION", "1.0.0");
        let text = text.replace("(func (export \"execute\")", &format!("(func ${name} (export \"execute\")"));
        let bytes = wat::parse_str(text.replace("EXECUTE", code)).unwrap();
        let mut instance = engine().load(&bytes).unwrap().instantiate().unwrap();
        instance.execute(context(1), &request()).unwrap_err().to_string()
    };
    assert_eq!(named("buy!", "unreachable"), "trap: wasm `unreachable` instruction executed, in buy!");
    let mangled = "_ZN6market8purchase17h0123456789abcdefE";
    assert!(named(mangled, "unreachable").ends_with(", in market::purchase"), "{}", named(mangled, "unreachable"));
    // A name may be as long as the module likes.
    let words = named(&"x".repeat(1000), "(i32.div_u (i32.const 1) (i32.const 0))");
    assert!(words.ends_with("xxx…") && words.len() < 150, "{words}");
}

#[test]
fn an_endless_loop_ends_when_its_budget_is_used_up() {
    let fuel = 1_000_000;
    let engine = limited(SandboxLimits { fuel_per_call: fuel, ..SandboxLimits::default() });
    for code in [
        "(loop $l (br $l)) (i32.const 0)",
        // One instruction that does the work of millions.
        "(loop $l (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $l)) (i32.const 0)",
        // Work that is done by the host.
        "(loop $l (drop (call $now)) (br $l)) (i32.const 0)",
        "(loop $l (call $random-bytes (i64.const 16) (i32.const 64)) (br $l)) (i32.const 0)",
        "(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 65536)) (br $l)) (i32.const 0)",
    ] {
        assert_eq!(execute_once(&engine, code), Err(GuestFault::BudgetExhausted { fuel }), "{code}");
    }
}

#[test]
fn each_call_has_a_budget_of_its_own_and_uses_the_same_of_it_every_time() {
    let code = "(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 100000)))) (call $added (local.get $i))";
    let engine = limited(SandboxLimits { fuel_per_call: 1_500_000, ..SandboxLimits::default() });
    let mut instance = engine.load(&guest(code)).unwrap().instantiate().unwrap();
    let mut used = Vec::new();
    for sequence_number in 1..4 {
        assert_eq!(instance.execute(context(sequence_number), &request()), added(100_000));
        used.push(instance.fuel_of_last_call());
    }
    assert!(used[0] > 500_000 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[test]
fn memory_beyond_the_cap_ends_the_call() {
    check(
        "(drop (memory.grow (i32.const 4000))) (call $added (i32.const 1))",
        Err(GuestFault::MemoryExceeded { asked_bytes: 4002 * 65536, max_bytes: 128 << 20 }),
    );
    check("(drop (memory.grow (i32.const 100))) (call $added (memory.size))", added(102));
}

#[test]
fn endless_recursion_overflows_the_guests_own_stack() {
    check("(call $recurse (i32.const 1))", Err(GuestFault::StackOverflow));
}

#[test]
fn an_exit_is_a_fault_with_its_code() {
    check("(call $exit (i32.const 0)) (i32.const 0)", Err(GuestFault::Exited { code: 0 }));
    check("(call $exit (i32.const 1)) (i32.const 0)", Err(GuestFault::Exited { code: 1 }));
    check("(call $exit-with-code (i32.const 7)) (i32.const 0)", Err(GuestFault::Exited { code: 7 }));
}

#[test]
fn values_that_no_market_has_are_bad_exports() {
    #[track_caller]
    fn check(code: &str, expected: &str) {
        match execute_once(&engine(), code) {
            Err(GuestFault::BadExport(words)) => assert!(words.contains(expected), "{words}"),
            other => panic!("{code}: {other:?}"),
        }
    }
    check("(call $holdings (i32.const 1) (i32.const 0))", "execute returned a date that is not in the calendar");
    check("(call $holdings (i32.const 1) (i32.const 13))", "day 1, month 13, year 2025");
    check("(i32.store8 (i32.const 0) (i32.const 99)) (i32.const 0)", "discriminant");
    check("(call $holdings (i32.const 1000000) (i32.const 1))", "out of bounds");
    check("(i32.const -1)", "aligned");
}

#[test]
fn a_huge_list_is_not_copied_out_of_the_guest() {
    let engine = limited(SandboxLimits { outcome_bytes_max: 1000, ..SandboxLimits::default() });
    assert_eq!(execute_once(&engine, "(call $holdings (i32.const 1) (i32.const 9))").map(drop), Ok(()));
    let answer = execute_once(&engine, "(call $holdings (i32.const 5000) (i32.const 9))");
    assert!(matches!(&answer, Err(GuestFault::Oversized { what }) if what.contains("1000 bytes")), "{answer:?}");
}

#[test]
fn the_refusal_of_a_state_is_bounded() {
    let mut instance = engine().load(&guest("(i32.const 0)")).unwrap().instantiate().unwrap();
    let refusal = instance.import_state(&MarketState::default()).unwrap().unwrap_err();
    assert_eq!(refusal.len(), 1024);
    assert_eq!(instance.export_state(), Ok(MarketState::default()));
}

#[test]
fn a_guest_that_sleeps_goes_on_at_once() {
    check("(call $block (call $sleep (i64.const 3600000000000))) (call $added (i32.const 1))", added(1));
}

#[test]
fn handles_are_bounded() {
    let answer = execute_once(&engine(), "(loop $l (drop (call $sleep (i64.const 1))) (br $l)) (i32.const 0)");
    assert!(matches!(&answer, Err(GuestFault::BadExport(words)) if words.contains("handle limit")), "{answer:?}");
}

#[test]
fn the_clock_is_the_time_of_the_order() {
    let milliseconds = "(call $added (i32.wrap_i64 (i64.div_u (call $now) (i64.const 1000000))))";
    check(milliseconds, added(1007));
}

#[test]
fn random_numbers_follow_the_seed_and_the_sequence_number() {
    let module = engine().load(&guest("(call $added (i32.wrap_i64 (call $random-u64)))")).unwrap();
    let draw = |module: &LoadedModule, sequence_number| {
        module.instantiate().unwrap().execute(context(sequence_number), &request()).unwrap()
    };
    assert_eq!(draw(&module, 1), draw(&module, 1));
    assert_ne!(draw(&module, 1), draw(&module, 2));
    assert_ne!(draw(&module, 1), draw(&module.clone().with_seeds(Seeds::of([1; 32])), 1));
}

#[test]
fn log_lines_reach_the_sink_within_the_allowance() {
    let code = "(local $i i32) (i32.store (i32.const 256) (i32.const 0x6f6c6568))
        (loop $l (call $write (i32.const 2) (i32.const 256) (i32.const 4))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const 10000))))
        (call $added (i32.const 1))";
    let (sender, lines) = channel();
    let module = engine().load(&guest(code)).unwrap();
    let mut instance = module.instantiate_with_log(Box::new(move |line| sender.send(line).unwrap())).unwrap();
    instance.execute(context(1), &request()).unwrap();
    let lines: Vec<LogLine> = lines.try_iter().collect();
    assert_eq!(lines[0], LogLine { level: LogLevel::Warn, origin: LogOrigin::Log, text: "helo".to_owned() });
    assert!(lines.len() <= (16 << 10) / 20 + 1, "{}", lines.len());
    assert_eq!(lines.last().unwrap().origin, LogOrigin::Host);
}

#[test]
fn a_module_from_the_cache_is_the_same_module() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let bytes = guest("(call $added (i32.const 5))");
    for origin in [Origin::Compiled, Origin::Cache, Origin::Cache] {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), Some(dir.path())).unwrap();
        assert_eq!(engine.cache_status(), &CacheStatus::On(dir.path().to_owned()));
        let module = engine.load(&bytes).unwrap();
        assert_eq!(module.origin(), origin);
        assert_eq!(module.instantiate().unwrap().execute(context(1), &request()), added(5));
    }
}
