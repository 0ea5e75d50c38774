//! What is said of components that do not meet the contract, and of files that are no components.

use super::{engine, guest};
use crate::market::GuestFault;
use crate::sandbox::{LoadError, check_contract, reference_module};

/// Loads bytes that must be refused.
#[track_caller]
fn refused(bytes: &[u8]) -> LoadError {
    engine().load(bytes).expect_err("the module was accepted")
}

#[track_caller]
fn check(bytes: &[u8], expected: &[&str]) {
    let words = refused(bytes).to_string();
    for expected in expected {
        assert!(words.contains(expected), "no {expected:?} in: {words}");
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn the_reference_module_and_the_test_guest_meet_the_contract() {
    for bytes in [reference_module(), &guest("(i32.const 0)")] {
        let report = check_contract(&engine(), bytes).unwrap();
        assert!(report.is_met(), "{}", report.complaint());
        assert_eq!(report.exports.len(), 3);
    }
}

#[test]
fn what_is_no_component_is_told_apart() {
    check(b"", &["empty"]);
    check(b"\0as", &["ends within"]);
    check(b"\0asm\x0d\0", &["ends within"]);
    check(b"#!/bin/sh\n", &["not WebAssembly", "00 61 73 6d"]);
    check(b"(module)", &["text", "wasm-tools parse"]);
    check(b"\x7fELF\x02\x01\x01", &["precompiled"]);
    check(&wat::parse_str("(module)").unwrap(), &["core WebAssembly module, not a component", "wasm32-wasip2"]);
    let reference = reference_module();
    check(&reference[..reference.len() / 2], &["damaged"]);
    check(&reference[..9], &["damaged"]);
}

#[test]
fn missing_exports_are_named() {
    check(&component("(component)"), &["does not export the interface dsms:replica/market@1.0.0"]);
    let empty = r#"(component (instance $i) (export "dsms:replica/market@1.0.0" (instance $i)))"#;
    check(
        &component(empty),
        &[
            "does not export dsms:replica/market@1.0.0#execute",
            "market@1.0.0#export-state",
            "market@1.0.0#import-state",
        ],
    );
}

#[test]
fn another_version_of_the_contract_is_named() {
    let text = include_str!("guest.wat").replace("EXECUTE", "(i32.const 0)").replace("TIME", "u64");
    for version in ["0.9.0", "2.1.0"] {
        let market = format!("exports dsms:replica/market@{version}; this host speaks 1.0.0: build against its wit/");
        let log =
            format!("imports dsms:replica/log@{version}: it was built against the contract dsms:replica@{version}");
        let text = text.replace("VERSION", version);
        let text = text.replace("dsms:replica/log@1.0.0", &format!("dsms:replica/log@{version}"));
        check(&component(&text), &[&market, &log]);
    }
}

#[test]
fn a_component_of_another_world_is_told_what_it_is_and_what_to_build() {
    check(&component("(component)"), &["it exports nothing; build it for the world `replica` of wit/replica.wit"]);
    let exporting = |names: &[&str]| {
        let exports: String = names.iter().map(|name| format!("(export {name:?} (instance $i))")).collect();
        component(&format!("(component (instance $i) {exports})"))
    };
    check(&exporting(&["wasi:cli/run@0.2.3"]), &["a program with a `main`", "world `replica`", "as a library"]);
    check(&exporting(&["wasi:http/incoming-handler@0.2.0"]), &["an HTTP service"]);
    check(&exporting(&["acme:shop/market@1.0.0"]), &["another world, and exports acme:shop/market@1.0.0; build it"]);
    let many: Vec<String> = (0..200).map(|number| format!("acme:shop/market{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let words = refused(&exporting(&many)).to_string();
    assert!(words.contains("market4; build") && words.len() < 500, "{words}");
}

#[test]
fn a_function_of_another_type_is_shown_beside_the_expected_one() {
    let text = include_str!("guest.wat").replace("EXECUTE", "(i32.const 0)").replace("VERSION", "1.0.0");
    check(
        &component(&text.replace("TIME", "u32")),
        &[
            "exports dsms:replica/market@1.0.0#execute with another type",
            "time-ms: expected `u64` found `u32`",
            "expected func(context: context, request: request) -> outcome",
            "given    func(context: record { sequence-number: u64, time-ms: u32 }",
        ],
    );
}

#[test]
fn each_foreign_import_is_named_with_the_reason() {
    let text = r#"(component
        (import "wasi:sockets/tcp@0.2.3" (instance))
        (import "wasi:http/outgoing-handler@0.2.0" (instance))
        (import "wasi:cli/environment@0.3.0" (instance))
        (import "acme:oracle/price" (func))
        (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let text = text.replace("acme:oracle/price\" (func", "acme:oracle/price@1.0.0\" (instance");
    check(
        &component(&text),
        &[
            "imports wasi:sockets/tcp@0.2.3: it asks for network sockets",
            "imports wasi:http/outgoing-handler@0.2.0: it asks for HTTP",
            "imports wasi:cli/environment@0.3.0: it asks for WASI 0.3.0",
            "imports acme:oracle/price@1.0.0: a replica may import nothing but",
        ],
    );
    let fault = GuestFault::from(refused(&component(&text)));
    assert!(matches!(fault, GuestFault::RefusedImport(_)), "{fault}");
}

#[test]
fn a_module_too_large_to_be_compiled_is_refused_by_its_length() {
    let limits = crate::sandbox::SandboxLimits { module_bytes_max: 10, ..Default::default() };
    let refused = super::limited(limits).load(reference_module()).unwrap_err();
    assert!(matches!(refused, LoadError::TooLarge { max: 10, .. }), "{refused}");
}

#[test]
fn a_missing_file_is_named() {
    let refused = engine().load_file("/no/such.wasm".as_ref()).unwrap_err().to_string();
    assert!(refused.contains("/no/such.wasm") && refused.contains("reference"), "{refused}");
}
