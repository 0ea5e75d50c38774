//! A report as text: a line for each thing that was looked at, with a mark in front that tells good from bad.

use crate::conformance::{Contract, Cost, Examination, Examined, Finding, Kind, Loading, Report, Weight};

/// Findings of one examination that are printed in full; the rest is counted. A module that answers everything wrongly
/// fails every rule. `--json` has all.
const FINDINGS_SHOWN_MAX: usize = 8;

/// Steps of a history that are printed; a history that could not be shortened in time may have hundreds.
const STEPS_SHOWN_MAX: usize = 30;

/// The whole report.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut text = Text(Vec::new());
    text.line(format!("{}  {} bytes  blake3 {}", report.module, report.bytes, report.digest));
    text.contract(&report.contract);
    if let Some(loading) = &report.load {
        text.good(loading_words(loading));
    }
    if let Some(started) = &report.instantiate {
        match &started.error {
            None => {
                let kib = started.memory_bytes / 1024;
                text.good(format!("an instance starts: {:.3} ms, {kib} KiB of memory", started.milliseconds));
            }
            Some(words) => text.bad(format!("an instance does not start: {words}")),
        }
    }
    report.examinations.iter().for_each(|examined| text.examined(examined, report.seed));
    if let Some(cost) = &report.cost {
        text.cost(cost);
    }
    let failures = report.findings().filter(|finding| finding.weight == Weight::Failure).count();
    let warnings = report.findings().count() - failures;
    let warned = if warnings > 0 { format!(" ({warnings} warnings)") } else { String::new() };
    text.line(match report.good {
        true => format!("good: it can run as a replica{warned}"),
        false if failures == 0 && report.has_unexamined() => {
            format!("not good: there was no time to find out whether it can run as a replica{warned}; give more with --time SECONDS")
        }
        false => format!("not good: it cannot run as a replica{warned}"),
    });
    text.0
}

struct Text(Vec<String>);

impl Text {
    fn line(&mut self, words: String) {
        self.0.push(words);
    }

    fn good(&mut self, words: String) {
        self.line(format!("✓ {words}"));
    }

    fn bad(&mut self, words: String) {
        self.line(format!("✗ {}", words.replace('\n', "\n  ")));
    }

    fn contract(&mut self, contract: &Contract) {
        if let Some(words) = &contract.error {
            self.bad(words.clone());
        }
        contract.exports.iter().for_each(|name| self.good(format!("exports {name}")));
        contract.violations.iter().for_each(|violation| self.bad(violation.clone()));
        for name in &contract.ignored_exports {
            self.line(format!("  exports `{name}` as well, which the contract does not know: ignored"));
        }
        for import in &contract.imports {
            match &import.refused {
                None => self.good(format!("imports {}", import.name)),
                Some(reason) => self.bad(format!("imports {}: {reason}", import.name)),
            }
        }
    }

    fn examined(&mut self, examined: &Examined, seed: u64) {
        let Examined { examination, is_complete, histories, requests, milliseconds, findings } = examined;
        if !examined.was_begun() {
            return self.line(format!("  {}: not examined, for want of time", examination.name()));
        }
        let took = format!("{:.1} s", milliseconds / 1000.0);
        let cut = if *is_complete { "" } else { ", as many as fit into the time" };
        let done = match examination {
            Examination::Golden => format!("{requests} golden requests in {histories} histories"),
            Examination::RefusedInput => format!("{histories} refused requests and states, which may change nothing"),
            Examination::RoundTrip => {
                format!("{histories} states exported and imported, through the reference market and back")
            }
            Examination::Determinism => {
                format!(
                    "{histories} histories executed twice, with other random numbers, times, memory, orders of import"
                )
            }
            Examination::RandomHistories => {
                format!("{requests} drawn requests in {histories} histories against the reference market, seed {seed}")
            }
            Examination::Cost => format!("the cost of {requests} requests, against the limits"),
        };
        let failures = findings.iter().filter(|finding| finding.weight == Weight::Failure).count();
        match failures {
            0 => self.good(format!("{done} ({took}{cut})")),
            _ => self.bad(format!("{}: {failures} found in {done} ({took}{cut})", examination.name())),
        }
        // A module that fails in one place fails so at many rules.
        let is_told = |place: usize| {
            let is_like = |other: &Finding| other.kind == Kind::Fault && other.given == findings[place].given;
            findings[..place].iter().any(is_like)
        };
        let shown = (0..findings.len()).filter(|place| !is_told(*place)).take(FINDINGS_SHOWN_MAX);
        let shown_len = shown.map(|place| self.finding(&findings[place])).count();
        if shown_len < findings.len() {
            self.line(format!("  and {} more of the kind, which --json tells", findings.len() - shown_len));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let mark = match finding.weight {
            Weight::Failure => "✗",
            Weight::Warning => "!",
        };
        let place = finding.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        self.line(format!("  {mark} {}{place}", finding.rule));
        let skipped = finding.history.len().saturating_sub(STEPS_SHOWN_MAX);
        if skipped > 0 {
            self.line(format!("      (… {skipped} earlier ones)"));
        }
        finding.history[skipped..].iter().for_each(|step| self.line(format!("      {step}")));
        let shortest = if finding.is_shortest {
            ""
        } else {
            "   (there was no time to find out whether fewer requests are enough)"
        };
        self.line(format!("    expected {}", finding.expected));
        self.line(format!("    given    {}{shortest}", finding.given));
        if let Some(command) = &finding.command {
            self.line(format!("    again:   {command}"));
        }
    }

    fn cost(&mut self, cost: &Cost) {
        let percent = |used: u64, max: u64| format!("{:.1} %", used as f64 / max as f64 * 100.0);
        for operation in &cost.operations {
            self.line(format!(
                "    {:<24} {:>9.1} us  fuel {:>9}, at most {:>9}: {} of a call's budget",
                operation.operation,
                operation.microseconds_median,
                operation.fuel_median,
                operation.fuel_max,
                percent(operation.fuel_max, cost.fuel_per_call)
            ));
        }
        for state in &cost.states {
            self.line(format!(
                "    {:<24} import {:.1} ms, export {:.1} ms, {} of a state call's budget, {} of the memory",
                format!("{} holdings", state.holdings),
                state.import_milliseconds,
                state.export_milliseconds,
                percent(state.import_fuel.max(state.export_fuel), cost.fuel_per_state_call),
                percent(state.memory_bytes, cost.memory_bytes_max)
            ));
        }
        if cost.operations.is_empty() {
            return;
        }
        self.line(format!(
            "    {:<24} {} KiB at first, {} KiB in the end, of {} KiB",
            "memory",
            cost.memory_bytes_at_start / 1024,
            cost.memory_bytes_at_end / 1024,
            cost.memory_bytes_max / 1024
        ));
    }
}

fn loading_words(loading: &Loading) -> String {
    let took_ms = loading.milliseconds;
    match (loading.from_cache, &loading.cache, &loading.cache_off) {
        (true, ..) => format!("compiled code was in the cache: loaded in {took_ms:.1} ms"),
        (false, Some(directory), _) => format!("compiled in {took_ms:.0} ms, and kept in {directory}"),
        (false, None, why) => {
            format!("compiled in {took_ms:.0} ms; not kept: {}", why.as_deref().unwrap_or("there is no cache"))
        }
    }
}
