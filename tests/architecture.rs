//! Which way the arrows point: every file of `host/src` imports only what its place in the tree allows.

use std::fs;
use std::path::{Path, PathBuf};

/// For each part of the crate: the other parts, and the crates besides `std`, that it may import.
const ALLOWED: [(&str, &[&str], &[&str]); 13] = [
    ("market", &[], &["serde", "serde_json", "blake3"]),
    ("protocol", &["market"], &["serde"]),
    ("access", &["market", "protocol"], &["ring", "blake3", "thiserror"]),
    (
        "sandbox",
        &["market", "whole_file"],
        &["wasmtime", "wasmtime_wasi", "blake3", "thiserror", "rustix", "rand_core", "bytes", "serde_json"],
    ),
    ("storage", &["market", "protocol"], &["blake3", "thiserror", "rustix"]),
    ("whole_file.rs", &[], &["rustix"]),
    ("native.rs", &["market"], &["dsms_reference"]),
    ("workload.rs", &["market"], &["rand_pcg", "rand_core"]),
    (
        "simulation",
        &["market", "protocol", "native", "storage"],
        &["serde", "serde_json", "toml", "thiserror", "blake3", "rand_pcg", "rand_core"],
    ),
    (
        "conformance",
        &["market", "protocol", "sandbox", "simulation", "native", "workload"],
        &["serde", "serde_json", "blake3", "rand_pcg", "rand_core"],
    ),
    (
        "grading",
        &["market", "protocol", "sandbox", "simulation", "native", "workload", "conformance", "whole_file"],
        &["serde", "serde_json", "tokio", "thiserror"],
    ),
    ("config", &["protocol", "storage"], &["toml", "thiserror", "serde"]),
    (
        "runtime",
        &["market", "protocol", "sandbox", "config", "storage", "access", "whole_file"],
        &[
            "tokio",
            "tokio_util",
            "tokio_rustls",
            "rcgen",
            "bytes",
            "thiserror",
            "getrandom",
            "serde",
            "rustix",
            "rand_pcg",
            "rand_core",
        ],
    ),
];

/// The one file of `protocol/` that may import one crate more.
const WIRE: (&str, &str) = ("protocol/wire.rs", "bincode");

/// The one file of `protocol/` that names blake3.
const SECRET: &str = "protocol/secret.rs";

#[test]
fn every_import_follows_the_arrows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut checked = 0;
    for file in rust_files(&source) {
        let place = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let Some((_, parts, crates)) =
            ALLOWED.iter().find(|(part, ..)| place == *part || place.starts_with(&format!("{part}/")))
        else {
            assert!(
                place.starts_with("cli/") || ["lib.rs", "main.rs"].contains(&&*place),
                "{place} has no place in the tree"
            );
            continue;
        };
        checked += 1;
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let is_test = place.contains("tests") || place.contains("harness");
        let own = place.split('/').next().unwrap().trim_end_matches(".rs");
        for (number, line) in production.lines().enumerate() {
            for path in crate_paths(line) {
                assert!(
                    path == own || parts.contains(&path) || is_test,
                    "{place}:{}: {own} must not know crate::{path}",
                    number + 1
                );
            }
            if let Some(name) = imported_crate(line) {
                let allowed = ["std", "crate", "super", "self"].contains(&name)
                    || crates.contains(&name)
                    || (&*place, name) == WIRE
                    || (is_test && name == "proptest")
                    || is_submodule(&file, name)
                    || name.starts_with(char::is_uppercase);
                assert!(allowed, "{place}:{}: {own} must not import the crate {name}", number + 1);
            }
        }
    }
    assert!(checked > 40, "only {checked} files were found: does this test look in the right place?");
}

#[test]
fn wasmtime_is_named_in_the_sandbox_alone_and_in_the_protocol_bincode_and_blake3_in_one_file_each() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        let place = file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        assert!(place.starts_with("sandbox/") || !text.contains("wasmtime::"), "{place} names wasmtime");
        assert!(place == WIRE.0 || !text.contains("bincode::"), "{place} names bincode");
        let may_hash = !place.starts_with("protocol/") || place == SECRET;
        assert!(may_hash || !text.contains("blake3::"), "{place} names blake3");
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether a file has a submodule of this name.
fn is_submodule(file: &Path, name: &str) -> bool {
    let directory = if file.ends_with("mod.rs") { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    directory.join(name).is_dir() || directory.join(format!("{name}.rs")).is_file()
}

/// The parts of the crate that a line names, `crate::part::…`; comments name what they like.
fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or("");
    code.match_indices("crate::").map(|(start, prefix)| {
        let rest = &code[start + prefix.len()..];
        &rest[..rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())]
    })
}

/// The crate that a `use` line imports.
fn imported_crate(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let path = line.strip_prefix("use ").or_else(|| line.strip_prefix("pub use "))?;
    path.split([':', ';', ' ']).next()
}
