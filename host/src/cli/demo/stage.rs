//! One cluster of the demo, with what is asked of it and what happens in it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::protocol::client_message::{FaultAsk, FaultStatus};
use crate::protocol::event::Event;
use crate::protocol::event_log::EventRecord;
use crate::protocol::fault::Fault;
use crate::protocol::id::{NodeId, ReplicaId};
use crate::protocol::time::Instant;
use crate::runtime::client::Client;
use crate::runtime::clock::Clock;

use super::super::fault::ask;
use super::super::log::events_after;
use super::load::PATIENCE;

/// Longest wait for anything that is to happen. Half of it is enough on a busy machine.
const HAPPENS_WITHIN: Duration = Duration::from_secs(20);

/// How often it is looked.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A cluster, as the demo sees it: it adds faults, and watches the events.
pub(super) struct Stage {
    client: Client,
    clock: Clock,
    /// All events so far.
    pub(super) events: Vec<EventRecord>,
    /// The replicas that faults were added to.
    pub(super) targets: Vec<ReplicaId>,
}

impl Stage {
    pub(super) async fn open(address: SocketAddr, clock: Clock) -> anyhow::Result<Stage> {
        let client = Client::connect(address, Client::draw_id(), PATIENCE).await?;
        Ok(Stage { client, clock, events: Vec::new(), targets: Vec::new() })
    }

    /// Adds a fault to a replica.
    pub(super) async fn add(&mut self, replica: ReplicaId, fault: Fault) -> anyhow::Result<()> {
        self.targets.push(replica);
        ask(&mut self.client, FaultAsk::Add { node: NodeId::ReplicaManager(replica), fault }).await?;
        Ok(())
    }

    /// What has become of all faults.
    pub(super) async fn faults(&mut self) -> anyhow::Result<Vec<FaultStatus>> {
        ask(&mut self.client, FaultAsk::List).await
    }

    /// Waits for an event, unless it has happened already.
    pub(super) async fn until(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) -> anyhow::Result<EventRecord> {
        let started_at = self.clock.now();
        let mut seen_len = 0;
        let mut again = tokio::time::interval(LOOK_AGAIN_AFTER);
        loop {
            if let Some(record) = self.events[seen_len..].iter().find(|record| is_it(&record.event)) {
                return Ok(record.clone());
            }
            seen_len = self.events.len();
            anyhow::ensure!(
                self.clock.now().since(started_at) < HAPPENS_WITHIN,
                "{what} did not happen within {HAPPENS_WITHIN:?}"
            );
            again.tick().await;
            self.look().await?;
        }
    }

    /// Takes in what has happened since the last look.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        loop {
            let last = self.events.last().map_or(0, |record| record.index);
            let news = events_after(&mut self.client, last).await?;
            if news.is_empty() {
                return Ok(());
            }
            self.events.extend(news);
        }
    }

    /// How often a replica was accused or taken for crashed, or brought back, that nothing was done to.
    pub(super) fn false_alarms(&self) -> usize {
        let is_alarm = |event: &Event| {
            matches!(event, Event::Diverged { .. } | Event::CrashAgreed { .. } | Event::RecoveryStarted { .. })
        };
        let is_false = |event: &Event| event.replica().is_some_and(|replica| !self.targets.contains(&replica));
        self.events.iter().filter(|record| is_alarm(&record.event) && is_false(&record.event)).count()
    }

    /// When an event happened first, if it did.
    pub(super) fn first(&self, is_it: impl Fn(&Event) -> bool) -> Option<Instant> {
        self.events.iter().find(|record| is_it(&record.event)).map(|record| record.at)
    }
}
