//! What the examinations of `dsms check` find in the faulty modules of `replicas/faulty`: each one its own
//! misbehaviour.

#[path = "../faulty_modules.rs"]
mod faulty_modules;

use std::time::Duration;

use dsms::conformance::{Examination, Finding, Kind, Options, Report, Weight, examine};
use dsms::sandbox::{Engine, SandboxLimits};

use faulty_modules::faulty_module;

/// What one examination finds in a faulty module.
struct Expected {
    how: &'static str,
    examination: Examination,
    kind: Kind,
    /// The end of the shortest history that shows it, or all of it where it does not begin with `…`.
    steps: &'static [&'static str],
    /// Within what the module gave.
    given: &'static str,
}

const EXPECTED: [Expected; 24] = [
    Expected {
        how: "wrong-always",
        examination: Examination::Golden,
        kind: Kind::WrongAnswer,
        steps: &["NYKA1001 add-share NYKM100925 Equity 100"],
        given: "sold-out",
    },
    Expected {
        how: "wrong-nth",
        examination: Examination::Golden,
        kind: Kind::WrongAnswer,
        steps: &["NYKA1001 list-share-availability Equity"],
        given: "sold-out",
    },
    Expected {
        how: "wrong-one-operation",
        examination: Examination::Golden,
        kind: Kind::WrongAnswer,
        steps: &[
            "LONA1001 add-share LONA290224 Equity 9",
            "LONB1001 purchase-share LONA290224 Equity 9",
            "LONB1001 get-shares",
        ],
        given: r#""holdings":[]"#,
    },
    Expected {
        how: "wrong-after",
        examination: Examination::RandomHistories,
        kind: Kind::WrongAnswer,
        steps: &["…"],
        given: "sold-out",
    },
    Expected {
        how: "wrong-after",
        examination: Examination::Determinism,
        kind: Kind::DependsOnEarlierRequests,
        steps: &["…"],
        given: "after requests of which nothing is left",
    },
    Expected {
        how: "trap",
        examination: Examination::Golden,
        kind: Kind::Fault,
        steps: &["…", "NYKB1001 purchase-share NYKM100926 Equity 1"],
        given: "src/lib.rs:18:13: the tenth request is too much",
    },
    Expected {
        how: "loop",
        examination: Examination::RandomHistories,
        kind: Kind::Fault,
        steps: &["…"],
        given: "instruction budget of 200000000 exhausted",
    },
    Expected {
        how: "stack-overflow",
        examination: Examination::Golden,
        kind: Kind::Fault,
        steps: &["…", "NYKB1001 purchase-share NYKM100926 Equity 1"],
        given: "stack overflow",
    },
    Expected {
        how: "memory-hog",
        examination: Examination::RandomHistories,
        kind: Kind::Fault,
        steps: &["…"],
        given: "the cap is 134217728",
    },
    Expected {
        how: "oversized-outcome",
        examination: Examination::Golden,
        kind: Kind::Fault,
        steps: &["…", "NYKB1001 purchase-share NYKM100926 Equity 1"],
        given: "oversized",
    },
    Expected {
        how: "malformed-outcome",
        examination: Examination::Golden,
        kind: Kind::Fault,
        steps: &["…", "NYKB1001 purchase-share NYKM100926 Equity 1"],
        given: "a date that is not in the calendar",
    },
    Expected {
        how: "trap-at-request",
        examination: Examination::RandomHistories,
        kind: Kind::Fault,
        steps: &["NYKB9999 get-shares"],
        given: "not this one",
    },
    Expected { how: "slow", examination: Examination::Cost, kind: Kind::NearBudget, steps: &[], given: "80 % of it" },
    Expected {
        how: "silent-corruption",
        examination: Examination::RandomHistories,
        kind: Kind::WrongState,
        steps: &[
            "LONA1001 add-share LONE301229 Equity 1000",
            "LONA1001 add-share LONE311229 Bonus 1000",
            "(the state is exported)",
        ],
        given: "share LONE301229 Equity: capacity 1001, available 1001",
    },
    Expected {
        how: "lying-export",
        examination: Examination::RoundTrip,
        kind: Kind::WrongState,
        steps: &["NYKA1001 add-share NYKM100925 Equity 100", "(the state is exported)"],
        given: "capacity 101",
    },
    Expected {
        how: "trapping-export",
        examination: Examination::RoundTrip,
        kind: Kind::Fault,
        steps: &["(the state is exported)"],
        given: "my state is mine",
    },
    Expected {
        how: "refusing-import",
        examination: Examination::RoundTrip,
        kind: Kind::ImportRefused,
        steps: &["(a new instance imports the state, and exports it again)"],
        given: "refused: I take over from nobody",
    },
    Expected {
        how: "trapping-import",
        examination: Examination::RoundTrip,
        kind: Kind::Fault,
        steps: &["(a new instance imports the state, and exports it again)"],
        given: "a state is too much",
    },
    Expected {
        how: "trapping-import",
        examination: Examination::RefusedInput,
        kind: Kind::Fault,
        steps: &["…", "(a state is imported of which this does not hold: a share is listed twice)"],
        given: "a state is too much",
    },
    Expected {
        how: "nondeterministic",
        examination: Examination::Determinism,
        kind: Kind::DependsOnHashSeed,
        steps: &["NYKA1001 list-share-availability Equity"],
        given: "with hash maps seeded otherwise",
    },
    Expected {
        how: "nondeterministic",
        examination: Examination::Determinism,
        kind: Kind::DependsOnTime,
        steps: &["…"],
        given: "at another time",
    },
    Expected {
        how: "log-flood",
        examination: Examination::Cost,
        kind: Kind::LogFlood,
        steps: &[],
        given: "calls wrote more",
    },
    Expected {
        how: "hash-order",
        examination: Examination::Determinism,
        kind: Kind::DependsOnHashSeed,
        steps: &["…"],
        given: "with hash maps seeded otherwise",
    },
    Expected {
        how: "stale-index",
        examination: Examination::RoundTrip,
        kind: Kind::WrongAnswerAfterImport,
        steps: &[
            "NYKA1001 add-share NYKM100925 Equity 5",
            "NYKB1001 purchase-share NYKM100925 Equity 5",
            "(a new instance imports the state)",
            "NYKB1001 get-shares",
        ],
        given: r#""holdings":[]"#,
    },
];

/// The only one that does not even get so far.
const REFUSED: &str = "foreign-import";

fn report(engine: &Engine, how: &str, only: &[Examination], time: Duration) -> Report {
    let bytes = std::fs::read(faulty_module(how)).unwrap();
    let options = Options { time, requests_max: 1_500, only: only.to_vec(), ..Options::default() };
    examine(engine, how, &bytes, &options, &mut |_| {})
}

fn shows(finding: &Finding, expected: &Expected) -> bool {
    let steps: Vec<&str> = finding.history.iter().map(String::as_str).collect();
    let has_steps = match expected.steps {
        ["…", end @ ..] => steps.ends_with(end),
        whole => steps == whole,
    };
    finding.kind == expected.kind && has_steps && finding.given.contains(expected.given)
}

#[test]
fn each_faulty_module_is_found_out_by_its_own_misbehaviour() {
    let engine = Engine::new(SandboxLimits::default()).unwrap();
    for expected in &EXPECTED {
        let Expected { how, examination, .. } = expected;
        // Costs are measured for as long as they may be; the others are done before.
        let time = Duration::from_secs(if *examination == Examination::Cost { 2 } else { 120 });
        let report = report(&engine, how, &[*examination], time);
        let found: Vec<&Finding> = report.findings().collect();
        let it = found.iter().find(|finding| shows(finding, expected));
        let it = it.unwrap_or_else(|| panic!("{how}: {} does not show it: {found:#?}", examination.name()));
        assert_eq!(report.good, it.weight == Weight::Warning, "{how}: {it:#?}");
        assert!(it.weight == Weight::Warning || !it.rule.is_empty() && !it.expected.is_empty(), "{how}: {it:#?}");
        assert!(it.is_shortest, "{how}: {it:#?}");
    }
}

#[test]
fn every_faulty_module_is_expected_to_be_found_out() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../replicas/faulty");
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = EXPECTED.iter().any(|expected| expected.how == name);
        assert!(is_known || ["shell", "README.md", REFUSED].contains(&&*name), "{name} is not in the table");
    }
}

#[test]
fn a_foreign_import_is_explained_and_nothing_of_the_module_runs() {
    let engine = Engine::new(SandboxLimits::default()).unwrap();
    let report = report(&engine, REFUSED, &[], Duration::from_secs(20));
    assert!(!report.good && !report.contract.met && report.instantiate.is_none() && report.examinations.is_empty());
    let reasons: Vec<&String> = report.contract.imports.iter().filter_map(|import| import.refused.as_ref()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("may not reach the network")), "{reasons:?}");
}
