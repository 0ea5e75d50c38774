//! `dsms why`: what happened at one place of the order.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::protocol::client_message::{ClientMessage, ServerBody, WhyAnswer};
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::ledger::{Conclusion, Record};
use crate::protocol::message::{Command, Response};
use crate::protocol::time::Instant;
use crate::runtime::client::Client;

use super::connect::{ConnectArgs, block_on, status_of, unexpected};
use super::output::say;

/// Begins the further lines of an outcome, below its first.
const CONTINUED: &str = "\n                             ";

/// Exit code when the place is not in the ledger.
const NOT_RECORDED_EXIT: u8 = 1;

/// Show what happened to one request: what was asked, each replica's outcome and time, what was released when and why.
///
/// Exit code 0, or 1 when the ledger does not hold that place (any more).
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The request's sequence number, as its answer gave it.
    sequence: u64,
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: WhyArgs) -> anyhow::Result<ExitCode> {
    let (why, quorum) = block_on(ask(&args))?;
    match why {
        WhyAnswer::Recorded { record, events } => {
            if args.json {
                let mut json = record_json(&record, Some(quorum));
                json["events"] = events.iter().map(event_json).collect();
                say!("{json}");
            } else {
                print_record(&record, quorum);
                for event in &events {
                    say!("  {:<11} {:>11}  {}", event.node.to_string(), after(&record, event.at), event.event);
                }
                if is_request(&record) && replies_differ(&record) {
                    let connect = args.connect.connect_word();
                    let elsewhere = connect.map_or_else(String::new, |names| format!(" --connect {names}"));
                    say!("  shrink it to the fewest requests: dsms shrink {}{elsewhere}", args.sequence);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        WhyAnswer::NotRecorded { first, last } => {
            let message = not_recorded_words(args.sequence, first, last);
            if args.json {
                say!("{}", json!({"sequence": args.sequence, "error": "not-recorded", "message": message}));
            } else {
                say!("#{} is not recorded: {message}", args.sequence);
            }
            Ok(ExitCode::from(NOT_RECORDED_EXIT))
        }
    }
}

/// What is recorded, and how many equal outcomes release. A front end knows only of what it has submitted itself, so one is asked after the
/// other until one knows what was asked.
async fn ask(args: &WhyArgs) -> anyhow::Result<(WhyAnswer, usize)> {
    let mut clients = args.connect.clients().await?;
    let (why, client) = first_to_know(&mut clients, args.sequence).await?;
    let status = status_of(client).await?;
    Ok((why, status.wrong + 1))
}

/// What the first of these front ends says that knows what was asked there; if none does, what is told by the one that knows most.
pub(super) async fn first_to_know(clients: &mut [Client], sequence: u64) -> anyhow::Result<(WhyAnswer, &mut Client)> {
    let mut best: Option<(WhyAnswer, usize)> = None;
    let mut failed = None;
    for (place, client) in clients.iter_mut().enumerate() {
        let why = match client.call(|number| ClientMessage::Why { number, sequence }).await {
            Ok(ServerBody::Why(why)) => why,
            Ok(other) => return Err(unexpected(&other)),
            // It has ended meanwhile; another one may know.
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        if best.as_ref().is_none_or(|(best, _)| knowledge(best) < knowledge(&why)) {
            best = Some((why, place));
        }
        if best.as_ref().is_some_and(|(best, _)| knowledge(best) == Knowledge::All) {
            break;
        }
    }
    match (best, failed) {
        (Some((why, place)), _) => Ok((why, &mut clients[place])),
        (None, error) => Err(error.expect("there is one client at least").into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Knowledge {
    Nothing,
    /// Replies, or none.
    NotWhatWasAsked,
    All,
}

fn knowledge(why: &WhyAnswer) -> Knowledge {
    match why {
        WhyAnswer::Recorded { record, .. } if record.asked.is_some() => Knowledge::All,
        WhyAnswer::Recorded { .. } => Knowledge::NotWhatWasAsked,
        WhyAnswer::NotRecorded { .. } => Knowledge::Nothing,
    }
}

/// Why there is nothing about a place, if the ledger holds these.
fn not_recorded_words(sequence: u64, first: u64, last: u64) -> String {
    let held = format!("the ledger of the front end holds {first} to {last}");
    match last {
        0 => "nothing was ordered yet".to_owned(),
        _ if sequence > last => format!("the last place that the front end has heard of is {last}"),
        _ if sequence < first => format!("{held}, earlier places were removed to make room"),
        _ => format!("{held}, without those of which nothing was written before a process ended"),
    }
}

fn is_request(record: &Record) -> bool {
    record.asked.is_some_and(|asked| matches!(asked.command, Command::Request(_)))
}

/// Whether replicas gave different outcomes, or one of them failed.
pub(super) fn replies_differ(record: &Record) -> bool {
    let mut replies = record.replies.iter().flatten();
    let first = replies.next();
    let is_fault = first.is_some_and(|first| first.outcome().is_none());
    is_fault || replies.any(|reply| Some(&reply.response) != first.map(|first| &first.response))
}

/// An event as `dsms log --json` prints it.
pub(super) fn event_json(record: &EventRecord) -> Value {
    json!({
        "index": record.index,
        "at_ms": record.at.as_millis(),
        "node": record.node.to_string(),
        "kind": record.event.kind(),
        "replica": record.event.replica().map(|replica| replica.to_string()),
        "sequence": record.event.sequence().map(|sequence| sequence.0),
        "message": record.event.to_string(),
    })
}

/// Milliseconds from the request's submission to `at`.
fn ms_after(record: &Record, at: Instant) -> Option<f64> {
    record.asked.map(|asked| at.since(asked.submitted_at).as_secs_f64() * 1000.0)
}

fn after(record: &Record, at: Instant) -> String {
    ms_after(record, at).map_or_else(|| "    ?    ".to_owned(), |ms| format!("+{ms:.3} ms"))
}

pub(super) fn response_words(response: &Response, sequence: SequenceNumber) -> String {
    match response {
        Response::Executed { first, outcome } if *first == sequence => outcome.to_string(),
        Response::Executed { first, outcome } => format!("{outcome} (as executed first at #{first})"),
        Response::StateDigest(digest) => format!("state digest {digest}"),
        Response::Forgotten => "executed so long ago that the outcome is forgotten".to_owned(),
        Response::Fault(fault) => format!("fault: {fault}"),
    }
}

/// Nothing of this place went through this front end, so nothing can be said of how it was answered.
fn was_not_seen(record: &Record) -> bool {
    record.asked.is_none() && record.conclusion.is_none() && record.replies.iter().all(Option::is_none)
}

pub(super) fn asked_words(record: &Record) -> String {
    match record.asked {
        None => "this front end did not see what was asked: its process began after it, or another front end took it"
            .to_owned(),
        Some(asked) => match asked.command {
            Command::Request(request) => format!("{request}   (request {})", asked.id),
            Command::Barrier => "barrier: take a checkpoint".to_owned(),
            Command::Void => "void".to_owned(),
        },
    }
}

fn print_record(record: &Record, quorum: usize) {
    say!("#{} {}", record.sequence, asked_words(record));
    if was_not_seen(record) {
        return say!("  what was answered went to whoever asked; the replicas have executed it all the same");
    }
    if let Some(asked) = record.asked {
        say!("  sequencer   {:>11}  ordered", after(record, asked.sequenced_at));
    }
    for (replica, reply) in ReplicaId::first(record.replies.len()).zip(&record.replies) {
        match reply {
            None => say!("  {replica}   {:>11}  no reply yet", ""),
            Some(reply) => {
                let verdict = match &record.conclusion {
                    Some(Conclusion::Released { response, .. }) if *response != reply.response => "  DIFFERS",
                    _ => "",
                };
                let words = response_words(&reply.response, record.sequence);
                let words = words.replace('\n', CONTINUED);
                say!("  {replica}   {:>11}  {words}{verdict}", after(record, reply.at));
            }
        }
    }
    match &record.conclusion {
        None => say!("  not concluded: a quorum of {quorum} is needed"),
        Some(Conclusion::Released { at, matching_len, response }) => say!(
            "  released    {:>11}  {}: {matching_len} replicas shared it, {quorum} were needed",
            after(record, *at),
            response_words(response, record.sequence).lines().next().unwrap_or_default().trim_end_matches(':'),
        ),
        Some(Conclusion::NoAgreement { at }) => {
            say!("  no agreement {:>10}  no {quorum} replicas can share an outcome", after(record, *at));
        }
        Some(Conclusion::TimedOut { at }) => say!("  timed out   {:>11}", after(record, *at)),
    }
}

fn response_json(response: &Response) -> Value {
    match response {
        Response::Executed { first, outcome } => json!({"first": first.0, "outcome": outcome.to_json()}),
        Response::StateDigest(digest) => json!({"state_digest": digest.to_string()}),
        Response::Forgotten => json!({"forgotten": true}),
        Response::Fault(fault) => json!({"fault": fault.to_string()}),
    }
}

/// A record as `dsms why --json` prints it. The quorum is left out where nobody knows it.
pub(super) fn record_json(record: &Record, quorum: Option<usize>) -> Value {
    let asked = record.asked.map(|asked| match asked.command {
        Command::Request(request) => request.to_string(),
        Command::Barrier => "barrier".to_owned(),
        Command::Void => "void".to_owned(),
    });
    let replies = ReplicaId::first(record.replies.len()).zip(&record.replies).map(|(replica, reply)| match reply {
        None => json!({"replica": replica.to_string(), "replied": false}),
        Some(reply) => {
            let released = match &record.conclusion {
                Some(Conclusion::Released { response, .. }) => {
                    Some(Arc::ptr_eq(response, &reply.response) || *response == reply.response)
                }
                _ => None,
            };
            json!({
                "replica": replica.to_string(),
                "replied": true,
                "incarnation": reply.incarnation.0,
                "after_ms": ms_after(record, reply.at),
                "response": response_json(&reply.response),
                "equals_released": released,
            })
        }
    });
    let conclusion = match &record.conclusion {
        None => Value::Null,
        Some(Conclusion::Released { at, response, matching_len }) => json!({
            "kind": "released", "after_ms": ms_after(record, *at), "matching": matching_len, "response": response_json(response),
        }),
        Some(Conclusion::NoAgreement { at }) => json!({"kind": "no-agreement", "after_ms": ms_after(record, *at)}),
        Some(Conclusion::TimedOut { at }) => json!({"kind": "timed-out", "after_ms": ms_after(record, *at)}),
    };
    let mut json = json!({
        "sequence": record.sequence.0,
        "request": asked,
        "seen": !was_not_seen(record),
        "request_id": record.asked.map(|asked| asked.id.to_string()),
        "ordered_after_ms": record.asked.and_then(|asked| ms_after(record, asked.sequenced_at)),
        "replies": replies.collect::<Vec<_>>(),
        "conclusion": conclusion,
    });
    if let Some(quorum) = quorum {
        json["quorum"] = quorum.into();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_place_is_not_recorded_is_told_by_where_it_is() {
        for (sequence, first, last, expected) in [
            (1, 0, 0, "nothing was ordered yet"),
            (9, 1, 8, "the last place that the front end has heard of is 8"),
            (2, 485, 1540, "holds 485 to 1540, earlier places were removed to make room"),
        ] {
            let words = not_recorded_words(sequence, first, last);
            assert!(words.contains(expected), "{words}");
        }
    }

    #[test]
    fn a_place_that_did_not_go_through_this_front_end_is_not_called_unanswered() {
        let unseen = Record {
            sequence: SequenceNumber(7),
            asked: None,
            replies: vec![None, None, None],
            conclusion: None,
            judged: false,
        };
        assert!(asked_words(&unseen).contains("did not see what was asked"));
        let json = record_json(&unseen, Some(2));
        assert_eq!((&json["seen"], &json["request"]), (&json!(false), &Value::Null));
        let voided = Record { conclusion: Some(Conclusion::NoAgreement { at: Instant(1) }), ..unseen };
        assert_eq!(record_json(&voided, Some(2))["seen"], json!(true));
    }
}
