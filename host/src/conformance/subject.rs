//! What is examined, and what an examination may use.

use std::cell::Cell;
use std::time::Duration;

use super::deadline::Deadline;
use super::finding::{Finding, Kind, given_words, lines};
use super::report::Examined;
use super::{Examination, Options, Progress};
use crate::market::{GuestFault, Module, Outcome};
use crate::native::NativeMarket;
use crate::sandbox::{LoadedModule, Seeds};
use crate::simulation::history::PastRequest;
use crate::simulation::history::execution::Given;
use crate::simulation::shrink::minimize;

/// Most attempts to find a shorter history for one finding.
const ATTEMPTS_MAX: usize = 1500;

/// A history may be shortened for so long even when the time of its examination is over.
const SHORTENING_MIN: Duration = Duration::from_millis(300);

/// And never for longer than this part of all the time.
const SHORTENING_PART_MAX: u32 = 6;

/// Makes an instance whose random numbers follow from these seeds.
type Start<'a> = dyn Fn(Seeds) -> Result<Box<dyn Module>, GuestFault> + 'a;

/// Starts instances of the module that is examined, each with an empty market.
pub struct Subject<'a> {
    start: Box<Start<'a>>,
    /// Histories are broken off then. It follows the examination.
    until: Cell<Deadline>,
}

impl<'a> Subject<'a> {
    /// Instances are what `start` gives.
    pub fn new(start: impl Fn(Seeds) -> Result<Box<dyn Module>, GuestFault> + 'a) -> Subject<'a> {
        Subject { start: Box::new(start), until: Cell::new(Deadline::after(Duration::ZERO)) }
    }

    /// Instances of a module in the sandbox.
    pub fn of(module: &'a LoadedModule) -> Subject<'a> {
        Subject::new(|seeds| Ok(Box::new(module.clone().with_seeds(seeds).instantiate()?)))
    }

    /// An instance like all others.
    pub(super) fn start(&self) -> Result<Box<dyn Module>, GuestFault> {
        self.start_with(Seeds::default())
    }

    /// An instance with other random numbers.
    pub(super) fn start_with(&self, seeds: Seeds) -> Result<Box<dyn Module>, GuestFault> {
        (self.start)(seeds)
    }

    /// Whether there is time for another request.
    pub(super) fn has_time(&self) -> bool {
        !self.until.get().is_over()
    }

    /// An instance that has executed these requests; `None` if it failed at one, or the time was over.
    pub(super) fn after(&self, requests: &[PastRequest]) -> Option<Box<dyn Module>> {
        let mut module = self.start().ok()?;
        for past in requests {
            if !self.has_time() || module.execute(past.context(), &past.request).is_err() {
                return None;
            }
        }
        Some(module)
    }

    /// What an instance of its own gives to the last of these requests; `None` if it failed before.
    pub(super) fn last_answer(&self, requests: &[PastRequest]) -> Option<Given> {
        let (last, before) = requests.split_last()?;
        Some(self.after(before)?.execute(last.context(), &last.request))
    }
}

/// The reference market after these requests.
pub(super) fn reference_after(requests: &[PastRequest]) -> NativeMarket {
    let mut market = NativeMarket::new();
    requests.iter().for_each(|past| drop(expected(&mut market, past)));
    market
}

/// What the reference market answers.
pub(super) fn expected(market: &mut NativeMarket, past: &PastRequest) -> Outcome {
    market.execute(past.context(), &past.request).expect("the reference market does not fail")
}

/// The fewest requests that were found, and whether none of them can be left out.
pub(super) struct Shortest {
    pub(super) requests: Vec<PastRequest>,
    pub(super) is_shortest: bool,
}

/// What one examination may use, and what it has found so far.
pub struct Scope<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) seed: u64,
    pub(super) requests_max: u64,
    pub(super) examined: Examined,
    examination: Examination,
    began: Deadline,
    deadline: Deadline,
    shortening_max: Duration,
    progress: &'a mut dyn FnMut(Progress),
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        subject: &'a Subject<'a>,
        examination: Examination,
        options: &Options,
        deadline: Deadline,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Scope<'a> {
        subject.until.set(deadline);
        Scope {
            subject,
            seed: options.seed,
            requests_max: options.requests_max,
            examined: Examined::new(examination),
            examination,
            began: Deadline::after(Duration::ZERO),
            deadline,
            shortening_max: options.time / SHORTENING_PART_MAX,
            progress,
        }
    }

    /// A scope with as much time as an examination of its own has.
    pub fn alone(
        subject: &'a Subject<'a>,
        examination: Examination,
        options: &Options,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Scope<'a> {
        Scope::new(subject, examination, options, Deadline::after(options.time), progress)
    }

    /// Whether the time is over. Then the examination is not complete.
    pub(super) fn is_over(&mut self) -> bool {
        let is_over = self.deadline.is_over();
        self.examined.is_complete &= !is_over;
        is_over
    }

    pub(super) fn progress(&mut self, done: u64, of: u64) {
        (self.progress)(Progress::Examining { examination: self.examination, done, of });
    }

    /// Ends the examination.
    pub(super) fn finish(&mut self) -> Examined {
        let milliseconds = self.began.passed_by().as_secs_f64() * 1000.0;
        Examined { milliseconds, ..self.examined.clone() }
    }

    /// Whether there is a finding of this kind already. One is enough where every history would show the same.
    pub(super) fn has_found(&self, kind: Kind) -> bool {
        self.examined.findings.iter().any(|finding| finding.kind == kind)
    }

    /// The fewest of these requests for which something still shows that shows for all of them.
    pub(super) fn shorten(
        &mut self,
        requests: &[PastRequest],
        mut shows: impl FnMut(&[PastRequest]) -> bool,
    ) -> Shortest {
        let until = self.deadline.at_least(SHORTENING_MIN);
        let deadline = Deadline::after(until.left().min(self.shortening_max));
        self.subject.until.set(deadline);
        let mut attempts = 0;
        let requests = minimize(requests, ATTEMPTS_MAX, |list| {
            attempts += 1;
            !deadline.is_over() && shows(list)
        });
        // What was found has still to be told.
        self.subject.until.set(self.deadline.at_least(SHORTENING_MIN));
        Shortest { requests, is_shortest: attempts < ATTEMPTS_MAX && !deadline.is_over() }
    }

    /// A wrong answer to the last of these requests, with the shortest history that ends with that request and shows
    /// it.
    pub(super) fn wrong_answer(&mut self, rule: &str, requests: &[PastRequest], given: &Given) -> Finding {
        let (last, before) = requests.split_last().expect("a request was answered");
        let subject = self.subject;
        let differs = |list: &[PastRequest]| {
            let list = [list, &[*last]].concat();
            let (given, expected) = (subject.last_answer(&list)?, expected_last(&list));
            (given.as_ref() != Ok(&expected)).then_some((expected, given))
        };
        let is_alike = |other: &Given| other.is_err() == given.is_err();
        let mut shortest = self.shorten(before, |list| differs(list).is_some_and(|(_, other)| is_alike(&other)));
        let (expected, given) = differs(&shortest.requests).unwrap_or_else(|| {
            // It differs from run to run: what was seen is told as it was.
            shortest = Shortest { requests: before.to_vec(), is_shortest: false };
            (expected_last(requests), given.clone())
        });
        shortest.requests.push(*last);
        let kind = if given.is_err() { Kind::Fault } else { Kind::WrongAnswer };
        Finding {
            history: lines(&shortest.requests),
            is_shortest: shortest.is_shortest,
            replay: shortest.requests,
            ..Finding::failure(kind, rule).told(expected.to_json().to_string(), given_words(&given))
        }
    }
}

fn expected_last(requests: &[PastRequest]) -> Outcome {
    let (last, before) = requests.split_last().expect("there is a request");
    expected(&mut reference_after(before), last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::histories::past;
    use crate::market::{Context, MarketState, Request, parse_request};

    /// The reference market, except that it may answer everything wrongly.
    struct Moody {
        market: NativeMarket,
        is_wrong: bool,
    }

    impl Module for Moody {
        fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
            let outcome = self.market.execute(context, request)?;
            Ok(if self.is_wrong { Outcome::Swapped { units: 77 } } else { outcome })
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            self.market.export_state()
        }

        fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
            self.market.import_state(state)
        }
    }

    #[test]
    fn what_is_told_of_a_module_that_differs_from_run_to_run_belongs_together() {
        let lines = ["NYKA1001 add-share NYKM100925 Equity 5", "NYKB1001 purchase-share NYKM100925 Equity 2"];
        let last = "NYKB1001 get-shares";
        let request = |line: &str| parse_request(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let requests: Vec<PastRequest> = past([lines[0], lines[1], last].into_iter().map(request), 1).collect();
        // So many instances are wrong, while the history is shortened, and all others are right.
        for wrong_len in 0..6 {
            let started = Cell::new(0);
            let subject = Subject::new(|_| {
                started.set(started.get() + 1);
                Ok(Box::new(Moody { market: NativeMarket::new(), is_wrong: started.get() <= wrong_len }))
            });
            let mut progress = |_: Progress| {};
            let mut scope = Scope::alone(&subject, Examination::Golden, &Options::default(), &mut progress);
            let finding = scope.wrong_answer("rule", &requests, &Ok(Outcome::Swapped { units: 77 }));
            let expected = expected_last(&finding.replay).to_json().to_string();
            assert_eq!(finding.expected, expected, "{wrong_len} wrong: {:?}", finding.history);
        }
    }
}
