//! `dsms client`: one request, or a file of them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::market::{Answer, exit_code};
use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::protocol::limits::IN_FLIGHT_PER_CLIENT_MAX;
use crate::runtime::client::{Client, ClientError};

use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;

/// Longest line of a script, in bytes. A request takes less than two hundred.
const LINE_LEN_MAX: u64 = 16 * 1024;

/// Send one request to the cluster, or a file of them.
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
            let lines: Box<dyn BufRead> = if script.as_os_str() == "-" {
                Box::new(std::io::stdin().lock())
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

/// Sends the lines in order over one connection, several ahead of their answers, and prints the answers in the same order.
async fn run_script(args: &ClientArgs, mut lines: impl BufRead) -> anyhow::Result<ExitCode> {
    let mut client = args.connect.client().await?;
    let mut out = std::io::stdout();
    let mut lines_in_flight: VecDeque<u64> = VecDeque::new();
    let mut line_number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read_len = std::io::Read::take(&mut lines, LINE_LEN_MAX).read_until(b'\n', &mut line);
        if read_len.with_context(|| format!("cannot read line {} of the script", line_number + 1))? == 0 {
            break;
        }
        line_number += 1;
        if line.len() as u64 == LINE_LEN_MAX && line.last() != Some(&b'\n') {
            lines.skip_until(b'\n').context("cannot read the script")?;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if lines_in_flight.len() >= IN_FLIGHT_PER_CLIENT_MAX / 2 {
            print_next(&mut client, &mut lines_in_flight, &mut out, args.json).await?;
        }
        let words = text.split_whitespace().map(str::to_owned).collect();
        client.send(|number| ClientMessage::Request { number, words });
        lines_in_flight.push_back(line_number);
    }
    while !lines_in_flight.is_empty() {
        print_next(&mut client, &mut lines_in_flight, &mut out, args.json).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn print_next(
    client: &mut Client,
    lines_in_flight: &mut VecDeque<u64>,
    out: &mut impl Write,
    json: bool,
) -> anyhow::Result<()> {
    let line = *lines_in_flight.front().expect("the caller has sent a line");
    let body = client.next_in_order().await.with_context(|| format!("line {line} of the script was not answered"))?;
    lines_in_flight.pop_front();
    match body {
        ServerBody::Answer(answer) => print_answer(out, &answer, json),
        other => Err(unexpected(&other)),
    }
}

fn print_answer(out: &mut impl Write, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let printed = if json { writeln!(out, "{}", answer.to_json()) } else { writeln!(out, "{answer}") };
    printed.context("cannot write to standard output")
}

/// The JSON form of having no answer at all.
fn error_json(error: &anyhow::Error) -> serde_json::Value {
    let kind = match error.downcast_ref::<ClientError>() {
        Some(ClientError::TimedOut { .. }) => "timed-out",
        _ => "unreachable",
    };
    json!({"error": kind, "message": format!("{error:#}")})
}
