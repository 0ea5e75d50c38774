//! `dsms bench`: how many requests a second a running cluster answers, and how soon.

mod load;
mod report;
mod yardstick;

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::protocol::limits::CONNECTIONS_LEN_MAX;
use crate::runtime::client::AHEAD_LEN_MAX;

use super::connect::{ConnectArgs, block_on};
use crate::cli::output::say;
use load::Plan;
use report::Report;
use yardstick::{Sockets, Yardstick};

/// Exit code when a request was lost or answered with anything but a released outcome.
const UNANSWERED_EXIT: u8 = 1;

/// Measure a running cluster: requests a second and latencies under a seeded load.
///
/// The load is a closed loop: each client keeps a fixed number of requests in flight and sends the next one when an answer
/// comes. So it sends no faster than the cluster answers, and a stall is seen once by each request in flight, not by those
/// that an independent public would have sent meanwhile. Read the latencies as those of this loop, not of a given rate.
///
/// The cluster is changed: shares of September 2025 are added, bought and sold. For comparison a bare round trip of one
/// datagram between two processes on the loopback interface is measured before and after the load.
///
/// A client whose connection breaks, or whose front end says nothing any more, goes on at the next one of --connect, and sends again what was
/// not answered; each request is counted once, with all the time that it took.
///
/// Exit code: 0 every request was answered with a released outcome, 1 some were not, 2 the load could not be run.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// How many clients, each with a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=CONNECTIONS_LEN_MAX as i64))]
    clients: u16,
    /// How many requests each client keeps in flight.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=AHEAD_LEN_MAX as i64))]
    in_flight: u16,
    /// How many requests all clients send together.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=REQUESTS_LEN_MAX))]
    requests: u32,
    /// Equal seeds send equal requests from each client.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Send back what comes, until standard input closes: the other side of the bare round trip.
    #[arg(long, value_enum, hide = true)]
    echo: Option<Sockets>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Most requests of one run. Every latency is kept, at 20 bytes a request.
const REQUESTS_LEN_MAX: i64 = 100_000_000;

/// Runs the command.
pub fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(sockets) = args.echo {
        return yardstick::echo(sockets).context("cannot echo datagrams");
    }
    let plan = Plan {
        clients_len: args.clients.into(),
        in_flight_len: args.in_flight.into(),
        requests_len: args.requests as usize,
        seed: args.seed,
    };
    // A cluster that is not there is told of before anything is measured.
    block_on(load::prepare(&args.connect))?;
    let before = Yardstick::measure()?;
    let (tally, took) = block_on(load::run(&args.connect, plan))?;
    let after = Yardstick::measure()?;
    let report = Report::new(plan, tally, took, [before, after]);
    if args.json {
        say!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(UNANSWERED_EXIT) })
}
