//! `dsms grade`, as somebody types it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::faulty_modules::faulty_module;
use crate::harness::dsms;

/// Seconds that a module may take: enough for a good one on a busy machine.
const TIME: &str = "15";

/// A valid component that takes minutes to compile: enormous functions, of a core module that nothing uses.
fn compiled_for_ever() -> Vec<u8> {
    fn leb128(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            bytes.push(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                return bytes;
            }
        }
    }
    let sized = |bytes: Vec<u8>| [leb128(bytes.len()), bytes].concat();
    let section = |id: u8, bytes: Vec<u8>| [vec![id], sized(bytes)].concat();
    // (func (param i32 i32) … (local.set 0 (i32.mul (local.get 0) (local.get 1))) (br_if 0 (local.get 0)) …)
    let step = [0x20, 0, 0x20, 1, 0x6c, 0x21, 0, 0x20, 0, 0x0d, 0];
    let body = [vec![0], step.repeat(600_000), vec![0x0b]].concat();
    let bodies = 4;
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 2, 0x7f, 0x7f, 0]),
        section(3, [vec![bodies], vec![0; usize::from(bodies)]].concat()),
        section(10, [vec![bodies], sized(body).repeat(usize::from(bodies))].concat()),
    ]
    .concat();
    // A component with that core module in it.
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, module)].concat()
}

/// Grades, and returns what is told and `results.json`.
fn grade(directory: &Path, modules: &[PathBuf], arguments: &[&str]) -> (String, Value) {
    let output = dsms(directory)
        .args(["grade", "--out", "out", "--time", TIME, "--requests", "600"])
        .args(arguments)
        .args(modules)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    (told, serde_json::from_str(&fs::read_to_string(directory.join("out/results.json")).unwrap()).unwrap())
}

fn of<'a>(results: &'a Value, name: &str) -> &'a Value {
    let mut modules = results["modules"].as_array().unwrap().iter();
    modules.find(|module| module["module"] == name).unwrap_or_else(|| panic!("no module {name}"))
}

#[test]
fn a_class_is_graded_and_a_hanging_or_hostile_module_costs_only_itself() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    fs::write(place("no-module.wasm"), "I am an essay").unwrap();
    fs::write(place("<script>alert(1)<.wasm"), compiled_for_ever()).unwrap();
    let mut modules = vec![PathBuf::from("reference"), place("no-module.wasm"), place("<script>alert(1)<.wasm")];
    modules.extend(["wrong-one-operation", "wrong-always", "trap", "loop"].map(faulty_module));
    let (told, results) = grade(directory.path(), &modules, &[]);

    let reference = of(&results, "reference");
    assert_eq!((&reference["score"]["points"], &reference["verdict"]), (&100.0.into(), &"good".into()), "{told}");
    let points = |name: &str| of(&results, name)["score"]["points"].as_f64().unwrap();
    assert_eq!((points("no-module"), points("<script>alert(1)<")), (0.0, 0.0), "{told}");
    assert_eq!(of(&results, "<script>alert(1)<")["ended"], "out-of-time");
    assert!(points("faulty_wrong_always") < points("faulty_wrong_one_operation"), "{told}");
    assert!(points("faulty_wrong_one_operation") < 95.0 && points("faulty_wrong_one_operation") > 20.0, "{told}");
    assert!(of(&results, "faulty_loop")["answers"]["failures"].as_array().unwrap().len() > 1, "{told}");

    // Those that answer wrongly share their wrong outcomes where they are the same.
    let coincident = &results["coincident-failures"];
    let names: Vec<&str> =
        coincident["modules"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let row = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let cell = |one: &str, other: &str, key: &str| coincident["matrix"][row(one)][row(other)][key].as_u64().unwrap();
    assert_eq!(cell("reference", "reference", "both"), 0);
    let wrong = ["faulty_wrong_one_operation", "faulty_wrong_always"];
    assert!(cell(wrong[0], wrong[1], "both") > 0 && cell(wrong[1], wrong[1], "both") > 300, "{coincident}");
    assert!(told.contains("best trio: "), "{told}");
    let trio = results["best-trio"]["modules"].as_array().unwrap();
    assert!(trio.contains(&"reference".into()), "{trio:?}");

    for (file, words) in [
        ("grades.csv", "module,score,verdict,golden"),
        ("junit.xml", "<testsuite name=\"&lt;script&gt;alert(1)&lt;\""),
        ("report.html", "Coincident failures"),
        ("gradescope/reference.json", "\"max_score\": 60.0"),
    ] {
        let text = fs::read_to_string(place("out").join(file)).unwrap();
        assert!(text.contains(words), "{words:?} is not in {file}");
    }
    assert_eq!(fs::read_dir(place("out/gradescope")).unwrap().count(), modules.len());
    shown_by_a_browser(&place("out/report.html"), directory.path());

    // A run that was stopped had kept some results, and makes only the others.
    let kept = place("out/results").join(reference["digest"].as_str().unwrap()).with_added_extension("json");
    fs::remove_file(kept).unwrap();
    let (told, again) = grade(directory.path(), &modules, &[]);
    assert_eq!(told.matches(", graded before").count(), modules.len() - 1, "{told}");
    assert_eq!(again["coincident-failures"], results["coincident-failures"]);
    // How many clusters there are depends on the time.
    assert_eq!(of(&again, "reference")["score"]["points"], reference["score"]["points"]);
}

#[test]
fn a_module_that_is_not_there_is_an_error_before_anything_is_graded() {
    let directory = tempfile::tempdir().unwrap();
    for (name, words) in [("missing.wasm", "cannot read the module missing.wasm"), (".", ". is no file")] {
        let output = dsms(directory.path()).args(["grade", "--out", "out", "reference", name]).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
        assert!(!directory.path().join("out").exists());
    }
}

/// The browser that `DSMS_CHROMIUM` names, or `chromium`, if it is there.
fn browser() -> Option<Command> {
    let program = std::env::var_os("DSMS_CHROMIUM").unwrap_or_else(|| "chromium".into());
    let is_there = Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
    is_there.then(|| Command::new(program))
}

/// Fails unless a real browser draws the pictures of the report, and runs nothing of it. Says so if there is no browser.
fn shown_by_a_browser(report: &Path, directory: &Path) {
    let Some(mut browser) = browser() else {
        eprintln!("NOT CHECKED in a browser: there is no chromium; install one, or name it with DSMS_CHROMIUM");
        return;
    };
    let profile = format!("--user-data-dir={}", directory.join("profile").display());
    let output = browser
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--dump-dom"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--enable-logging=stderr", &profile])
        .arg(format!("file://{}", report.display()))
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{log}");
    assert_eq!(dom.matches("<svg").count(), 2, "{dom}");
    for words in [">no failure</text>", ">first at #", " alike</text>", "faulty_wrong_always 3</text>"] {
        assert!(dom.contains(words), "{words:?} is not in what the browser shows");
    }
    assert!(!dom.contains("<script"), "a name became an element");
    assert!(!log.contains(":CONSOLE"), "{log}");
}
