//! `dsms ledger`: what a front end has written of what it has seen, without a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{say, shell_word};
use super::why::{asked_words, event_json, record_json, response_words};
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::ledger::{Conclusion, Entry, Record};
use crate::protocol::time::Instant;
use crate::runtime::tls_files::civil;
use crate::storage::ledger::{self, Broken, Link, SegmentReport, Verified};

/// Exit code when the chain is broken, or does not have the link that was asked for.
const BROKEN_EXIT: u8 = 1;

/// Look into the ledger that a front end has written: .dsms/data/front-end after `dsms up`.
///
/// The cluster may be running or not; nothing is changed. `dsms why` and `dsms log` show what is in the ledger of a running cluster.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Verify(VerifyArgs),
    Show(ShowArgs),
}

/// Does each entry follow the one before it? Prints the files, and the link that binds the last entry to all before it.
///
/// Keep that link in another place: whoever can write to the directory can write a whole chain anew, but none that leads to the old link.
/// Exit code 0 if the chain is whole, and has the link of --earlier; 1 if not, with the first broken place.
#[derive(Debug, Args)]
struct VerifyArgs {
    /// The directory of the ledger, such as .dsms/data/front-end.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// A link that was printed earlier, which has to be in the chain. Once its file has been removed for want of room, it is not.
    #[arg(long, value_name = "LINK")]
    earlier: Option<Link>,
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
}

/// Print the entries as they were written, one a line. Of one place there may be several; the last one counts.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The directory of the ledger, such as .dsms/data/front-end.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Only what is about this place of the order, or a later one.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Only what is about this place of the order, or an earlier one.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Print JSON: one object an entry.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: LedgerArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        LedgerCommand::Verify(args) => verify(&args),
        LedgerCommand::Show(args) => show(&args),
    }
}

fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let verified = read(&args.directory, |directory| ledger::verify(directory, args.earlier))?;
    let lacks_earlier = args.earlier.is_some() && !verified.has_earlier_link;
    if args.json {
        say!("{}", verified_json(args, &verified));
    } else {
        print_verified(args, &verified, lacks_earlier);
    }
    let is_good = verified.broken.is_none() && !lacks_earlier;
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(BROKEN_EXIT) })
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let (from, to) = (args.from.unwrap_or(0), args.to.unwrap_or(u64::MAX));
    let is_everything = args.from.is_none() && args.to.is_none();
    let verified = read(&args.directory, |directory| {
        ledger::read_entries(directory, |entry| {
            let is_wanted = entry.sequence().map_or(is_everything, |place| (from..=to).contains(&place.0));
            if is_wanted {
                if args.json { say!("{}", entry_json(&entry)) } else { say!("{}", entry_words(&entry)) }
            }
        })
    })?;
    match verified.broken {
        None => Ok(ExitCode::SUCCESS),
        Some(Broken { file, at, words }) => {
            eprintln!("dsms: {file}, byte {at}: {words}; nothing from there on is shown");
            Ok(ExitCode::from(BROKEN_EXIT))
        }
    }
}

/// Reads a ledger, which has to be there.
fn read(directory: &Path, read: impl FnOnce(&Path) -> std::io::Result<Verified>) -> anyhow::Result<Verified> {
    let verified = read(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    if verified.owner.is_none() && verified.broken.is_none() {
        bail!(
            "there is no ledger in {}; a front end that keeps data has it in its data directory under its name, such as \
             .dsms/data/front-end",
            directory.display()
        );
    }
    Ok(verified)
}

/// The last link of the chain, as far as it is whole.
fn last_link(verified: &Verified) -> Option<Link> {
    verified.segments.last().map(|segment| segment.link)
}

/// How many entries there are, and the first and last place that they are about; 0 if they are about none.
fn totals(segments: &[SegmentReport]) -> (u64, u64, u64) {
    let entries_len = segments.iter().map(|segment| segment.entries_len).sum();
    let first = segments.iter().map(|segment| segment.first).filter(|first| *first > 0).min().unwrap_or(0);
    (entries_len, first, segments.iter().map(|segment| segment.last).max().unwrap_or(0))
}

fn print_verified(args: &VerifyArgs, verified: &Verified, lacks_earlier: bool) {
    let Verified { owner, segments, lost_len, broken, remarks, .. } = verified;
    for SegmentReport { file, len_bytes, entries_len, first, last, .. } in segments {
        let places = if *last == 0 { "no place".to_owned() } else { format!("#{first} to #{last}") };
        say!("{file}  {entries_len} entries about {places}, {len_bytes} bytes");
    }
    remarks.iter().for_each(|words| say!("{words}"));
    if *lost_len > 0 {
        say!("{lost_len} entries were lost before they could be written, and the ledger says where");
    }
    let (entries_len, ..) = totals(segments);
    match broken {
        Some(Broken { file, at, words }) => say!("BROKEN: {file}, byte {at}: {words}"),
        None => {
            let node = owner.map_or_else(String::new, |owner| format!(" of {}", owner.node));
            say!("the ledger{node} is whole: {entries_len} entries");
        }
    }
    if lacks_earlier {
        say!(
            "BROKEN: the link of --earlier is not in it: it was written anew since, or that part was removed for want of room"
        );
    }
    if let (Some(link), None, false) = (last_link(verified), broken, lacks_earlier) {
        say!("its last link, to be kept elsewhere: {link}");
        say!("later: dsms ledger verify {} --earlier {link}", shell_word(&args.directory));
    }
}

fn verified_json(args: &VerifyArgs, verified: &Verified) -> Value {
    let Verified { owner, segments, lost_len, broken, remarks, has_earlier_link } = verified;
    let (entries_len, first, last) = totals(segments);
    let segment = |segment: &SegmentReport| {
        json!({
            "file": segment.file, "bytes": segment.len_bytes, "entries": segment.entries_len, "first": segment.first,
            "last": segment.last, "link": segment.link.to_string(),
        })
    };
    json!({
        "node": owner.map(|owner| owner.node.to_string()),
        "whole": broken.is_none(),
        "entries": entries_len,
        "first": first,
        "last": last,
        "lost": lost_len,
        "link": last_link(verified).map(|link| link.to_string()),
        "has_earlier": args.earlier.map(|_| has_earlier_link),
        "broken": broken.as_ref().map(|broken| json!({"file": broken.file, "byte": broken.at, "message": broken.words})),
        "remarks": remarks,
        "segments": segments.iter().map(segment).collect::<Vec<_>>(),
    })
}

fn entry_json(entry: &Entry) -> Value {
    match entry {
        Entry::Began { at, process } => json!({"entry": "began", "at_ms": at.as_millis(), "process": process}),
        Entry::Record(record) => {
            let mut json = record_json(record, None);
            json["entry"] = "record".into();
            json["at_ms"] = record.asked.map(|asked| asked.submitted_at.as_millis()).into();
            json
        }
        Entry::Event(event) => {
            let mut json = event_json(event);
            json["entry"] = "event".into();
            json
        }
        Entry::GivenAnew { after } => json!({"entry": "given-anew", "after": after.0}),
        Entry::Lost { at, len, reason } => {
            json!({"entry": "lost", "at_ms": at.as_millis(), "len": len, "reason": reason})
        }
    }
}

fn entry_words(entry: &Entry) -> String {
    match entry {
        Entry::Began { at, process } => {
            format!("{}  a process of the front end begins process={process}", date_time(*at))
        }
        Entry::Record(record) => record_words(record),
        Entry::Event(event) => format!("{}  {} {}", date_time(event.at), event.node, event.event),
        Entry::GivenAnew { after: SequenceNumber(after) } => {
            format!("{:23}  the places after #{after} are given anew", "")
        }
        Entry::Lost { at, len, reason } => {
            format!("{}  {len} entries are missing here reason={reason:?}", date_time(*at))
        }
    }
}

/// A record on one line.
fn record_words(record: &Record) -> String {
    let asked_at = record.asked.map_or_else(String::new, |asked| date_time(asked.submitted_at));
    let first_line = |words: String| words.lines().next().unwrap_or_default().trim_end_matches(':').to_owned();
    let replicas = || ReplicaId::first(record.replies.len()).zip(&record.replies);
    let concluded = match &record.conclusion {
        None => "not concluded".to_owned(),
        Some(Conclusion::NoAgreement { .. }) => "no agreement".to_owned(),
        Some(Conclusion::TimedOut { .. }) => "timed out".to_owned(),
        Some(Conclusion::Released { response, .. }) => {
            let differs =
                replicas().filter(|(_, reply)| reply.as_ref().is_some_and(|reply| reply.response != *response));
            let differs: String = differs.map(|(replica, _)| format!(", {replica} DIFFERS")).collect();
            format!("released {}{differs}", first_line(response_words(response, record.sequence)))
        }
    };
    let missing: String = replicas()
        .filter(|(_, reply)| reply.is_none())
        .map(|(replica, _)| format!(", no reply of {replica}"))
        .collect();
    let asked =
        record.asked.map_or_else(|| "a request that this front end did not see".to_owned(), |_| asked_words(record));
    format!("{asked_at:23}  #{} {asked}: {concluded}{missing}", record.sequence)
}

/// Date and time of day, in UTC.
fn date_time(at: Instant) -> String {
    let millis = at.as_millis();
    let days = i64::try_from(millis / 86_400_000).expect("so many milliseconds are fewer days");
    let (year, month, day) = civil(days);
    let (hours, minutes, seconds) = (millis / 3_600_000 % 24, millis / 60_000 % 60, millis / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Outcome, parse_request};
    use crate::protocol::id::{ClientId, Incarnation, RequestId, RequestNumber};
    use crate::protocol::ledger::{Asked, ReplyRecord};
    use crate::protocol::message::{Command, Response};

    #[test]
    fn a_time_is_shown_with_its_day() {
        assert_eq!(date_time(Instant(1_790_000_000_123_456)), "2026-09-21 14:13:20.123");
        assert_eq!(date_time(Instant(0)), "1970-01-01 00:00:00.000");
        let _no_overflow = date_time(Instant(u64::MAX));
    }

    #[test]
    fn a_record_is_told_on_one_line_with_who_differs_and_who_is_missing() {
        let request = parse_request(&["NYKA1001", "add-share", "NYKM100925", "Equity", "5"]).unwrap();
        let at = Instant(1_790_000_000_000_000);
        let response = |capacity| {
            std::sync::Arc::new(Response::Executed { first: SequenceNumber(7), outcome: Outcome::Added { capacity } })
        };
        let reply = |capacity| Some(ReplyRecord { at, incarnation: Incarnation(1), response: response(capacity) });
        let id = RequestId { client: ClientId(1), number: RequestNumber(2) };
        let mut record = Record {
            sequence: SequenceNumber(7),
            asked: Some(Asked { id, command: Command::Request(request), submitted_at: at, sequenced_at: at }),
            replies: vec![reply(5), reply(6), None, reply(5)],
            conclusion: Some(Conclusion::Released { at, response: response(5), matching_len: 2 }),
            judged: true,
        };
        assert_eq!(
            entry_words(&Entry::Record(record.clone())),
            "2026-09-21 14:13:20.000  #7 NYKA1001 add-share NYKM100925 Equity 5   (request 0000000000000001/2): \
             released added: capacity 5, replica-2 DIFFERS, no reply of replica-3"
        );
        let json = entry_json(&Entry::Record(record.clone()));
        assert_eq!(
            (&json["entry"], &json["sequence"], &json["at_ms"]),
            (&json!("record"), &json!(7), &json!(1_790_000_000_000_u64))
        );
        assert!(json.get("quorum").is_none(), "the ledger does not know it: {json}");
        (record.asked, record.conclusion) = (None, None);
        let words = entry_words(&Entry::Record(record));
        assert!(words.ends_with("did not see: not concluded, no reply of replica-3"), "{words}");
    }
}
