//! What somebody who scripts a run may do to it, step by step; the transcripts are made of this.

use std::time::Duration;

use super::super::disk::Disk;
use super::super::fault::{FaultKind, Place, PlannedFault};
use super::super::laws::Held;
use super::super::next_module::NextModule;
use super::super::replica::native;
use super::super::scenario::{FORMAT, Scenario};
use super::{CLIENT_LATENCY, World};
use crate::protocol::client_message::ClientMessage;
use crate::protocol::id::{NodeId, ReplicaId, RequestNumber, SequenceNumber};
use crate::protocol::policy::RecoveryPolicy;
use crate::protocol::quorum::Tolerance;
use crate::protocol::wire;

/// A settled cluster says nothing for this long.
const QUIET: Duration = Duration::from_secs(3);

/// Longest time that a script waits for that.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// A datagram that carries no message, only acknowledgements, is no longer than this.
const MESSAGELESS_LEN_MAX: usize = 114;

/// The place in the plan of faults that are in no plan; those of a cut come before it, two a node.
const SCRIPTED: usize = usize::MAX;

impl World {
    /// A settled cluster in this mode, with so many front ends, on which a script is played: every datagram takes a millisecond, and calls take no time.
    pub fn scripted(tolerance: Tolerance, front_ends: usize, spares: usize) -> Result<World, super::Broken> {
        let scenario = Scenario {
            format: FORMAT.to_owned(),
            seed: 0,
            wrong: tolerance.wrong,
            crashed: tolerance.crashed,
            replicas: tolerance.replicas_len_min(),
            front_ends,
            spares,
            checkpoint_every: 10_000,
            reinstantiations_max: RecoveryPolicy::default().reinstantiations_max,
            latency_us: 1000,
            jitter_us: 0,
            call_us: 0,
            modules: Vec::new(),
            requests: Vec::new(),
            faults: Vec::new(),
        };
        let mut world = World::new(scenario, &native(), true);
        // What a script does to the cluster is in no plan, and how long its clients wait is in its transcript.
        world.active.insert(SCRIPTED);
        world.settle()?;
        world.narrator.begin_anew(world.now);
        Ok(world)
    }

    /// What has happened since this was last asked, line by line.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.narrator.take()
    }

    /// The client sends a request, or sends it again.
    pub fn send_request(&mut self, number: u64, words: &str) -> Held {
        let words = words.split_whitespace().map(str::to_owned).collect();
        self.send_now(ClientMessage::Request { number: RequestNumber(number), words })
    }

    /// A client has every replica digest its state.
    pub fn send_barrier(&mut self, number: u64) -> Held {
        self.send_now(ClientMessage::Digest { number: RequestNumber(number) })
    }

    fn send_now(&mut self, message: ClientMessage) -> Held {
        if self.clients[0].connection.is_none() {
            while self.clients[0].connection.is_none() {
                self.step()?;
            }
            // So that the front end learns first who its client is.
            self.pass(CLIENT_LATENCY)?;
        }
        let connection = self.clients[0].connection.expect("it was waited for");
        let front_end = self.connections[&connection].front_end;
        let mut bytes = Vec::new();
        wire::encode(&message, &mut bytes).expect("a script's message is short");
        self.on_client_bytes(front_end, connection, &bytes)
    }

    /// The next datagram of this link that carries messages is lost.
    pub fn drop_next(&mut self, from: NodeId, to: NodeId) {
        self.network.drop_next(from, to, MESSAGELESS_LEN_MAX + 1);
    }

    /// Nothing arrives from a node or at it, until it is healed.
    pub fn cut(&mut self, node: NodeId) {
        let fault = |place, peer| PlannedFault { at_ms: 0, lasts_ms: 0, place, peer, kind: FaultKind::Cut };
        for (index, other) in self.scenario.membership().nodes().into_iter().enumerate() {
            let (one, other) = (Place::Node(node), Place::Node(other));
            let indexes = cut_indexes(node, index);
            self.network.begin(indexes[0], fault(one, Some(other)));
            self.network.begin(indexes[1], fault(other, Some(one)));
        }
    }

    /// A node that was cut off is not any more.
    pub fn heal(&mut self, node: NodeId) {
        for index in 0..self.scenario.membership().nodes().len() {
            cut_indexes(node, index).into_iter().for_each(|index| self.network.end(index));
        }
    }

    /// A replica gets a fault, as in a plan.
    pub fn arm(&mut self, replica: ReplicaId, kind: FaultKind) {
        self.replica_mut(replica).arm(SCRIPTED, kind);
    }

    /// An operator has this module take over from a replica's, after so many right outcomes. The last swap has to be over.
    pub fn swap(&mut self, replica: ReplicaId, to: NextModule, shadow_len: u64) -> Held {
        let began = self.now;
        self.look_at_swap(replica);
        while !self.can_ask_for_swap(replica) {
            self.step()?;
            assert!(self.now.since(began) < SETTLE_MAX, "the last swap of {replica} does not end");
        }
        self.begin_swap(SCRIPTED, replica, to, shadow_len);
        Ok(())
    }

    /// A replica's first module traps at this place, in every life.
    pub fn trap_at(&mut self, replica: ReplicaId, place: SequenceNumber) {
        self.replica_mut(replica).trap_at(place);
    }

    /// A node's process ends, and a new one begins that knows nothing.
    pub fn restart(&mut self, node: NodeId) -> Held {
        self.narrator.say_of(self.now, node, || "its process ends, and a new one begins".to_owned());
        if node.is_front_end() {
            self.disconnect_all(node);
        }
        if let Some(replica) = node.replica() {
            self.disks.insert(replica, Disk::new(0, ""));
        }
        self.start_process(node);
        self.heal(node);
        self.turn(node)
    }

    /// All nodes.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.scenario.membership().nodes()
    }

    /// The processes of all these nodes end, and new ones begin that know what was on their disks.
    pub fn restart_with_disks(&mut self, nodes: &[NodeId]) -> Held {
        for node in nodes {
            self.narrator.say_of(self.now, *node, || "its process ends, and a new one begins with its disk".to_owned());
            self.end_process(*node, true);
        }
        nodes.iter().for_each(|node| self.start_process(*node));
        nodes.iter().try_for_each(|node| self.turn(*node))
    }

    /// So much time passes.
    pub fn pass(&mut self, duration: Duration) -> Held {
        let until = self.now + duration;
        while self.next_instant().is_some_and(|next| next <= until) {
            self.step()?;
        }
        self.now = until;
        Ok(())
    }

    /// Time passes until nothing happens any more but heartbeats.
    pub fn settle(&mut self) -> Held {
        let began = self.now;
        self.narrator.said_at = began;
        while self.next_instant().is_some_and(|next| next.since(self.narrator.said_at) <= QUIET) {
            self.step()?;
            assert!(self.now.since(began) < SETTLE_MAX, "the cluster does not settle");
        }
        Ok(())
    }
}

/// The places of a cut's two directions, apart for each node that is cut off and each other one.
fn cut_indexes(node: NodeId, other: usize) -> [usize; 2] {
    let base = SCRIPTED - 1 - 100 * usize::from(node.to_byte()) - 2 * other;
    [base, base - 1]
}
