//! `dsms backup` and `dsms restore`: what was ordered, as one file, and a cluster that goes on from there.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::config::DATA_DIRECTORY;
use crate::market::Digest;
use crate::runtime::data;
use crate::runtime::directory::ClusterDirectory;
use crate::storage::backup::{self, Backup, Taken};
use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

use super::output::say;

/// Write what was ordered into one file: the last certified checkpoint, and the orders after it.
///
/// The cluster may be running or not; nothing is changed. Of the replicas whose data is on this machine, the one that has most is read.
/// Everything that a client was answered before is in the file, if the data of all replicas is here.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The data directory; that of the cluster which runs in this directory otherwise, or .dsms/data.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
}

/// Make a data directory from a backup, for `dsms up` to go on with.
///
/// The file has to verify: its digest, the checksum of every record, the checkpoint against its certificate, and the orders without a gap. The
/// directory must not be there; a cluster that is running is never changed. The mode and the number of replicas are those of the backup.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A file that `dsms backup` has written.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data directory to make.
    #[arg(long, value_name = "DIR", default_value = DATA_DIRECTORY)]
    data: PathBuf,
    /// Only verify the file, and say what it holds.
    #[arg(long)]
    verify: bool,
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
}

/// Runs `dsms backup`.
pub fn run(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let Taken { replica, backup, damage } = backup::take(&data_directory(args.data)?)?;
    for words in damage {
        eprintln!("dsms: {words}");
    }
    let bytes = backup.encode();
    let rule = Rule { existing: Existing::Kept, outlives: Outlives::PowerCuts, readers: Readers::Owner };
    whole_file::write(&args.out, &bytes, rule).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{} exists already, and is left as it is; give another file with --out", args.out.display())
        }
        _ => anyhow::Error::new(error).context(format!("cannot write {}", args.out.display())),
    })?;
    let file = args.out.display();
    tell(&format!("{file}: from {replica}"), &backup, &bytes, args.json);
    Ok(ExitCode::SUCCESS)
}

/// Runs `dsms restore`.
pub fn restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let file = args.file.display();
    let bytes = fs::read(&args.file).with_context(|| format!("cannot read {file}"))?;
    let backup =
        Backup::decode(&bytes).map_err(anyhow::Error::msg).with_context(|| format!("{file} is not restored"))?;
    if args.verify {
        tell(&format!("{file} verifies"), &backup, &bytes, args.json);
        return Ok(ExitCode::SUCCESS);
    }
    backup.restore(&args.data, data::draw_cluster_id()?)?;
    let data = args.data.display();
    tell(&format!("{data}: restored from {file}"), &backup, &bytes, args.json);
    Ok(ExitCode::SUCCESS)
}

fn data_directory(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named);
    }
    match ClusterDirectory::within(".".as_ref()).running() {
        Ok(config) => match config.data {
            Some(data) => Ok(data.directory),
            None => anyhow::bail!(
                "the cluster of this directory keeps nothing, so there is nothing to back up; start it without --ephemeral"
            ),
        },
        // It has ended, or was never there; its data says which.
        Err(_) => Ok(PathBuf::from(DATA_DIRECTORY)),
    }
}

fn tell(what: &str, backup: &Backup, bytes: &[u8], as_json: bool) {
    let (base, end) = (backup.base().0, backup.end().0);
    let digest = Digest::of_bytes(bytes);
    if as_json {
        let object = json!({
            "checkpoint": base, "last": end, "bytes": bytes.len(), "digest": digest.to_string(),
            "wrong": backup.tolerance.wrong, "crashed": backup.tolerance.crashed, "replicas": backup.replicas_len,
        });
        return say!("{object}");
    }
    let from = if base == 0 { "the empty market".to_owned() } else { format!("the checkpoint after #{base}") };
    let (replicas_len, tolerance) = (backup.replicas_len, backup.tolerance);
    say!(
        "{what}: {from} and the orders up to #{end}, of {replicas_len} replicas in mode {tolerance}; {} bytes, digest {}",
        bytes.len(),
        digest.short()
    );
}
