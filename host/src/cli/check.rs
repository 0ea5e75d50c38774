//! `dsms check`: one module against the contract, without a cluster.
//!
//! It goes as far as the module lets it: the bytes, the imports and exports by name, an instance, the golden requests of
//! `tests/conformance` with a round trip of the state after each history.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::module::REFERENCE;
use super::output::say;
use crate::market::Digest;
use crate::sandbox::{
    CacheStatus, ContractReport, Engine, GoldenSummary, LoadError, LoadedModule, Origin, SandboxLimits,
    reference_module, run_golden,
};

/// Failures that are printed in full; the rest is counted. A module that answers everything wrongly fails every rule.
const FAILURES_SHOWN_MAX: usize = 10;

/// Check one module against the contract.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A .wasm file, or `reference` for the built-in module.
    module: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What was found out about one module, as far as the check came.
struct Findings {
    module: String,
    file_bytes: usize,
    digest: Digest,
    contract: Result<ContractReport, String>,
    loading: Option<Loading>,
    started: Option<Result<Started, String>>,
    golden: Option<GoldenSummary>,
}

struct Loading {
    origin: Origin,
    took_ms: f64,
    cache: CacheStatus,
}

struct Started {
    took_ms: f64,
    memory_bytes: u64,
}

/// Checks the module and prints what was found. Exit code 0 when it is good, 1 when it breaks the contract; an error (2) when
/// there is no module to check.
pub fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let engine = Engine::new(SandboxLimits::default())?;
    let findings = findings(&engine, &args.module)?;
    if args.json {
        say!("{}", findings.to_json());
    } else {
        print!("{}", findings.to_text());
    }
    Ok(if findings.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn findings(engine: &Engine, module: &Path) -> anyhow::Result<Findings> {
    let bytes = match module.to_str() {
        Some(REFERENCE) => reference_module().to_vec(),
        _ => engine.read_module(module)?,
    };
    let mut findings = Findings {
        module: module.display().to_string(),
        file_bytes: bytes.len(),
        digest: Digest::of_bytes(&bytes),
        contract: Err(String::new()),
        loading: None,
        started: None,
        golden: None,
    };
    let (loaded, took_ms) = timed(|| engine.load(&bytes));
    match loaded {
        Ok(loaded) => {
            findings.contract = Ok(loaded.report().clone());
            findings.loading = Some(Loading { origin: loaded.origin(), took_ms, cache: engine.cache_status().clone() });
            findings.run(&loaded);
        }
        Err(LoadError::Contract(report)) => findings.contract = Ok(*report),
        Err(other) => findings.contract = Err(other.to_string()),
    }
    Ok(findings)
}

impl Findings {
    fn run(&mut self, loaded: &LoadedModule) {
        let (instance, took_ms) = timed(|| loaded.instantiate());
        let started = instance.map(|instance| Started { took_ms, memory_bytes: instance.memory_bytes() });
        let started = started.map_err(|fault| fault.to_string());
        if started.is_ok() {
            self.golden = Some(run_golden(|| loaded.instantiate()));
        }
        self.started = Some(started);
    }

    fn is_good(&self) -> bool {
        let contract = self.contract.as_ref().is_ok_and(ContractReport::is_met);
        let golden = self.golden.as_ref().is_some_and(|golden| golden.failures.is_empty());
        contract && golden
    }

    fn to_text(&self) -> String {
        let mut text = Text(String::new());
        text.line(&format!("{}  {} bytes  blake3 {}", self.module, self.file_bytes, self.digest));
        match &self.contract {
            Err(words) => text.bad(words),
            Ok(report) => text.contract(report),
        }
        if let Some(loading) = &self.loading {
            text.good(&loading_words(loading));
        }
        match &self.started {
            None => {}
            Some(Ok(started)) => text.good(&format!(
                "an instance starts: {:.3} ms, {} KiB of memory",
                started.took_ms,
                started.memory_bytes / 1024
            )),
            Some(Err(words)) => text.bad(&format!("an instance does not start: {words}")),
        }
        if let Some(golden) = &self.golden {
            text.golden(golden);
        }
        let verdict =
            if self.is_good() { "good: it can run as a replica" } else { "not good: it cannot run as a replica" };
        text.line(verdict);
        text.0
    }

    fn to_json(&self) -> Value {
        json!({
            "module": self.module,
            "bytes": self.file_bytes,
            "digest": self.digest.to_string(),
            "good": self.is_good(),
            "contract": match &self.contract {
                Err(words) => json!({"met": false, "error": words}),
                Ok(report) => contract_json(report),
            },
            "load": self.loading.as_ref().map(|loading| json!({
                "from-cache": loading.origin == Origin::Cache,
                "milliseconds": loading.took_ms,
                "cache-off": match &loading.cache { CacheStatus::On(_) => None, CacheStatus::Off(why) => Some(why) },
            })),
            "instantiate": self.started.as_ref().map(|started| match started {
                Ok(started) => json!({"milliseconds": started.took_ms, "memory-bytes": started.memory_bytes}),
                Err(words) => json!({"error": words}),
            }),
            "golden": self.golden.as_ref().map(|golden| json!({
                "histories": golden.histories,
                "requests": golden.requests,
                "failures": golden.failures.iter().map(|failure| json!({
                    "rule": failure.rule,
                    "place": failure.place,
                    "requests": failure.requests,
                    "expected": failure.expected,
                    "given": failure.given,
                })).collect::<Vec<_>>(),
            })),
        })
    }
}

fn loading_words(loading: &Loading) -> String {
    let took_ms = loading.took_ms;
    match (loading.origin, &loading.cache) {
        (Origin::Cache, _) => format!("compiled code was in the cache: loaded in {took_ms:.1} ms"),
        (Origin::Compiled, CacheStatus::On(dir)) => {
            format!("compiled in {took_ms:.0} ms, and kept in {}", dir.display())
        }
        (Origin::Compiled, CacheStatus::Off(why)) => format!("compiled in {took_ms:.0} ms; not kept: {why}"),
    }
}

fn contract_json(report: &ContractReport) -> Value {
    json!({
        "met": report.is_met(),
        "exports": report.exports,
        "violations": report.violations.iter().map(|violation| violation.to_string()).collect::<Vec<_>>(),
        "ignored-exports": report.foreign_exports,
        "imports": report.imports.iter().map(|import| json!({
            "name": import.name,
            "refused": import.refused,
        })).collect::<Vec<_>>(),
    })
}

/// Lines with a mark in front that tells good from bad.
struct Text(String);

impl Text {
    fn line(&mut self, words: &str) {
        self.0.push_str(words);
        self.0.push('\n');
    }

    fn good(&mut self, words: &str) {
        self.line(&format!("✓ {words}"));
    }

    fn bad(&mut self, words: &str) {
        self.line(&format!("✗ {}", words.replace('\n', "\n  ")));
    }

    fn contract(&mut self, report: &ContractReport) {
        for name in &report.exports {
            self.good(&format!("exports {name}"));
        }
        for violation in &report.violations {
            self.bad(&violation.to_string());
        }
        for name in &report.foreign_exports {
            self.line(&format!("  exports {name}, which the contract does not know: ignored"));
        }
        for import in &report.imports {
            match &import.refused {
                None => self.good(&format!("imports {}", import.name)),
                Some(reason) => self.bad(&format!("imports {}: {reason}", import.name)),
            }
        }
    }

    fn golden(&mut self, golden: &GoldenSummary) {
        let GoldenSummary { histories, requests, failures } = golden;
        if failures.is_empty() {
            self.good(&format!(
                "{requests} golden requests in {histories} histories, each with a round trip of the state"
            ));
            return;
        }
        self.bad(&format!("{} of {histories} histories of golden requests:", failures.len()));
        for failure in failures.iter().take(FAILURES_SHOWN_MAX) {
            self.bad(&failure.to_string());
        }
        if failures.len() > FAILURES_SHOWN_MAX {
            self.line(&format!("  and {} more", failures.len() - FAILURES_SHOWN_MAX));
        }
    }
}

/// Milliseconds that something took, for people to read.
fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    #[expect(clippy::disallowed_methods, reason = "the time is printed, and nothing depends on it")]
    let began = std::time::Instant::now();
    let value = run();
    (value, began.elapsed().as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(module: &Path) -> Findings {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
        findings(&engine, module).unwrap()
    }

    #[test]
    fn the_reference_module_is_good() {
        let findings = check(Path::new(REFERENCE));
        assert!(findings.is_good(), "{}", findings.to_text());
        assert!(findings.to_text().contains("golden requests in"));
        assert_eq!(findings.to_json()["good"], true);
    }

    #[test]
    fn a_file_that_is_no_component_is_not_good() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\0asm\x01\0\0\0").unwrap();
        let findings = check(file.path());
        assert!(!findings.is_good());
        assert!(findings.to_text().contains("✗ this is a core WebAssembly module"), "{}", findings.to_text());
        assert_eq!(findings.to_json()["contract"]["met"], false);
    }

    #[test]
    fn what_a_component_lacks_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\0asm\x0d\0\x01\0").unwrap();
        let findings = check(file.path());
        assert!(findings.to_text().contains("✗ does not export the interface"), "{}", findings.to_text());
        assert_eq!(findings.to_json()["contract"]["violations"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
        let error = findings(&engine, Path::new("/no/such.wasm")).err().unwrap();
        assert!(format!("{error:#}").contains("/no/such.wasm"), "{error:#}");
    }
}
