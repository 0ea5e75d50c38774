//! `dsms log`: what happened in the cluster.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::protocol::event_log::EventRecord;
use crate::protocol::time::Instant;
use crate::runtime::client::Client;

use self::merge::Merge;
use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;
use super::why::event_json;

mod merge;

/// How often a follower asks for more.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Show what happened: every detection, vote, decision, restart and repair, from all nodes, in the order of their clocks.
///
/// With several addresses in --connect all of these front ends are asked; what more than one of them knows is shown once.
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
        let clients = args.connect.clients().await?;
        let mut sources: Vec<Source> = clients.into_iter().map(|client| Source { client, last: 0 }).collect();
        let mut merge = Merge::default();
        let mut again = tokio::time::interval(ASK_AGAIN_AFTER);
        loop {
            let mut lost = None;
            for (place, source) in sources.iter_mut().enumerate() {
                match source.take_new(&mut merge).await {
                    Ok(0) => {}
                    Ok(_) if args.json => {}
                    Ok(forgotten_len) => say!("({forgotten_len} earlier events are forgotten)"),
                    Err(error) => lost = Some((place, error)),
                }
            }
            if let Some((place, error)) = lost {
                sources.remove(place);
                if sources.is_empty() {
                    return Err(error);
                }
                eprintln!("dsms: {error:#}; the log goes on without it");
            }
            let due = if args.follow { merge.take_settled() } else { merge.take_all() };
            for record in &due {
                if args.json {
                    say!("{}", event_json(record));
                } else {
                    say!("{} {:<11} {}", time_of_day(record.at), record.node.to_string(), record.event);
                }
            }
            if !args.follow {
                return Ok(ExitCode::SUCCESS);
            }
            again.tick().await;
        }
    })
}

/// One front end, and how much of its events is known.
struct Source {
    client: Client,
    last: u64,
}

impl Source {
    /// Takes over all that is new. Returns how many events were forgotten before they could be had.
    async fn take_new(&mut self, merge: &mut Merge) -> anyhow::Result<u64> {
        let mut forgotten_len = 0;
        loop {
            let moved_len = self.client.moved_len();
            let records = events_after(&mut self.client, self.last).await?;
            if self.client.moved_len() > moved_len {
                // Another process counts its events anew; those that are known already are not shown again.
                self.last = 0;
                continue;
            }
            let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(forgotten_len) };
            forgotten_len += first.index - self.last - 1;
            self.last = last.index;
            records.into_iter().for_each(|record| merge.put(record));
        }
    }
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
