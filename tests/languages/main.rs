//! The modules of four languages: each gives the outcomes and the states of the reference market, they exchange checkpoints, and they run a
//! cluster together.
//!
//! `replicas/build` has to have built them, which needs Python, Node.js and the registries. Where it has not, these tests say so and pass,
//! unless `DSMS_TEST_LANGUAGES` is set, as `.ci/run` does.

use std::path::{Path, PathBuf};
use std::process::Command;

use dsms::market::{Context, Module};
use dsms::native::NativeMarket;
use dsms::sandbox::{Engine, LoadedModule, SandboxLimits};
use dsms::workload::{Mix, listings};

#[path = "../faulty_modules.rs"]
mod faulty_modules;
#[expect(dead_code, reason = "the cluster tests need more of it")]
#[path = "../cluster/harness.rs"]
mod harness;

/// Requests of the long history.
const REQUESTS_LEN: usize = 100_000;

/// So often the state goes from each module to the next one.
const EXCHANGE_EVERY: usize = 10_000;

/// The modules by language, if they are built.
fn modules() -> Option<Vec<(&'static str, PathBuf)>> {
    let replicas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../replicas");
    let languages = ["reference", "python", "javascript", "c"];
    let modules = languages.map(|language| (language, replicas.join(language).join("out/replica.wasm")));
    if let Some((language, _)) = modules.iter().find(|(_, path)| !path.exists()) {
        let words = format!("the {language} module is not built: run replicas/build");
        assert!(std::env::var_os("DSMS_TEST_LANGUAGES").is_none(), "{words}");
        eprintln!("SKIPPED: {words}, so no module of another language was tested");
        return None;
    }
    Some(modules.to_vec())
}

/// A command of the built binary, whose compiled modules are apart from the user's own.
fn dsms(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsms"));
    command.args(arguments).env("DSMS_CACHE_DIR", cache());
    command
}

fn cache() -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("module-cache");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&cache).unwrap();
    cache
}

#[test]
fn a_long_history_has_the_outcomes_and_states_of_the_reference_market_in_every_language() {
    let Some(modules) = modules() else { return };
    let engine = Engine::with_cache_dir(SandboxLimits::default(), Some(&cache())).unwrap();
    let loaded: Vec<(&str, LoadedModule)> =
        modules.iter().map(|(language, path)| (*language, engine.load_file(path).unwrap())).collect();
    let mut running: Vec<_> = loaded.iter().map(|(_, module)| module.instantiate().unwrap()).collect();
    let mut reference = NativeMarket::new();
    let requests = listings().chain(Mix::new(1, 1)).take(REQUESTS_LEN);
    for (place, request) in (1..).zip(requests) {
        let context = Context { sequence_number: place as u64, time_ms: 1_760_000_000_000 + place as u64 };
        let expected = reference.execute(context, &request).unwrap();
        for ((language, _), module) in loaded.iter().zip(&mut running) {
            let given = module.execute(context, &request);
            assert_eq!(given.as_ref(), Ok(&expected), "{language} at #{place} {request}");
        }
        if place % EXCHANGE_EVERY > 0 {
            continue;
        }
        let state = reference.export_state().unwrap();
        let exported: Vec<_> = running.iter_mut().map(|module| module.export_state().unwrap()).collect();
        for ((language, _), exported) in loaded.iter().zip(&exported) {
            assert_eq!(exported.digest(), state.digest(), "the state of {language} at #{place}");
        }
        // Each goes on, in a fresh instance, from what the one before it has exported.
        running = loaded.iter().map(|(_, module)| module.instantiate().unwrap()).collect();
        for (index, module) in running.iter_mut().enumerate() {
            let from = (index + 1) % exported.len();
            assert_eq!(module.import_state(&exported[from]).unwrap(), Ok(()), "{} imports", loaded[index].0);
        }
    }
}

#[test]
fn every_language_passes_the_check() {
    let Some(modules) = modules() else { return };
    for (language, path) in modules {
        let output = dsms(&["check", path.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{language}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_demo_keeps_its_promises_with_four_languages() {
    let Some(modules) = modules() else { return };
    let mut arguments = vec!["demo"];
    for (_, path) in &modules {
        arguments.extend(["--module", path.to_str().unwrap()]);
    }
    let output = dsms(&arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_faulty_rust_replica_is_replaced_by_a_python_spare_under_load() {
    let Some(modules) = modules() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (faulty, python) = (faulty_modules::faulty_module("trap"), &modules[1].1);
    let config = format!(
        "[[replica]]\nmodule = {:?}\n[[replica]]\nmodule = {faulty:?}\nspares = [{python:?}]\n[[replica]]\nmodule = {:?}\n",
        modules[2].1, modules[3].1
    );
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let cluster = harness::Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let script: String = listings().chain(Mix::new(2, 1)).take(2000).map(|request| format!("{request}\n")).collect();
    let answers = cluster.script(&script);
    assert!(answers.iter().all(|answer| answer["sequence"].is_u64()), "every request is answered");
    cluster.wait_for_log(&["replica-2", "replaces its module by a spare"]);
    cluster.equal_digest();
}
