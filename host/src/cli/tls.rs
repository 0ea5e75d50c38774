//! `dsms tls`: certificates for the client port, without a cluster.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::say;
use crate::runtime::clock::Clock;
use crate::runtime::tls_files::TlsDirectory;

/// Make certificates for the client port.
#[derive(Debug, Args)]
pub struct TlsArgs {
    #[command(subcommand)]
    command: TlsCommand,
}

#[derive(Debug, Subcommand)]
enum TlsCommand {
    Init(InitArgs),
}

/// Make a certificate for a front end, and a small authority that signs it.
///
/// Clients get ca.pem; a front end needs cert.pem and cert.key; ca.key signs further certificates and belongs to neither. The certificate is
/// good for two years, the authority for ten. Certificates from elsewhere do as well.
#[derive(Debug, Args)]
struct InitArgs {
    /// Where the files go.
    #[arg(long, value_name = "DIR", default_value = "keys/tls")]
    dir: PathBuf,
    /// The names and addresses by which clients reach the front end, with commas between them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "localhost,127.0.0.1")]
    names: Vec<String>,
    /// Replace the certificate that is there, by one of the same authority.
    #[arg(long)]
    renew: bool,
}

/// Runs the command.
pub fn run(args: TlsArgs) -> anyhow::Result<ExitCode> {
    let TlsCommand::Init(args) = args.command;
    let directory = TlsDirectory::at(&args.dir);
    let has_new_authority = directory.make(&args.names, args.renew, Clock::start().now())?;
    let [ca, cert, key] = ["ca.pem", "cert.pem", "cert.key"].map(|name| directory.file(name).display().to_string());
    say!("dsms: a certificate for {}; in dsms.toml under [clients]:", args.names.join(", "));
    say!("      tls = {{ cert = \"{cert}\", key = \"{key}\", ca = \"{ca}\" }}");
    let authority = if has_new_authority { "a new authority" } else { "the same authority as before" };
    say!("dsms: signed by {authority}; clients elsewhere need its certificate: --ca {ca}");
    Ok(ExitCode::SUCCESS)
}
