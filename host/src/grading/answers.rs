//! One history of requests, the same for all modules, and where a module fails in it.
//!
//! A module that has answered wrongly or failed goes on from the reference market's state, in a new instance, as a replica that is
//! brought back does. So each failure is one at its own request, and not a consequence of an earlier one: that makes the failures of
//! different modules comparable.

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::market::{Digest, GuestFault, Module, Outcome};
use crate::native::NativeMarket;
use crate::protocol::id::SequenceNumber;
use crate::simulation::history::PastRequest;
use crate::simulation::history::execution::start_like;
use crate::workload::{Mix, listings};

/// Most characters of what a module gave that are kept. The module controls how many there are.
const WORDS_LEN_MAX: usize = 600;

/// A new instance with an empty market.
pub type Started = Result<Box<dyn Module>, GuestFault>;

/// Where a module failed in the common history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answers {
    /// How many requests it was asked, or would have been if it could have been started again, before the time was over.
    pub asked: u32,
    /// How many there are.
    pub of: u32,
    /// Where it failed, in order.
    pub failures: Vec<Failure>,
    /// The first failure in words.
    pub first: Option<Divergence>,
    /// Why it could not go on after a failure, if so. It fails at all requests from then on.
    pub stopped: Option<String>,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// At which request, from 1.
    pub at: u32,
    /// The short digest of the wrong outcome; nothing if there was none.
    pub wrong: Option<String>,
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Divergence {
    /// At which request, from 1.
    pub at: u32,
    /// The request, as on the command line.
    pub request: String,
    /// What the reference market answers, as JSON.
    pub expected: String,
    /// What the module answered, as JSON, or how it failed.
    pub given: String,
}

/// The history that all modules of a run are asked.
pub fn history(settings: &Settings) -> Vec<PastRequest> {
    let requests = listings().chain(Mix::new(settings.seed, 0)).take(settings.requests as usize);
    let past = |(request, place)| PastRequest { sequence: SequenceNumber(place), time_ms: None, request };
    requests.zip(1..).map(past).collect()
}

/// Asks a module these requests, until `is_over`.
pub fn ask(start: &dyn Fn() -> Started, history: &[PastRequest], is_over: &dyn Fn() -> bool) -> Answers {
    let mut answers = Answers { of: history.len() as u32, ..Answers::default() };
    let mut reference = NativeMarket::new();
    let mut running = start();
    for (past, at) in history.iter().zip(1..) {
        if is_over() {
            break;
        }
        answers.asked = at;
        let expected = reference.execute(past.context(), &past.request).expect("the reference market does not fail");
        let given = match &mut running {
            Ok(module) => module.execute(past.context(), &past.request),
            Err(fault) => Err(fault.clone()),
        };
        if given.as_ref() == Ok(&expected) {
            continue;
        }
        answers.failures.push(Failure { at, wrong: given.as_ref().ok().map(digest) });
        if answers.first.is_none() {
            let request = past.request.to_string();
            let given = match &given {
                Ok(outcome) => outcome.to_json().to_string(),
                Err(fault) => format!("fault: {fault}"),
            };
            let (expected, given) = (expected.to_json().to_string(), given.chars().take(WORDS_LEN_MAX).collect());
            answers.first = Some(Divergence { at, request, expected, given });
        }
        if running.is_ok() {
            running = start_like(start, &mut reference);
            answers.stopped =
                running.as_ref().err().map(|fault| fault.to_string().chars().take(WORDS_LEN_MAX).collect());
        }
    }
    answers
}

fn digest(outcome: &Outcome) -> String {
    Digest::of_bytes(outcome.to_json().to_string().as_bytes()).short()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Context, MarketState, Request};

    const SETTINGS: Settings = Settings { seed: 1, time_s: 60, requests: 400 };

    /// The reference market, except that every so many calls of an instance it forgets to execute the request, or traps.
    struct Forgetful {
        market: NativeMarket,
        calls: u64,
        every: u64,
        imports: bool,
        traps: bool,
    }

    impl Module for Forgetful {
        fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
            self.calls += 1;
            match self.calls.is_multiple_of(self.every) {
                true if self.traps => Err(GuestFault::StackOverflow),
                true => Ok(Outcome::Swapped { units: 77 }),
                false => self.market.execute(context, request),
            }
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            self.market.export_state()
        }

        fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
            if self.imports { self.market.import_state(state) } else { Ok(Err("not mine".to_owned())) }
        }
    }

    fn asked(every: u64, imports: bool, traps: bool) -> Answers {
        let start =
            || -> Started { Ok(Box::new(Forgetful { market: NativeMarket::new(), calls: 0, every, imports, traps })) };
        ask(&start, &history(&SETTINGS), &|| false)
    }

    #[test]
    fn the_reference_market_fails_nowhere() {
        let answers = ask(&|| Ok(Box::new(NativeMarket::new())), &history(&SETTINGS), &|| false);
        assert_eq!(answers, Answers { asked: 400, of: 400, ..Answers::default() });
    }

    #[test]
    fn a_module_goes_on_from_the_right_state_after_each_failure() {
        let answers = asked(100, true, false);
        let places: Vec<u32> = answers.failures.iter().map(|failure| failure.at).collect();
        assert_eq!(places, [100, 200, 300, 400], "nothing follows from what it had forgotten");
        assert!(answers.failures.iter().all(|failure| failure.wrong == answers.failures[0].wrong));
        let first = answers.first.unwrap();
        assert_eq!((first.at, &*first.given), (100, r#"{"result":"swapped","units":77}"#));
        assert!(asked(100, true, true).failures.iter().all(|failure| failure.wrong.is_none()));
    }

    #[test]
    fn a_module_that_cannot_go_on_fails_ever_after() {
        let answers = asked(150, false, false);
        assert_eq!((answers.failures.len(), answers.asked), (251, 400));
        assert!(answers.failures[0].wrong.is_some() && answers.failures[1].wrong.is_none());
        assert!(answers.stopped.unwrap().contains("not mine"));
    }

    #[test]
    fn nothing_is_asked_when_the_time_is_over() {
        let answers = ask(&|| Ok(Box::new(NativeMarket::new())), &history(&SETTINGS), &|| true);
        assert_eq!((answers.asked, answers.of), (0, 400));
    }
}
