//! `dsms sim` and `dsms replay`, as somebody types them.

use std::fs;

use serde_json::Value;

use crate::faulty_modules::faulty_module;
use crate::harness::dsms;

#[test]
fn seeds_that_break_no_law_are_summed_up_and_cover_their_baseline() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| dsms(directory.path()).arg("sim").args(arguments).output().unwrap();
    let runs = ["--seed", "1", "--runs", "3", "--faults", "loss,kill"];
    let output = run(&[&runs[..], &["--json", "--write-baseline", "often.txt"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["runs"], &summary["failed"]), (&3.into(), &0.into()));
    assert!(summary["struck"].as_u64().unwrap() > 0 && summary["coverage"].as_array().unwrap().len() > 3);

    assert!(directory.path().join("often.txt").is_file());
    let is_covered = |cell: &&Value| cell["repaired"].as_u64() > Some(0);
    let cell = summary["coverage"].as_array().unwrap().iter().find(is_covered).expect("something has struck");
    let words = ["fault", "role", "phase"].map(|key| cell[key].as_str().unwrap().to_owned());
    let baseline = directory.path().join("covered.txt");
    fs::write(&baseline, format!("# what is covered\n{}\n", words.join(" "))).unwrap();

    let again = run(&[&runs[..], &["--baseline", "covered.txt", "--coverage"]].concat());
    let text = String::from_utf8(again.stdout).unwrap();
    assert!(again.status.success() && text.contains("3 runs, 3 passed, 0 failed"), "{text}");
    assert!(text.contains("detected by"), "{text}");

    fs::write(&baseline, fs::read_to_string(&baseline).unwrap() + "poison replica-manager load\n").unwrap();
    let less = run(&[&runs[..], &["--baseline", "covered.txt"]].concat());
    assert_eq!(less.status.code(), Some(1));
    let text = String::from_utf8(less.stdout).unwrap();
    assert!(text.contains("not covered any more: poison replica-manager load"), "{text}");
}

#[test]
fn a_run_that_breaks_a_law_is_shrunk_saved_and_replayed_with_other_modules() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = faulty_module("wrong-always");
    let wrong = wrong.to_str().unwrap();
    let modules = ["--module", wrong, "--module", wrong, "--module", "reference"];
    let output = dsms(directory.path())
        .args(["sim", "--seed", "5", "--runs", "1", "--mode", "byzantine"])
        .args(modules)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in ["seed 5 breaks a law", "shrunk to", "replay it: dsms replay ./dsms-run-5.toml"] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let replay = |arguments: &[&str]| {
        let output = dsms(directory.path()).args(["replay", "dsms-run-5.toml"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = replay(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("a law is broken.") && told.contains("client-"), "{told}");
    let transcript = fs::read_to_string(directory.path().join("dsms-run-5.txt")).unwrap();
    assert!(transcript.lines().count() > 5 && transcript.contains("LAW BROKEN"), "{transcript}");
    let (code, told) = replay(&["--module", "reference", "--quiet"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("every law held"), "{told}");
}

#[test]
fn what_is_no_saved_run_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("broken.toml"), "format = \"dsms-run 1\"\nseed = \"x\"\n").unwrap();
    let output = dsms(directory.path()).args(["replay", "broken.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("broken.toml") && words.contains("line 2"), "{words}");
}
