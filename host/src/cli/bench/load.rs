//! The load: clients that each keep some requests in flight, and what becomes of their requests.

use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::market::{Answer, Outcome, Refusal, Request, request_words};
use crate::protocol::client_message::{ClientMessage, ServerBody, ServerMessage};
use crate::protocol::time::Instant;
use crate::runtime::client::{Client, ClientError};
use crate::runtime::clock::Clock;
use crate::workload::{Mix, listings};

use super::super::connect::{ConnectArgs, unexpected};

/// How much to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Clients, each with a connection of its own.
    pub clients_len: usize,
    /// Requests that each keeps in flight.
    pub in_flight_len: usize,
    /// Requests of all clients together.
    pub requests_len: usize,
    /// What the requests are drawn from.
    pub seed: u64,
}

/// What became of the requests of one client, or of all.
#[derive(Debug, Default)]
pub struct Tally {
    /// From each request's sending to its answer, in microseconds, for all that were answered.
    pub latencies_us: Vec<u32>,
    /// Released outcomes that are successes.
    pub succeeded: usize,
    /// Released outcomes that are refusals of the market.
    pub refused: usize,
    /// Requests that the replicas did not agree on.
    pub no_agreement: usize,
    /// Requests that the front end gave up.
    pub timed_out: usize,
    /// Requests that the front end was too busy for, however often they were sent.
    pub busy: usize,
    /// Requests whose caller was not shown to be who it says.
    pub unauthorized: usize,
    /// How often a request was answered `busy` and sent again.
    pub busy_retries: u64,
    /// How often another connection took the place of one that was lost.
    pub moves: u64,
    /// Requests that the front end did not understand.
    pub bad_requests: usize,
    /// Requests that were never answered, or never sent since the client had given up.
    pub lost: usize,
    /// Why the first client that gave up did so.
    pub failure: Option<String>,
}

/// Puts the shares on the market that the load deals in.
pub async fn prepare(connect: &ConnectArgs) -> anyhow::Result<()> {
    let mut client = connect.client().await?;
    for request in listings() {
        let words = request_words(&request);
        match client.call(|number| ClientMessage::Request { number, words }).await? {
            ServerBody::Answer(Answer::Released {
                outcome: Outcome::Added { .. } | Outcome::Refused(Refusal::AlreadyExists),
                ..
            }) => {}
            ServerBody::Answer(answer) => {
                anyhow::bail!("cannot prepare the market: {request}: {answer}; see `dsms ps`")
            }
            other => return Err(unexpected(&other)),
        }
    }
    Ok(())
}

/// Runs the load. Returns what became of it, and how long it took from the first request to the last answer.
pub async fn run(connect: &ConnectArgs, plan: Plan) -> anyhow::Result<(Tally, Duration)> {
    let mut clients = Vec::with_capacity(plan.clients_len);
    for place in 1..=plan.clients_len {
        // What becomes of each connection is counted, and not told one by one.
        let client = connect.client().await.map(Client::without_notice);
        clients.push(client.with_context(|| format!("client {place} of {} cannot connect", plan.clients_len))?);
    }
    let progress = progress_bar(plan.requests_len);
    let clock = Clock::start();
    let started_at = clock.now();
    let mut running = JoinSet::new();
    for (place, client) in clients.into_iter().enumerate() {
        // The first clients send one more when the requests cannot be shared out evenly.
        let share = plan.requests_len / plan.clients_len + usize::from(place < plan.requests_len % plan.clients_len);
        let requests = Mix::new(plan.seed, place as u64).take(share);
        running.spawn(drive(client, requests, share, plan.in_flight_len, clock, progress.clone()));
    }
    let mut tally = Tally::default();
    while let Some(ended) = running.join_next().await {
        tally.add(ended.context("a client's task failed")?);
    }
    let took = clock.now().since(started_at);
    progress.finish_and_clear();
    Ok((tally, took))
}

/// On standard error, and only where somebody can see it move.
fn progress_bar(requests_len: usize) -> ProgressBar {
    // The default target shows nothing where standard error is no terminal.
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} requests, {per_sec}, {eta} left");
    ProgressBar::new(requests_len as u64).with_style(style.expect("the template is well formed"))
}

/// One client: keeps its requests in flight until all are answered or the connection is lost for good.
async fn drive(
    mut client: Client,
    mut requests: impl Iterator<Item = Request>,
    requests_len: usize,
    in_flight_len: usize,
    clock: Clock,
    progress: ProgressBar,
) -> Tally {
    let mut flight = Flight::new(requests_len);
    loop {
        while client.unanswered_len() < in_flight_len
            && let Some(request) = requests.next()
        {
            let words = request_words(&request);
            flight.sent_at.push(Some(clock.now()));
            client.send(|number| ClientMessage::Request { number, words });
        }
        if client.unanswered_len() == 0 {
            break;
        }
        // Answers that came together are taken together, so that the requests that follow them are written together.
        let mut next = Some(client.next_in_any_order().await);
        let mut taken = 0;
        while let Some(answer) = next {
            match answer {
                Ok(message) => flight.on_answer(message, clock.now()),
                Err(error) => return flight.give_up(error.to_string(), requests_len, &client),
            }
            taken += 1;
            next = if client.unanswered_len() == 0 { None } else { at_hand(&mut client).await };
        }
        progress.inc(taken);
    }
    Tally { busy_retries: client.busy_len(), moves: client.moved_len(), ..flight.tally }
}

/// The next answer if it is there already.
async fn at_hand(client: &mut Client) -> Option<Result<ServerMessage, ClientError>> {
    tokio::select! {
        biased;
        answer = client.next_in_any_order() => Some(answer),
        () = std::future::ready(()) => None,
    }
}

/// The requests of one client on their way.
#[derive(Debug)]
struct Flight {
    /// When each request was sent, in the order of their numbers; `None` once it is answered.
    sent_at: Vec<Option<Instant>>,
    tally: Tally,
}

impl Flight {
    fn new(requests_len: usize) -> Flight {
        let tally = Tally { latencies_us: Vec::with_capacity(requests_len), ..Tally::default() };
        Flight { sent_at: Vec::with_capacity(requests_len), tally }
    }

    fn on_answer(&mut self, ServerMessage { number, body }: ServerMessage, now: Instant) {
        // Numbers are counted from 1. A request that was sent again may be answered again; the first answer counts.
        let place = usize::try_from(number.0).ok().and_then(|number| number.checked_sub(1));
        let slot = place.and_then(|place| self.sent_at.get_mut(place));
        let Some(sent_at) = slot.and_then(Option::take) else { return };
        self.tally.latencies_us.push(u32::try_from(now.since(sent_at).as_micros()).unwrap_or(u32::MAX));
        match body {
            ServerBody::Answer(Answer::Released { outcome: Outcome::Refused(_), .. }) => self.tally.refused += 1,
            ServerBody::Answer(Answer::Released { .. }) => self.tally.succeeded += 1,
            ServerBody::Answer(Answer::NoAgreement { .. }) => self.tally.no_agreement += 1,
            ServerBody::Answer(Answer::TimedOut { .. }) => self.tally.timed_out += 1,
            ServerBody::Answer(Answer::Busy { .. }) => self.tally.busy += 1,
            ServerBody::Answer(Answer::Unauthorized { .. }) => self.tally.unauthorized += 1,
            // Another body than an answer is no better understood than a refusal to read the request.
            _ => self.tally.bad_requests += 1,
        }
    }

    fn give_up(mut self, reason: String, requests_len: usize, client: &Client) -> Tally {
        self.tally.busy_retries = client.busy_len();
        self.tally.moves = client.moved_len();
        self.tally.lost = requests_len - self.tally.latencies_us.len();
        self.tally.failure = Some(reason);
        self.tally
    }
}

impl Tally {
    /// Adds what became of another client's requests.
    fn add(&mut self, other: Tally) {
        self.latencies_us.extend_from_slice(&other.latencies_us);
        self.succeeded += other.succeeded;
        self.refused += other.refused;
        self.no_agreement += other.no_agreement;
        self.timed_out += other.timed_out;
        self.busy += other.busy;
        self.unauthorized += other.unauthorized;
        self.busy_retries += other.busy_retries;
        self.moves += other.moves;
        self.bad_requests += other.bad_requests;
        self.lost += other.lost;
        self.failure = self.failure.take().or(other.failure);
    }
}
