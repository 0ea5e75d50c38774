//! What of the ledger and of the events is written down by the driver, and how what an earlier process has written is asked for.

use super::{ConnectionId, FrontEnd, Output};
use crate::protocol::client_message::{ServerBody, WhyAnswer};
use crate::protocol::event::Event;
use crate::protocol::event_log::EventRecord;
use crate::protocol::id::{NodeId, RequestNumber, SequenceNumber};
use crate::protocol::ledger::Entry;
use crate::protocol::time::Instant;

impl FrontEnd {
    /// Has entries be handed out, since there is somebody who writes them. Events are counted on from the last one that was written.
    pub fn keep_entries(&mut self, last_event: u64) {
        self.ledger.keep_entries();
        self.events.count_from(last_event);
    }

    /// The next entry to be written. Drain to `None` in every turn, if entries are kept.
    pub fn poll_entry(&mut self) -> Option<Entry> {
        self.ledger.poll_entry(|sequence| self.judging.is_waiting_at(sequence))
    }

    /// The process ends: what is not written yet is, as it is.
    pub fn write_down_all(&mut self) {
        self.ledger.write_down_all();
    }

    /// Takes in events of earlier processes, the latest ones, in their order.
    pub fn handle_earlier_events(&mut self, events: Vec<EventRecord>) {
        self.events.prepend(events);
    }

    /// What happened at one place. Where this process does not know what was asked there, an earlier one may have written it.
    pub(super) fn on_why(&mut self, connection: ConnectionId, number: RequestNumber, sequence: SequenceNumber) {
        let answer = self.why(sequence);
        let is_known = matches!(&answer, WhyAnswer::Recorded { record, .. } if record.asked.is_some());
        if is_known || !self.ledger.keeps_entries() {
            self.answer(connection, number, ServerBody::Why(answer));
        } else {
            self.outputs.push_back(Output::Recollect { connection, number, sequence, answer });
        }
    }

    /// Keeps an event for clients who ask, and has it be written.
    pub(super) fn remember(&mut self, node: NodeId, at: Instant, event: Event) {
        let record = self.events.push(node, at, event);
        self.ledger.note(|| Entry::Event(Box::new(record.clone())));
    }
}
