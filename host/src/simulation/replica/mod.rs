//! A replica's modules under virtual time, with the faults that the plan gives them.
//!
//! It stands in for the executors of `runtime/`: the manager hands jobs over, one after the other, and each is done some virtual time
//! later. A module here is whatever implements [`Module`]: the reference market, called natively, or a component in the sandbox.
//! `executor.rs` keeps the jobs of one instance; `shadow.rs` is about the instance that is to take over in a swap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::fault::FaultKind;
use super::laws::Truth;
use super::next_module::NextModule;
use super::random::Random;
use crate::market::{
    Context, Date, Digest, GuestFault, MarketCode, MarketState, Module, Outcome, Refusal, Share, ShareId, ShareState,
    ShareType, Slot,
};
use crate::protocol::id::{Incarnation, ReplicaId, SequenceNumber};
use crate::protocol::message::Command;
use crate::protocol::record::Record;
use crate::protocol::replica_manager::{Executed, StartFailure, Task};
use crate::protocol::swap::SwapId;
use crate::protocol::tentative::Tentative;

use executor::{Executor, Job};

mod executor;
mod shadow;

/// Makes an instance of a module: of which replica, and its place in the list of the replica's modules, the first one or a spare.
pub type MakeModule = Arc<dyn Fn(ReplicaId, usize) -> Result<Box<dyn Module>, GuestFault> + Send + Sync>;

/// The modules of one replica, and what they have to do.
pub struct Replica {
    id: ReplicaId,
    make: MakeModule,
    /// How many modules it has from the beginning.
    own_len: usize,
    /// The modules that swaps have added to the list.
    added: Vec<NextModule>,
    call_took: Duration,
    random: Random,
    incarnation: Incarnation,
    executor: Executor,
    /// The shadow of the swap that is under way, once it is started.
    shadow: Option<(SwapId, Executor)>,
    /// Modules that are being read, by the numbers of these jobs.
    loading: BTreeMap<u64, (SwapId, NextModule)>,
    /// The last job that was begun.
    job_number: u64,
    /// The newest request that a module was called with in this process: faults strike at newer ones.
    newest: SequenceNumber,
    armed: Vec<Armed>,
    /// The first module traps at these places.
    traps_at: BTreeSet<SequenceNumber>,
    /// Every module traps at these places, because of the faults at these places in the plan.
    poisoned: BTreeMap<SequenceNumber, usize>,
    /// The faults that have struck since they were last asked for.
    struck: Vec<usize>,
    /// Whether a fault has made the present life differ from the others.
    is_tainted: bool,
    /// Whether the tentative checkpoint that is on its disk is one of a life that differed; the worst, while nobody has looked.
    tentative_is_tainted: bool,
    /// All that lives that differed have ever written.
    tainted_tentatives: BTreeSet<Digest>,
    /// The present life began with a tentative checkpoint of one that differed.
    begins_tainted: bool,
    /// The last place at which a life that differed has said something.
    tainted_up_to: SequenceNumber,
}

/// A fault that can strike.
#[derive(Debug)]
struct Armed {
    index: usize,
    kind: FaultKind,
    left: u64,
}

/// What a job came to.
pub enum Done {
    /// The module of a life is ready, or could not be started.
    Started(Incarnation, Result<(), StartFailure>),
    /// The results of a run, up to the first fault.
    Executed(Incarnation, Vec<Task>, Vec<Result<Executed, GuestFault>>),
    /// A module is at the end of the list, or cannot be had.
    Loaded(SwapId, Result<Digest, String>),
    /// The shadow is ready, or could not be started.
    ShadowStarted(SwapId, Result<(), StartFailure>),
    /// The results of the shadow's run, up to the first fault.
    ShadowExecuted(SwapId, Vec<Result<Executed, GuestFault>>),
}

impl Replica {
    /// A replica without an instance yet, with so many spares.
    pub fn new(id: ReplicaId, make: MakeModule, spares: usize, call_us: u64, seed: u64) -> Replica {
        Replica {
            id,
            make,
            own_len: 1 + spares,
            added: Vec::new(),
            call_took: Duration::from_micros(call_us),
            random: Random::of(seed, &format!("module of {id}")),
            incarnation: Incarnation(0),
            executor: Executor::default(),
            shadow: None,
            loading: BTreeMap::new(),
            job_number: 0,
            newest: SequenceNumber(0),
            armed: Vec::new(),
            traps_at: BTreeSet::new(),
            poisoned: BTreeMap::new(),
            struck: Vec::new(),
            is_tainted: false,
            tentative_is_tainted: false,
            tainted_tentatives: BTreeSet::new(),
            begins_tainted: false,
            tainted_up_to: SequenceNumber(0),
        }
    }

    /// The process is new: its module and all that waited are gone, as is what the plan's faults were about to do to them.
    pub fn forget(&mut self) {
        let job_number = self.job_number;
        let poisoned = std::mem::take(&mut self.poisoned);
        let traps_at = std::mem::take(&mut self.traps_at);
        let random = self.random.clone();
        let call_us = self.call_took.as_micros() as u64;
        let fresh = Replica::new(self.id, Arc::clone(&self.make), self.own_len - 1, call_us, 0);
        let tainted_tentatives = std::mem::take(&mut self.tainted_tentatives);
        let tentative_is_tainted = !tainted_tentatives.is_empty();
        let tainted_up_to = self.tainted_up_to;
        let fresh = Replica { tainted_tentatives, tentative_is_tainted, tainted_up_to, ..fresh };
        // A module that fails at a request fails there in every process.
        *self = Replica { job_number, poisoned, traps_at, random, ..fresh };
    }

    /// A new process has found this on its disk.
    pub fn note_found(&mut self, tentative: Option<&Tentative>) {
        self.tentative_is_tainted = tentative.is_some_and(|it| self.tainted_tentatives.contains(&it.digest));
        self.begins_tainted = self.tentative_is_tainted;
    }

    /// The manager has written something down.
    pub fn note_written(&mut self, record: &Record) {
        match record {
            Record::Tentative(tentative) => {
                self.tentative_is_tainted = self.is_tainted;
                if self.is_tainted {
                    self.tainted_tentatives.insert(tentative.digest);
                }
            }
            // It is for the life that begins, and nobody after that.
            Record::Life(_) => self.tentative_is_tainted = false,
            _ => {}
        }
    }

    /// Drops the instance and all that waits for it, and starts another, maybe with the tentative checkpoint that was found.
    pub fn begin(
        &mut self,
        incarnation: Incarnation,
        module: usize,
        state: Option<Arc<MarketState>>,
        begins_tentatively: bool,
    ) {
        self.begins_tainted &= begins_tentatively;
        self.incarnation = incarnation;
        self.executor = Executor::starting(module, state);
    }

    /// Takes one run of the present life.
    pub fn submit(&mut self, run: Vec<Task>) {
        self.executor.submit(run);
    }

    /// If an executor is free and has something to do: the number of the job that it begins, and how long it takes. A job whose call
    /// does not come back takes for ever, and is not named.
    pub fn poll_job(&mut self) -> Option<(u64, Duration)> {
        self.poll_own_job().or_else(|| self.poll_shadow_job())
    }

    fn poll_own_job(&mut self) -> Option<(u64, Duration)> {
        let mut per_call = self.call_took + self.slower(self.executor.module);
        if let Job::Run(run) = self.executor.next_job()? {
            let is_new = run.iter().any(|task| task.execute && task.order.sequence > self.newest);
            if is_new && self.strike(|kind| kind == FaultKind::Mute) {
                self.executor.is_mute = true;
                return None;
            }
            let is_first_module = self.executor.module == 0;
            let slow = self.armed.iter().find_map(|armed| match armed.kind {
                FaultKind::SlowModule { by_ms } if is_first_module => Some((armed.index, by_ms)),
                _ => None,
            });
            if let Some((index, by_ms)) = slow {
                self.struck.push(index);
                per_call += Duration::from_millis(by_ms);
            }
        }
        self.job_number += 1;
        Some((self.job_number, self.executor.begin(self.job_number, per_call)))
    }

    /// The time of a job is over: what came of it. `None` if nobody waits for it any more.
    pub fn finish(&mut self, job_number: u64) -> Option<Done> {
        match self.executor.end(job_number) {
            Some(Job::Start(module, state)) => {
                Some(Done::Started(self.incarnation, self.start(module, state.as_deref())))
            }
            Some(Job::Run(run)) => {
                let results = self.execute(&run);
                Some(Done::Executed(self.incarnation, run, results))
            }
            None => self.finish_for_swap(job_number),
        }
    }

    /// A fault of the module can strike from now on.
    pub fn arm(&mut self, index: usize, kind: FaultKind) {
        let left = if let FaultKind::Wrong { outcomes, .. } = kind { outcomes } else { 1 };
        self.armed.push(Armed { index, kind, left });
    }

    /// A fault strikes no more. A call that it holds up does not come back for that: the module hangs until it is started anew.
    pub fn disarm(&mut self, index: usize) {
        self.armed.retain(|armed| armed.index != index);
    }

    /// Every module of this replica traps at this place, because of the fault at this place in the plan.
    pub fn poison(&mut self, sequence: SequenceNumber, index: usize) {
        self.poisoned.insert(sequence, index);
    }

    /// The first module traps at this place, in every life.
    pub fn trap_at(&mut self, place: SequenceNumber) {
        self.traps_at.insert(place);
    }

    /// The last place at which every module fails every time.
    pub fn poisoned_at(&self) -> Option<SequenceNumber> {
        self.poisoned.last_key_value().map(|(sequence, _)| *sequence)
    }

    /// The faults that have struck since this was last asked, by their places in the plan.
    pub fn take_struck(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.struck)
    }

    /// A piece of a checkpoint is about to be served: whether it is to be garbled.
    pub fn garbles_snapshot(&mut self) -> bool {
        self.strike(|kind| kind == FaultKind::WrongSnapshot)
    }

    /// What is really the matter with the present life.
    pub fn truth(&self) -> Truth {
        Truth { is_tainted: self.is_tainted, is_mute: self.executor.is_mute }
    }

    /// Whether a fault has made the present life differ from the others.
    pub fn is_tainted(&self) -> bool {
        self.is_tainted
    }

    /// Whether whatever this replica may say wrongly from now on is about other places than what the other one has said wrongly: what was
    /// said stays with the front end, however long ago the other one was repaired.
    pub fn is_past_taint_of(&self, other: &Replica) -> bool {
        self.newest >= other.tainted_up_to
    }

    /// Whether it was already different when the present life began.
    pub fn began_tainted(&self) -> bool {
        self.begins_tainted
    }

    /// Whether a fault that would do so can strike.
    pub fn may_be_tainted(&self) -> bool {
        self.is_tainted
            || self.begins_tainted
            || self.tentative_is_tainted
            || self.armed.iter().any(|armed| armed.kind.makes_wrong())
    }

    /// The last place at which the module fails every time.
    pub fn trap_place(&self) -> Option<SequenceNumber> {
        self.traps_at.last().copied()
    }

    /// Whether it may come to fail at some place every time.
    pub fn may_trap_always(&self) -> bool {
        self.armed.iter().any(|armed| armed.kind == FaultKind::TrapAlways)
    }

    /// The state that the module has, if there is one; asked by the laws, and not told to the manager.
    pub fn state(&mut self) -> Option<MarketState> {
        self.executor.instance.as_mut()?.export_state().ok()
    }

    /// A fault of this kind strikes, if one is armed and the module is the one that has it. Whether it does.
    fn strike(&mut self, is_meant: impl Fn(FaultKind) -> bool) -> bool {
        let place = self.armed.iter().position(|armed| is_meant(armed.kind));
        let Some(place) = place.filter(|_| self.executor.module == 0) else { return false };
        let armed = &mut self.armed[place];
        armed.left -= 1;
        let index = armed.index;
        if armed.left == 0 {
            self.armed.remove(place);
        }
        self.struck.push(index);
        true
    }

    fn strikes_wrong(&mut self) -> bool {
        let per_mille = self.armed.iter().find_map(|armed| match armed.kind {
            FaultKind::Wrong { per_mille, .. } => Some(per_mille),
            _ => None,
        });
        per_mille.is_some_and(|chance| self.random.per_mille(chance))
            && self.strike(|kind| matches!(kind, FaultKind::Wrong { .. }))
    }

    fn start(&mut self, module: usize, state: Option<&MarketState>) -> Result<(), StartFailure> {
        self.is_tainted = self.begins_tainted;
        let mut instance = self.instantiate(module).map_err(StartFailure::Fault)?;
        if let Some(state) = state {
            if self.strike(|kind| kind == FaultKind::RefuseImport) {
                return Err(StartFailure::Refused("not this state".to_owned()));
            }
            instance.import_state(state).map_err(StartFailure::Fault)?.map_err(StartFailure::Refused)?;
        }
        self.executor.instance = Some(instance);
        Ok(())
    }

    fn execute(&mut self, run: &[Task]) -> Vec<Result<Executed, GuestFault>> {
        let mut results = Vec::with_capacity(run.len());
        for task in run {
            results.push(self.execute_one(task));
            if results.last().is_some_and(Result::is_err) {
                self.executor.give_up();
                break;
            }
        }
        results
    }

    fn execute_one(&mut self, task: &Task) -> Result<Executed, GuestFault> {
        let Task { order, execute, checkpoint } = task;
        let outcome = match &order.command {
            Command::Request(request) if *execute => {
                let is_new = order.sequence > self.newest;
                self.newest = self.newest.max(order.sequence);
                self.executor.newest = order.sequence;
                self.fail_always(self.executor.module, order.sequence)?;
                self.fail_once(order.sequence, is_new)?;
                let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
                let outcome = self.instance()?.execute(context, request)?;
                if is_new && self.strike(|kind| kind == FaultKind::CorruptState) {
                    self.corrupt()?;
                }
                let is_wrong = is_new && self.strikes_wrong();
                self.is_tainted |= is_wrong;
                Some(if is_wrong { other_than(outcome) } else { outcome })
            }
            _ => None,
        };
        let checkpoint = if *checkpoint { Some(self.export()?) } else { None };
        if self.is_tainted {
            self.tainted_up_to = self.tainted_up_to.max(order.sequence);
        }
        Ok(Executed { outcome, checkpoint })
    }

    fn instance(&mut self) -> Result<&mut Box<dyn Module>, GuestFault> {
        self.executor.instance.as_mut().ok_or(GuestFault::Finished)
    }

    /// A module fails at some places every time, as a replica's and as its shadow.
    fn fail_always(&mut self, module: usize, sequence: SequenceNumber) -> Result<(), GuestFault> {
        if let Some(index) = self.poisoned.get(&sequence) {
            self.struck.push(*index);
            return trap();
        }
        if module == 0 && self.traps_at.contains(&sequence) { trap() } else { Ok(()) }
    }

    fn fail_once(&mut self, sequence: SequenceNumber, is_new: bool) -> Result<(), GuestFault> {
        if is_new && self.strike(|kind| kind == FaultKind::Trap) {
            return trap();
        }
        if is_new && self.strike(|kind| kind == FaultKind::TrapAlways) {
            self.traps_at.insert(sequence);
            return trap();
        }
        Ok(())
    }

    fn export(&mut self) -> Result<(Arc<MarketState>, Digest), GuestFault> {
        let mut state = self.instance()?.export_state()?;
        if self.strike(|kind| kind == FaultKind::LieExport) {
            self.is_tainted = true;
            add_a_unit(&mut state);
        }
        let digest = state.digest();
        Ok((Arc::new(state), digest))
    }

    fn corrupt(&mut self) -> Result<(), GuestFault> {
        self.is_tainted = true;
        let instance = self.instance()?;
        let mut state = instance.export_state()?;
        add_a_unit(&mut state);
        let _refused = instance.import_state(&state)?;
        Ok(())
    }
}

fn trap() -> Result<(), GuestFault> {
    Err(GuestFault::Trap("unreachable".to_owned()))
}

/// An outcome that the request does not have.
pub fn other_than(outcome: Outcome) -> Outcome {
    let refused = Outcome::Refused(Refusal::SoldOut);
    if outcome == refused { Outcome::Swapped { units: 1 } } else { refused }
}

/// A share of the state gets one unit more; a market without shares gets one.
fn add_a_unit(state: &mut MarketState) {
    if let Some(share) = state.shares.first_mut() {
        share.capacity += 1;
        share.available += 1;
        return;
    }
    let date = Date::new(31, 12, 99).expect("December has that many days");
    let id = ShareId { market: MarketCode::Tokyo, slot: Slot::Evening, date };
    let share = Share { id, share_type: ShareType::Dividend };
    state.shares.push(ShareState { share, capacity: 1, available: 1 });
}

/// The reference market, called natively, for every replica.
pub fn native() -> MakeModule {
    Arc::new(|_, _| Ok(Box::new(crate::native::NativeMarket::new())))
}
