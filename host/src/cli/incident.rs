//! The history of an incident, executed again for people to see: what `dsms shrink` and `dsms replay` share.

use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::module::{REFERENCE, load_module};
use super::output::say;
use crate::conformance::state_difference;
use crate::market::Digest;
use crate::sandbox::{Engine, LoadedModule, SandboxLimits};
use crate::simulation::History;
use crate::simulation::history::execution::{Ending, Given, StartModule, Step, execute_to_end};
use crate::simulation::history::{PastModule, PastRequest};

/// Exit code when a module gave something else than the reference market.
const DIFFERS_EXIT: u8 = 1;

/// How the reference market, called natively, is named beside modules.
const REFERENCE_MARKET: &str = "reference market";

/// Begins the further lines of an outcome, below its first.
const CONTINUED: &str = "\n           ";

/// A module that a history is executed on.
pub(super) struct Subject {
    /// As people name it.
    pub name: String,
    module: LoadedModule,
}

impl Subject {
    pub(super) fn load(engine: &Engine, name: &str) -> anyhow::Result<Subject> {
        Ok(Subject { name: name.to_owned(), module: load_module(engine, name)? })
    }

    pub(super) fn digest(&self) -> Digest {
        self.module.digest()
    }

    /// What makes its instances.
    pub(super) fn start(&self) -> StartModule {
        let module = self.module.clone();
        Box::new(move || Ok(Box::new(module.instantiate()?)))
    }
}

/// The name of a module as it is saved: whoever replays the file may do so in another directory.
pub(super) fn absolute(name: &str) -> anyhow::Result<String> {
    if name == REFERENCE {
        return Ok(name.to_owned());
    }
    let path = std::path::absolute(name)?;
    path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is not UTF-8", Path::new(&path).display()))
}

/// On standard error, and only where somebody can see it move.
pub(super) fn progress_bar(requests: &[PastRequest]) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} requests executed again, {eta} left");
    ProgressBar::new(requests.len() as u64).with_style(style.expect("the template is well formed"))
}

/// What a module gave, in words with indented lines.
pub(super) fn given_words(given: &Given) -> String {
    let words = match given {
        Ok(outcome) => outcome.to_string(),
        Err(fault) => format!("fault: {fault}"),
    };
    words.replace('\n', CONTINUED)
}

pub(super) fn given_json(given: &Given) -> Value {
    match given {
        Ok(outcome) => json!({"outcome": outcome.to_json()}),
        Err(fault) => json!({"fault": fault.to_string()}),
    }
}

/// Prints what the reference market and those modules that differ from it gave; every module if `all`.
pub(super) fn print_given(step: &Step, names: &[&str], all: bool) {
    let differing: Vec<usize> = step.differing().collect();
    say!("    {REFERENCE_MARKET}: {}", given_words(&Ok(step.expected.clone())));
    for (index, (name, given)) in names.iter().zip(&step.given).enumerate() {
        match differing.contains(&index) {
            true => say!("    {name} DIFFERS: {}", given_words(given)),
            false if all => say!("    {name}: the same"),
            false => {}
        }
    }
}

fn step_json(step: &Step, names: &[&str]) -> Value {
    let differing: Vec<usize> = step.differing().collect();
    let given = names.iter().zip(&step.given).enumerate().map(|(index, (name, given))| {
        let mut json = given_json(given);
        json["module"] = (*name).into();
        json["differs"] = differing.contains(&index).into();
        json
    });
    json!({
        "sequence": step.past.sequence.0,
        "request": step.past.request.to_string(),
        "expected": step.expected.to_json(),
        "given": given.collect::<Vec<_>>(),
    })
}

/// Executes a saved history on its own modules, or on these, and tells what they give.
pub(super) fn replay(history: &History, modules: &[String], quiet: bool, json: bool) -> anyhow::Result<ExitCode> {
    let limits = SandboxLimits {
        fuel_per_call: history.fuel_per_call,
        memory_bytes_max: history.memory_bytes_max,
        ..SandboxLimits::default()
    };
    let engine = Engine::new(limits)?;
    let saved: Vec<String> = history.modules.iter().map(|module| module.name.clone()).collect();
    let names = if modules.is_empty() { &saved } else { modules };
    let subjects: Vec<Subject> = names.iter().map(|name| Subject::load(&engine, name)).collect::<Result<_, _>>()?;
    if modules.is_empty() {
        history.modules.iter().zip(&subjects).for_each(|(saved, subject)| warn_if_another(saved, subject));
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let starts: Vec<StartModule> = subjects.iter().map(Subject::start).collect();
    let last = history.last().sequence;
    let is_told = !quiet && !json;
    let bar = if is_told { ProgressBar::hidden() } else { progress_bar(&history.requests) };
    let mut steps = Vec::new();
    let mut first_differing: Vec<Option<u64>> = vec![None; names.len()];
    let mut at_last = Vec::new();
    let ending = execute_to_end(&history.requests, &starts, &mut |step| {
        bar.inc(1);
        for index in step.differing() {
            first_differing[index].get_or_insert(step.past.sequence.0);
        }
        if step.past.sequence == last {
            at_last = step.differing().map(|index| names[index]).collect();
        }
        if is_told {
            say!("#{} {}", step.past.sequence, step.past.request);
            print_given(&step, &names, false);
        }
        if json && !quiet {
            steps.push(step_json(&step, &names));
        }
    });
    bar.finish_and_clear();
    let earlier: Vec<(&str, u64)> =
        names.iter().zip(&first_differing).filter_map(|(name, place)| Some((*name, (*place)?))).collect();
    let states = state_differences(&ending, &names);
    let held = earlier.is_empty() && states.is_empty();
    if json {
        say!(
            "{}",
            json!({
                "held": held,
                "sequence": last.0,
                "request": history.last().request.to_string(),
                "differ_at_last": at_last,
                "first_differences": earlier.iter().map(|(name, place)| json!({"module": name, "sequence": place})).collect::<Vec<_>>(),
                "states_differ": states_json(&states),
                "unknown": history.unknown,
                "steps": steps,
            })
        );
    } else {
        if !quiet {
            print_states(&states);
        }
        if at_last.is_empty() && earlier.is_empty() && !states.is_empty() {
            say!("every answer is that of the {REFERENCE_MARKET}, but not every state in the end");
        } else {
            say!("{}", verdict(history, names.len(), &at_last, &earlier));
        }
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS_EXIT) })
}

/// The modules whose states are others in the end: the first record that differs, of the reference market and of the module.
pub(super) fn state_differences<'a>(ending: &Ending, names: &[&'a str]) -> Vec<(&'a str, String, String)> {
    let difference = |(name, given): (&&'a str, &Result<_, _>)| match given {
        Ok(given) => state_difference(&ending.expected, given).map(|(expected, given)| (*name, expected, given)),
        Err(fault) => Some((*name, "an exported state".to_owned(), format!("fault: {fault}"))),
    };
    names.iter().zip(&ending.given).filter_map(difference).collect()
}

pub(super) fn print_states(states: &[(&str, String, String)]) {
    for (name, expected, given) in states {
        say!("in the end the state of {name} DIFFERS\n    {REFERENCE_MARKET}: {expected}\n    {name}: {given}");
    }
}

pub(super) fn states_json(states: &[(&str, String, String)]) -> Value {
    states.iter().map(|(name, expected, given)| json!({"module": name, "expected": expected, "given": given})).collect()
}

fn verdict(history: &History, modules_len: usize, at_last: &[&str], earlier: &[(&str, u64)]) -> String {
    let PastRequest { sequence, request, .. } = history.last();
    let len = history.requests.len();
    if !at_last.is_empty() {
        let differing = at_last.join(", ");
        return format!(
            "the incident shows at #{sequence} {request}: {} of {modules_len} modules differ from the {REFERENCE_MARKET}: {differing}",
            at_last.len()
        );
    }
    match earlier.first() {
        Some((name, place)) => {
            format!("the incident does not show at #{sequence} {request}, but {name} differs before, first at #{place}")
        }
        None => format!(
            "the incident does not show at #{sequence} {request}: in {len} requests no module differs from the {REFERENCE_MARKET}"
        ),
    }
}

fn warn_if_another(saved: &PastModule, subject: &Subject) {
    let digest = subject.digest();
    if digest.to_string() != saved.digest {
        eprintln!(
            "dsms: {} is another module than the one of the incident: its digest is {}, not {}",
            saved.name,
            digest.short(),
            &saved.digest[..12]
        );
    }
}
