//! Which front end is asked next: one after the other, round and round, and each once before any is asked again.

use std::time::Duration;

use super::error::Failure;

/// How long to wait after the first round; then twice as long each time.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// Longest wait between two rounds.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The search for a front end that answers, since one was heard from last.
#[derive(Debug)]
pub struct Search {
    /// The front end that is asked, by its place in the list.
    current: usize,
    /// How each failed last.
    failures: Vec<Option<Failure>>,
    /// Which were asked in this round and have failed.
    tried: Vec<bool>,
    /// Rounds in which all have failed.
    rounds_len: u32,
}

/// What to do after a front end has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the current one, which is another.
    Now,
    /// All have failed: wait so long, and ask the current one.
    After(Duration),
    /// None of them would say anything else.
    Never,
}

impl Search {
    /// Begins with the first of so many front ends, at least one.
    pub fn new(front_ends_len: usize) -> Search {
        assert!(front_ends_len > 0, "a client has somebody to ask");
        Search { current: 0, failures: vec![None; front_ends_len], tried: vec![false; front_ends_len], rounds_len: 0 }
    }

    /// The one to ask, by its place in the list.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Whether there is one to ask that has not failed in this round.
    pub fn has_another(&self) -> bool {
        self.after_current().any(|place| place != self.current && !self.tried[place] && !self.is_final(place))
    }

    /// Whether this is the first round, about which there is something to tell.
    pub fn is_first_round(&self) -> bool {
        self.rounds_len == 0
    }

    /// How each failed last, of those that did.
    pub fn failures(&self) -> Vec<Failure> {
        self.failures.iter().flatten().cloned().collect()
    }

    /// The current one has answered, so whatever was before is over.
    pub fn on_answered(&mut self) {
        if self.rounds_len > 0 || self.failures.iter().any(Option::is_some) {
            *self = Search { current: self.current, ..Search::new(self.tried.len()) };
        }
    }

    /// The current one has failed.
    pub fn on_failed(&mut self, failure: Failure) -> Next {
        self.tried[self.current] = true;
        self.failures[self.current] = Some(failure);
        let untried = self.after_current().find(|place| !self.tried[*place] && !self.is_final(*place));
        if let Some(place) = untried {
            self.current = place;
            return Next::Now;
        }
        let Some(place) = self.after_current().find(|place| !self.is_final(*place)) else { return Next::Never };
        self.current = place;
        self.tried.fill(false);
        let wait = WAIT_FIRST.saturating_mul(1 << self.rounds_len.min(16)).min(WAIT_MAX);
        self.rounds_len += 1;
        Next::After(wait)
    }

    /// All places, the current one last.
    fn after_current(&self) -> impl Iterator<Item = usize> + use<> {
        let (current, len) = (self.current, self.tried.len());
        (1..=len).map(move |step| (current + step) % len)
    }

    fn is_final(&self, place: usize) -> bool {
        self.failures[place].as_ref().is_some_and(|failure| failure.cause.is_final())
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Cause;
    use super::*;

    fn failure(cause: Cause) -> Failure {
        Failure { front_end: "a:1".parse().unwrap(), cause, words: String::new() }
    }

    fn fails(search: &mut Search, cause: Cause) -> (Next, usize) {
        (search.on_failed(failure(cause)), search.current())
    }

    const fn after_ms(ms: u64) -> Next {
        Next::After(Duration::from_millis(ms))
    }

    #[test]
    fn each_is_asked_once_before_any_is_asked_again_later_and_later() {
        let mut search = Search::new(3);
        let mut asked = Vec::new();
        for _ in 0..7 {
            asked.push(fails(&mut search, Cause::Unreachable));
        }
        let (first, second) = (after_ms(50), after_ms(100));
        assert_eq!(
            asked,
            [(Next::Now, 1), (Next::Now, 2), (first, 0), (Next::Now, 1), (Next::Now, 2), (second, 0), (Next::Now, 1)]
        );
    }

    #[test]
    fn the_only_one_is_asked_again_with_waits_up_to_a_bound() {
        let mut search = Search::new(1);
        let waits: Vec<Next> = (0..7).map(|_| fails(&mut search, Cause::Unreachable).0).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000].map(after_ms));
        assert!(!search.has_another());
    }

    #[test]
    fn whoever_refuses_is_not_asked_again_and_if_all_do_that_is_the_end() {
        let mut search = Search::new(2);
        assert_eq!(fails(&mut search, Cause::Refused), (Next::Now, 1));
        assert_eq!(fails(&mut search, Cause::Unreachable), (after_ms(50), 1), "not the one that has refused");
        assert_eq!(fails(&mut search, Cause::NotSecured).0, Next::Never);
        assert_eq!(search.failures(), [failure(Cause::Refused), failure(Cause::NotSecured)]);
    }

    #[test]
    fn an_answer_begins_the_search_anew_where_it_came_from() {
        let mut search = Search::new(2);
        fails(&mut search, Cause::Unreachable);
        assert!(search.is_first_round() && !search.has_another());
        search.on_answered();
        assert!(search.failures().is_empty() && search.has_another());
        assert_eq!(fails(&mut search, Cause::Unreachable), (Next::Now, 0));
    }
}
