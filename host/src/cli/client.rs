//! `dsms client`: one request, or a file of them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use crate::market::{Answer, exit_code};
use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use crate::runtime::client::{Cause, ClientError};

use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;

/// Longest line of a script, in bytes. A request takes less than two hundred.
const LINE_LEN_MAX: u64 = 16 * 1024;

/// How many requests of a script are sent ahead of their answers.
const AHEAD_LEN_MAX: usize = IN_FLIGHT_PER_CLIENT_MAX / 2;

/// Send one request to the cluster, or a file of them
///
/// Operations and their arguments:
///
///   add-share SHARE-ID TYPE CAPACITY        remove-share SHARE-ID TYPE
///   list-share-availability TYPE            purchase-share SHARE-ID TYPE COUNT
///   get-shares                              sell-share SHARE-ID COUNT
///   swap-shares OLD-ID OLD-TYPE NEW-ID NEW-TYPE
///
/// Exit code of a single request: 0 success, 1 refused by the market, 2 no answer, 64 bad request.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ClientArgs {
    /// Who asks: an admin id such as NYKA1001, or a buyer id such as NYKB1001.
    #[arg(long = "as", value_name = "CALLER", required_unless_present = "script", conflicts_with = "script")]
    caller: Option<String>,
    /// For which buyer; the caller, unless an admin asks.
    #[arg(long, value_name = "ID", conflicts_with = "script")]
    buyer: Option<String>,
    /// Read requests from a file, one a line as CALLER OPERATION ARGS… [--buyer ID]; - for standard input.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Print answers as JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// The operation and its arguments.
    #[arg(
        value_name = "OPERATION ARGS",
        allow_negative_numbers = true,
        required_unless_present = "script",
        conflicts_with = "script"
    )]
    words: Vec<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: ClientArgs) -> anyhow::Result<ExitCode> {
    match &args.script {
        Some(script) => {
            let lines: Box<dyn BufRead + Send> = if script.as_os_str() == "-" {
                Box::new(BufReader::new(std::io::stdin()))
            } else {
                let file =
                    File::open(script).with_context(|| format!("cannot read the script {}", script.display()))?;
                Box::new(BufReader::new(file))
            };
            block_on(run_script(&args, lines))
        }
        None => block_on(run_single(&args)),
    }
}

/// The words of one request in the order of the grammar: caller, operation, arguments, buyer.
fn request_words(caller: &str, words: &[String], buyer: Option<&str>) -> Vec<String> {
    let buyer = buyer.map(|buyer| ["--buyer".to_owned(), buyer.to_owned()]);
    [caller.to_owned()].into_iter().chain(words.iter().cloned()).chain(buyer.into_iter().flatten()).collect()
}

async fn run_single(args: &ClientArgs) -> anyhow::Result<ExitCode> {
    let words = request_words(args.caller.as_deref().unwrap_or(""), &args.words, args.buyer.as_deref());
    let answered = match args.connect.client().await {
        Ok(mut client) => {
            let body = client.call(|number| ClientMessage::Request { number, words }).await;
            body.map_err(anyhow::Error::new)
        }
        Err(error) => Err(error),
    };
    match answered {
        Ok(ServerBody::Answer(answer)) => {
            print_answer(&mut std::io::stdout(), &answer, args.json)?;
            Ok(ExitCode::from(answer.exit_code()))
        }
        Ok(other) => Err(unexpected(&other)),
        Err(error) if args.json => {
            say!("{}", error_json(&error));
            Ok(ExitCode::from(exit_code::NO_ANSWER))
        }
        Err(error) => Err(error),
    }
}

/// Sends the lines in order over one connection, several ahead of their answers, and prints the answers in the same order, each
/// as soon as it is there.
async fn run_script(args: &ClientArgs, lines: impl BufRead + Send + 'static) -> anyhow::Result<ExitCode> {
    let mut client = args.connect.client().await?;
    let (lines_out, mut lines_in) = mpsc::channel(AHEAD_LEN_MAX);
    // Reading may wait for a person or a pipe, so it has a thread of its own; it ends with the process.
    std::thread::spawn(move || read_script(lines, &lines_out));
    let mut sent_lines: VecDeque<u64> = VecDeque::new();
    let mut at_end = false;
    while !at_end || !sent_lines.is_empty() {
        tokio::select! {
            line = lines_in.recv(), if !at_end && sent_lines.len() < AHEAD_LEN_MAX => match line {
                Some(line) => {
                    let (line_number, words) = line?;
                    client.send(|number| ClientMessage::Request { number, words });
                    sent_lines.push_back(line_number);
                }
                None => at_end = true,
            },
            body = client.next_in_order(), if !sent_lines.is_empty() => {
                let line_number = sent_lines.pop_front().expect("the branch is for lines that were sent");
                match body.with_context(|| format!("line {line_number} of the script was not answered"))? {
                    ServerBody::Answer(answer) => print_answer(&mut std::io::stdout(), &answer, args.json)?,
                    other => return Err(unexpected(&other)),
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A request of a script: the number of its line, and its words.
type ScriptLine = anyhow::Result<(u64, Vec<String>)>;

/// Reads a script to its end, or until nobody wants its lines any more.
fn read_script(mut lines: impl BufRead, requests: &mpsc::Sender<ScriptLine>) {
    let mut line = Vec::new();
    for line_number in 1.. {
        line.clear();
        let read = Read::take(&mut lines, LINE_LEN_MAX).read_until(b'\n', &mut line);
        let is_cut = line.len() as u64 == LINE_LEN_MAX && line.last() != Some(&b'\n');
        let read = read.and_then(|len| if is_cut { lines.skip_until(b'\n').map(|_| len) } else { Ok(len) });
        let request = match read {
            Ok(0) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                if text.trim().is_empty() || text.trim_start().starts_with('#') {
                    continue;
                }
                Ok((line_number, text.split_whitespace().map(str::to_owned).collect()))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read line {line_number} of the script")),
        };
        let is_error = request.is_err();
        if requests.blocking_send(request).is_err() || is_error {
            return;
        }
    }
}

fn print_answer(out: &mut impl Write, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let printed = if json { writeln!(out, "{}", answer.to_json()) } else { writeln!(out, "{answer}") };
    printed.context("cannot write to standard output")
}

/// The JSON form of having no answer at all.
fn error_json(error: &anyhow::Error) -> serde_json::Value {
    let error_of_client = error.downcast_ref::<ClientError>();
    let kind = match (error_of_client, error_of_client.and_then(ClientError::shared_cause)) {
        (Some(ClientError::TimedOut { .. }), _) => "timed-out",
        (_, Some(Cause::Refused)) => "refused",
        (_, Some(Cause::NotSecured)) => "not-secured",
        _ => "unreachable",
    };
    json!({"error": kind, "message": format!("{error:#}")})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(script: &[u8]) -> Vec<(u64, Vec<String>)> {
        let (lines_out, mut lines_in) = mpsc::channel(script.len() + 1);
        read_script(script, &lines_out);
        std::iter::from_fn(|| lines_in.try_recv().ok()).map(|line| line.unwrap()).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_read() {
        let long = "x".repeat(3 * LINE_LEN_MAX as usize);
        let lines = lines_of(format!("# a comment\n\n{long}\nNYKB1001 get-shares").as_bytes());
        assert_eq!(lines.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(lines[0].1[0].len() as u64, LINE_LEN_MAX);
        assert_eq!(lines[1].1, ["NYKB1001", "get-shares"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_script_is_read_to_its_end(script in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n')], 0..300)) {
            for (number, words) in lines_of(&script) {
                prop_assert!(number <= script.len() as u64 && !words.is_empty());
            }
        }
    }
}
