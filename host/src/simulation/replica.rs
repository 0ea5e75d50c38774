//! A replica's modules under virtual time, with the faults that the plan gives them.
//!
//! It stands in for `runtime/executor.rs`: the manager hands jobs over, one after the other, and each is done some virtual time
//! later. A module here is whatever implements [`Module`]: the reference market, called natively, or a component in the sandbox.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::fault::FaultKind;
use super::laws::Truth;
use super::random::Random;
use crate::market::{
    Context, Date, GuestFault, MarketCode, MarketState, Module, Outcome, Refusal, Share, ShareId, ShareState,
    ShareType, Slot,
};
use crate::protocol::id::{Incarnation, ReplicaId, SequenceNumber};
use crate::protocol::message::Command;
use crate::protocol::replica_manager::{Executed, StartFailure, Task};

/// How long it takes to start a module, in calls.
const START_CALLS: u32 = 3;

/// Results are handed back after this long, however many of the run are still to come, as the executor does.
const HAND_BACK_AFTER: Duration = Duration::from_millis(5);

/// Makes an instance of a module: of which replica, and its place in the list of the replica's modules, the first one or a spare.
pub type MakeModule = Arc<dyn Fn(ReplicaId, usize) -> Result<Box<dyn Module>, GuestFault> + Send + Sync>;

/// The jobs of one replica's executor, and the module that does them.
pub struct Replica {
    id: ReplicaId,
    make: MakeModule,
    call_took: Duration,
    random: Random,
    module: Option<Box<dyn Module>>,
    module_index: usize,
    incarnation: Incarnation,
    jobs: VecDeque<Job>,
    /// The job that is being done; it grows with each.
    job_number: u64,
    is_busy: bool,
    /// How many tasks of the run in front are done when the present job is over.
    piece_len: usize,
    /// The call of the job in front does not come back.
    is_mute: bool,
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

enum Job {
    Start { incarnation: Incarnation, module: usize, state: Option<Arc<MarketState>> },
    Run { incarnation: Incarnation, run: Vec<Task> },
}

/// What a job came to.
pub enum Done {
    /// The module of a life is ready, or could not be started.
    Started(Incarnation, Result<(), StartFailure>),
    /// The results of a run, up to the first fault.
    Executed(Incarnation, Vec<Task>, Vec<Result<Executed, GuestFault>>),
}

impl Replica {
    /// A replica without an instance yet.
    pub fn new(id: ReplicaId, make: MakeModule, call_us: u64, seed: u64) -> Replica {
        Replica {
            id,
            make,
            call_took: Duration::from_micros(call_us),
            random: Random::of(seed, &format!("module of {id}")),
            module: None,
            module_index: 0,
            incarnation: Incarnation(0),
            jobs: VecDeque::new(),
            job_number: 0,
            is_busy: false,
            piece_len: 0,
            is_mute: false,
            newest: SequenceNumber(0),
            armed: Vec::new(),
            traps_at: BTreeSet::new(),
            poisoned: BTreeMap::new(),
            struck: Vec::new(),
            is_tainted: false,
            tainted_up_to: SequenceNumber(0),
        }
    }

    /// The process is new: its module and all that waited are gone, as is what the plan's faults were about to do to them.
    pub fn forget(&mut self) {
        let job_number = self.job_number + 1;
        let poisoned = std::mem::take(&mut self.poisoned);
        let traps_at = std::mem::take(&mut self.traps_at);
        let random = self.random.clone();
        let fresh = Replica::new(self.id, Arc::clone(&self.make), self.call_took.as_micros() as u64, 0);
        // A module that fails at a request fails there in every process.
        *self = Replica { job_number, poisoned, traps_at, random, tainted_up_to: self.tainted_up_to, ..fresh };
    }

    /// Drops the instance and all that waits for it, and starts another.
    pub fn begin(&mut self, incarnation: Incarnation, module: usize, state: Option<Arc<MarketState>>) {
        self.jobs.clear();
        self.job_number += 1;
        self.is_busy = false;
        self.is_mute = false;
        self.incarnation = incarnation;
        self.jobs.push_back(Job::Start { incarnation, module, state });
    }

    /// Takes one run.
    pub fn submit(&mut self, incarnation: Incarnation, run: Vec<Task>) {
        self.jobs.push_back(Job::Run { incarnation, run });
    }

    /// If the executor is free and has something to do: the number of the job that it begins, and how long it takes. A job whose call
    /// does not come back takes for ever, and is not named.
    pub fn poll_job(&mut self) -> Option<(u64, Duration)> {
        if self.is_busy || self.is_mute {
            return None;
        }
        let (is_run, run_len) = match self.jobs.front()? {
            Job::Start { .. } => (false, 0),
            Job::Run { run, .. } => (true, run.len()),
        };
        if is_run && self.is_next_new() && self.strike(|kind| kind == FaultKind::Mute) {
            self.is_mute = true;
            return None;
        }
        let is_first_module = self.module_index == 0;
        let slow = self.armed.iter().find_map(|armed| match armed.kind {
            FaultKind::SlowModule { by_ms } if is_run && is_first_module => Some((armed.index, by_ms)),
            _ => None,
        });
        let slower = slow.map_or(Duration::ZERO, |(index, by_ms)| {
            self.struck.push(index);
            Duration::from_millis(by_ms)
        });
        self.is_busy = true;
        self.job_number += 1;
        let per_call = self.call_took + slower;
        let at_once = HAND_BACK_AFTER.as_micros().checked_div(per_call.as_micros()).unwrap_or(u128::MAX);
        self.piece_len = run_len.min(usize::try_from(at_once).unwrap_or(usize::MAX)).max(1);
        let calls = if is_run { self.piece_len as u32 } else { START_CALLS };
        Some((self.job_number, calls * per_call))
    }

    /// The time of a job is over: what came of it. `None` if it is not the present one.
    pub fn finish(&mut self, job_number: u64) -> Option<Done> {
        if !self.is_busy || job_number != self.job_number {
            return None;
        }
        self.is_busy = false;
        match self.jobs.pop_front().expect("the executor is busy with the job in front") {
            Job::Start { incarnation, module, state } => {
                Some(Done::Started(incarnation, self.start(module, state.as_deref())))
            }
            Job::Run { incarnation, mut run } => {
                let rest = run.split_off(self.piece_len.min(run.len()));
                if !rest.is_empty() {
                    self.jobs.push_front(Job::Run { incarnation, run: rest });
                }
                let mut results = Vec::with_capacity(run.len());
                for task in &run {
                    results.push(self.execute_one(task));
                    if results.last().is_some_and(Result::is_err) {
                        self.module = None;
                        self.jobs.clear();
                        break;
                    }
                }
                Some(Done::Executed(incarnation, run, results))
            }
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
        Truth { is_tainted: self.is_tainted, is_mute: self.is_mute }
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

    /// Whether a fault that would do so can strike.
    pub fn may_be_tainted(&self) -> bool {
        self.is_tainted || self.armed.iter().any(|armed| armed.kind.makes_wrong())
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
        self.module.as_mut()?.export_state().ok()
    }

    /// A fault of this kind strikes, if one is armed and the module is the one that has it. Whether it does.
    fn strike(&mut self, is_meant: impl Fn(FaultKind) -> bool) -> bool {
        let place = self.armed.iter().position(|armed| is_meant(armed.kind));
        let Some(place) = place.filter(|_| self.module_index == 0) else { return false };
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

    fn is_next_new(&self) -> bool {
        let Some(Job::Run { run, .. }) = self.jobs.front() else { return false };
        run.iter().any(|task| task.execute && task.order.sequence > self.newest)
    }

    fn start(&mut self, module: usize, state: Option<&MarketState>) -> Result<(), StartFailure> {
        self.module = None;
        self.module_index = module;
        self.is_tainted = false;
        let mut instance = (self.make)(self.id, module).map_err(StartFailure::Fault)?;
        if let Some(state) = state {
            if self.strike(|kind| kind == FaultKind::RefuseImport) {
                return Err(StartFailure::Refused("not this state".to_owned()));
            }
            instance.import_state(state).map_err(StartFailure::Fault)?.map_err(StartFailure::Refused)?;
        }
        self.module = Some(instance);
        Ok(())
    }

    fn execute_one(&mut self, task: &Task) -> Result<Executed, GuestFault> {
        let Task { order, execute, checkpoint } = task;
        let outcome = match &order.command {
            Command::Request(request) if *execute => {
                let is_new = order.sequence > self.newest;
                self.newest = self.newest.max(order.sequence);
                self.trap_if_asked(order.sequence, is_new)?;
                let context = Context { sequence_number: order.sequence.0, time_ms: order.time_ms };
                let outcome = self.module.as_mut().ok_or(GuestFault::Finished)?.execute(context, request)?;
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

    fn trap_if_asked(&mut self, sequence: SequenceNumber, is_new: bool) -> Result<(), GuestFault> {
        let trap = || Err(GuestFault::Trap("unreachable".to_owned()));
        if let Some(index) = self.poisoned.get(&sequence) {
            self.struck.push(*index);
            return trap();
        }
        if self.module_index == 0 && self.traps_at.contains(&sequence) {
            return trap();
        }
        if is_new && self.strike(|kind| kind == FaultKind::Trap) {
            return trap();
        }
        if is_new && self.strike(|kind| kind == FaultKind::TrapAlways) {
            self.traps_at.insert(sequence);
            return trap();
        }
        Ok(())
    }

    fn export(&mut self) -> Result<(Arc<MarketState>, crate::market::Digest), GuestFault> {
        let mut state = self.module.as_mut().ok_or(GuestFault::Finished)?.export_state()?;
        if self.strike(|kind| kind == FaultKind::LieExport) {
            self.is_tainted = true;
            add_a_unit(&mut state);
        }
        let digest = state.digest();
        Ok((Arc::new(state), digest))
    }

    fn corrupt(&mut self) -> Result<(), GuestFault> {
        self.is_tainted = true;
        let module = self.module.as_mut().ok_or(GuestFault::Finished)?;
        let mut state = module.export_state()?;
        add_a_unit(&mut state);
        let _refused = module.import_state(&state)?;
        Ok(())
    }
}

/// An outcome that the request does not have.
fn other_than(outcome: Outcome) -> Outcome {
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
