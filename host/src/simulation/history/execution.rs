//! Executes a history again, on the reference market and on modules, and finds the fewest requests that tell them apart.

use crate::market::{GuestFault, MarketState, Module, Outcome};
use crate::native::NativeMarket;
use crate::simulation::shrink::{ATTEMPTS_MAX, minimize};

use super::PastRequest;

/// Makes an instance with an empty market.
pub type StartModule = Box<dyn Fn() -> Result<Box<dyn Module>, GuestFault>>;

/// What a module gave: an outcome, or how it failed.
pub type Given = Result<Outcome, GuestFault>;

/// One request of a history, executed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The request.
    pub past: PastRequest,
    /// The outcome of the reference market.
    pub expected: Outcome,
    /// What each module gave, in the order of the modules.
    pub given: Vec<Given>,
}

impl Step {
    /// Which modules gave something else than the reference market, by their places in the list of modules.
    pub fn differing(&self) -> impl Iterator<Item = usize> {
        let differs = |given: &Given| given.as_ref() != Ok(&self.expected);
        self.given.iter().enumerate().filter(move |(_, given)| differs(given)).map(|(index, _)| index)
    }
}

/// The states after a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// That of the reference market.
    pub expected: MarketState,
    /// What each module exported, or how it failed.
    pub given: Vec<Result<MarketState, GuestFault>>,
}

/// A history with as few requests as were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The requests. The last one is the last of the whole history.
    pub requests: Vec<PastRequest>,
    /// Whether none of the others can be left out. It is not known where too many attempts would have been needed.
    pub is_minimal: bool,
}

/// Executes requests in order, on the reference market and on each module, and tells `each` of every step.
///
/// A module that fails is started anew with the reference market's state after the request, as a replica goes on past a request at
/// which its module fails. If that fails as well, it has given this fault ever after.
pub fn execute(requests: &[PastRequest], modules: &[StartModule], each: &mut dyn FnMut(Step)) {
    run(requests, modules, each);
}

/// [`execute`], and what the states are afterwards.
pub fn execute_to_end(requests: &[PastRequest], modules: &[StartModule], each: &mut dyn FnMut(Step)) -> Ending {
    let (mut reference, running) = run(requests, modules, each);
    let export = |module: Result<Box<dyn Module>, GuestFault>| module.and_then(|mut module| module.export_state());
    Ending {
        expected: reference.export_state().expect("the reference market does not fail"),
        given: running.into_iter().map(export).collect(),
    }
}

type Running = Vec<Result<Box<dyn Module>, GuestFault>>;

fn run(requests: &[PastRequest], modules: &[StartModule], each: &mut dyn FnMut(Step)) -> (NativeMarket, Running) {
    let mut reference = NativeMarket::new();
    let mut running: Running = modules.iter().map(|start| start()).collect();
    for past in requests {
        let expected = reference.execute(past.context(), &past.request).expect("the reference market does not fail");
        let mut given = Vec::with_capacity(modules.len());
        for (module, start) in running.iter_mut().zip(modules) {
            let answer = match module {
                Ok(instance) => instance.execute(past.context(), &past.request),
                Err(fault) => Err(fault.clone()),
            };
            if answer.is_err() && module.is_ok() {
                *module = start_like(start, &mut reference);
            }
            given.push(answer);
        }
        each(Step { past: *past, expected, given });
    }
    (reference, running)
}

/// An instance that goes on from the state of the reference market, as a replica that is brought back does.
pub fn start_like(
    start: &dyn Fn() -> Result<Box<dyn Module>, GuestFault>,
    reference: &mut NativeMarket,
) -> Result<Box<dyn Module>, GuestFault> {
    let mut module = start()?;
    let state = reference.export_state().expect("the reference market does not fail");
    match module.import_state(&state)? {
        Ok(()) => Ok(module),
        Err(words) => Err(GuestFault::Trap(format!("the state was refused: {words}"))),
    }
}

/// The last step of requests that are executed; there must be one.
pub fn last_step(requests: &[PastRequest], modules: &[StartModule]) -> Step {
    let mut last = None;
    execute(requests, modules, &mut |step| last = Some(step));
    last.expect("there is a request")
}

/// The fewest of these requests, the last one among them, after which each of these modules still differs from the reference market at
/// the last one, by another outcome or by a fault as it does after all of them. `progress` is told how many each attempt that does has.
///
/// All modules must differ after all requests.
pub fn shrink(requests: &[PastRequest], modules: &[StartModule], progress: &mut dyn FnMut(usize)) -> Shrunk {
    let (last, before) = requests.split_last().expect("there is a request");
    let has_failed = |step: &Step| step.given.iter().map(Result::is_err).collect::<Vec<_>>();
    let whole = last_step(requests, modules);
    assert_eq!(whole.differing().count(), modules.len(), "a module does not differ at {last:?}");
    let mut attempts = 0;
    let mut kept = minimize(before, ATTEMPTS_MAX, |list| {
        attempts += 1;
        let step = last_step(&[list, &[*last]].concat(), modules);
        let differs = step.differing().count() == modules.len() && has_failed(&step) == has_failed(&whole);
        if differs {
            progress(list.len() + 1);
        }
        differs
    });
    kept.push(*last);
    Shrunk { requests: kept, is_minimal: attempts < ATTEMPTS_MAX }
}
