//! Another module for the replica, while it goes on voting.
//!
//! ```text
//! Loading ─▶ Importing ─▶ Following ─▶ promoted
//!                ▲            │ the log was cut off behind it, or a request became void
//!                └────────────┘
//! ```
//!
//! The shadow begins with a certified checkpoint, as a recovery does, and executes the log behind the replica, never ahead of it: so
//! whatever is not replied to when the shadow takes over, the shadow replies to. Only of a replica that executes nothing more, blocked or
//! quarantined, does it get ahead, and nobody replies to the orders between. Nothing of this delays the replica, which has its own
//! executor; its outcomes are compared by the front end, which alone knows what was released.

use super::delivery::Execution;
use super::recovery::{Life, Recovery};
use super::{Executed, Output, ReplicaManager, StartFailure};
use crate::market::{Digest, GuestFault};
use crate::protocol::checkpoint::ClientTables;
use crate::protocol::event::Event;
use crate::protocol::id::{NodeId, SequenceNumber};
use crate::protocol::limits::{MODULES_LEN_MAX, RUN_LEN_MAX, RUNS_LEN_MAX, SHADOW_LAG_MAX, SHADOW_STARTS_MAX};
use crate::protocol::message::{Message, Response};
use crate::protocol::recipients::Recipients;
use crate::protocol::swap::{Candidate, Stage, SwapId};
use crate::protocol::time::Instant;

/// A swap that is under way.
#[derive(Debug)]
pub(super) struct Swap {
    id: SwapId,
    /// The front end that asked for it, which compares the outcomes at its own requests.
    asked_by: NodeId,
    shadow: Shadow,
    /// How often the shadow was started. One that is too slow for the log is started again and again.
    starts: u32,
    /// Enough of its outcomes were right.
    is_right: bool,
}

#[derive(Debug)]
enum Shadow {
    Loading,
    /// An instance of this module waits for a checkpoint, or imports it.
    Importing {
        module: usize,
        begun: Option<Execution>,
    },
    Following {
        module: usize,
        execution: Execution,
    },
}

impl ReplicaManager {
    /// A front end asks for another module.
    pub(super) fn on_swap(&mut self, asked_by: NodeId, id: SwapId, candidate: Candidate, now: Instant) {
        if let Some(swap) = &self.swap {
            let (earlier, of) = (swap.id, swap.asked_by);
            if earlier >= id && of == asked_by {
                return;
            }
            if earlier >= id {
                let words = format!("another swap of this replica is under way, which {of} was asked for");
                return self.tell_swap(asked_by, id, Stage::Failed(words));
            }
            if of != asked_by {
                self.tell_swap(of, earlier, Stage::Failed(format!("{asked_by} was asked for another one meanwhile")));
            }
        }
        self.stop_shadow();
        let shadow = match candidate {
            Candidate::Previous => {
                let Some(module) = self.previous else {
                    let words = "no module was replaced in this replica, so there is none to go back to";
                    return self.tell_swap(asked_by, id, Stage::Failed(words.to_owned()));
                };
                Shadow::Importing { module, begun: None }
            }
            Candidate::File { path, digest } => match self.config.modules.iter().position(|module| *module == digest) {
                Some(module) => Shadow::Importing { module, begun: None },
                None if self.config.modules.len() >= MODULES_LEN_MAX => {
                    let words = format!(
                        "this replica has had {MODULES_LEN_MAX} modules and keeps them all; end its process, which `dsms ps` names: the \
                         next one begins with those of the configuration"
                    );
                    return self.tell_swap(asked_by, id, Stage::Failed(words));
                }
                None => {
                    self.outputs.push_back(Output::Load { swap: id, path, digest });
                    Shadow::Loading
                }
            },
        };
        let stage = if matches!(shadow, Shadow::Loading) { Stage::Loading } else { Stage::Importing };
        self.swap = Some(Swap { id, asked_by, shadow, starts: 0, is_right: false });
        self.report_swap(stage);
        self.run_shadow(now);
    }

    /// Takes in that a module was loaded, and is now the last one of the list, or why it cannot be had.
    pub fn handle_loaded(&mut self, id: SwapId, loaded: Result<Digest, String>, now: Instant) {
        let module = self.config.modules.len();
        if let Ok(digest) = &loaded {
            // It is in the driver's list, whether or not anybody still waits for it.
            self.config.modules.push(*digest);
        }
        let Some(swap) = self.swap.as_mut().filter(|swap| swap.id == id) else { return };
        let Shadow::Loading = swap.shadow else { return };
        match loaded {
            Ok(_) => {
                swap.shadow = Shadow::Importing { module, begun: None };
                self.report_swap(Stage::Importing);
                self.run_shadow(now);
            }
            Err(words) => self.fail_swap(words, now),
        }
    }

    /// Takes in that the shadow has imported the state, or could not.
    pub fn handle_shadow_started(&mut self, id: SwapId, started: Result<(), StartFailure>, now: Instant) {
        let Some(swap) = self.swap.as_mut().filter(|swap| swap.id == id) else { return };
        let Shadow::Importing { module, begun } = &mut swap.shadow else { return };
        let Some(execution) = begun.take() else { return };
        let module = *module;
        match started {
            Ok(()) => {
                let (replica, checkpoint) = (self.config.replica, execution.executed);
                swap.shadow = Shadow::Following { module, execution };
                let digest = self.config.modules[module];
                self.event(Event::ShadowStarted { replica, module: digest, checkpoint }, now);
                self.report_following();
                self.run_shadow(now);
            }
            Err(StartFailure::Fault(fault)) => self.fail_swap(format!("its trial import failed: {fault}"), now),
            Err(StartFailure::Refused(words)) => self.fail_swap(format!("it refuses the state: {words}"), now),
        }
    }

    /// Takes in results of the shadow's oldest runs, one a task, in order.
    pub fn handle_shadow_executed(&mut self, id: SwapId, results: Vec<Result<Executed, GuestFault>>, now: Instant) {
        for result in results {
            let Some(swap) = self.swap.as_mut().filter(|swap| swap.id == id) else { return };
            let Shadow::Following { execution, .. } = &mut swap.shadow else { return };
            let Some(order) = execution.shadow_executed() else { return };
            match result {
                Ok(Executed { outcome: Some(outcome), .. }) => {
                    execution.tables.sessions.record(order.id, order.sequence, outcome.clone());
                    let response = Response::Executed { first: order.sequence, outcome };
                    let message = Message::ShadowReply { swap: id, sequence: order.sequence, response };
                    let asked_by = swap.asked_by;
                    self.transmit(Recipients::One(asked_by), message);
                }
                Ok(Executed { outcome: None, .. }) => {}
                Err(fault) => return self.fail_swap(format!("it failed at #{}: {fault}", order.sequence), now),
            }
        }
        self.report_following();
        self.run_shadow(now);
    }

    /// Enough outcomes were right.
    pub(super) fn on_promote(&mut self, id: SwapId, now: Instant) {
        let Some(swap) = self.swap.as_mut().filter(|swap| swap.id == id) else { return };
        swap.is_right = true;
        self.run_shadow(now);
    }

    /// The front end gives the swap up. If the shadow has taken over already, that was reported before.
    pub(super) fn on_end_swap(&mut self, id: SwapId) {
        if self.swap.as_ref().is_some_and(|swap| swap.id == id) {
            self.report_swap(Stage::Failed("it was given up before it took over".to_owned()));
            self.stop_shadow();
        }
    }

    /// What the shadow has executed is void. It begins again; nothing of it was compared.
    pub(super) fn on_void_of_shadow(&mut self, sequence: SequenceNumber, now: Instant) {
        let Some(Swap { shadow: Shadow::Following { module, execution }, .. }) = &self.swap else { return };
        if execution.cursor >= sequence {
            let module = *module;
            self.restart_shadow(module, now);
        }
    }

    /// Takes the next step: starts the shadow, hands it more of the order, or lets it take over.
    pub(super) fn run_shadow(&mut self, now: Instant) {
        let Some(swap) = &mut self.swap else { return };
        match &mut swap.shadow {
            Shadow::Loading | Shadow::Importing { begun: Some(_), .. } => {}
            Shadow::Importing { module, begun: None } => {
                let module = *module;
                self.start_shadow(module, now);
            }
            Shadow::Following { module, execution } if execution.cursor < self.log.start() => {
                let module = *module;
                self.restart_shadow(module, now);
            }
            Shadow::Following { execution, .. } => {
                let limit = match self.life {
                    // It executes nothing more, so there is nothing to stay behind of.
                    Life::Blocked { .. } | Life::Quarantined => self.log.end(),
                    _ => self.execution.executed,
                };
                while execution.runs_len() < RUNS_LEN_MAX {
                    let run = execution.take_shadow_run(&self.log, limit, RUN_LEN_MAX);
                    if run.is_empty() {
                        break;
                    }
                    self.outputs.push_back(Output::ExecuteShadow { swap: swap.id, run });
                }
                let lag = limit.0.saturating_sub(execution.executed.0);
                if swap.is_right && execution.is_idle() && lag <= SHADOW_LAG_MAX {
                    self.promote_shadow(limit, now);
                }
            }
        }
    }

    fn start_shadow(&mut self, module: usize, now: Instant) {
        let log_start = self.log.start();
        let base = self.stable.back().map(|(checkpoint, _)| checkpoint).filter(|base| base.sequence >= log_start);
        let (sequence, state, tables) = match base {
            Some(base) => (base.sequence, Some(base.state.clone()), base.tables()),
            None if log_start == SequenceNumber(0) => (SequenceNumber(0), None, ClientTables::default()),
            // The manager is itself about to fetch one.
            None => return,
        };
        let swap = self.swap.as_mut().expect("the caller has seen it");
        swap.starts += 1;
        if swap.starts > SHADOW_STARTS_MAX {
            let words = format!(
                "it is too slow: {SHADOW_STARTS_MAX} times the log was cut off at a checkpoint before it got there; try again under less load"
            );
            return self.fail_swap(words, now);
        }
        swap.shadow = Shadow::Importing { module, begun: Some(Execution::after(sequence, tables, sequence)) };
        let id = swap.id;
        self.outputs.push_back(Output::StartShadow { swap: id, module, state });
    }

    fn restart_shadow(&mut self, module: usize, now: Instant) {
        let swap = self.swap.as_mut().expect("the caller has seen it");
        swap.shadow = Shadow::Importing { module, begun: None };
        self.report_swap(Stage::Importing);
        self.start_shadow(module, now);
    }

    /// The shadow is the replica from here on: a new life, which executes what it has not yet and replies to what was not.
    fn promote_shadow(&mut self, target: SequenceNumber, now: Instant) {
        let can_begin = match self.life {
            Life::Voting => !self.execution.is_exporting(),
            Life::Blocked { .. } | Life::Quarantined => true,
            _ => false,
        };
        if !can_begin {
            return;
        }
        let Some(Swap { id, asked_by, shadow: Shadow::Following { module, mut execution }, .. }) = self.swap.take()
        else {
            return;
        };
        let previous = self.ladder.promote(module);
        self.previous = Some(previous);
        self.count_life(self.incarnation);
        let (replica, incarnation, sequence) = (self.config.replica, self.incarnation, execution.executed);
        self.strikes.begin(incarnation);
        self.candidates.clear();
        execution.replied = self.execution.replied;
        self.execution = execution;
        self.life = Life::Replaying(Recovery::of_shadow(sequence, target, now));
        self.outputs.push_back(Output::Promote { swap: id, incarnation });
        let (module, previous) = (self.config.modules[module], self.config.modules[previous]);
        self.event(Event::Swapped { replica, incarnation, sequence, module, previous }, now);
        self.tell_swap(asked_by, id, Stage::Promoted { incarnation, sequence });
        self.start_runs();
        self.check_caught_up(now);
    }

    fn fail_swap(&mut self, reason: String, now: Instant) {
        if self.swap.is_none() {
            return;
        }
        self.event(Event::SwapFailed { replica: self.config.replica, reason: reason.clone() }, now);
        self.report_swap(Stage::Failed(reason));
        self.stop_shadow();
    }

    fn stop_shadow(&mut self) {
        if let Some(swap) = self.swap.take() {
            self.outputs.push_back(Output::StopShadow { swap: swap.id });
        }
    }

    fn report_following(&mut self) {
        let Some(Swap { shadow: Shadow::Following { execution, .. }, .. }) = &self.swap else { return };
        let (executed, target) = (execution.executed, self.execution.executed);
        self.report_swap(Stage::Following { executed, target });
    }

    /// Tells how far the swap is that is under way.
    fn report_swap(&mut self, stage: Stage) {
        if let Some(Swap { id, asked_by, .. }) = &self.swap {
            self.tell_swap(*asked_by, *id, stage);
        }
    }

    fn tell_swap(&mut self, front_end: NodeId, swap: SwapId, stage: Stage) {
        self.transmit(Recipients::One(front_end), Message::SwapReport { swap, stage });
    }
}
