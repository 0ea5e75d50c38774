//! The command line: one file a command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod backup;
mod bench;
mod check;
mod client;
mod connect;
mod demo;
mod digest;
mod fault;
mod grade;
mod here;
mod incident;
mod init;
mod keys;
mod ledger;
mod log;
mod module;
mod new;
mod node;
mod output;
mod ps;
mod replay;
mod sh;
mod shrink;
mod sim;
mod status;
mod swap;
mod tls;
mod token;
mod up;
mod watch;
mod why;

/// Exit code of every error that is not a bad command line: what, where and the next command to type are on standard error.
const ERROR_EXIT: u8 = 2;

/// Exit code of a command line that cannot be understood.
const USAGE_EXIT: u8 = 64;

/// A WebAssembly-plugin replica host for the Distributed Share Market System.
///
/// `dsms up` starts a cluster on this machine; `dsms sh` talks to it. `dsms demo` shows in 20 seconds what it is about.
#[derive(Debug, Parser)]
#[command(name = "dsms", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::UpArgs),
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Keys(keys::KeysArgs),
    Node(node::NodeArgs),
    Client(client::ClientArgs),
    Sh(sh::ShArgs),
    Ps(ps::PsArgs),
    Status(status::StatusArgs),
    Why(why::WhyArgs),
    Shrink(shrink::ShrinkArgs),
    Log(log::LogArgs),
    Ledger(ledger::LedgerArgs),
    Digest(digest::DigestArgs),
    Swap(swap::SwapArgs),
    Fault(fault::FaultArgs),
    Token(token::TokenArgs),
    Tls(tls::TlsArgs),
    New(new::NewArgs),
    Check(check::CheckArgs),
    Grade(grade::GradeArgs),
    #[command(hide = true)]
    GradeOne(grade::one::OneArgs),
    Watch(watch::WatchArgs),
    Sim(sim::SimArgs),
    Replay(replay::ReplayArgs),
    Bench(bench::BenchArgs),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
}

/// Runs the command of this process's command line.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are no mistakes.
            let code = if usage.use_stderr() { USAGE_EXIT } else { 0 };
            let _nobody_reads = usage.print();
            return ExitCode::from(code);
        }
    };
    let ended = match cli.command {
        Command::Up(args) => up::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Init(args) => init::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Node(args) => node::run(args),
        Command::Client(args) => client::run(args),
        Command::Sh(args) => sh::run(args),
        Command::Ps(args) => ps::run(args),
        Command::Status(args) => status::run(args),
        Command::Why(args) => why::run(args),
        Command::Shrink(args) => shrink::run(args),
        Command::Log(args) => log::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Digest(args) => digest::run(args),
        Command::Swap(args) => swap::run(args),
        Command::Fault(args) => fault::run(args),
        Command::Token(args) => token::run(args),
        Command::Tls(args) => tls::run(args),
        Command::New(args) => new::run(args),
        Command::Check(args) => check::run(args),
        Command::Grade(args) => grade::run(args),
        Command::GradeOne(args) => grade::one::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Restore(args) => backup::restore(args),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("dsms: {error:#}");
        ExitCode::from(ERROR_EXIT)
    })
}

/// A runtime for one command: everything of it on this thread.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use proptest::prelude::*;

    use super::*;

    /// Words that lead somewhere, so that more than the name of the command is tried.
    const WORDS: [&str; 62] = [
        "up",
        "demo",
        "node",
        "init",
        "keys",
        "rotate",
        "--nodes",
        "front-end=[::1]:1,sequencer=[::1]:2",
        "--clients",
        "client",
        "sh",
        "ps",
        "status",
        "backup",
        "restore",
        "--check",
        "why",
        "shrink",
        "swap",
        "log",
        "ledger",
        "verify",
        "show",
        "--earlier",
        "digest",
        "fault",
        "new",
        "check",
        "grade",
        "watch",
        "bench",
        "token",
        "tls",
        "issue",
        "operator",
        "--token-file",
        "add",
        "ls",
        "rm",
        "all",
        "replica-1",
        "front-end",
        "delay",
        "--as",
        "--lang",
        "rust",
        "--by",
        "--for",
        "--rate",
        "--count",
        "--mode",
        "--module",
        "--timeout",
        "--connect",
        "--json",
        "300ms",
        "5%",
        "18446744073709551616",
        "-1",
        "[::1]:0",
        "--",
        "--help",
    ];

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => r"\PC{0,12}"]
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_arguments_are_a_command_or_a_usage_error(arguments in prop::collection::vec(word(), 0..9)) {
            if let Err(usage) = Cli::try_parse_from(["dsms".to_owned()].into_iter().chain(arguments)) {
                prop_assert!(!usage.to_string().is_empty());
            }
        }
    }
}
