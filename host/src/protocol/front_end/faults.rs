//! The faults that were asked for: hands each to its node, and keeps what becomes of it.

use std::collections::BTreeMap;

use super::{ConnectionId, FrontEnd, Output};
use crate::protocol::client_message::{FaultAsk, FaultState, FaultStatus, ServerBody};
use crate::protocol::event::Event;
use crate::protocol::fault::{Fault, FaultId, FaultKind};
use crate::protocol::id::{NodeId, RequestNumber};
use crate::protocol::limits::FAULTS_LEN_MAX;
use crate::protocol::message::Message;
use crate::protocol::recipients::Recipients;
use crate::protocol::time::Instant;

/// All faults of this run, the oldest of those that are over excepted.
#[derive(Debug, Default)]
pub(super) struct FaultBoard {
    entries: BTreeMap<FaultId, Entry>,
    last_id: u32,
}

#[derive(Debug)]
struct Entry {
    status: FaultStatus,
    added_at: Instant,
    /// How often it struck in processes of its node that are gone.
    fired_before: u64,
}

impl FrontEnd {
    pub(super) fn on_faults(&mut self, connection: ConnectionId, number: RequestNumber, ask: FaultAsk, now: Instant) {
        let answered = match ask {
            FaultAsk::List => Ok(self.faults.entries.values().map(|entry| entry.status.clone()).collect()),
            _ if !self.config.allow_faults => {
                Err("this cluster lets no faults be injected; start it with `dsms up --allow-faults`".to_owned())
            }
            FaultAsk::Add { node, fault } => self.add_fault(node, fault, now).map(|status| vec![status]),
            FaultAsk::Remove(id) => self.remove_faults(id, now),
        };
        let body = answered.map_or_else(ServerBody::FaultRefused, ServerBody::Faults);
        self.answer(connection, number, body);
    }

    fn add_fault(&mut self, node: NodeId, fault: Fault, now: Instant) -> Result<FaultStatus, String> {
        let nodes = self.config.membership.nodes();
        for named in [Some(node), fault.peer].into_iter().flatten() {
            if !nodes.contains(&named) {
                let known = nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
                return Err(format!("this cluster has no {named}; its nodes are {known}"));
            }
        }
        fault.check(node, self.config.me)?;
        if self.faults.entries.len() >= FAULTS_LEN_MAX {
            let over = self.faults.entries.values().find(|entry| entry.status.state != FaultState::Active);
            let Some(over) = over.map(|entry| entry.status.id) else {
                return Err(format!("{FAULTS_LEN_MAX} faults are active already; remove some with `dsms fault rm`"));
            };
            self.faults.entries.remove(&over);
        }
        self.faults.last_id += 1;
        let id = FaultId(self.faults.last_id);
        self.event(Event::FaultAdded { id, node, fault: fault.clone() }, now);
        let status = FaultStatus { id, node, fault: fault.clone(), fired: 0, state: FaultState::Active };
        self.faults.entries.insert(id, Entry { status: status.clone(), added_at: now, fired_before: 0 });
        self.control(node, Message::AddFault { id, fault: Box::new(fault) });
        Ok(status)
    }

    fn remove_faults(&mut self, id: Option<FaultId>, now: Instant) -> Result<Vec<FaultStatus>, String> {
        if let Some(id) = id
            && !self.faults.entries.contains_key(&id)
        {
            return Err(format!("there is no fault {id}; `dsms fault ls` lists them"));
        }
        let is_meant = |entry: &&Entry| id.is_none_or(|id| id == entry.status.id) && entry.is_active();
        let ids: Vec<FaultId> = self.faults.entries.values().filter(is_meant).map(|entry| entry.status.id).collect();
        for id in &ids {
            let node = self.faults.entries[id].status.node;
            self.control(node, Message::RemoveFault { id: *id });
            self.end_fault(*id, None, now);
        }
        Ok(ids.iter().map(|id| self.faults.entries[id].status.clone()).collect())
    }

    /// A node tells what has become of a fault.
    pub(super) fn on_fault_report(
        &mut self,
        id: FaultId,
        fired: u64,
        is_over: bool,
        refused: Option<String>,
        now: Instant,
    ) {
        let Some(entry) = self.faults.entries.get_mut(&id) else { return };
        let is_first = entry.status.fired == 0 && fired > 0;
        entry.status.fired = entry.status.fired.max(entry.fired_before + fired);
        let (node, is_active) = (entry.status.node, entry.is_active());
        if is_first {
            self.event(Event::FaultFired { id, node }, now);
        }
        if is_active && (is_over || refused.is_some()) {
            self.end_fault(id, refused, now);
        }
    }

    /// A node's process is new and knows of no faults: it is told of those that are not over.
    pub(super) fn renew_faults(&mut self, node: NodeId, now: Instant) {
        let mut renewed = Vec::new();
        for entry in self.faults.entries.values_mut().filter(|entry| entry.status.node == node && entry.is_active()) {
            if entry.status.fault.kind == FaultKind::Kill {
                // The process that was to be killed is gone, whether or not it could still say why.
                entry.status.fired = 1;
            }
            let FaultStatus { id, ref fault, fired, .. } = entry.status;
            entry.fired_before = fired;
            let count = fault.count.map(|count| count.saturating_sub(fired));
            let lasts = fault.lasts.map(|lasts| lasts.saturating_sub(now.since(entry.added_at)));
            renewed.push((id, Fault { count, lasts, ..fault.clone() }));
        }
        for (id, fault) in renewed {
            if fault.kind.is_of_process() || fault.count == Some(0) || fault.lasts.is_some_and(|lasts| lasts.is_zero())
            {
                self.end_fault(id, None, now);
            } else {
                self.control(node, Message::AddFault { id, fault: Box::new(fault) });
            }
        }
    }

    fn end_fault(&mut self, id: FaultId, refused: Option<String>, now: Instant) {
        let entry = self.faults.entries.get_mut(&id).expect("the caller has seen it");
        entry.status.state = refused.clone().map_or(FaultState::Over, FaultState::Refused);
        let (node, fired) = (entry.status.node, entry.status.fired);
        self.event(Event::FaultOver { id, node, fired, refused }, now);
    }

    fn control(&mut self, node: NodeId, message: Message) {
        let output = match node {
            _ if node == self.config.me => Output::Inject(message),
            _ => Output::Transmit { to: Recipients::One(node), message },
        };
        self.outputs.push_back(output);
    }
}

impl Entry {
    fn is_active(&self) -> bool {
        self.status.state == FaultState::Active
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::client_message::ServerMessage;
    use crate::protocol::front_end::FrontEndConfig;
    use crate::protocol::id::{Membership, ReplicaId};
    use crate::protocol::limits::REQUEST_TIMEOUT;
    use crate::protocol::policy::SuspicionPolicy;
    use crate::protocol::quorum::Tolerance;

    const NOW: Instant = Instant(1_000_000);
    const CONNECTION: ConnectionId = ConnectionId(1);

    fn front_end(allow_faults: bool) -> FrontEnd {
        let (tolerance, suspicion) = (Tolerance::BYZANTINE, SuspicionPolicy::default());
        let config = FrontEndConfig {
            me: NodeId::FRONT_END,
            process: 1,
            membership: Membership::of(3),
            tolerance,
            request_timeout: REQUEST_TIMEOUT,
            suspicion,
            allow_faults,
            in_flight_len_max: 8,
        };
        let mut front_end = FrontEnd::new(config);
        while front_end.poll_output().is_some() {}
        front_end
    }

    fn replica(number: u8) -> NodeId {
        NodeId::ReplicaManager(ReplicaId::new(number).unwrap())
    }

    /// Asks, and gives the answer with what was sent to nodes meanwhile.
    fn ask(front_end: &mut FrontEnd, ask: FaultAsk) -> (ServerBody, Vec<Message>) {
        front_end.on_faults(CONNECTION, RequestNumber(1), ask, NOW);
        let (mut answer, mut sent) = (None, Vec::new());
        while let Some(output) = front_end.poll_output() {
            match output {
                Output::Answer { message: ServerMessage { body, .. }, .. } => answer = Some(body),
                Output::Transmit { message, .. } | Output::Inject(message) => sent.push(message),
                Output::Event(_) | Output::Recollect { .. } => {}
            }
        }
        (answer.expect("every question is answered"), sent)
    }

    fn list(front_end: &mut FrontEnd) -> Vec<(u64, FaultState)> {
        let (ServerBody::Faults(faults), _) = ask(front_end, FaultAsk::List) else { panic!("no list") };
        faults.into_iter().map(|status| (status.fired, status.state)).collect()
    }

    fn wrong_thrice() -> Fault {
        Fault { count: Some(3), ..Fault::of(FaultKind::Wrong) }
    }

    fn report(front_end: &mut FrontEnd, id: u32, fired: u64, is_over: bool) {
        let report = Message::FaultReport { id: FaultId(id), fired, is_over, refused: None };
        front_end.handle_message(replica(2), report, NOW);
    }

    #[test]
    fn faults_that_are_not_allowed_or_make_no_sense_are_refused() {
        let add = |node| FaultAsk::Add { node, fault: wrong_thrice() };
        assert!(
            matches!(ask(&mut front_end(false), add(replica(2))), (ServerBody::FaultRefused(_), sent) if sent.is_empty())
        );
        let mut front_end = front_end(true);
        for node in [replica(4), NodeId::Sequencer] {
            assert!(matches!(ask(&mut front_end, add(node)), (ServerBody::FaultRefused(_), sent) if sent.is_empty()));
        }
        let absent = FaultAsk::Remove(Some(FaultId(1)));
        assert!(matches!(ask(&mut front_end, absent), (ServerBody::FaultRefused(_), _)));
    }

    #[test]
    fn a_fault_goes_to_its_node_and_its_reports_are_kept() {
        let mut front_end = front_end(true);
        let (_, sent) = ask(&mut front_end, FaultAsk::Add { node: replica(2), fault: wrong_thrice() });
        assert!(matches!(&sent[..], [Message::AddFault { id: FaultId(1), .. }]), "{sent:?}");
        report(&mut front_end, 1, 2, false);
        assert_eq!(list(&mut front_end), [(2, FaultState::Active)]);
        let (_, sent) = ask(&mut front_end, FaultAsk::Remove(None));
        assert_eq!(sent, [Message::RemoveFault { id: FaultId(1) }]);
        assert_eq!(list(&mut front_end), [(2, FaultState::Over)]);
        let (_, sent) = ask(&mut front_end, FaultAsk::Remove(None));
        assert_eq!(sent, [], "it is over already");
    }

    #[test]
    fn a_new_process_is_told_of_the_rest_of_a_fault_but_is_not_killed_again() {
        let mut front_end = front_end(true);
        ask(&mut front_end, FaultAsk::Add { node: replica(2), fault: wrong_thrice() });
        ask(&mut front_end, FaultAsk::Add { node: replica(2), fault: Fault::of(FaultKind::Kill) });
        let late = Fault { lasts: Some(Duration::from_secs(1)), ..Fault::of(FaultKind::Loss) };
        ask(&mut front_end, FaultAsk::Add { node: replica(2), fault: late });
        report(&mut front_end, 1, 2, false);
        front_end.renew_faults(replica(2), NOW + Duration::from_secs(1));
        let renewed: Vec<_> = std::iter::from_fn(|| front_end.poll_output())
            .filter_map(|output| match output {
                Output::Transmit { message: Message::AddFault { id, fault }, .. } => Some((id, fault.count)),
                _ => None,
            })
            .collect();
        assert_eq!(renewed, [(FaultId(1), Some(1))]);
        report(&mut front_end, 1, 1, true);
        let fired: Vec<u64> = list(&mut front_end).into_iter().map(|(fired, _)| fired).collect();
        assert_eq!(fired, [3, 1, 0], "what struck before counts as well");
    }
}
