//! `dsms shrink`: from one place of a running cluster's order to the fewest requests that show what went wrong there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use super::connect::{ConnectArgs, block_on, status_of, unexpected};
use super::here::{self, front_ends_of};
use super::incident::{
    Subject, absolute, given_json, print_given, print_states, progress_bar, state_differences, states_json,
};
use super::output::{say, shell_word};
use super::why::{first_to_know, replies_differ, response_words};
use crate::config::ClusterConfig;
use crate::market::Digest;
use crate::protocol::client_message::{ClientMessage, ClusterStatus, PastOrder, ServerBody, WhyAnswer};
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::ledger::{Conclusion, Record};
use crate::protocol::limits::LEDGER_LEN_MAX;
use crate::protocol::message::{Command, Response};
use crate::runtime::client::Client;
use crate::runtime::node::sandbox_limits;
use crate::sandbox::{Engine, SandboxLimits};
use crate::simulation::History;
use crate::simulation::history::execution::{Shrunk, StartModule, Step, execute, execute_to_end, shrink};
use crate::simulation::history::{Executed, FORMAT, PastModule, PastReply, PastRequest, abridged, executed};

/// Exit code when the difference does not show.
const NOT_SHOWN_EXIT: u8 = 1;

/// Find the fewest requests that still make replicas differ at one place of the order.
///
/// The requests of the running cluster up to that place are executed again, here, on the modules of its configuration and on the
/// reference market. A module that came in a swap is not among those: name its file with --module. If a module differs at the last one, as few of the others as can be found are kept so that it still does, and
/// saved for `dsms replay`, which runs them on any module.
///
/// Exit code: 0 shrunk and saved, 1 the difference does not show when the requests are executed again (they are saved all the same),
/// 2 there is nothing to shrink.
#[derive(Debug, Args)]
pub struct ShrinkArgs {
    /// The request's sequence number, as its answer gave it.
    pub(super) sequence: u64,
    /// A module to execute the requests on, instead of those of the configuration; may be given several times. `reference` is the
    /// embedded one.
    #[arg(long, value_name = "FILE.wasm")]
    pub(super) module: Vec<String>,
    /// Where the requests are saved.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) out: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// What the cluster tells of a place.
struct Told {
    status: ClusterStatus,
    record: Record,
    executed: Executed,
    /// Which replicas run modules that are not among those that are tried, in words; nothing where modules were asked for by name.
    untried: Option<String>,
}

/// The requests up to the place, executed again.
struct Again {
    last: Step,
    /// Where each module differs first.
    first_differences: Vec<Option<SequenceNumber>>,
}

/// Runs the command.
pub fn run(args: ShrinkArgs) -> anyhow::Result<ExitCode> {
    let mut told = block_on(ask(&args))?;
    let config = config_of(&args.connect)?;
    let limits = config.as_ref().map_or_else(SandboxLimits::default, sandbox_limits);
    let engine = Engine::new(limits)?;
    let named = named_modules(&args.module, config.as_ref())?;
    let subjects: Vec<Subject> =
        named.iter().map(|(name, _)| Subject::load(&engine, name)).collect::<anyhow::Result<_>>()?;
    if args.module.is_empty() {
        told.untried = untried(&told.status, &subjects);
        told.untried.iter().for_each(|words| eprintln!("dsms: {words}"));
    }
    let again = execute_again(&told.executed.requests, &subjects);
    let differing: Vec<usize> = again.last.differing().collect();
    let shrunk = (!differing.is_empty()).then(|| {
        let starts: Vec<StartModule> = differing.iter().map(|index| subjects[*index].start()).collect();
        let bar = ProgressBar::new_spinner();
        let shrunk = shrink(&told.executed.requests, &starts, &mut |len| {
            bar.set_message(format!("shrinking: {len} requests"));
            bar.tick();
        });
        bar.finish_and_clear();
        shrunk
    });
    let requests = shrunk.as_ref().map_or_else(|| told.executed.requests.clone(), |shrunk| shrunk.requests.clone());
    let history = history(&told, &named, &subjects, &limits, requests);
    let file = args.out.join(format!("dsms-incident-{}.toml", args.sequence));
    std::fs::write(&file, history.to_text()?).with_context(|| format!("cannot write {}", file.display()))?;
    // What the shrunk requests lead to may differ in other numbers than what all of them do.
    let starts: Vec<StartModule> = subjects.iter().map(Subject::start).collect();
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let mut last = None;
    let ending = execute_to_end(&history.requests, &starts, &mut |step| last = Some(step));
    let found = Found {
        last: last.expect("the last request is known"),
        states: state_differences(&ending, &names),
        names,
        replay: format!("dsms replay {}", shell_word(&file)),
        file,
    };
    if args.json {
        found.print_json(&told, &again, &history, shrunk.as_ref());
    } else {
        print_told(&told);
        match &shrunk {
            Some(shrunk) => found.print_shrunk(&told, &again, shrunk),
            None => found.print_not_shown(&told, &again),
        }
    }
    Ok(if shrunk.is_some() { ExitCode::SUCCESS } else { ExitCode::from(NOT_SHOWN_EXIT) })
}

/// Has the cluster tell what was asked, up to the place.
async fn ask(args: &ShrinkArgs) -> anyhow::Result<Told> {
    let place = args.sequence;
    let mut clients = args.connect.clients().await?;
    let (why, client) = first_to_know(&mut clients, place).await?;
    let status = status_of(client).await?;
    let record = match why {
        WhyAnswer::Recorded { record, .. } => *record,
        WhyAnswer::NotRecorded { last: 0, .. } => bail!("nothing was ordered yet"),
        WhyAnswer::NotRecorded { first, last } => bail!(
            "#{place} is not recorded: the ledger of the front end holds {first} to {last}; choose one of these with `dsms why SEQ`"
        ),
    };
    match record.asked.map(|asked| asked.command) {
        Some(Command::Request(_)) => {}
        Some(Command::Barrier | Command::Void) => {
            bail!("#{place} is a barrier, at which nothing is executed; `dsms why {place}` tells the states' digests")
        }
        None => bail!("what was asked at #{place} is not known: the front end that submitted it has ended since"),
    }
    let mut histories = Vec::new();
    for client in &mut clients {
        match fetch_history(client, place).await {
            Ok(history) => histories.push(history),
            // What it alone knows is missing, and counted as unknown.
            Err(error) if client.unanswered_len() > 0 => {
                eprintln!("dsms: {error:#}; its part of the history is missing")
            }
            Err(error) => return Err(error),
        }
    }
    let orders = merge(histories);
    let executed = executed(&orders, record.sequence);
    let first = executed.repeats.or_else(|| match &record.conclusion {
        Some(Conclusion::Released { response, .. }) => match &**response {
            Response::Executed { first, .. } if *first != record.sequence => Some(*first),
            _ => None,
        },
        _ => None,
    });
    match first {
        Some(SequenceNumber(0)) => bail!("#{place} repeats an earlier request and was not executed"),
        Some(first) => bail!("#{place} repeats the request of #{first}, where it was executed: dsms shrink {first}"),
        None => {}
    }
    if executed.requests.last().is_none_or(|last| last.sequence != record.sequence) {
        bail!(
            "#{place} was forgotten while the history was fetched; it is the rate of requests that makes the ledger forget"
        );
    }
    Ok(Told { status, record, executed, untried: None })
}

/// The orders up to this place, as far as the ledger holds them.
async fn fetch_history(client: &mut Client, last: u64) -> anyhow::Result<Vec<PastOrder>> {
    let bar = ProgressBar::new_spinner().with_message("fetching the history");
    let mut orders: Vec<PastOrder> = Vec::new();
    // Every answer goes on, so the ledger's bound bounds this.
    while orders.last().is_none_or(|order| order.sequence.0 < last) {
        let after = orders.last().map_or(0, |order| order.sequence.0);
        let body = client.call(|number| ClientMessage::History { number, after }).await?;
        let ServerBody::History(piece) = body else { return Err(unexpected(&body)) };
        let Some(end) = piece.last() else { break };
        if end.sequence.0 <= after {
            return Err(unexpected(&ServerBody::History(piece)));
        }
        orders.extend(piece.iter().filter(|order| order.sequence.0 > after));
        bar.tick();
    }
    bar.finish_and_clear();
    Ok(orders)
}

/// What several front ends know of the order together: each knows what was asked only where it has submitted it itself.
fn merge(histories: Vec<Vec<PastOrder>>) -> Vec<PastOrder> {
    let mut merged: BTreeMap<SequenceNumber, PastOrder> = BTreeMap::new();
    for order in histories.into_iter().flatten() {
        let known = merged.entry(order.sequence).or_insert(order);
        known.asked = known.asked.or(order.asked);
        known.is_void |= order.is_void;
    }
    merged.into_values().collect()
}

/// The configuration of the cluster that is asked, if it is the one of this directory.
fn config_of(connect: &ConnectArgs) -> anyhow::Result<Option<ClusterConfig>> {
    if connect.connect.is_empty() {
        return connect.config();
    }
    let is_asked = |config: &ClusterConfig| front_ends_of(config).iter().any(|name| connect.connect.contains(name));
    Ok(here::find(".".as_ref()).ok().map(|here| here.config).filter(is_asked))
}

/// The modules that were asked for, or each that a replica has, as its first one or a spare; with the replicas.
fn named_modules(asked: &[String], config: Option<&ClusterConfig>) -> anyhow::Result<Vec<(String, Vec<ReplicaId>)>> {
    if let Some(reason) =
        (asked.is_empty() && config.is_none()).then_some("the cluster is not the one of this directory")
    {
        bail!("{reason}, so its modules are not known; name them, as in --module reference --module other.wasm");
    }
    let mut named: Vec<(String, Vec<ReplicaId>)> = Vec::new();
    let mut add = |name: String, replica: Option<ReplicaId>| {
        let place = named.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            named.push((name, Vec::new()));
            named.len() - 1
        });
        let replicas = &mut named[place].1;
        replicas.extend(replica.filter(|replica| !replicas.contains(replica)));
    };
    for name in asked {
        add(absolute(name)?, None);
    }
    for (replica, config) in config.iter().flat_map(|config| (1..).zip(&config.replicas)).filter(|_| asked.is_empty()) {
        for module in std::iter::once(&config.module).chain(&config.spares) {
            add(module.to_string(), ReplicaId::new(replica));
        }
    }
    Ok(named)
}

/// A module may have come in a swap, or its file may have been written anew since the cluster was started.
fn untried(status: &ClusterStatus, subjects: &[Subject]) -> Option<String> {
    let is_tried = |digest: &Digest| subjects.iter().any(|subject| subject.digest() == *digest);
    let running = status.nodes.iter().filter_map(|node| Some((node.node, node.progress?.module?)));
    let untried: Vec<String> = running
        .filter(|(_, digest)| !is_tried(digest))
        .map(|(node, digest)| format!("{node} runs the module {}", digest.short()))
        .collect();
    let whose = if untried.len() == 1 { "is not the one" } else { "are not those" };
    let words = || {
        format!("{}, which {whose} of the configuration: give its file, as in --module FILE.wasm", untried.join(", "))
    };
    (!untried.is_empty()).then(words)
}

fn execute_again(requests: &[PastRequest], subjects: &[Subject]) -> Again {
    let starts: Vec<StartModule> = subjects.iter().map(Subject::start).collect();
    let mut first_differences = vec![None; subjects.len()];
    let mut last = None;
    let bar = progress_bar(requests);
    execute(requests, &starts, &mut |step| {
        bar.inc(1);
        for index in step.differing() {
            first_differences[index].get_or_insert(step.past.sequence);
        }
        last = Some(step);
    });
    bar.finish_and_clear();
    Again { last: last.expect("the last request is known"), first_differences }
}

fn history(
    told: &Told,
    named: &[(String, Vec<ReplicaId>)],
    subjects: &[Subject],
    limits: &SandboxLimits,
    requests: Vec<PastRequest>,
) -> History {
    let replies = ReplicaId::first(told.record.replies.len()).zip(&told.record.replies);
    let modules = named.iter().zip(subjects).map(|((name, replicas), subject)| PastModule {
        name: name.clone(),
        digest: subject.digest().to_string(),
        replicas: replicas.clone(),
    });
    History {
        format: FORMAT.to_owned(),
        wrong: told.status.wrong,
        crashed: told.status.crashed,
        replicas: told.record.replies.len(),
        unknown: told.executed.unknown,
        released: released(&told.record).map(|response| abridged(&response_words(response, told.record.sequence))),
        fuel_per_call: limits.fuel_per_call,
        memory_bytes_max: limits.memory_bytes_max,
        replies: replies
            .filter_map(|(replica, reply)| {
                let response = abridged(&response_words(&reply.as_ref()?.response, told.record.sequence));
                Some(PastReply { replica, response })
            })
            .collect(),
        modules: modules.collect(),
        requests,
    }
}

fn released(record: &Record) -> Option<&Response> {
    match &record.conclusion {
        Some(Conclusion::Released { response, .. }) => Some(response),
        _ => None,
    }
}

/// Prints what was seen in the cluster.
fn print_told(told: &Told) {
    let record = &told.record;
    let line = |response: &Response| response_words(response, record.sequence).replace('\n', "\n           ");
    let request = told.executed.requests.last().expect("the last request is known").request;
    say!("#{} {request}", record.sequence);
    say!("  in the cluster");
    match released(record) {
        Some(response) => say!("    released: {}", line(response)),
        None => say!("    released: nothing"),
    }
    for (replica, reply) in ReplicaId::first(record.replies.len()).zip(&record.replies) {
        match reply {
            Some(reply) if Some(&*reply.response) == released(record) => say!("    {replica}: the same"),
            Some(reply) if released(record).is_none() => say!("    {replica}: {}", line(&reply.response)),
            Some(reply) => say!("    {replica} DIFFERS: {}", line(&reply.response)),
            None => say!("    {replica}: no reply"),
        }
    }
}

/// What was found, and where it is.
struct Found<'a> {
    last: Step,
    names: Vec<&'a str>,
    /// The modules whose states are others in the end: the first record that differs, of the reference market and of the module.
    states: Vec<(&'a str, String, String)>,
    file: PathBuf,
    replay: String,
}

impl Found<'_> {
    fn print_shrunk(&self, told: &Told, again: &Again, shrunk: &Shrunk) {
        let (before, after) = (told.executed.requests.len(), shrunk.requests.len());
        let minimal = if shrunk.is_minimal { "none can be left out" } else { "perhaps not the fewest" };
        say!("  executed again: {before} requests, of which {after} are enough, {minimal}");
        shrunk.requests.iter().for_each(|past| say!("    #{} {}", past.sequence, past.request));
        say!("  after these, at #{}", told.record.sequence);
        print_given(&self.last, &self.names, true);
        print_states(&self.states);
        if told.executed.unknown == 0 && released_otherwise(told, again) {
            say!(
                "  what was released is not what the reference market gives: too many modules are wrong in the same way"
            );
        }
        say!("saved: {}", self.file.display());
        say!("replay it: {}", self.replay);
    }

    fn print_not_shown(&self, told: &Told, again: &Again) {
        let (len, place) = (told.executed.requests.len(), told.record.sequence);
        say!("  executed again: {len} requests");
        print_given(&self.last, &self.names, true);
        say!("the difference does not show when the history is executed again. {}", reasons(told));
        let earlier = self.names.iter().zip(&again.first_differences);
        for (name, first) in earlier.filter_map(|(name, first)| Some((name, (*first)?))) {
            say!("{name} differs before #{place}, first at #{first}: dsms shrink {first}");
        }
        say!("saved: {}", self.file.display());
        say!("replay it on another module: {} --module FILE.wasm", self.replay);
    }

    fn print_json(&self, told: &Told, again: &Again, history: &History, shrunk: Option<&Shrunk>) {
        let differing: Vec<usize> = self.last.differing().collect();
        let modules = history.modules.iter().zip(&self.last.given).enumerate().map(|(index, (module, given))| {
            let mut json = given_json(given);
            json["name"] = module.name.as_str().into();
            json["digest"] = module.digest.as_str().into();
            json["replicas"] = module.replicas.iter().map(ReplicaId::to_string).collect();
            json["differs"] = differing.contains(&index).into();
            json["first_difference"] = again.first_differences[index].map(|first| first.0).into();
            json
        });
        say!(
            "{}",
            json!({
                "sequence": told.record.sequence.0,
                "request": history.last().request.to_string(),
                "shows": shrunk.is_some(),
                "reason": shrunk.is_none().then(|| reasons(told)),
                "expected": self.last.expected.to_json(),
                "modules": modules.collect::<Vec<_>>(),
                "requests_before": told.executed.requests.len(),
                "requests_after": history.requests.len(),
                "requests": shrunk.map(|_| history.requests.iter().map(|past| json!({
                    "sequence": past.sequence.0,
                    "request": past.request.to_string(),
                })).collect::<Vec<_>>()),
                "minimal": shrunk.map(|shrunk| shrunk.is_minimal),
                "states_differ": states_json(&self.states),
                "unknown": told.executed.unknown,
                "file": self.file.display().to_string(),
                "replay": self.replay,
            })
        );
    }
}

/// Whether another outcome was released than the reference market gives after the whole history.
fn released_otherwise(told: &Told, again: &Again) -> bool {
    matches!(released(&told.record), Some(Response::Executed { outcome, .. }) if *outcome != again.last.expected)
}

/// Why a difference may not show.
fn reasons(told: &Told) -> String {
    let Told { record, executed, untried, .. } = told;
    if executed.unknown > 0 {
        return format!(
            "The beginning is missing: {} of the places before #{} are not known, since the ledger keeps {LEDGER_LEN_MAX} at most, so \
             the market was not empty as it is here; shrink such a place sooner after it was ordered.",
            executed.unknown, record.sequence
        );
    }
    if !replies_differ(record) {
        return "The replicas did not differ there either.".to_owned();
    }
    if let Some(words) = untried {
        return format!("Not every module was tried: {words}.");
    }
    "So it was not the module's code alone: a fault that was injected, a state that was corrupt, a life of the replica that had begun \
     later, or a module that goes by the order's time, which is not recorded."
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_request;
    use crate::protocol::id::{ClientId, RequestId, RequestNumber};

    #[test]
    fn what_several_front_ends_know_of_the_order_is_put_together() {
        let asked = |number| {
            let words = ["NYKB1001", "get-shares"].map(str::to_owned);
            let id = RequestId { client: ClientId(7), number: RequestNumber(number) };
            (id, Command::Request(parse_request(&words).unwrap()))
        };
        let order = |sequence, asked, is_void| PastOrder { sequence: SequenceNumber(sequence), asked, is_void };
        let first = vec![order(1, Some(asked(1)), false), order(2, None, true), order(3, None, false)];
        let second = vec![order(2, Some(asked(2)), false), order(3, None, false), order(4, Some(asked(4)), false)];
        let expected = [
            order(1, Some(asked(1)), false),
            order(2, Some(asked(2)), true),
            order(3, None, false),
            order(4, Some(asked(4)), false),
        ];
        assert_eq!(merge(vec![first.clone(), second.clone()]), expected);
        assert_eq!(merge(vec![second, first]), expected);
    }
}
