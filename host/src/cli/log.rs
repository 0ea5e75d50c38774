//! `dsms log`: what happened in the cluster.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::protocol::event_log::EventRecord;
use crate::protocol::time::Instant;
use crate::runtime::client::Client;

use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;
use super::why::event_json;

/// How often a follower asks for more.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Show what happened: every detection, vote, decision, restart and repair, from all nodes.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Go on until Ctrl-C, and show events as they happen.
    #[arg(long, short)]
    follow: bool,
    /// Print JSON: one object an event.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: LogArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let mut client = args.connect.client().await?;
        let mut last = 0;
        let mut again = tokio::time::interval(ASK_AGAIN_AFTER);
        loop {
            let records = events_after(&mut client, last).await?;
            if let Some(first) = records.first()
                && first.index > last + 1
                && !args.json
            {
                say!("({} earlier events are forgotten)", first.index - last - 1);
            }
            for record in &records {
                last = record.index;
                if args.json {
                    say!("{}", event_json(record));
                } else {
                    say!("{} {:<11} {}", time_of_day(record.at), record.node.to_string(), record.event);
                }
            }
            if records.is_empty() {
                if !args.follow {
                    return Ok(ExitCode::SUCCESS);
                }
                again.tick().await;
            }
        }
    })
}

/// The events after this one, as many as go into one answer.
pub(super) async fn events_after(client: &mut Client, after: u64) -> anyhow::Result<Vec<EventRecord>> {
    match client.call(|number| ClientMessage::Events { number, after }).await? {
        ServerBody::Events(records) => Ok(records),
        other => Err(unexpected(&other)),
    }
}

/// The time of day, in UTC.
fn time_of_day(at: Instant) -> String {
    let millis = at.as_millis();
    let (seconds, minutes, hours) = (millis / 1000, millis / 60_000, millis / 3_600_000);
    format!("{:02}:{:02}:{:02}.{:03}", hours % 24, minutes % 60, seconds % 60, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_the_time_of_day() {
        assert_eq!(time_of_day(Instant((86_400 + 3_600 * 23 + 59 * 60 + 7) * 1_000_000 + 45_000)), "23:59:07.045");
    }
}
