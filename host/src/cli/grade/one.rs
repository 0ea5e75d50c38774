//! `dsms grade-one`: what `dsms grade` runs for each module. It tells of each part of the examination as a line of JSON.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::module::{REFERENCE, read_module};
use crate::cli::output::say;
use crate::grading::{Settings, examine_one};
use crate::market::Digest;
use crate::sandbox::{Engine, SandboxLimits, reference_module};

/// Examine one module for `dsms grade`.
#[derive(Args, Debug)]
pub struct OneArgs {
    module: PathBuf,
    #[arg(long)]
    digest: String,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    time: u64,
    #[arg(long)]
    requests: u32,
}

/// Examines the module. Exit code 0; an error (2) if it cannot be read.
pub fn run(args: OneArgs) -> anyhow::Result<ExitCode> {
    end_with_parent();
    let engine = Engine::new(SandboxLimits::default())?;
    let bytes = read_module(&engine, &args.module)?;
    if Digest::of_bytes(&bytes).to_string() != args.digest {
        bail!("{} has changed since the grading began", args.module.display());
    }
    let settings = Settings { seed: args.seed, time_s: args.time, requests: args.requests };
    let name = args.module.display().to_string();
    examine_one(&engine, &name, &bytes, &settings, &mut |part| {
        say!("{}", serde_json::to_string(&part).expect("a part is made of tables, numbers and text"));
    });
    Ok(ExitCode::SUCCESS)
}

/// Nobody reads what this process finds out once the grading has ended. And if memory runs out, it is this process that the kernel ends,
/// and not the grading or anything else of the machine.
fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        let _goes_on = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        let _as_others = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
}

/// The digest of a file of any size, or of the built-in module.
pub fn digest(path: &Path) -> anyhow::Result<String> {
    if path.to_str() == Some(REFERENCE) {
        return Ok(Digest::of_bytes(reference_module()).to_string());
    }
    let unreadable = || format!("cannot read the module {}; name .wasm files, or `{REFERENCE}`", path.display());
    // Only a file ends: a pipe might never.
    if !std::fs::metadata(path).with_context(unreadable)?.is_file() {
        bail!("{} is no file; name .wasm files, or `{REFERENCE}`", path.display());
    }
    let mut file = File::open(path).with_context(unreadable)?;
    let mut copied = Ok(0);
    let digest = Digest::of_text(|text| {
        copied = io::copy(&mut file, text);
        Ok(())
    });
    copied.with_context(unreadable)?;
    Ok(digest.to_string())
}
