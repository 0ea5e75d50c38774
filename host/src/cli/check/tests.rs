use super::*;
use crate::config::REFERENCE;
use crate::sandbox::reference_module;

fn args(module: &Path, out: &Path) -> CheckArgs {
    CheckArgs {
        module: module.to_owned(),
        seed: 1,
        only: Vec::new(),
        time: 60,
        requests: 1000,
        out: Some(out.to_owned()),
        json: false,
    }
}

fn check_at(module: &Path) -> anyhow::Result<Report> {
    let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
    check(&engine, &args(module, Path::new("/nowhere")))
}

#[track_caller]
fn says(bytes: &[u8], expected: &[&str]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let report = check_at(file.path()).unwrap();
    let text = text::lines(&report).join("\n");
    assert!(!report.good && !report.contract.met, "{text}");
    assert!(text.ends_with("not good: it cannot run as a replica"), "{text}");
    expected.iter().for_each(|words| assert!(text.contains(words), "no {words:?} in: {text}"));
}

#[test]
fn the_reference_module_is_good_and_its_report_is_json() {
    let report = check_at(Path::new(REFERENCE)).unwrap();
    let text = text::lines(&report).join("\n");
    assert!(report.good, "{text}");
    assert_eq!(report.findings().count(), 0, "{text}");
    assert_eq!(report.examinations.len(), Examination::names().len());
    assert!(text.contains("golden requests in") && text.contains("of a call's budget"), "{text}");
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["good"], &json["contract"]["met"], &json["seed"]), (&true.into(), &true.into(), &1.into()));
    let again: Report = serde_json::from_value(json).unwrap();
    assert_eq!(again.digest, report.digest);
}

#[test]
fn what_is_no_replica_module_is_said_in_words_with_what_to_do() {
    let reference = reference_module();
    says(b"\0asm\x01\0\0\0", &["✗ this is a core WebAssembly module", "wasm32-wasip2"]);
    says(b"(component)", &["✗ this is not WebAssembly: it looks like WebAssembly text", "wasm-tools parse"]);
    says(b"", &["✗ this is not WebAssembly: it is empty; build it again"]);
    says(&reference[..reference.len() / 2], &["✗ the component is damaged", "build it again"]);
    says(b"\0asm\x0d\0\x01\0", &["✗ does not export the interface", "build it for the world `replica`"]);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = check_at(Path::new("/no/such.wasm")).unwrap_err();
    assert!(format!("{error:#}").contains("cannot read the module /no/such.wasm"), "{error:#}");
}

#[test]
fn a_finding_is_told_with_the_command_that_shows_it_again() {
    let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let args = args(Path::new("my replica.wasm"), directory.path());
    let digest = "0".repeat(64);
    let saving = Saving { engine: &engine, module: &args.module, digest: &digest, args: &args };
    let request = crate::market::parse_request(&["NYKB1001", "get-shares"]).unwrap();
    let past = PastRequest { sequence: crate::protocol::id::SequenceNumber(7), time_ms: None, request };
    let json = serde_json::json!({"kind": "wrong-answer", "weight": "failure", "rule": "r", "place": null,
        "history": [], "is-shortest": true, "expected": "", "given": "", "replay": [past], "command": null});
    let mut finding: Finding = serde_json::from_value(json).unwrap();
    let command = saving.command(Examination::Golden, 2, &finding).unwrap();
    let file = directory.path().join("golden-2.toml");
    assert_eq!(command, format!("dsms replay {} --module 'my replica.wasm'", file.display()));
    let history = History::from_text(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(history.requests, [past]);
    finding.replay.clear();
    let command = saving.command(Examination::Determinism, 1, &finding).unwrap();
    assert_eq!(command, "dsms check 'my replica.wasm' --only determinism --seed 1 --requests 1000 --time 60");
    let usual = Options::default();
    let args = CheckArgs {
        time: usual.time.as_secs(),
        requests: usual.requests_max,
        ..self::args(&args.module, directory.path())
    };
    let command = Saving { args: &args, ..saving }.command(Examination::Determinism, 1, &finding).unwrap();
    assert_eq!(command, "dsms check 'my replica.wasm' --only determinism --seed 1");
}
