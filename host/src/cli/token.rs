//! `dsms token`: keys and tokens, without a cluster.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::output::{say, shell_word};
use crate::access::{EXPIRES_AT_MAX, PublicKey, SigningKey, Subject};
use crate::runtime::clock::Clock;
use crate::runtime::private_file::{FileError, write_private};
use crate::runtime::token_files::TokenDirectory;

/// Issue tokens, with which clients show for whom they may speak.
///
/// A token is one line of text, signed offline with the key of a directory, and good until it expires or its key is not accepted any more.
/// A front end that requires tokens has `auth = "required"` and the public keys that it accepts under [clients] in its dsms.toml.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    Init(InitArgs),
    Issue(IssueArgs),
}

#[derive(Debug, Args)]
struct DirectoryArgs {
    /// Where the keys are. Only `signing.key` in it is a secret: whoever has it can issue tokens.
    #[arg(long, value_name = "DIR", default_value = "keys/tokens")]
    dir: PathBuf,
}

/// Draw the key that signs tokens.
#[derive(Debug, Args)]
struct InitArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Draw another key in place of the one that is there. Tokens of the old one are good as long as a front end lists its public key.
    #[arg(long)]
    rotate: bool,
}

/// Issue a token for each id; the first time, draw the key as well.
#[derive(Debug, Args)]
struct IssueArgs {
    /// Admins such as NYKA1001, buyers such as NYKB1001, or `operator`, who may look at and change the cluster but speak for nobody.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Subject>,
    /// How long they are good, such as 12h, 30d or 52w.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_time)]
    expires: Duration,
    /// Write them to this new file, readable by its owner only, as --token-file wants it; otherwise they are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    directory: DirectoryArgs,
}

/// Runs the command.
pub fn run(args: TokenArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        TokenCommand::Init(args) => {
            let directory = TokenDirectory::at(&args.directory.dir);
            let old = if args.rotate { directory.signing_key()? } else { None };
            let key = directory.draw(args.rotate)?;
            tell_of_key(&directory, &key, old.map(|old| old.public()));
        }
        TokenCommand::Issue(args) => issue(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn issue(args: &IssueArgs) -> Result<(), FileError> {
    let directory = TokenDirectory::at(&args.directory.dir);
    let key = match directory.signing_key()? {
        Some(key) => key,
        None => {
            let key = directory.draw(false)?;
            tell_of_key(&directory, &key, None);
            key
        }
    };
    let now_s = Clock::start().now().as_millis() / 1000;
    let expires_at = now_s.saturating_add(args.expires.as_secs()).min(EXPIRES_AT_MAX);
    let tokens: String = args.ids.iter().map(|id| key.issue(*id, expires_at).to_text() + "\n").collect();
    match &args.out {
        Some(file) => write_private(file, &tokens),
        None => {
            say!("{}", tokens.trim_end());
            Ok(())
        }
    }
}

/// On standard error, since standard output is for tokens.
fn tell_of_key(directory: &TokenDirectory, key: &SigningKey, old: Option<PublicKey>) {
    let file = directory.public_key_file(key.public());
    eprintln!(
        "dsms: drew the key {}; its secret half is {}",
        key.public().id(),
        shell_word(&directory.signing_key_file())
    );
    if let Some(old) = old {
        let old_file = directory.public_key_file(old);
        eprintln!(
            "dsms: have front ends accept it: append its line to the file that their `token_keys` name already, and send them SIGHUP:"
        );
        eprintln!("      cat {} >> {}", shell_word(&file), shell_word(&old_file));
        eprintln!("dsms: take the line of {} out again when its tokens are not to be good any more", old.id());
        return;
    }
    eprintln!("dsms: have front ends accept it, in dsms.toml under [clients]:");
    eprintln!("      auth = \"required\"");
    eprintln!("      token_keys = [\"{}\"]", file.display());
}

/// A number and its unit: s, min, h, d, w.
fn parse_time(text: &str) -> Result<Duration, String> {
    let number_len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(number_len);
    let unit_s = match unit {
        "s" => Some(1),
        "min" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let number = number.parse::<u32>().ok().filter(|number| *number > 0);
    let time = number.zip(unit_s).map(|(number, unit_s)| Duration::from_secs(u64::from(number) * unit_s));
    time.ok_or_else(|| "expected a number with its unit (s, min, h, d, w), such as 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        for (text, expected_s) in [("90s", 90), ("5min", 300), ("12h", 43_200), ("30d", 2_592_000), ("52w", 31_449_600)]
        {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(expected_s)));
        }
        for text in ["", "30", "d", "0d", "-1d", "30 d", "30days", "1.5h", "4294967296d", "é"] {
            assert!(parse_time(text).is_err(), "{text:?}");
        }
    }
}
