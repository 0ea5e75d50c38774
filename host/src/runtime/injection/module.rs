//! Faults of a module, around whatever module there is.
//!
//! They strike at requests that this process executes for the first time; what a replica executes again while it is brought back is left
//! alone, unless it is the very request that the fault ended it at. A new process knows no earlier ones.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::market::{
    Context, Date, GuestFault, MarketCode, MarketState, Module, Outcome, Refusal, Request, Share, ShareId, ShareState,
    ShareType, Slot, Units,
};
use crate::protocol::fault::FaultKind;
use crate::protocol::time::Instant;
use crate::runtime::clock::Clock;

use super::{FaultKey, Trigger};

/// The life of an instance that faults leave alone.
pub const ASLEEP: u64 = u64::MAX;

/// The faults of this node's module, shared with the thread that calls it.
#[derive(Debug)]
pub struct ModuleFaults {
    clock: Clock,
    /// Whether there are any, so that calls without faults cost nothing.
    any: AtomicBool,
    /// The newest request that a module was called with in this process.
    newest: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    triggers: Vec<Trigger>,
    /// Grows with each instance; calls of earlier ones that do not come back are given up.
    life: u64,
    /// The faults that hold up a call, or are about to.
    waiting: Vec<FaultKey>,
}

impl ModuleFaults {
    /// No faults.
    pub fn new(clock: Clock) -> Arc<ModuleFaults> {
        let (any, newest) = (AtomicBool::new(false), AtomicU64::new(0));
        Arc::new(ModuleFaults { clock, any, newest, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Lets a function change the faults.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Vec<Trigger>) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state.triggers);
        self.any.store(!state.triggers.is_empty(), Ordering::Relaxed);
        self.changed.notify_all();
        changed
    }

    /// Whether there are any faults.
    pub(super) fn are_any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Tells how often each fault has struck, and forgets those that are over and hold up no call.
    pub(super) fn settle(&self, now: Instant, mut tell: impl FnMut(&Trigger)) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.lock();
        state.triggers.iter().for_each(&mut tell);
        let State { triggers, waiting, .. } = &mut *state;
        triggers.retain(|trigger| !trigger.is_over(now) || waiting.contains(&trigger.key));
        self.any.store(!state.triggers.is_empty(), Ordering::Relaxed);
    }

    /// Whether a call may take long on purpose.
    pub fn may_wait(&self) -> bool {
        let waits = |trigger: &Trigger| matches!(trigger.kind(), FaultKind::Mute | FaultKind::Slow(_));
        self.any.load(Ordering::Relaxed) && self.lock().triggers.iter().any(waits)
    }

    /// A new instance is about to replace the one there is; a call of that one which does not come back is given up.
    pub fn give_up(&self) {
        self.lock().life += 1;
        self.changed.notify_all();
    }

    /// Puts the faults around a new instance.
    pub fn around<M>(self: &Arc<Self>, module: M) -> Injected<M> {
        Injected { module, life: Arc::new(AtomicU64::new(self.lock().life)), faults: Arc::clone(self) }
    }

    /// The same around an instance that faults leave alone as long as its life is [`ASLEEP`].
    pub fn around_shadow<M>(self: &Arc<Self>, module: M, life: &Arc<AtomicU64>) -> Injected<M> {
        if life.load(Ordering::Relaxed) != ASLEEP {
            // It has become the replica's own, and was started anew since.
            return self.around(module);
        }
        Injected { module, life: Arc::clone(life), faults: Arc::clone(self) }
    }

    /// An instance that slept takes over: faults strike it from now on, and a call of the one before it is given up.
    pub fn awaken(&self, life: &AtomicU64) {
        self.give_up();
        life.store(self.lock().life, Ordering::Relaxed);
    }

    /// What strikes at this request.
    fn strikes(&self, request: &Request) -> Vec<(FaultKey, FaultKind)> {
        let now = self.clock.now();
        let mut state = self.lock();
        let operation = request.operation.name();
        let is_meant = |trigger: &&mut Trigger| trigger.fault.operation.as_ref().is_none_or(|name| name == operation);
        let strikes = state
            .triggers
            .iter_mut()
            .filter(is_meant)
            .filter_map(|trigger| trigger.fires(now).then_some((trigger.key, trigger.kind())));
        let strikes: Vec<_> = strikes.collect();
        let waits = |(_, kind): &&(FaultKey, FaultKind)| matches!(kind, FaultKind::Mute | FaultKind::Slow(_));
        state.waiting = strikes.iter().filter(waits).map(|(id, _)| *id).collect();
        strikes
    }

    /// Waits until this time, or until the fault is gone or the instance's life has ended. True if the instance is to go on.
    fn wait(&self, key: FaultKey, life: u64, until: Option<Instant>) -> bool {
        let mut state = self.lock();
        let goes_on = loop {
            let now = self.clock.now();
            let trigger = state.triggers.iter().find(|trigger| trigger.key == key);
            let until = [until, trigger.and_then(Trigger::until)].into_iter().flatten().min();
            if state.life != life {
                break false;
            }
            if trigger.is_none() || until.is_some_and(|until| until <= now) {
                break true;
            }
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let waited = self.changed.wait_timeout(state, until.since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        state.waiting.retain(|waiting| *waiting != key);
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A module whose faults are not its own.
#[derive(Debug)]
pub struct Injected<M> {
    module: M,
    life: Arc<AtomicU64>,
    faults: Arc<ModuleFaults>,
}

impl<M: Module> Module for Injected<M> {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        let life = self.life.load(Ordering::Relaxed);
        if life == ASLEEP {
            return self.module.execute(context, request);
        }
        let newest = self.faults.newest.fetch_max(context.sequence_number, Ordering::Relaxed);
        if !self.faults.any.load(Ordering::Relaxed) || context.sequence_number < newest {
            return self.module.execute(context, request);
        }
        let strikes = self.faults.strikes(request);
        for (id, kind) in &strikes {
            let until = match kind {
                FaultKind::Trap => return Err(GuestFault::Trap("injected with `dsms fault`".to_owned())),
                FaultKind::Slow(by) => Some(self.faults.clock.now() + *by),
                FaultKind::Mute => None,
                _ => continue,
            };
            if !self.faults.wait(*id, life, until) {
                return Err(GuestFault::Finished);
            }
        }
        let mut outcome = self.module.execute(context, request)?;
        for (_, kind) in strikes {
            match kind {
                FaultKind::Wrong => outcome = other_than(&outcome),
                FaultKind::CorruptState => corrupt(&mut self.module)?,
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        self.module.export_state()
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        self.module.import_state(state)
    }
}

/// An outcome that is well formed, and is not this one.
fn other_than(outcome: &Outcome) -> Outcome {
    let refused = Outcome::Refused(Refusal::SoldOut);
    if *outcome == refused { Outcome::Refused(Refusal::NotFound) } else { refused }
}

/// Gives the first share one unit more, as far as a share may have one; a market without such a share gets one more share.
fn corrupt(module: &mut impl Module) -> Result<(), GuestFault> {
    let mut state = module.export_state()?;
    match state.shares.iter_mut().find(|share| share.capacity < Units::MAX) {
        Some(share) => {
            share.capacity += 1;
            share.available += 1;
        }
        None => {
            let date = Date::new(31, 12, 99).expect("December has that many days");
            let id = ShareId { market: MarketCode::Tokyo, slot: Slot::Evening, date };
            let share = Share { id, share_type: ShareType::Dividend };
            state.shares.push(ShareState { share, capacity: 1, available: 1 });
        }
    }
    // A module that refuses a possible state has a fault of its own, which is not what was asked for.
    let _refused = module.import_state(&state)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::market::parse_request;
    use crate::native::NativeMarket;
    use crate::protocol::fault::{Fault, FaultId};
    use crate::protocol::id::NodeId;

    fn faults(asked: &[Fault]) -> Arc<ModuleFaults> {
        let faults = ModuleFaults::new(Clock::start());
        let now = faults.clock.now();
        for (number, fault) in (1..).zip(asked) {
            faults.change(|triggers| {
                triggers.push(Trigger::new(
                    FaultKey { asked: NodeId::FRONT_END, id: FaultId(number) },
                    fault.clone(),
                    now,
                ))
            });
        }
        faults
    }

    fn ask(module: &mut impl Module, sequence_number: u64, words: &str) -> Result<Outcome, GuestFault> {
        let request = parse_request(&words.split(' ').collect::<Vec<_>>()).unwrap();
        module.execute(Context { sequence_number, time_ms: 0 }, &request)
    }

    fn nothing() -> Outcome {
        Outcome::Holdings { holdings: Vec::new() }
    }

    const ADD: &str = "NYKA1001 add-share NYKM100925 Equity 3";
    const GET: &str = "NYKB1001 get-shares";

    #[test]
    fn a_fault_strikes_at_its_operation_and_not_at_what_is_executed_again() {
        let wrong = Fault { operation: Some("get-shares".to_owned()), count: Some(2), ..Fault::of(FaultKind::Wrong) };
        let faults = faults(&[wrong]);
        let mut module = faults.around(NativeMarket::new());
        assert_eq!(ask(&mut module, 1, ADD), Ok(Outcome::Added { capacity: 3 }));
        assert_eq!(ask(&mut module, 2, GET), Ok(Outcome::Refused(Refusal::SoldOut)));
        let mut again = faults.around(NativeMarket::new());
        assert_eq!(ask(&mut again, 1, GET), Ok(nothing()), "executed again");
        assert_eq!(ask(&mut again, 3, GET), Ok(Outcome::Refused(Refusal::SoldOut)));
        assert_eq!(ask(&mut again, 4, GET), Ok(nothing()), "it has struck twice");
    }

    #[test]
    fn a_state_is_corrupted_beyond_what_the_answers_show() {
        let faults = faults(&[Fault { count: Some(1), ..Fault::of(FaultKind::CorruptState) }]);
        let mut module = faults.around(NativeMarket::new());
        assert_eq!(ask(&mut module, 1, GET), Ok(nothing()));
        assert_eq!(module.export_state().unwrap().shares.len(), 1, "an empty market has got a share");
    }

    #[test]
    fn a_mute_call_comes_back_when_its_life_ends_or_its_fault_is_removed() {
        let faults = faults(&[Fault { count: Some(1), ..Fault::of(FaultKind::Mute) }]);
        let call = |sequence| {
            let mut module = faults.around(NativeMarket::new());
            std::thread::spawn(move || ask(&mut module, sequence, GET))
        };
        let is_waiting = |faults: &ModuleFaults| !faults.lock().waiting.is_empty();
        let first = call(1);
        while !is_waiting(&faults) {
            std::thread::yield_now();
        }
        faults.give_up();
        assert_eq!(first.join().unwrap(), Err(GuestFault::Finished));
        faults.change(|triggers| triggers[0].fault.count = None);
        let second = call(2);
        while !is_waiting(&faults) {
            std::thread::yield_now();
        }
        faults.change(Vec::clear);
        assert_eq!(second.join().unwrap(), Ok(nothing()));
    }

    #[test]
    fn a_fault_that_waits_for_another_one_to_pass_is_not_forgotten_meanwhile() {
        let once = |kind| Fault { count: Some(1), ..Fault::of(kind) };
        let faults = faults(&[once(FaultKind::Slow(Duration::from_millis(1))), once(FaultKind::Mute)]);
        let mut module = faults.around(NativeMarket::new());
        let call = std::thread::spawn(move || ask(&mut module, 1, GET));
        while faults.lock().waiting.len() != 1 {
            faults.settle(faults.clock.now(), |_| ());
            std::thread::yield_now();
        }
        faults.give_up();
        assert_eq!(call.join().unwrap(), Err(GuestFault::Finished), "it was mute after it was slow");
    }

    #[test]
    fn a_slow_call_comes_back_by_itself() {
        let slow = FaultKind::Slow(Duration::from_millis(1));
        let faults = faults(&[Fault::of(slow)]);
        let began_at = faults.clock.now();
        assert!(ask(&mut faults.around(NativeMarket::new()), 1, GET).is_ok());
        assert!(faults.clock.now().since(began_at) >= Duration::from_millis(1));
        assert!(faults.may_wait());
    }
}
