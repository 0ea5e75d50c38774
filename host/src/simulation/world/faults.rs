//! Faults that begin, strike and end. A fault begins when its time has come and the mode bears it: a law can be asked only of runs
//! within the tolerances, and what they bear depends on what else has gone wrong by then.

use std::time::Duration;

use super::super::fault::{FaultKind, Place, PlannedFault, Realm};
use super::super::laws::Held;
use super::super::node::{Node, Process};
use super::super::replica::Replica;
use super::{Happening, World, is_of_link};
use crate::protocol::id::{NodeId, ReplicaId, RequestNumber, SequenceNumber};

/// How long it is waited before it is looked again whether the mode bears a fault.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(40);

/// How long the channels have to show a fault of a link after it is over.
const REVIEWED_AFTER: Duration = Duration::from_millis(700);

/// Most datagrams that wait in the socket of a process that stands still; the system drops the others.
const SOCKET_LEN_MAX: usize = 256;

/// What the channels at both ends of a fault's links have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkCounts {
    retransmitted: u64,
    duplicates: u64,
    out_of_order: u64,
    unsealed: u64,
}

impl World {
    /// The time of a planned fault has come.
    pub(super) fn on_fault_due(&mut self, index: usize) -> Held {
        let fault = self.scenario.faults[index].clone();
        let ends_at = super::STARTED + Duration::from_millis(fault.ends_ms());
        if self.bears(&fault) {
            let phase = self.phase();
            self.observed.on_begun(index, phase);
            let now = self.now;
            self.narrator.say(now, "fault", || format!("begins: {fault}"));
            self.counted.insert(index, self.link_counts(&fault));
            let ends_at = match fault.kind.realm() {
                // A process is gone, or stands still, for as long as was asked.
                Realm::Process => now + Duration::from_millis(fault.lasts_ms),
                _ => ends_at.max(now),
            };
            self.arrange(ends_at, Happening::FaultOver { index });
            self.active.insert(index);
            self.begin_fault(index, &fault);
            return Ok(());
        }
        if self.now + LOOK_AGAIN_AFTER < ends_at {
            self.arrange(self.now + LOOK_AGAIN_AFTER, Happening::FaultDue { index });
        } else {
            self.observed.on_begun(index, self.phase());
            self.end_fault();
        }
        Ok(())
    }

    /// Whether anything is amiss by which a request may be delayed, but for a front end's process, whose clients ask again.
    pub(super) fn is_disturbed(&self) -> bool {
        let is_amiss = |node: &Node| match node.id {
            NodeId::FrontEnd(_) => node.process == Process::Paused,
            NodeId::Sequencer => node.process != Process::Up || !node.is_back(),
            NodeId::ReplicaManager(_) => !node.is_voting(),
        };
        let disturbs = |index: &usize| {
            let Some(fault) = self.scenario.faults.get(*index) else { return true };
            let is_end_of_front_end =
                fault.place.node().is_some_and(NodeId::is_front_end) && matches!(fault.kind, FaultKind::Kill { .. });
            !is_end_of_front_end && fault.kind.realm() != Realm::Client
        };
        self.nodes.values().any(is_amiss) || self.active.iter().any(disturbs)
    }

    /// Whether the mode bears this fault on top of what has gone wrong already.
    fn bears(&self, fault: &PlannedFault) -> bool {
        let Place::Node(node) = fault.place else {
            let Place::Client(number) = fault.place else { unreachable!("it is no node") };
            return self.clients[number - 1].connection.is_some();
        };
        match fault.kind {
            FaultKind::Swap { .. } => {
                return node.replica().is_some_and(|replica| self.can_ask_for_swap(replica));
            }
            FaultKind::Kill { keeps_disk } => return self.bears_end_of(node, keeps_disk),
            FaultKind::TornWrite => return self.bears_end_of(node, true),
            FaultKind::Outage { .. } => return self.is_all_on_disks(),
            _ => {}
        }
        if self.nodes[&node].process != Process::Up {
            return !matches!(fault.kind.realm(), Realm::Process | Realm::Module);
        }
        let Some(replica) = node.replica() else { return true };
        let tolerance = self.scenario.tolerance();
        let others_len = self.scenario.replicas - tolerance.quorum();
        let others = || self.replicas.iter().filter(|(id, _)| **id != replica);
        let wrong_len = others().filter(|(_, other)| other.may_be_tainted()).count();
        let impaired_len = others().filter(|(id, other)| self.is_impaired(**id, other)).count();
        match fault.kind {
            kind if kind.makes_wrong() => {
                let own = &self.replicas[&replica];
                wrong_len < tolerance.wrong
                    && impaired_len < others_len
                    && others().all(|(_, other)| own.is_past_taint_of(other))
            }
            FaultKind::TrapAlways => impaired_len < others_len && !self.is_poisoned(),
            FaultKind::Poison => {
                let own = &self.replicas[&replica];
                impaired_len == 0 && !self.is_impaired(replica, own) && !self.is_poisoned()
            }
            _ => true,
        }
    }

    /// Whether a node's process may end now. Where all that counts is on disks, whoever keeps his may. Otherwise, of replica managers as
    /// many as may have crashed, one at least; and whatever any manager has delivered has to be in the log of another one, or on its
    /// way from the sequencer.
    pub(super) fn bears_end_of(&self, id: NodeId, keeps_disk: bool) -> bool {
        let node = &self.nodes[&id];
        let is_order_kept = self.is_all_on_disks() && (keeps_disk || node.manager().is_none());
        if node.process == Process::Down || (node.is_rejoining && !is_order_kept) {
            return false;
        }
        let is_gone = |node: &Node| node.process != Process::Up || node.is_rejoining;
        let others = || self.nodes.values().filter(|node| node.manager().is_some() && node.id != id);
        let remembers = |node: &&Node| node.process != Process::Down && !node.is_rejoining;
        let held = others().filter(remembers).filter_map(Node::manager).map(|manager| manager.log().end()).max();
        let is_held = held >= Some(self.laws.delivered());
        match id {
            NodeId::ReplicaManager(_) => {
                let gone_len = others().filter(|node| is_gone(node)).count();
                let sequencer = &self.nodes[&NodeId::Sequencer];
                let is_ordering = sequencer.process != Process::Down && !sequencer.is_rejoining;
                is_order_kept || (gone_len < self.scenario.crashed.max(1) && (is_ordering || is_held))
            }
            NodeId::Sequencer => is_order_kept || is_held,
            NodeId::FrontEnd(_) => true,
        }
    }

    /// Whether no manager has lost its disk and is not back yet, and everything that anybody has delivered is on some disk.
    fn is_all_on_disks(&self) -> bool {
        let is_any_lost = self.nodes.values().any(|node| node.has_lost_disk);
        !is_any_lost && self.committed.values().max() >= Some(&self.laws.delivered())
    }

    /// Whether a replica cannot be counted upon to have the right state, or to pass a request at which it fails.
    fn is_impaired(&self, id: ReplicaId, replica: &Replica) -> bool {
        let executed = self.nodes[&NodeId::ReplicaManager(id)].manager().map(|manager| manager.executed());
        let is_before = replica.trap_place().is_some_and(|place| executed < Some(place));
        let is_blocked = replica.trap_place().is_some() && !self.nodes[&NodeId::ReplicaManager(id)].is_voting();
        replica.may_be_tainted() || replica.may_trap_always() || is_before || is_blocked
    }

    /// Whether some replica is still before a request that none of them can pass.
    fn is_poisoned(&self) -> bool {
        let executed = |id: &ReplicaId| {
            self.nodes[&NodeId::ReplicaManager(*id)].manager().map_or(SequenceNumber(0), |manager| manager.executed())
        };
        self.replicas.iter().any(|(id, replica)| replica.poisoned_at().is_some_and(|place| executed(id) < place))
    }

    fn begin_fault(&mut self, index: usize, fault: &PlannedFault) {
        let kind = fault.kind;
        match (kind.realm(), fault.place) {
            (_, Place::Node(NodeId::ReplicaManager(replica))) if let FaultKind::Swap { to, shadow } = kind => {
                self.begin_swap(index, replica, to, shadow);
            }
            (Realm::Link, _) => self.network.begin(index, fault.clone()),
            (Realm::Process, Place::Node(node)) => self.begin_process_fault(index, node, fault),
            (Realm::Module, Place::Node(NodeId::ReplicaManager(_))) if kind == FaultKind::Poison => {
                let place = self.laws.ordered().next();
                self.replicas.values_mut().for_each(|replica| replica.poison(place, index));
            }
            (Realm::Module, Place::Node(NodeId::ReplicaManager(replica))) => self.replica_mut(replica).arm(index, kind),
            (Realm::Client, Place::Client(number)) => self.begin_client_fault(index, number - 1, kind),
            (realm, place) => unreachable!("a fault of {realm:?} at {place}"),
        }
    }

    fn begin_client_fault(&mut self, index: usize, client: usize, kind: FaultKind) {
        let requests = &self.scenario.requests;
        let words_of = |number: RequestNumber| {
            let planned = requests.iter().find(|planned| planned.client == client + 1 && planned.number == number.0);
            planned.map(|planned| planned.words.clone())
        };
        let has_struck = match kind {
            FaultKind::Vanish => {
                self.disconnect(client);
                self.clients[client].vanish();
                true
            }
            FaultKind::Repeat => self.clients[client].repeat(words_of),
            _ => self.clients[client].send_nonsense(),
        };
        if has_struck {
            self.note_struck(&[index]);
            if kind == FaultKind::Vanish {
                self.observed.on_detected(index, "front end (connection)");
            }
        }
        self.send_from(client);
    }

    fn begin_process_fault(&mut self, index: usize, id: NodeId, fault: &PlannedFault) {
        if let (FaultKind::TornWrite, Some(replica)) = (fault.kind, id.replica()) {
            return self.disk_mut(replica).fail_next_commit(index);
        }
        self.note_struck(&[index]);
        match fault.kind {
            FaultKind::Kill { keeps_disk } => self.end_process(id, keeps_disk),
            FaultKind::Outage { managers_only } => self.end_all_processes(id, managers_only, fault.lasts_ms),
            _ => {
                let node = self.node_mut(id);
                node.wake = None;
                node.process = Process::Paused;
            }
        }
    }

    /// A node's process ends. Its disk keeps what was committed, and perhaps more, or is lost as well.
    pub(super) fn end_process(&mut self, id: NodeId, keeps_disk: bool) {
        let node = self.node_mut(id);
        node.wake = None;
        node.process = Process::Down;
        if id.is_front_end() {
            self.disconnect_all(id);
        }
        let Some(replica) = id.replica() else { return };
        self.replica_mut(replica).forget();
        if keeps_disk {
            self.disk_mut(replica).crash();
        } else {
            self.node_mut(id).has_lost_disk = true;
            self.committed.insert(replica, SequenceNumber(0));
            self.disk_mut(replica).lose();
        }
    }

    /// All processes end at once, or those of the managers. They begin anew one by one within this time, the one at `last` at its end.
    fn end_all_processes(&mut self, last: NodeId, managers_only: bool, lasts_ms: u64) {
        let is_meant = |node: &&Node| node.process != Process::Down && (node.manager().is_some() || !managers_only);
        let running = self.nodes.values().filter(is_meant);
        for id in running.map(|node| node.id).collect::<Vec<_>>() {
            self.end_process(id, true);
            if id != last {
                let after = Duration::from_millis(self.random.between(1, lasts_ms));
                self.arrange(self.now + after, Happening::ProcessDue { node: id });
            }
        }
    }

    /// A planned fault that has begun is over.
    pub(super) fn on_fault_over(&mut self, index: usize) -> Held {
        let fault = self.scenario.faults[index].clone();
        let now = self.now;
        self.narrator.say(now, "fault", || format!("is over: {}", fault.kind.name()));
        self.arrange(now + REVIEWED_AFTER, Happening::FaultReviewed { index });
        self.end_fault();
        self.active.remove(&index);
        match (fault.kind, fault.place) {
            (FaultKind::Kill { .. } | FaultKind::TornWrite | FaultKind::Outage { .. }, Place::Node(node)) => {
                if let Some(replica) = node.replica() {
                    self.disk_mut(replica).disarm(index);
                }
                self.start_process_if_down(node);
                Ok(())
            }
            (FaultKind::Pause, Place::Node(node)) => self.resume(node),
            (FaultKind::Swap { .. }, _) => {
                self.end_swap(index);
                Ok(())
            }
            (_, Place::Node(NodeId::ReplicaManager(replica))) if fault.kind.realm() == Realm::Module => {
                self.replica_mut(replica).disarm(index);
                self.begin_jobs(replica);
                Ok(())
            }
            _ => {
                self.network.end(index);
                Ok(())
            }
        }
    }

    fn end_fault(&mut self) {
        self.faults_left -= 1;
        self.quiet_since = self.now;
    }

    /// A process that has stood still goes on, with what has come meanwhile.
    fn resume(&mut self, id: NodeId) -> Held {
        if self.nodes[&id].process != Process::Paused {
            // It was killed while it stood still.
            return Ok(());
        }
        let now = self.now;
        let node = self.node_mut(id);
        node.process = Process::Up;
        node.wake = Some(now);
        for happening in self.postponed.remove(&id).unwrap_or_default() {
            self.arrange(now, happening);
        }
        Ok(())
    }

    /// Keeps what happens to a node that stands still, as its sockets and its executor's thread do.
    pub(super) fn postpone(&mut self, id: NodeId, happening: Happening) {
        let waiting = self.postponed.entry(id).or_default();
        let is_datagram = matches!(happening, Happening::Arrival { .. });
        if !is_datagram || waiting.len() < SOCKET_LEN_MAX {
            waiting.push(happening);
        }
    }

    /// These faults have just struck.
    pub(super) fn note_struck(&mut self, struck: &[usize]) {
        let phase = self.phase();
        for index in struck.iter().filter(|index| **index < self.scenario.faults.len()) {
            self.observed.on_struck(*index, phase);
        }
    }

    /// The faults of a replica's module that have just struck.
    pub(super) fn note_module_faults(&mut self, replica: ReplicaId) {
        let struck = self.replica_mut(replica).take_struck();
        if struck.is_empty() {
            return;
        }
        let now = self.now;
        for index in struck.iter().filter(|index| **index < self.scenario.faults.len()) {
            let name = self.scenario.faults[*index].kind.name();
            self.narrator.say(now, "fault", || format!("strikes {replica}: {name}"));
        }
        self.note_struck(&struck);
    }

    /// A fault of a client has been answered as it should be.
    pub(super) fn note_client_fault(&mut self, client: usize, name: &str, by: &'static str) {
        for index in 0..self.scenario.faults.len() {
            let fault = &self.scenario.faults[index];
            if fault.place == Place::Client(client + 1) && fault.kind.name() == name {
                self.observed.on_detected(index, by);
            }
        }
    }

    /// A channel has found a node silent, or its process new.
    pub(super) fn note_seen_by_channel(&mut self, peer: NodeId) {
        for index in 0..self.scenario.faults.len() {
            let fault = &self.scenario.faults[index];
            let is_of_peer = fault.place == Place::Node(peer);
            let silences = matches!(fault.kind.realm(), Realm::Process) || fault.kind == FaultKind::Cut;
            if is_of_peer && silences {
                self.observed.on_detected(index, "channel (silence, session)");
            }
        }
    }

    /// What a process of this manager had written is not all intact.
    pub(super) fn note_damaged_disk(&mut self, replica: ReplicaId) {
        for index in 0..self.scenario.faults.len() {
            let fault = &self.scenario.faults[index];
            let is_here = fault.place == Place::Node(NodeId::ReplicaManager(replica));
            if is_here && fault.kind.realm() == Realm::Process && fault.kind != FaultKind::Pause {
                self.observed.on_detected(index, "its storage");
            }
        }
    }

    /// What the channels at both ends of a fault's links have counted so far.
    fn link_counts(&self, fault: &PlannedFault) -> LinkCounts {
        let mut counts = LinkCounts::default();
        let Some(from) = fault.place.node().filter(|_| is_of_link(fault)) else { return counts };
        let is_meant = |to: NodeId| fault.peer.is_none_or(|peer| peer == Place::Node(to));
        for (to, counters, _) in self.nodes[&from].endpoint.counters().filter(|(to, ..)| is_meant(*to)) {
            counts.retransmitted += counters.packets_retransmitted;
            let back = self.nodes[&to].endpoint.counters().find(|(peer, ..)| *peer == from);
            let (_, counters, _) = back.expect("channels have two ends");
            counts.duplicates += counters.duplicates + counters.replayed;
            counts.out_of_order += counters.out_of_order;
            let unrouted = self.nodes[&to].endpoint.unrouted();
            counts.unsealed += counters.forged + counters.other_cluster + counters.unknown_key;
            counts.unsealed += unrouted.forged + unrouted.truncated + unrouted.unknown_version + unrouted.dropped;
        }
        counts
    }

    /// The channels have had time to show a fault of a link.
    pub(super) fn review_fault(&mut self, index: usize) {
        let fault = self.scenario.faults[index].clone();
        let (before, after) = (self.counted.remove(&index).unwrap_or_default(), self.link_counts(&fault));
        let shown = [
            (after.retransmitted > before.retransmitted, "channel (retransmission)"),
            (after.duplicates > before.duplicates, "channel (duplicate)"),
            (after.out_of_order > before.out_of_order, "channel (order)"),
            (after.unsealed > before.unsealed, "seal"),
        ];
        for (_, by) in shown.into_iter().filter(|(is_shown, _)| *is_shown) {
            self.observed.on_detected(index, by);
        }
    }
}
