//! The simulator from outside: its runs are the same on any machine, its laws find a wrong module, and what they find is shrunk and
//! saved.
//!
//! `a_run.toml` is a plan, `a_run.txt` what happens in it, and `traces.txt` the digests of whole runs. The test holds the simulator to
//! them byte for byte; `DSMS_REWRITE=1 cargo test --test simulation` writes them anew. Review the difference as code.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dsms::market::{Context, GuestFault, MarketState, Module, Operation, Outcome, Request};
use dsms::native::NativeMarket;
use dsms::protocol::quorum::Tolerance;
use dsms::sandbox::{Engine, SandboxLimits, reference_module};
use dsms::simulation::Scenario;
use dsms::simulation::campaign::{campaign, run};
use dsms::simulation::draw::{DrawOptions, draw};
use dsms::simulation::replica::{MakeModule, native};
use dsms::simulation::shrink::shrink;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/simulation").join(name)
}

/// Compares a text with the one that was written down, or writes it down.
#[track_caller]
fn check(name: &str, found: &str) {
    if std::env::var_os("DSMS_REWRITE").is_some() {
        fs::write(place(name), found).unwrap();
    }
    let written = fs::read_to_string(place(name)).unwrap();
    let difference = written.lines().zip(found.lines()).find(|(written, found)| written != found);
    assert!(written == found, "{name} differs first at {difference:?}");
}

#[test]
fn a_saved_plan_is_told_as_it_was_on_any_machine() {
    let plan = Scenario::from_text(&fs::read_to_string(place("a_run.toml")).unwrap()).unwrap();
    let report = run(&plan, &native(), true);
    assert_eq!(report.broken, None);
    check("a_run.txt", &(report.lines.join("\n") + "\n"));
}

#[test]
fn equal_seeds_give_equal_traces_on_any_machine() {
    let line = |seed| {
        let report = run(&draw(seed, &DrawOptions::default()), &native(), false);
        format!("seed {seed}  {} datagrams  {}\n", report.datagrams_len, report.trace)
    };
    check("traces.txt", &(1..=8).map(line).collect::<String>());
}

#[test]
fn in_the_sandbox_the_reference_module_gives_the_very_traces_that_it_gives_natively() {
    let engine = Engine::with_cache_dir(SandboxLimits::default(), None).unwrap();
    let module = engine.load(reference_module()).unwrap();
    let sandboxed: MakeModule = Arc::new(move |_, _| Ok(Box::new(module.instantiate()?)));
    for seed in [3, 4] {
        let plan = draw(seed, &DrawOptions::default());
        let (one, other) = (run(&plan, &sandboxed, false), run(&plan, &native(), false));
        assert_eq!((one.broken, one.trace), (None, other.trace), "seed {seed}");
    }
}

#[test]
fn two_hundred_ends_of_processes_lose_nothing_that_was_acknowledged() {
    // Some or all at once, in any overlap, with commits that fail and with what a disk makes of writes that it had not finished.
    let options = DrawOptions { faults: Some(vec!["outage", "kill", "torn-write"]), ..DrawOptions::default() };
    let tally = campaign(1, 80, &options, &native(), 2, false, &|_| ());
    assert_eq!((tally.failure, tally.failed), (None, 0));
    assert!(tally.struck >= 200, "{} have struck", tally.struck);
}

/// The reference market, but for one rule: whoever sells all of a holding is told that one unit remains.
#[derive(Default)]
struct OffByOne(NativeMarket);

impl Module for OffByOne {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        let outcome = self.0.execute(context, request)?;
        Ok(match (outcome, request.operation) {
            (Outcome::Sold { share_type, sold, remaining: 0, available }, Operation::SellShare { .. }) => {
                Outcome::Sold { share_type, sold, remaining: 1, available }
            }
            (outcome, _) => outcome,
        })
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        self.0.export_state()
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        self.0.import_state(state)
    }
}

#[test]
fn a_mistake_that_two_of_three_modules_share_breaks_a_law_and_shrinks_to_the_requests_that_show_it() {
    let two_of_three: MakeModule = Arc::new(|replica, _| match replica.number() {
        1 => Ok(Box::new(NativeMarket::new())),
        _ => Ok(Box::<OffByOne>::default()),
    });
    let options =
        DrawOptions { tolerance: Some(Tolerance::BYZANTINE), faults: Some(vec!["loss"]), ..DrawOptions::default() };
    let plan = Scenario { checkpoint_every: 100_000, ..draw(1, &options) };
    let broken = run(&plan, &two_of_three, false).broken.expect("a mistake of the majority is released");
    assert_eq!(broken.law, "released_outcomes_are_those_of_the_reference_market");
    let shrunk = shrink(&plan, &broken, &two_of_three, &mut |_| ());
    // A share is added, bought, and all of it sold.
    assert_eq!((shrunk.requests.len(), shrunk.faults.len()), (3, 0), "{}", shrunk.to_text());
    let saved = Scenario::from_text(&shrunk.to_text()).unwrap();
    assert_eq!(run(&saved, &two_of_three, false).broken.map(|other| other.law), Some(broken.law));
    assert_eq!(run(&saved, &native(), false).broken, None);
}

#[test]
fn one_wrong_module_of_three_is_outvoted_and_breaks_no_law_but_that_of_its_own_health() {
    let one_of_three: MakeModule = Arc::new(|replica, _| match replica.number() {
        2 => Ok(Box::<OffByOne>::default()),
        _ => Ok(Box::new(NativeMarket::new())),
    });
    let options =
        DrawOptions { tolerance: Some(Tolerance::BYZANTINE), faults: Some(Vec::new()), ..DrawOptions::default() };
    // Its answers are wrong and its state is not, so it is accused, and repaired at checkpoints; no client ever sees it.
    let report = run(&draw(2, &options), &one_of_three, true);
    assert!(report.lines.iter().any(|line| line.contains("accuse replica-2")), "its mistake showed");
    assert!(!report.lines.iter().any(|line| line.contains("accuse replica-1") || line.contains("accuse replica-3")));
    // The plan knows of no fault that would have corrupted it.
    let broken = report.broken.expect("it is repaired at a checkpoint");
    assert_eq!(broken.law, "nobody_is_restarted_without_cause");
    assert!(broken.words.starts_with("replica-2 ") && broken.words.contains("state is corrupt"), "{broken}");
}
