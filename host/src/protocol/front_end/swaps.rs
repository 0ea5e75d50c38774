//! Swaps of modules: hands each to its replica manager, and compares the shadow's outcomes with the released ones.

use std::collections::BTreeMap;

use super::{ConnectionId, FrontEnd};
use crate::protocol::client_message::ServerBody;
use crate::protocol::event::Event;
use crate::protocol::id::{NodeId, ReplicaId, RequestNumber, SequenceNumber};
use crate::protocol::ledger::Conclusion;
use crate::protocol::limits::{SHADOW_REPLIES_LEN_MAX, SILENT_AFTER};
use crate::protocol::message::{Message, Response};
use crate::protocol::mutation::{self, Mutation};
use crate::protocol::recipients::Recipients;
use crate::protocol::swap::{Candidate, Mismatch, Stage, SwapAsk, SwapId, SwapStatus};
use crate::protocol::time::Instant;

/// The last swap of each replica.
#[derive(Debug, Default)]
pub(super) struct SwapBoard {
    entries: BTreeMap<ReplicaId, Entry>,
}

#[derive(Debug)]
struct Entry {
    status: SwapStatus,
    /// Outcomes of the shadow at places of which nothing is released yet; at most [`SHADOW_REPLIES_LEN_MAX`].
    waiting: BTreeMap<SequenceNumber, Response>,
    is_promoted: bool,
}

impl SwapBoard {
    /// Whether a shadow's outcome waits for what is released at this place.
    pub(super) fn is_awaiting(&self, sequence: SequenceNumber) -> bool {
        self.entries.values().any(|entry| entry.waiting.contains_key(&sequence))
    }

    /// How many outcomes of shadows wait.
    pub(super) fn waiting_len(&self) -> usize {
        self.entries.values().map(|entry| entry.waiting.len()).max().unwrap_or(0)
    }

    fn active(&mut self, replica: ReplicaId, swap: SwapId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&replica)?;
        (entry.status.swap == swap && !entry.status.stage.is_over()).then_some(entry)
    }
}

impl FrontEnd {
    pub(super) fn on_swap_ask(&mut self, connection: ConnectionId, number: RequestNumber, ask: SwapAsk, now: Instant) {
        let answered = match ask {
            SwapAsk::Begin { replica, candidate, shadow_len } => self.begin_swap(replica, candidate, shadow_len, now),
            SwapAsk::Look { replica, swap } => self.swap_status(replica, swap).map(Some),
            SwapAsk::End { replica, swap } => {
                if self.swaps.active(replica, swap).is_some() {
                    self.give_up(replica, "it was given up".to_owned(), now);
                }
                self.swap_status(replica, swap).map(Some)
            }
        };
        let body = answered.map_or_else(ServerBody::SwapRefused, ServerBody::Swap);
        self.answer(connection, number, body);
    }

    fn begin_swap(
        &mut self,
        replica: ReplicaId,
        candidate: Candidate,
        shadow_len: u64,
        now: Instant,
    ) -> Result<Option<SwapStatus>, String> {
        if replica.index() >= self.config.membership.replicas_len {
            let known = ReplicaId::first(self.config.membership.replicas_len)
                .map(|known| known.to_string())
                .collect::<Vec<_>>();
            return Err(format!("this cluster has no {replica}; its replicas are {}", known.join(", ")));
        }
        let heartbeat = self.heartbeats.get(&NodeId::ReplicaManager(replica));
        let Some((progress, _)) = heartbeat.filter(|(_, at)| now.since(*at) <= SILENT_AFTER) else {
            return Err(format!("{replica} is silent; `dsms ps` shows when it is back"));
        };
        if let Candidate::File { digest, .. } = candidate
            && progress.module == Some(digest)
        {
            return Ok(None);
        }
        if self.swaps.entries.get(&replica).is_some_and(|entry| !entry.status.stage.is_over()) {
            return Err(format!("another swap of {replica} is under way; wait for it, or end it first"));
        }
        let swap = SwapId(now.0);
        let stage = Stage::Loading;
        let status = SwapStatus { swap, replica, shadow_len, equal_len: 0, stage, mismatch: None };
        let entry = Entry { status: status.clone(), waiting: BTreeMap::new(), is_promoted: false };
        self.swaps.entries.insert(replica, entry);
        self.transmit(Recipients::One(NodeId::ReplicaManager(replica)), Message::Swap { swap, candidate });
        Ok(Some(status))
    }

    fn swap_status(&self, replica: ReplicaId, swap: SwapId) -> Result<SwapStatus, String> {
        let entry = self.swaps.entries.get(&replica).filter(|entry| entry.status.swap == swap);
        let unknown = "this front end knows of no such swap: it was started anew, or another swap came after it";
        Ok(entry.ok_or(unknown)?.status.clone())
    }

    /// The manager tells how far a swap is.
    pub(super) fn on_swap_report(&mut self, replica: ReplicaId, swap: SwapId, stage: Stage) {
        let Some(entry) = self.swaps.active(replica, swap) else { return };
        if stage.is_over() {
            entry.waiting.clear();
        }
        if stage == Stage::Importing && !entry.is_promoted {
            // An instance that begins, or begins again: what an earlier one has answered does not count for it.
            entry.waiting.clear();
            entry.status.equal_len = 0;
        }
        entry.status.stage = stage;
        self.promote_if_right(replica);
    }

    /// An outcome of a shadow.
    pub(super) fn on_shadow_reply(
        &mut self,
        replica: ReplicaId,
        swap: SwapId,
        sequence: SequenceNumber,
        response: Response,
        now: Instant,
    ) {
        let Some(entry) = self.swaps.active(replica, swap) else {
            // Of a swap that an earlier process of this front end began, or that is over.
            let to = Recipients::One(NodeId::ReplicaManager(replica));
            return self.transmit(to, Message::EndSwap { swap });
        };
        if entry.waiting.len() < SHADOW_REPLIES_LEN_MAX {
            entry.waiting.insert(sequence, response);
        }
        self.compare_shadows(sequence, now);
    }

    /// Compares what shadows have answered here with what was released, if that is known.
    pub(super) fn compare_shadows(&mut self, sequence: SequenceNumber, now: Instant) {
        let Some(record) = self.ledger.record(sequence) else { return self.forget_shadows(sequence) };
        let released = match &record.conclusion {
            Some(Conclusion::Released { response, .. }) => response.clone(),
            // Nobody is told what is right here.
            Some(Conclusion::NoAgreement { .. }) => return self.forget_shadows(sequence),
            // It may still be agreed on. A front end that began after this place never learns of it.
            Some(Conclusion::TimedOut { .. }) | None if record.asked.is_some() => return,
            _ => return self.forget_shadows(sequence),
        };
        let command = record.asked.map(|asked| asked.command);
        let replicas: Vec<ReplicaId> = self.swaps.entries.keys().copied().collect();
        for replica in replicas {
            let entry = self.swaps.entries.get_mut(&replica).expect("its key was there");
            let Some(shadow) = entry.waiting.remove(&sequence) else { continue };
            if shadow == *released || mutation::is_on(Mutation::TrustShadow) {
                entry.status.equal_len += 1;
                self.promote_if_right(replica);
            } else {
                let released = (*released).clone();
                entry.status.mismatch.get_or_insert(Mismatch { sequence, command, shadow, released });
                self.give_up(replica, format!("its outcome at #{sequence} is not the released one"), now);
            }
        }
    }

    /// A manager's process is new: the shadow is gone with the last one.
    pub(super) fn on_shadow_gone(&mut self, replica: ReplicaId, now: Instant) {
        if self.swaps.entries.get(&replica).is_some_and(|entry| !entry.status.stage.is_over()) {
            self.end_swap(replica, "its replica manager was restarted meanwhile".to_owned(), now);
        }
    }

    fn forget_shadows(&mut self, sequence: SequenceNumber) {
        for entry in self.swaps.entries.values_mut() {
            entry.waiting.remove(&sequence);
        }
    }

    fn promote_if_right(&mut self, replica: ReplicaId) {
        let entry = self.swaps.entries.get_mut(&replica).expect("the caller has seen it");
        let SwapStatus { swap, shadow_len, equal_len, ref stage, .. } = entry.status;
        if matches!(stage, Stage::Following { .. }) && equal_len >= shadow_len && !entry.is_promoted {
            entry.is_promoted = true;
            self.transmit(Recipients::One(NodeId::ReplicaManager(replica)), Message::Promote { swap });
        }
    }

    /// Has the manager end a swap. One that it was told to promote may have come to its end there already, so the manager says how it ended.
    fn give_up(&mut self, replica: ReplicaId, reason: String, now: Instant) {
        let entry = self.swaps.entries.get(&replica).expect("the caller has seen it");
        if !entry.is_promoted {
            return self.end_swap(replica, reason, now);
        }
        let swap = entry.status.swap;
        self.transmit(Recipients::One(NodeId::ReplicaManager(replica)), Message::EndSwap { swap });
    }

    fn end_swap(&mut self, replica: ReplicaId, reason: String, now: Instant) {
        let entry = self.swaps.entries.get_mut(&replica).expect("the caller has seen it");
        entry.waiting.clear();
        entry.status.stage = Stage::Failed(reason.clone());
        let swap = entry.status.swap;
        self.transmit(Recipients::One(NodeId::ReplicaManager(replica)), Message::EndSwap { swap });
        self.event(Event::SwapFailed { replica, reason }, now);
    }
}
