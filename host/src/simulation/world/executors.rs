//! What managers ask of their executors, and what comes of it.

use super::super::laws::Held;
use super::super::node::Output;
use super::super::replica::Done;
use super::{Happening, World};
use crate::market::GuestFault;
use crate::protocol::id::{Incarnation, NodeId, ReplicaId};
use crate::protocol::replica_manager::{Executed, Task};

impl World {
    /// Hands a replica's executor, or its shadow's, what its manager asks for.
    pub(super) fn hand_over(&mut self, replica: ReplicaId, asked: Output) -> Held {
        let (now, id) = (self.now, NodeId::ReplicaManager(replica));
        match asked {
            Output::Start(incarnation, module, state) => {
                let manager = self.nodes[&id].manager().expect("the node of a replica is its manager");
                let begins_tentatively = manager.began_tentatively();
                let has_state = state.is_some();
                self.laws.on_life_begun(replica);
                self.replica_mut(replica).begin(incarnation, module, state, begins_tentatively);
                let with = match begins_tentatively {
                    true if self.replicas[&replica].began_tainted() => "with a tentative checkpoint that is wrong",
                    true => "with a tentative checkpoint",
                    false if has_state => "with a checkpoint",
                    false => "empty",
                };
                self.narrator.say_of(now, id, || format!("start module {module} {with}"));
                self.begin_jobs(replica);
            }
            Output::Execute(run) => {
                self.narrator.say_of(now, id, || {
                    let places: Vec<String> = run.iter().map(|task| format!("#{}", task.order.sequence)).collect();
                    format!("execute {}", places.join(" "))
                });
                self.laws.each_request_is_executed_once_in_one_incarnation(replica, &run)?;
                self.replica_mut(replica).submit(run);
                self.begin_jobs(replica);
            }
            Output::Load(swap, path) => {
                self.narrator.say_of(now, id, || format!("load module {path:?}"));
                self.note_swap_taken_up(replica);
                let (number, takes) = self.replica_mut(replica).load(swap, &path);
                self.arrange(now + takes, Happening::Job { replica, number });
            }
            Output::StartShadow(swap, module, state) => {
                let with = if state.is_some() { "with a checkpoint" } else { "empty" };
                self.narrator.say_of(now, id, || format!("start module {module} as shadow {with}"));
                self.note_swap_taken_up(replica);
                self.laws.on_shadow_begun(replica);
                self.replica_mut(replica).start_shadow(swap, module, state);
                self.begin_jobs(replica);
            }
            Output::ExecuteShadow(swap, run) => {
                self.laws.each_request_is_executed_once_by_a_shadow(replica, &run)?;
                self.replica_mut(replica).submit_to_shadow(swap, run);
                self.begin_jobs(replica);
            }
            Output::Promote(swap, incarnation) => {
                self.laws.only_a_module_that_was_right_takes_over(replica, swap, incarnation)?;
                self.replica_mut(replica).promote(swap, incarnation);
            }
            Output::StopShadow(swap) => {
                self.replica_mut(replica).stop_shadow(swap);
            }
            Output::Persist(_) | Output::Transmit(..) | Output::Answer(..) | Output::Event(_) => {
                unreachable!("not for an executor")
            }
        }
        Ok(())
    }

    /// If a replica's executor is free, or its shadow's, it begins with what waits for it.
    pub(super) fn begin_jobs(&mut self, replica: ReplicaId) {
        while let Some((number, takes)) = self.replica_mut(replica).poll_job() {
            self.arrange(self.now + takes, Happening::Job { replica, number });
        }
        self.note_module_faults(replica);
    }

    /// The time of a replica's job is over.
    pub(super) fn on_job(&mut self, replica: ReplicaId, number: u64) -> Held {
        let (now, id) = (self.now, NodeId::ReplicaManager(replica));
        let Some(done) = self.replica_mut(replica).finish(number) else { return Ok(()) };
        self.note_module_faults(replica);
        if let Done::Executed(incarnation, run, results) = &done {
            for (task, result) in run.iter().zip(results) {
                self.look_at_result(replica, *incarnation, task, result)?;
            }
        }
        let manager = self.node_mut(id).manager_mut().expect("the node of a replica is its manager");
        match done {
            Done::Started(incarnation, started) => manager.handle_started(incarnation, started, now),
            Done::Executed(incarnation, _, results) => manager.handle_executed(incarnation, results, now),
            Done::Loaded(swap, loaded) => manager.handle_loaded(swap, loaded, now),
            Done::ShadowStarted(swap, started) => manager.handle_shadow_started(swap, started, now),
            Done::ShadowExecuted(swap, results) => manager.handle_shadow_executed(swap, results, now),
        }
        self.begin_jobs(replica);
        self.turn(id)
    }

    fn look_at_result(
        &mut self,
        replica: ReplicaId,
        incarnation: Incarnation,
        task: &Task,
        result: &Result<Executed, GuestFault>,
    ) -> Held {
        match result {
            Err(_) => {
                self.laws.on_module_failed(replica, incarnation, task.order.sequence);
                Ok(())
            }
            Ok(Executed { checkpoint: Some((state, _)), .. }) if !self.replicas[&replica].is_tainted() => {
                self.laws.equal_places_have_equal_states(replica, task.order.sequence, state)
            }
            Ok(_) => Ok(()),
        }
    }
}
