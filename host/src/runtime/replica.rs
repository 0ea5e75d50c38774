//! Drives a replica manager: its core, its network, and the executors of its module and of a shadow.

use std::sync::Arc;

use crate::market::Digest;
use crate::protocol::id::NodeId;
use crate::protocol::message::Message;
use crate::protocol::record::Recovered;
use crate::protocol::replica_manager::{Output, ReplicaManager, ReplicaManagerConfig};
use crate::protocol::time::Instant;
use crate::sandbox::{Engine, Instance, LoadedModule};

use super::executor::{Answer, Executor};
use super::guest_log::GuestLines;
use super::injection::{Injected, ModuleFaults};
use super::kept_modules::KeptModules;
use super::network::Network;
use super::node::{NodeError, log};
use super::shadow::{Modules, Shadow, ShadowAnswer};
use super::writer::Writer;

/// What calls a replica's modules, with the faults that were asked for around them.
pub(super) type ModuleExecutor = Executor<Injected<Instance>>;

/// A replica manager with all that it needs.
pub struct ReplicaDriver {
    core: ReplicaManager,
    network: Network,
    executor: ModuleExecutor,
    shadow: Shadow,
    faults: Arc<ModuleFaults>,
    guest_lines: GuestLines,
    /// Where what must outlive this process goes.
    writer: Writer,
    kept_modules: Option<KeptModules>,
}

/// What outlives the processes of a replica manager.
pub struct Kept {
    /// Where records go.
    pub writer: Writer,
    /// What was recovered from there.
    pub recovered: Recovered,
    /// Where a module goes that a swap brings.
    pub modules: Option<KeptModules>,
}

/// What one turn begins with.
enum Came {
    /// A datagram, or the time for something.
    Network,
    /// Something of the replica's module.
    Answer(Answer),
    /// Something of the module that is to take over.
    Shadow(ShadowAnswer),
}

impl ReplicaDriver {
    /// A replica manager with these modules, the first one and its spares. It begins with what was recovered from where the writer
    /// writes to.
    pub fn new(
        network: Network,
        config: ReplicaManagerConfig,
        engine: Engine,
        modules: Vec<LoadedModule>,
        kept: Kept,
    ) -> ReplicaDriver {
        let Kept { writer, recovered, modules: kept_modules } = kept;
        let core = ReplicaManager::new(config, recovered, network.now());
        let guest_lines = GuestLines::new(network.node(), network.clock());
        let faults = network.module_faults();
        let modules = Modules::new(modules);
        let (sinks, around, own) = (guest_lines.sinks(), Arc::clone(&faults), modules.clone());
        let instantiate = move |module: usize| Ok(around.around(own.get(module).instantiate_with_log(sinks())?));
        let executor = Executor::start(instantiate, engine.limits().fuel_per_call, network.clock());
        let shadow = Shadow::new(engine, modules, kept_modules.clone(), network.clock());
        ReplicaDriver { core, network, executor, shadow, faults, guest_lines, writer, kept_modules }
    }

    /// Turns until the process ends, which it has to when it cannot write what it must not forget: nothing that follows from that has
    /// left it.
    pub async fn run(mut self) -> Result<(), NodeError> {
        loop {
            // Replies that a front end does not take yet stay with the executors, which then wait as well.
            let takes_replies = !self.network.front_ends_are_backlogged();
            let came = tokio::select! {
                () = self.network.wait(self.core.poll_timeout()) => Came::Network,
                answer = self.executor.next(), if takes_replies => Came::Answer(answer),
                answer = self.shadow.next(), if takes_replies => Came::Shadow(answer),
            };
            let now = self.network.receive();
            self.take_in_any(came, now);
            while !self.network.front_ends_are_backlogged()
                && let Some(answer) = self.executor.try_next()
            {
                self.take_in(answer, now);
            }
            while let Some((from, message)) = self.next_message() {
                self.core.handle_message(from, message, now);
                self.drain(now);
            }
            self.core.handle_timeout(now);
            self.drain(now);
            self.commit().await?;
            self.network.flush();
            self.guest_lines.write();
        }
    }

    /// Commits what the turn has brought, before anything of it leaves. While a disk is waited for nothing is received, but what the
    /// executors do meanwhile is taken in, and they are given what is next: a turn has more orders than they hold.
    async fn commit(&mut self) -> Result<(), NodeError> {
        while self.writer.commit()? {
            loop {
                let takes_replies = !self.network.front_ends_are_backlogged();
                let came = tokio::select! {
                    committed = self.writer.committed() => {
                        committed?;
                        break;
                    }
                    answer = self.executor.next(), if takes_replies => Came::Answer(answer),
                    answer = self.shadow.next(), if takes_replies => Came::Shadow(answer),
                };
                self.take_in_any(came, self.network.now());
            }
        }
        Ok(())
    }

    fn take_in_any(&mut self, came: Came, now: Instant) {
        match came {
            Came::Network => {}
            Came::Answer(answer) => self.take_in(answer, now),
            Came::Shadow(answer) => self.take_in_of_shadow(answer, now),
        }
    }

    /// The next message that the core has room for: the sequencer's wait in their channel while too many orders wait here.
    fn next_message(&mut self) -> Option<(NodeId, Message)> {
        let passed_over = self.core.is_saturated().then_some(NodeId::Sequencer);
        self.network.poll_message(passed_over)
    }

    fn take_in(&mut self, answer: Answer, now: Instant) {
        match answer {
            Answer::Started(incarnation, started) => self.core.handle_started(incarnation, started, now),
            Answer::Executed(incarnation, results) => self.core.handle_executed(incarnation, results, now),
        }
        self.drain(now);
    }

    fn take_in_of_shadow(&mut self, answer: ShadowAnswer, now: Instant) {
        match answer {
            ShadowAnswer::Loaded(swap, loaded) => self.core.handle_loaded(swap, loaded, now),
            ShadowAnswer::Started(swap, started) => self.core.handle_shadow_started(swap, started, now),
            ShadowAnswer::Executed(swap, results) => self.core.handle_shadow_executed(swap, results, now),
        }
        self.drain(now);
    }

    /// The next process begins with this module.
    fn keep(&mut self, module: Digest) {
        if let Some(Err(error)) = self.kept_modules.as_ref().map(|kept| kept.choose(module)) {
            self.network.log.warn(format_args!("the module is not kept for the next process: {error}"));
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Persist(record) => self.writer.append(record),
                Output::Transmit { to, message } => self.network.send(to, &message),
                Output::Start { incarnation, module, state } => {
                    self.faults.give_up();
                    self.executor.begin(incarnation, module, state);
                }
                Output::Execute { incarnation, run } => {
                    if let Some(results) = self.executor.submit(incarnation, run, self.faults.may_wait()) {
                        self.core.handle_executed(incarnation, results, now);
                    }
                }
                Output::Load { swap, path, digest } => self.shadow.load(swap, path, digest),
                Output::StartShadow { swap, module, state } => {
                    self.shadow.start(swap, module, state, &self.faults, &self.guest_lines);
                }
                Output::ExecuteShadow { swap, run } => self.shadow.execute(swap, run),
                Output::Promote { swap, incarnation } => {
                    if let Some((executor, module)) = self.shadow.take(swap, incarnation, &self.faults) {
                        self.executor = executor;
                        self.keep(module);
                    }
                }
                Output::StopShadow { swap } => self.shadow.stop(swap),
                Output::Event(event) => log(&mut self.network.log, &event),
            }
        }
    }
}
