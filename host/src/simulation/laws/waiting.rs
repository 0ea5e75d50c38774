//! How long clients wait where nothing goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Held, Laws, broken};
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::{NodeId, RequestNumber};
use crate::protocol::time::Instant;

/// How long after the last thing that went wrong its traces may last: a channel that had found its peer unreachable tries it again
/// after up to two seconds.
const TRACES_WITHIN: Duration = Duration::from_secs(3);

/// In what time a request is answered then: many round trips. A front end that is new waits for longer only where a manager is down.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// The requests that the present processes of front ends have not answered, and since when which of them has them.
#[derive(Debug, Default)]
pub struct Waiting {
    since: BTreeMap<(ConnectionId, RequestNumber), (NodeId, Instant)>,
    /// When something was last amiss, other than that a front end's process had ended.
    disturbed_at: Option<Instant>,
}

impl Waiting {
    /// A front end's process has ended.
    pub(super) fn forget(&mut self, front_end: NodeId) {
        self.since.retain(|_, (of, _)| *of != front_end);
    }
}

impl Laws {
    /// Something goes wrong at this time.
    pub fn on_disturbed(&mut self, now: Instant) {
        self.waiting.disturbed_at = Some(now);
    }

    /// A front end has got a request.
    pub fn on_asked(&mut self, front_end: NodeId, connection: ConnectionId, number: RequestNumber, now: Instant) {
        self.waiting.since.entry((connection, number)).or_insert((front_end, now));
    }

    /// A front end has answered, whatever it says.
    pub fn on_told(&mut self, connection: ConnectionId, number: RequestNumber) {
        self.waiting.since.remove(&(connection, number));
    }

    /// Nobody waits for an answer on this connection any more.
    pub fn on_client_gone(&mut self, connection: ConnectionId) {
        self.waiting.since.retain(|(of, _), _| *of != connection);
    }

    /// The nodes have done what was to be done by now.
    pub fn an_undisturbed_request_is_answered_soon(&mut self, now: Instant) -> Held {
        self.checked += 1;
        let calm_from = self.waiting.disturbed_at.map_or(Instant(0), |at| at + TRACES_WITHIN);
        let overdue = |since: &Instant| *since >= calm_from && now.since(*since) > ANSWERED_WITHIN;
        let Some(((_, number), (front_end, since))) = self.waiting.since.iter().find(|(_, (_, since))| overdue(since))
        else {
            return Ok(());
        };
        let words = format!(
            "request {} of a client waits at {front_end} for {} ms, though nothing was amiss since {} ms before it",
            number.0,
            now.since(*since).as_millis(),
            self.waiting.disturbed_at.map_or(0, |at| since.since(at).as_millis())
        );
        broken("an_undisturbed_request_is_answered_soon", words)
    }
}
