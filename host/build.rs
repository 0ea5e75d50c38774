//! Builds the reference module and hands its path to the host, which embeds it: `dsms up` works with nothing else at hand.
//! Lists the files that `dsms new` writes, which are embedded as well.
//!
//! The guest is built by a cargo of its own, for another target and with another profile. It writes to a directory under
//! OUT_DIR, since the outer target directory is locked while this script runs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "build/templates.rs"]
mod templates;

const PACKAGE: &str = "dsms-reference";
const LIBRARY: &str = "dsms_reference.wasm";
const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "guest";

fn main() {
    let workspace =
        Path::new(&variable("CARGO_MANIFEST_DIR")).parent().expect("the host lies in a workspace").to_owned();
    for source in ["replicas/reference/src", "replicas/reference/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");

    let table = PathBuf::from(variable("OUT_DIR")).join("templates.rs");
    if let Err(words) = templates::write(&workspace.join("replicas"), &table) {
        fail(&words);
    }

    if let Err(words) = ensure_target() {
        fail(&words);
    }
    let target_dir = PathBuf::from(variable("OUT_DIR")).join("guest");
    if let Err(words) = build_guest(&workspace.join("Cargo.toml"), &target_dir) {
        fail(&words);
    }
    let module = target_dir.join(TARGET).join(PROFILE).join(LIBRARY);
    assert!(module.is_file(), "cargo built {PACKAGE}, but {} is not there", module.display());
    println!("cargo::rustc-env=DSMS_REFERENCE_WASM={}", module.display());
}

/// Adds the guest's target where it is missing. rustup does not do so by itself when RUSTUP_AUTO_INSTALL is 0.
fn ensure_target() -> Result<(), String> {
    if target_is_installed() {
        return Ok(());
    }
    println!("cargo::warning=adding the target {TARGET}, which the reference module is built for");
    let added = clean_command("rustup").args(["target", "add", TARGET]).output();
    if added.is_ok_and(|output| output.status.success()) && target_is_installed() {
        return Ok(());
    }
    Err(format!("the Rust target {TARGET} is missing, and could not be added; type: rustup target add {TARGET}"))
}

fn target_is_installed() -> bool {
    let printed = clean_command(&variable("RUSTC")).args(["--print", "target-libdir", "--target", TARGET]).output();
    printed.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn build_guest(manifest: &Path, target_dir: &Path) -> Result<(), String> {
    let mut cargo = clean_command(&variable("CARGO"));
    cargo.args(["build", "--package", PACKAGE, "--lib", "--target", TARGET, "--profile", PROFILE, "--locked"]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(target_dir);
    let output = cargo.output().map_err(|error| format!("cannot start {:?}: {error}", cargo.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "the reference module does not build; type: cargo build -p {PACKAGE} --lib --target {TARGET} --profile {PROFILE}\n{}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A command that sees nothing of how the host is being built. Flags, wrappers (clippy is one) and target settings are
/// meant for the host; under them the guest would be built otherwise, or not at all.
fn clean_command(program: &str) -> Command {
    // Where cargo finds its registry and how it reaches it is the same for both.
    const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let of_the_build =
            ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTDOC", "CLIPPY"].iter().any(|word| name.starts_with(word));
        let of_the_target = ["TARGET", "HOST", "PROFILE", "OPT_LEVEL", "DEBUG", "NUM_JOBS", "OUT_DIR"].contains(&name);
        if (of_the_build || of_the_target) && !KEPT.iter().any(|word| name.starts_with(word)) {
            command.env_remove(name);
        }
    }
    command
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

/// Ends the build with words instead of a panic and its backtrace.
fn fail(words: &str) -> ! {
    for line in words.lines() {
        println!("cargo::error={line}");
    }
    std::process::exit(1);
}
