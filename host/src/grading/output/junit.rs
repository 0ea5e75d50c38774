//! `junit.xml`: a suite for each module, a case for each golden rule and each other examination.

use super::Class;
use super::escape::markup;
use crate::conformance::{Examination, Examined as Examination_, Finding, GoldenRule, golden_rules};
use crate::grading::score::{is_failure, not_running};
use crate::grading::{Ended, Grade};

/// What became of a case.
pub(super) enum Case {
    Passed,
    /// In one line, and in full.
    Failed(String, String),
    /// It could not be decided.
    Error(String),
    Skipped(String),
}

/// The file's text.
pub fn text(class: &Class) -> String {
    let rules = golden_rules();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dsms grade\">\n");
    class.grades.iter().for_each(|grade| suite(&mut text, grade, &rules));
    text + "</testsuites>\n"
}

fn suite(text: &mut String, grade: &Grade, rules: &[GoldenRule]) {
    let cases = cases(grade, rules);
    let count = |is_meant: fn(&Case) -> bool| cases.iter().filter(|(_, case)| is_meant(case)).count();
    *text += &format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
        markup(&grade.name),
        cases.len(),
        count(|case| matches!(case, Case::Failed(..))),
        count(|case| matches!(case, Case::Error(_))),
        count(|case| matches!(case, Case::Skipped(_))),
        grade.examined.milliseconds as f64 / 1000.0
    );
    for (name, case) in &cases {
        *text += &format!("    <testcase classname=\"{}\" name=\"{}\"", markup(&grade.name), markup(name));
        *text += &match case {
            Case::Passed => "/>\n".to_owned(),
            Case::Failed(line, told) => {
                format!("><failure message=\"{}\">{}</failure></testcase>\n", markup(line), markup(told))
            }
            Case::Error(line) => format!("><error message=\"{}\"/></testcase>\n", markup(line)),
            Case::Skipped(line) => format!("><skipped message=\"{}\"/></testcase>\n", markup(line)),
        };
    }
    *text += "  </testsuite>\n";
}

/// Every case of a module, with its name.
pub(super) fn cases(grade: &Grade, rules: &[GoldenRule]) -> Vec<(String, Case)> {
    let examined = &grade.examined;
    let stopped = match &examined.ended {
        Ended::Whole => None,
        Ended::OutOfTime => Some("out of time".to_owned()),
        Ended::Failed(words) => Some(words.clone()),
    };
    let mut cases = Vec::new();
    let loading = match (&examined.check, &stopped) {
        (Some(check), _) => not_running(check).map_or(Case::Passed, |words| Case::Failed(words.clone(), words)),
        (None, words) => Case::Error(words.clone().unwrap_or_default()),
    };
    cases.push(("loading".to_owned(), loading));
    let skipped = || Case::Skipped(stopped.clone().unwrap_or_else(|| "it does not run".to_owned()));
    let made: &[Examination_] = examined.check.as_ref().map_or(&[], |check| &check.examinations);
    let of = |name: &str| made.iter().find(|made| made.examination.name() == name);
    let golden = of(Examination::Golden.name());
    for (rule, number) in rules.iter().zip(1..) {
        let case = match golden {
            Some(golden) => match golden.findings.iter().find(|finding| rule.is_broken_in(finding)) {
                Some(finding) => failed(finding),
                None if golden.histories >= number => Case::Passed,
                None => Case::Skipped("out of time".to_owned()),
            },
            None => skipped(),
        };
        cases.push((format!("golden: {} ({})", rule.rule, rule.place), case));
    }
    for name in Examination::names().into_iter().filter(|name| *name != Examination::Golden.name()) {
        let case = match of(name) {
            Some(made) if made.was_begun() => {
                made.findings.iter().find(|finding| is_failure(finding)).map_or(Case::Passed, failed)
            }
            Some(_) => Case::Skipped("out of time".to_owned()),
            None => skipped(),
        };
        cases.push((name.to_owned(), case));
    }
    let answers = match &examined.answers {
        None => skipped(),
        Some(answers) => match &answers.first {
            None if answers.asked < answers.of => Case::Skipped(format!(
                "out of time after {} of {} requests, all of them right",
                answers.asked, answers.of
            )),
            None => Case::Passed,
            Some(first) => Case::Failed(
                format!("{} of {} requests failed, the first at #{}", answers.failures.len(), answers.asked, first.at),
                format!("#{} {}\nexpected {}\ngiven    {}", first.at, first.request, first.expected, first.given),
            ),
        },
    };
    cases.push(("common history".to_owned(), answers));
    let clusters = match &examined.clusters {
        None => skipped(),
        Some(clusters) if clusters.broken.is_empty() => Case::Passed,
        Some(clusters) => {
            let runs = clusters.broken.iter().map(|run| format!("seed {}: {}", run.seed, run.words));
            let line = format!("{} of {} runs broke a law", clusters.runs - clusters.held, clusters.runs);
            Case::Failed(line, runs.collect::<Vec<_>>().join("\n"))
        }
    };
    cases.push(("clusters".to_owned(), clusters));
    cases
}

fn failed(finding: &Finding) -> Case {
    Case::Failed(finding.rule.clone(), finding_text(finding))
}

/// A finding with the history that shows it, in lines.
pub(super) fn finding_text(finding: &Finding) -> String {
    let mut lines = vec![finding.rule.clone()];
    lines.extend(finding.place.clone());
    lines.extend(finding.history.iter().map(|step| format!("  {step}")));
    lines.push(format!("expected {}", finding.expected));
    lines.push(format!("given    {}", finding.given));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_file_is_well_formed_whatever_modules_are_called() {
        let grades = sample::class_with_hostile_names();
        let text = text(&Class::new(sample::SETTINGS, &grades));
        sample::assert_well_formed(text.split_once("?>").unwrap().1);
        assert_eq!(text.matches("<testsuite ").count(), grades.len());
        let per_module = golden_rules().len() + 8;
        assert_eq!(text.matches("<testcase ").count(), grades.len() * per_module);
        assert!(text.contains("<failure message=") && text.contains("<error message=\"out of time\"/>"), "{text}");
    }

    #[test]
    fn what_there_was_no_time_for_has_not_passed() {
        let mut examined = sample::examined();
        let made = &mut examined.check.as_mut().unwrap().examinations;
        let determinism = made.iter_mut().find(|made| made.examination == Examination::Determinism).unwrap();
        (determinism.histories, determinism.is_complete) = (0, false);
        examined.answers.as_mut().unwrap().asked = 40;
        let cases = cases(&Grade::new("late".to_owned(), examined), &[]);
        let skipped = cases.iter().filter(|(_, case)| matches!(case, Case::Skipped(_))).map(|(name, _)| &**name);
        assert_eq!(skipped.collect::<Vec<_>>(), ["determinism", "common history"]);
    }
}
