//! Grades that were made up, for the tests of what is written.

use crate::conformance::{
    Contract, Examination, Examined as Made, Finding, Kind, Report, Starting, Weight, golden_rules,
};
use crate::grading::answers::{Divergence, Failure};
use crate::grading::{Answers, Clusters, Ended, Examined, FORMAT, Grade, Settings};

/// How they would have been examined.
pub const SETTINGS: Settings = Settings { seed: 1, time_s: 60, requests: 1000 };

/// A module without a finding.
pub fn examined() -> Examined {
    let made = |name: &str| Made {
        examination: Examination::named(name).unwrap(),
        is_complete: true,
        histories: golden_rules().len() as u64,
        requests: 100,
        milliseconds: 1.0,
        findings: Vec::new(),
    };
    let check = Report {
        module: "m".to_owned(),
        bytes: 100,
        digest: "a".repeat(64),
        good: true,
        seed: 1,
        contract: Contract { met: true, ..Contract::default() },
        load: None,
        instantiate: Some(Starting { milliseconds: 1.0, memory_bytes: 1, error: None }),
        examinations: Examination::names().map(made).into(),
        cost: None,
    };
    Examined {
        format: FORMAT.to_owned(),
        digest: "a".repeat(64),
        settings: SETTINGS,
        ended: Ended::Whole,
        milliseconds: 1234,
        check: Some(Box::new(check)),
        answers: Some(Answers { asked: 1000, of: 1000, ..Answers::default() }),
        clusters: Some(Clusters { runs: 20, held: 20, struck: 9, broken: Vec::new() }),
    }
}

/// Makes one more finding.
pub fn add_finding(examined: &mut Examined, examination: Examination, kind: Kind) {
    let finding = Finding {
        kind,
        weight: Weight::Failure,
        rule: "a rule with <b> & \"quotes\"".to_owned(),
        place: (examination == Examination::Golden).then(|| golden_rules()[0].place.clone()),
        history: vec!["NYKA1001 add-share NYKM100925 Equity 100".to_owned()],
        is_shortest: true,
        expected: "added".to_owned(),
        given: "fault: ]]> \u{1b}[31m </script><script>alert(1)</script>".to_owned(),
        replay: Vec::new(),
        command: None,
    };
    let check = examined.check.as_mut().unwrap();
    check.good = false;
    let made = check.examinations.iter_mut().find(|made| made.examination == examination).unwrap();
    made.findings.push(finding);
}

/// A good module, one that fails, one out of time, one that cannot be examined; with names that nobody should have.
pub fn class_with_hostile_names() -> Vec<Grade> {
    let mut wrong = examined();
    wrong.digest = "b".repeat(64);
    add_finding(&mut wrong, Examination::Golden, Kind::WrongAnswer);
    let answers = wrong.answers.as_mut().unwrap();
    answers.failures = vec![Failure { at: 41, wrong: Some("abc".to_owned()) }, Failure { at: 800, wrong: None }];
    answers.first = Some(Divergence {
        at: 41,
        request: "NYKB1001 get-shares".to_owned(),
        expected: r#"{"result":"holdings"}"#.to_owned(),
        given: "</svg><script>alert(1)</script>".to_owned(),
    });
    let late = Examined {
        digest: "c".repeat(64),
        ended: Ended::OutOfTime,
        check: None,
        answers: None,
        clusters: None,
        ..examined()
    };
    let ended = Ended::Failed("signal: 9 \u{1b}[2J".to_owned());
    let lost = Examined { digest: "d".repeat(64), ended, ..late.clone() };
    vec![
        Grade::new("good".to_owned(), examined()),
        Grade::new("<script>alert('x')</script>".to_owned(), wrong),
        Grade::new("=cmd|' /C calc'!A0,\"\u{1b}[31m".to_owned(), late),
        Grade::new("../../e\u{202e}vil&amp;".to_owned(), lost),
    ]
}

/// Fails unless every element is closed in its order, attributes are quoted, and nothing but known entities is escaped.
#[track_caller]
pub fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let before = &rest[..start];
        assert!(!before.contains('>'), "a lone > in {before:?}");
        check_entities(before);
        let end = start + rest[start..].find('>').expect("a tag that ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "a < within the tag {tag:?}");
        check_entities(tag);
        assert!(tag.matches('"').count().is_multiple_of(2), "a quote that does not end in {tag:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[track_caller]
fn check_entities(text: &str) {
    for (place, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(known.iter().any(|entity| text[place..].starts_with(entity)), "{:?}", &text[place..]);
    }
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
}
