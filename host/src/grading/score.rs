//! What the examination of a module is worth: 100 points, of which most are for the rules of the market.
//!
//! | Points | For |
//! |---|---|
//! | 60 | the golden rules, in proportion to how many of them the module keeps |
//! | 15 | drawn histories without a difference from the reference market |
//! | 10 | determinism without a finding |
//! | 10 | the state: 7 for going round, 3 for what is refused |
//! | 5 | simulated clusters, in proportion to the runs in which every law held |
//!
//! Nothing is given for what was not examined, and nothing at all to a module that cannot be run.

use serde::{Deserialize, Serialize};

use super::{Ended, Examined};
use crate::conformance::{Examination, Finding, Report, Weight, golden_rules};

/// The points of a module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Score {
    /// All points together, rounded down to tenths in each item.
    pub points: f64,
    /// What they are for.
    pub items: Vec<Item>,
}

/// One thing that there are points for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Item {
    /// Its name, as in `dsms check --only`; `clusters` besides.
    pub name: String,
    /// Points that were given.
    pub points: f64,
    /// Points that could be.
    pub max: f64,
    /// Why, in a sentence.
    pub why: String,
}

/// Points for each thing.
const ITEMS: [(&str, u32); 6] = [
    ("golden", 60),
    ("random-histories", 15),
    ("determinism", 10),
    ("round-trip", 7),
    ("refused-input", 3),
    ("clusters", 5),
];

impl Score {
    /// The points of a module that was examined.
    pub fn of(examined: &Examined) -> Score {
        let not_running = match (&examined.check, &examined.ended) {
            (Some(check), _) => not_running(check),
            (None, Ended::OutOfTime) => Some("out of time before anything was found out".to_owned()),
            (None, Ended::Failed(words)) => Some(words.clone()),
            (None, Ended::Whole) => Some("nothing was found out".to_owned()),
        };
        let items: Vec<Item> = ITEMS
            .into_iter()
            .map(|(name, max)| {
                let (tenths, why) = match (&not_running, &examined.check) {
                    (None, Some(check)) => tenths(name, max, check, examined),
                    (words, _) => (0, words.clone().unwrap_or_default()),
                };
                Item { name: name.to_owned(), points: f64::from(tenths) / 10.0, max: f64::from(max), why }
            })
            .collect();
        let tenths: f64 = items.iter().map(|item| (item.points * 10.0).round()).sum();
        Score { points: tenths / 10.0, items }
    }
}

/// Tenths of a point for one thing, and why.
fn tenths(name: &str, max: u32, check: &Report, examined: &Examined) -> (u32, String) {
    match name {
        "golden" => {
            let (kept, all) = golden_kept(check);
            (in_proportion(max, kept, all), format!("{kept} of {all} rules kept"))
        }
        "clusters" => match &examined.clusters {
            Some(clusters) => {
                let words = format!("{} of {} runs kept every law", clusters.held, clusters.runs);
                (in_proportion(max, clusters.held, clusters.runs), words)
            }
            None => (0, "not examined: out of time".to_owned()),
        },
        name => {
            let made = check.examinations.iter().find(|made| made.examination.name() == name);
            match made {
                Some(made) if made.was_begun() => {
                    let failures = findings_of(check, name).filter(|finding| is_failure(finding)).count();
                    (if failures == 0 { max * 10 } else { 0 }, format!("{failures} failures"))
                }
                _ => (0, "not examined: out of time".to_owned()),
            }
        }
    }
}

/// What was found that belongs to an item. Large markets, which go in and out while the cost is measured, are a matter of the state.
pub fn findings_of<'a>(check: &'a Report, item: &'a str) -> impl Iterator<Item = &'a Finding> {
    let belongs = move |made: Examination| {
        made.name() == item || (made == Examination::Cost && item == Examination::RoundTrip.name())
    };
    check.examinations.iter().filter(move |made| belongs(made.examination)).flat_map(|made| &made.findings)
}

fn in_proportion(max: u32, part: u64, whole: u64) -> u32 {
    (u64::from(max) * 10 * part).checked_div(whole).unwrap_or(0) as u32
}

/// How many golden rules the module keeps, of how many.
fn golden_kept(check: &Report) -> (u64, u64) {
    let all = golden_rules().len() as u64;
    let made = check.examinations.iter().find(|made| made.examination == Examination::Golden);
    let kept = made.map_or(0, |made| made.histories.saturating_sub(made.findings.len() as u64));
    (kept.min(all), all)
}

/// Whether points are lost for it.
pub fn is_failure(finding: &Finding) -> bool {
    finding.weight == Weight::Failure
}

/// Why a module cannot be run at all.
pub fn not_running(check: &Report) -> Option<String> {
    let contract = &check.contract;
    if let Some(error) = &contract.error {
        return Some(error.clone());
    }
    if !contract.met {
        let refused = contract
            .imports
            .iter()
            .filter_map(|import| import.refused.as_ref().map(|why| format!("it imports {}: {why}", import.name)));
        let mut reasons = contract.violations.iter().cloned().chain(refused);
        return Some(reasons.next().unwrap_or_else(|| "it does not meet the contract".to_owned()));
    }
    match &check.instantiate {
        Some(started) => started.error.clone(),
        None => Some("no instance was started".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Contract, Kind};
    use crate::grading::output::sample;

    fn item<'a>(score: &'a Score, name: &str) -> &'a Item {
        score.items.iter().find(|item| item.name == name).unwrap()
    }

    #[test]
    fn a_module_without_a_finding_has_all_points() {
        let score = Score::of(&sample::examined());
        assert_eq!((score.points, score.items.len()), (100.0, 6), "{score:?}");
        assert_eq!(ITEMS.map(|(_, max)| max).iter().sum::<u32>(), 100);
    }

    #[test]
    fn a_broken_golden_rule_costs_its_share_and_a_finding_elsewhere_the_whole_item() {
        let mut examined = sample::examined();
        sample::add_finding(&mut examined, Examination::Golden, Kind::WrongAnswer);
        let rules = golden_rules().len() as f64;
        let score = Score::of(&examined);
        assert_eq!(item(&score, "golden").points, ((rules - 1.0) * 600.0 / rules).floor() / 10.0);
        sample::add_finding(&mut examined, Examination::Determinism, Kind::DependsOnTime);
        let score = Score::of(&examined);
        assert_eq!((item(&score, "determinism").points, item(&score, "random-histories").points), (0.0, 15.0));
        sample::add_finding(&mut examined, Examination::Cost, Kind::ImportRefused);
        let score = Score::of(&examined);
        assert_eq!((item(&score, "round-trip").points, item(&score, "refused-input").points), (0.0, 3.0));
        let clusters = examined.clusters.as_mut().unwrap();
        (clusters.runs, clusters.held) = (20, 15);
        assert_eq!(item(&Score::of(&examined), "clusters").points, 3.7);
    }

    #[test]
    fn nothing_is_given_for_what_was_not_examined_or_cannot_run() {
        let mut examined = sample::examined();
        examined.clusters = None;
        examined.ended = Ended::OutOfTime;
        assert_eq!(Score::of(&examined).points, 95.0);
        let check = examined.check.as_mut().unwrap();
        check.contract = Contract { error: Some("not a component".to_owned()), ..Contract::default() };
        let score = Score::of(&examined);
        assert_eq!((score.points, &*item(&score, "golden").why), (0.0, "not a component"));
        examined.check = None;
        assert_eq!(Score::of(&examined).points, 0.0);
    }
}
