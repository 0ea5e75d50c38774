//! `dsms check` of modules that are good, wrong and no modules: what it says, what it saves, how it ends.

use dsms::conformance::{Kind, Report};
use serde_json::Value;

use crate::faulty_modules::faulty_module;
use crate::harness::dsms;

fn run(directory: &std::path::Path, arguments: &[&str]) -> (i32, String, String) {
    let output = dsms(directory).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_module_ends_with_1_and_each_command_that_is_given_shows_the_finding_again() {
    let directory = tempfile::tempdir().unwrap();
    for (how, examination) in [("silent-corruption", "random-histories"), ("stale-index", "round-trip")] {
        let module = faulty_module(how);
        let module = module.to_str().unwrap();
        let (code, text, errors) = run(directory.path(), &["check", module, "--only", examination]);
        assert_eq!(code, 1, "{text}{errors}");
        assert!(text.contains("not good"), "{text}");
        let again =
            text.lines().find_map(|line| line.trim().strip_prefix("again:")).unwrap_or_else(|| panic!("{text}"));
        let words: Vec<&str> = again.split_whitespace().skip(1).collect();
        let (code, text, errors) = run(directory.path(), &words);
        assert_eq!(code, 1, "{again}: {text}{errors}");
        assert!(text.contains("DIFFERS") || text.contains("after an import"), "{again}: {text}");
    }
    assert!(directory.path().join("faulty_silent_corruption.check/random-histories-1.toml").is_file());
}

#[test]
fn the_report_is_one_json_object_and_nothing_is_saved_for_a_good_module() {
    let directory = tempfile::tempdir().unwrap();
    let (code, text, errors) = run(directory.path(), &["check", "reference", "--json", "--requests", "1000"]);
    assert_eq!(code, 0, "{text}{errors}");
    let report: Report = serde_json::from_str(&text).unwrap();
    assert!(report.good && report.examinations.iter().all(|examined| examined.is_complete), "{text}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let module = faulty_module("trap");
    let arguments = ["check", module.to_str().unwrap(), "--json", "--only", "golden", "--out", "found"];
    let (code, text, _) = run(directory.path(), &arguments);
    let report: Report = serde_json::from_str(&text).unwrap();
    assert!(code == 1 && report.findings().all(|finding| finding.kind == Kind::Fault), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let finding = &json["examinations"][0]["findings"][0];
    assert!(
        finding["given"].as_str().unwrap().contains("src/lib.rs:18:13: the tenth request is too much"),
        "{finding}"
    );
    assert!(finding["command"].as_str().unwrap().starts_with("dsms replay found/golden-1.toml --module "), "{finding}");
}

#[test]
fn a_missing_module_is_an_error_with_the_next_command_to_type() {
    let directory = tempfile::tempdir().unwrap();
    let (code, text, errors) = run(directory.path(), &["check", "no.wasm"]);
    assert_eq!((code, &*text), (2, ""), "{errors}");
    assert!(errors.contains("cannot read the module no.wasm") && errors.contains("`reference`"), "{errors}");
    let (code, _, errors) = run(directory.path(), &["check", "reference", "--only", "taste"]);
    assert!(code == 64 && errors.contains("round-trip"), "{errors}");
}
