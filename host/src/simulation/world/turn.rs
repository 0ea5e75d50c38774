//! What a driver does each time it wakes up, as `runtime/node.rs` does it, and what the cores ask for.

use super::super::laws::{Broken, Held};
use super::super::network::Fate;
use super::super::node::{Output, Process};
use super::{Happening, World};
use crate::protocol::channel::ChannelEvent;
use crate::protocol::event::Event;
use crate::protocol::id::NodeId;
use crate::protocol::ledger::Entry;
use crate::protocol::message::Message;
use crate::protocol::recipients::Recipients;
use crate::storage::Storage;

impl World {
    /// A datagram arrives at a node that runs.
    pub(super) fn on_arrival(&mut self, _from: NodeId, to: NodeId, bytes: &[u8]) -> Held {
        let now = self.now;
        // What the channel makes of a late or repeated datagram is its own affair.
        let _used_or_not = self.node_mut(to).endpoint.handle_datagram(bytes, now);
        self.turn(to)
    }

    /// A node wakes up: takes in what is there, lets its core act, and sends what came of it.
    pub(super) fn turn(&mut self, id: NodeId) -> Held {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a node of this cluster");
        if node.process != Process::Up {
            node.wake = None;
            return Ok(());
        }
        node.endpoint.handle_timeout(now);
        while let Some((peer, event)) = self.node_mut(id).endpoint.poll_event() {
            self.on_channel_event(id, peer, event);
        }
        loop {
            let node = self.node_mut(id);
            let passed_over = node.passed_over();
            let Some((from, message)) = node.endpoint.poll_message(passed_over) else { break };
            let message = message.map_err(|error| Broken {
                law: "what_one_node_sends_another_can_read".to_owned(),
                words: format!("{id} cannot read a message of {from}: {error}"),
            })?;
            self.look_at_received(id, from, &message);
            self.node_mut(id).handle_message(from, message, now);
            self.drain(id)?;
        }
        self.node_mut(id).handle_timeout(now);
        self.drain(id)?;
        self.look_at_entries(id)?;
        if !self.commit(id) {
            return Ok(());
        }
        self.flush(id);
        self.look_at(id)
    }

    /// What a front end has had written in this turn. Nobody keeps it here.
    pub(super) fn look_at_entries(&mut self, id: NodeId) -> Held {
        let Some(core) = self.node_mut(id).front_end_mut() else { return Ok(()) };
        let entries: Vec<Entry> = std::iter::from_fn(|| core.poll_entry()).collect();
        entries.iter().try_for_each(|entry| self.laws.entries_say_what_was_released(id, entry))
    }

    /// Commits what the turn has brought, before anything of it leaves. A process that cannot ends; whether it lives on.
    fn commit(&mut self, id: NodeId) -> bool {
        let Some(replica) = id.replica() else { return true };
        let failing = self.disks[&replica].failing();
        if let Some(index) = failing
            && !self.bears_end_of(id, true)
        {
            // It would be one fault too many by now.
            self.disk_mut(replica).disarm(index);
        }
        let Err(error) = self.disk_mut(replica).commit() else { return true };
        self.narrator.say_of(self.now, id, || error.to_string());
        self.note_struck(&failing.into_iter().collect::<Vec<_>>());
        self.end_process(id, true);
        false
    }

    fn flush(&mut self, id: NodeId) {
        let now = self.now;
        let mut datagram = std::mem::take(&mut self.datagram);
        while let Some(to) = self.node_mut(id).endpoint.poll_transmit(now, &mut datagram) {
            self.datagrams_len += 1;
            self.trace.update(&now.0.to_le_bytes());
            self.trace.update(&[id.to_byte(), to.to_byte()]);
            self.trace.update(&datagram);
            let fate = self.network.send(id, to, &mut datagram, now);
            self.tell_repeated(id, to, &fate);
            if fate.dropped {
                self.narrator.say(now, "network", || format!("lose {id} -> {to}"));
            }
            if !fate.struck.is_empty() {
                self.note_struck(&fate.struck);
            }
            for at in fate.arrivals {
                self.arrange(at, Happening::Arrival { from: id, to, bytes: datagram.clone() });
            }
        }
        self.datagram = datagram;
    }

    /// Tells that a packet goes again. What a node repeats that is cut off is mostly heartbeats, and of no interest.
    fn tell_repeated(&mut self, id: NodeId, to: NodeId, fate: &Fate) {
        if !self.narrator.is_wanted() {
            return;
        }
        let mut counters = self.nodes[&id].endpoint.counters();
        let counted =
            counters.find(|(peer, ..)| *peer == to).map_or(0, |(_, counters, _)| counters.packets_retransmitted);
        let before = self.retransmitted.insert((id, to), counted).unwrap_or(0);
        if counted > before && !fate.arrivals.is_empty() {
            self.narrator.say_of(self.now, id, || format!("repeat to {to}"));
        }
    }

    /// Does what the core asks for.
    pub(super) fn drain(&mut self, id: NodeId) -> Held {
        while let Some(output) = self.node_mut(id).poll_output() {
            match output {
                Output::Persist(record) => {
                    let replica = id.replica().expect("only managers have disks");
                    self.replica_mut(replica).note_written(&record);
                    self.disk_mut(replica).append(&record);
                }
                Output::Transmit(to, message) => self.transmit(id, to, message)?,
                Output::Answer(connection, message) => self.answer(id, connection, &message)?,
                Output::Event(event) => self.on_event(id, &event)?,
                of_module => {
                    let replica = id.replica().expect("only replicas have modules");
                    self.hand_over(replica, of_module)?;
                }
            }
        }
        Ok(())
    }

    fn transmit(&mut self, id: NodeId, to: Recipients, mut message: Message) -> Held {
        let now = self.now;
        self.look_at_sent(id, to, &message)?;
        if let (Message::State { bytes, .. }, Some(replica)) = (&mut message, id.replica())
            && !bytes.is_empty()
            && self.replica_mut(replica).garbles_snapshot()
        {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            self.note_module_faults(replica);
        }
        self.narrator.say_message(now, id, &message, to);
        for not_sent in self.node_mut(id).endpoint.send(to, &message) {
            self.narrator.say_of(now, id, || format!("not sent {} to {}", message.name(), not_sent.to));
        }
        Ok(())
    }

    fn on_event(&mut self, id: NodeId, event: &Event) -> Held {
        let now = self.now;
        self.narrator.say_of(now, id, || event.to_string());
        self.observed.on_event(&self.scenario.faults, id, event);
        match event {
            Event::RecoveryStarted { replica, incarnation, cause, .. }
            | Event::Quarantined { replica, incarnation, cause } => {
                let truth = self.replicas[replica].truth();
                self.laws.nobody_is_restarted_without_cause(*replica, *incarnation, cause, truth)
            }
            Event::Certified { sequence, digest, .. } => {
                self.laws.certified_checkpoints_are_never_contradicted(*sequence, *digest)
            }
            Event::StatesDiffer { sequence, .. } => self.laws.states_differ_only_where_somebody_may_be_wrong(*sequence),
            _ => Ok(()),
        }
    }

    fn on_channel_event(&mut self, id: NodeId, peer: NodeId, event: ChannelEvent) {
        let words = match event {
            ChannelEvent::Reachable => "reachable",
            ChannelEvent::Unreachable { .. } => "unreachable",
            ChannelEvent::PeerRestarted { .. } => "restarted",
        };
        self.narrator.say_of(self.now, id, || format!("{peer} is {words}"));
        if event != ChannelEvent::Reachable {
            self.note_seen_by_channel(peer);
        }
    }

    fn look_at_received(&mut self, id: NodeId, from: NodeId, message: &Message) {
        let (NodeId::FrontEnd(_), Some(replica)) = (id, from.replica()) else { return };
        match message {
            Message::Reply(reply) => self.laws.on_reply_received(id, replica, reply),
            Message::ShadowReply { swap, sequence, response } => {
                self.laws.on_shadow_reply_received(replica, *swap, *sequence, response);
            }
            Message::SwapReport { swap, stage } => self.laws.on_swap_report_received(replica, *swap, stage),
            _ => {}
        }
    }

    fn look_at_sent(&mut self, id: NodeId, to: Recipients, message: &Message) -> Held {
        match (id, message) {
            (NodeId::Sequencer, Message::Order(order)) => self.laws.the_sequencer_gives_each_place_once(order),
            (NodeId::FrontEnd(_), Message::Accuse(charge)) => {
                self.laws.nobody_is_accused_of_a_right_answer(id, *charge)
            }
            (NodeId::FrontEnd(_), Message::Swap { swap, .. }) => {
                if let Recipients::One(NodeId::ReplicaManager(replica)) = to {
                    self.note_swap_begun(replica, *swap);
                }
                Ok(())
            }
            (NodeId::FrontEnd(_), Message::Promote { swap }) => {
                self.laws.nothing_takes_over_before_enough_of_its_outcomes_were_right(to, *swap)
            }
            (NodeId::FrontEnd(_), Message::Void { sequence }) => {
                self.laws.nothing_before_what_was_released_becomes_void(id, *sequence)
            }
            (NodeId::ReplicaManager(replica), Message::Progress(progress)) => {
                self.laws.on_life_heard_of(replica, progress.incarnation);
                Ok(())
            }
            (NodeId::ReplicaManager(voter), Message::CrashVote { charge, agree }) => {
                self.laws.on_crash_vote(voter, *charge, *agree);
                Ok(())
            }
            (NodeId::ReplicaManager(voter), Message::CheckpointVote { sequence, digest }) => {
                let is_tainted = self.replicas[&voter].is_tainted();
                self.laws.on_checkpoint_vote(voter, *sequence, *digest, is_tainted)
            }
            (NodeId::ReplicaManager(_), Message::Offer(certificate)) => {
                self.laws.certified_checkpoints_are_never_contradicted(certificate.sequence, certificate.digest)
            }
            _ => Ok(()),
        }
    }

    /// After a turn: the log, the queues, and when it has something to do again.
    fn look_at(&mut self, id: NodeId) -> Held {
        let node = self.nodes.get_mut(&id).expect("a node of this cluster");
        node.note_wake();
        node.is_rejoining &= !node.is_back();
        node.has_lost_disk &= node.is_rejoining;
        if let (Some(replica), Some(manager)) = (id.replica(), node.manager()) {
            self.committed.insert(replica, manager.log().end());
        }
        if let (Some(replica), Some(manager)) = (id.replica(), node.manager()) {
            self.laws.replicas_deliver_prefixes_of_one_order(replica, manager.log())?;
        }
        self.laws.queues_stay_within_limits(id, node.queues())?;
        if self.is_disturbed() {
            self.laws.on_disturbed(self.now);
        }
        self.laws.an_undisturbed_request_is_answered_soon(self.now)
    }
}
