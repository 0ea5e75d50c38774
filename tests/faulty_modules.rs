//! The modules of `replicas/faulty`, built for the tests that run them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The built component of `replicas/faulty/<how>`. The first call builds them all.
pub fn faulty_module(how: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(build_faulty_modules);
    let module = directory.join(format!("faulty_{}.wasm", how.replace('-', "_")));
    assert!(module.is_file(), "there is no {}", module.display());
    module
}

fn build_faulty_modules() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = workspace.join("target/faulty");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--locked",
        "--target",
        "wasm32-wasip2",
        "--profile",
        "guest",
        "-p",
        "faulty-*",
        "--manifest-path",
    ]);
    cargo.arg(workspace.join("Cargo.toml")).arg("--target-dir").arg(&target);
    // What is said about the build of the tests is not meant for the modules.
    for (name, _) in std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
        let of_the_build = ["CARGO_ENCODED_", "CARGO_PKG_", "CARGO_MANIFEST_", "RUSTFLAGS", "RUSTC_", "CARGO_TARGET_"];
        if of_the_build.iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("wasm32-wasip2/guest")
}
