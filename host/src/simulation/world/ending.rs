//! How a run ends: the faults are over, everybody is answered, every replica votes, and a last barrier shows that all have the one
//! state that the order amounts to.

use std::time::Duration;

use super::super::laws::{Ending, Held, LIVENESS_WITHIN};
use super::World;
use crate::market::Digest;
use crate::protocol::client_message::ClientMessage;
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::message::Response;
use crate::protocol::time::Instant;

/// How often it is looked whether all is well.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long it is waited for the answer to a barrier before there is another one.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The barriers at the end of a run.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    looked_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// What the last one showed: nothing is amiss, or who differs.
    shown: Option<Vec<String>>,
}

impl World {
    /// Whether the run is over, and all is well. It is a broken law if it is not, when it should be.
    pub(super) fn is_over(&mut self) -> Result<bool, super::Broken> {
        let now = self.now;
        if self.faults_left > 0 || self.ending.looked_at.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return Ok(false);
        }
        self.ending.looked_at = Some(now);
        let asked_until = self.scenario.requests.iter().map(|request| request.at_ms).max().unwrap_or(0);
        let asked_until = super::STARTED + Duration::from_millis(asked_until);
        if now < asked_until {
            return Ok(false);
        }
        let (unanswered, absent, swapping) = (self.unanswered(), self.absent(), self.unended_swaps());
        let mut ending = Ending { unanswered, absent, swapping, differing: Vec::new() };
        if ending.is_well() {
            match &self.ending.shown {
                Some(differing) if differing.is_empty() => return self.check_the_end().map(|()| true),
                shown => ending.differing = shown.clone().unwrap_or_else(|| vec!["no barrier was answered".to_owned()]),
            }
            self.ask_for_barrier();
        }
        self.end_swaps();
        if now.since(self.quiet_since.max(asked_until)) > LIVENESS_WITHIN {
            self.laws.all_is_well_after_the_faults(&ending)?;
        }
        Ok(false)
    }

    fn ask_for_barrier(&mut self) {
        let (now, watcher) = (self.now, self.clients.len() - 1);
        if self.clients[watcher].connection.is_none()
            || self.ending.asked_at.is_some_and(|at| now.since(at) < ASK_AGAIN_AFTER)
        {
            return;
        }
        self.ending.asked_at = Some(now);
        self.clients[watcher].ask(|number| ClientMessage::Digest { number });
        self.send_from(watcher);
    }

    /// A barrier is answered.
    pub(super) fn on_digests(&mut self, sequence: u64, responses: &[(ReplicaId, Option<Response>)]) -> Held {
        let expected = self.laws.state_digest_at(SequenceNumber(sequence));
        let differs = |(replica, response): &(ReplicaId, Option<Response>)| match response {
            Some(Response::StateDigest(digest)) if Some(*digest) == expected => None,
            other => Some(format!("{replica} says {other:?} at #{sequence}, expected {}", words(expected))),
        };
        let differing: Vec<String> = responses.iter().filter_map(differs).collect();
        if self.ending.asked_at.is_some() {
            self.ending.shown = Some(differing);
            self.ending.looked_at = None;
        }
        Ok(())
    }

    fn check_the_end(&mut self) -> Held {
        for front_end in self.scenario.membership().front_ends() {
            if let Some(core) = self.node_mut(front_end).front_end_mut() {
                core.write_down_all();
            }
            self.look_at_entries(front_end)?;
        }
        self.laws.whatever_was_released_is_written()?;
        let states =
            self.replicas.iter_mut().filter_map(|(id, replica)| Some((*id, replica.state()?))).collect::<Vec<_>>();
        self.laws.no_acknowledged_request_is_lost(&states)
    }

    fn unanswered(&self) -> Vec<String> {
        let of_client = |(number, client): (usize, &super::Client)| {
            let numbers: Vec<String> = client.unanswered().map(|number| number.0.to_string()).collect();
            (!numbers.is_empty()).then(|| format!("client-{number} waits for the answer to {}", numbers.join(", ")))
        };
        (1..).zip(&self.clients).filter_map(of_client).collect()
    }

    fn absent(&self) -> Vec<String> {
        let ordered = self.laws.ordered();
        let is_absent = |node: &&super::Node| {
            node.manager().is_some_and(|manager| !node.is_voting() || manager.executed() < ordered)
        };
        let absent = self.nodes.values().filter(is_absent);
        let words = |node: &super::Node| {
            let executed = node.manager().map_or(SequenceNumber(0), |manager| manager.executed());
            let phase = node.manager().map(|manager| manager.phase());
            format!("{} is {phase:?} and has executed up to #{executed} of #{ordered}", node.id)
        };
        absent.map(words).collect()
    }
}

fn words(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.short())
}
