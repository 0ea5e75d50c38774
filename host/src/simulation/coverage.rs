//! Which faults have struck where and when, who noticed, and whether all was well in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::fault::{FaultKind, PlannedFault, Realm};
use super::scenario::Scenario;
use crate::protocol::event::Event;
use crate::protocol::id::NodeId;

/// What the cluster was doing when a fault struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nobody waited for anything.
    Idle,
    /// Requests were under way.
    Load,
    /// A replica was being brought back, or a process was gone.
    Recovery,
    /// A checkpoint was being taken or certified.
    Checkpoint,
    /// A module was about to take over from another one.
    Swap,
}

impl Phase {
    /// The phase's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Load => "load",
            Phase::Recovery => "recovery",
            Phase::Checkpoint => "checkpoint",
            Phase::Swap => "swap",
        }
    }
}

/// What became of the faults of one run, one entry a fault of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    records: Vec<Record>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Record {
    begun_in: Option<Phase>,
    struck_in: BTreeMap<Phase, u64>,
    detected_by: BTreeSet<&'static str>,
}

impl Observed {
    /// Nothing has happened yet.
    pub fn new(faults_len: usize) -> Observed {
        Observed { records: vec![Record::default(); faults_len] }
    }

    /// A fault can strike from now on.
    pub fn on_begun(&mut self, index: usize, phase: Phase) {
        self.records[index].begun_in.get_or_insert(phase);
    }

    /// A fault has struck.
    pub fn on_struck(&mut self, index: usize, phase: Phase) {
        *self.records[index].struck_in.entry(phase).or_default() += 1;
    }

    /// Somebody has noticed it.
    pub fn on_detected(&mut self, index: usize, by: &'static str) {
        if !self.records[index].struck_in.is_empty() {
            self.records[index].detected_by.insert(by);
        }
    }

    /// A node tells of something: it may be that it shows a fault that has struck.
    pub fn on_event(&mut self, faults: &[PlannedFault], node: NodeId, event: &Event) {
        for (index, fault) in faults.iter().enumerate() {
            if !self.records[index].struck_in.is_empty()
                && let Some(by) = detector(fault, node, event)
            {
                self.records[index].detected_by.insert(by);
            }
        }
    }

    /// Whether it was noticed by this one.
    pub fn is_detected_by(&self, index: usize, by: &str) -> bool {
        self.records[index].detected_by.contains(by)
    }

    /// How often any fault has struck.
    pub fn struck_len(&self) -> u64 {
        self.records.iter().flat_map(|record| record.struck_in.values()).sum()
    }

    /// Whether a fault has struck.
    pub fn has_struck(&self, index: usize) -> bool {
        !self.records[index].struck_in.is_empty()
    }
}

/// Who has noticed a fault, if this event of a node is a consequence of it.
fn detector(fault: &PlannedFault, node: NodeId, event: &Event) -> Option<&'static str> {
    let is_poison = fault.kind == FaultKind::Poison;
    let replica = fault.place.node().and_then(|node| node.replica());
    let is_about = event.replica() == replica && replica.is_some();
    match (fault.kind.realm(), event) {
        (_, Event::Voided { .. }) if is_poison => Some("front end (void)"),
        (Realm::Module, Event::StateRefused { from, .. }) if Some(*from) == replica => Some("peer (certificate)"),
        _ if !is_about && !is_poison => None,
        (Realm::Module, Event::Diverged { .. }) => Some("front end (vote)"),
        (Realm::Module, Event::ModuleFailed { .. } | Event::RecoveryFailed { .. }) => Some("its manager"),
        (Realm::Module, Event::Corrupt { .. }) => Some("managers (checkpoint)"),
        (Realm::Module | Realm::Process | Realm::Link, Event::Suspected { .. }) => Some("front end (silence)"),
        (Realm::Module | Realm::Process | Realm::Link, Event::CrashAgreed { .. }) => Some("managers (votes)"),
        (Realm::Process, Event::RecoveryStarted { .. }) => Some("its manager"),
        (Realm::Swap, Event::SwapFailed { .. }) if node.is_front_end() => Some("front end (comparison)"),
        (Realm::Swap, Event::SwapFailed { .. }) => Some("its manager (trial)"),
        _ => None,
    }
}

/// The faults of many runs, by kind, role and phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    cells: BTreeMap<(&'static str, &'static str, Phase), Cell>,
}

/// One kind of fault at one role in one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// How many faults of plans.
    pub asked: u64,
    /// How often it has struck.
    pub fired: u64,
    /// Who noticed, and how many faults.
    pub detected: BTreeMap<&'static str, u64>,
    /// How many have struck in runs in which all was well in the end.
    pub repaired: u64,
}

impl Coverage {
    /// Adds one run.
    pub fn add(&mut self, scenario: &Scenario, observed: &Observed, is_well: bool) {
        for (fault, record) in scenario.faults.iter().zip(&observed.records) {
            let key = |phase| (fault.kind.name(), fault.place.role(), phase);
            if record.struck_in.is_empty()
                && let Some(phase) = record.begun_in
            {
                self.cells.entry(key(phase)).or_default().asked += 1;
            }
            for (phase, fired) in &record.struck_in {
                let cell = self.cells.entry(key(*phase)).or_default();
                cell.asked += 1;
                cell.fired += fired;
                cell.repaired += u64::from(is_well);
                for by in &record.detected_by {
                    *cell.detected.entry(by).or_default() += 1;
                }
            }
        }
    }

    /// Adds the runs of another table.
    pub fn merge(&mut self, other: Coverage) {
        for (key, cell) in other.cells {
            let sum = self.cells.entry(key).or_default();
            sum.asked += cell.asked;
            sum.fired += cell.fired;
            sum.repaired += cell.repaired;
            for (by, len) in cell.detected {
                *sum.detected.entry(by).or_default() += len;
            }
        }
    }

    /// How many cells have been struck at.
    pub fn covered_len(&self) -> usize {
        self.cells.values().filter(|cell| cell.fired > 0).count()
    }

    /// The cells at which at least so many faults have struck in runs in which all was well in the end: one line each, as a baseline
    /// has them.
    pub fn covered(&self, faults_min: u64) -> BTreeSet<String> {
        let covered = self.cells.iter().filter(|(_, cell)| cell.repaired >= faults_min);
        covered.map(|((kind, role, phase), _)| format!("{kind} {role} {}", phase.name())).collect()
    }

    /// The table, for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut row = |cells: [&str; 7]| {
            let [kind, role, phase, asked, fired, repaired, detected] = cells;
            let line = format!("{kind:<15} {role:<16} {phase:<11} {asked:>7} {fired:>10} {repaired:>9}  {detected}");
            let _infallible = writeln!(text, "{}", line.trim_end());
        };
        row(["fault", "role", "phase", "asked", "fired", "repaired", "detected by"]);
        for ((kind, role, phase), cell) in &self.cells {
            let detected: Vec<String> = cell.detected.iter().map(|(by, len)| format!("{by} {len}")).collect();
            let numbers = [cell.asked, cell.fired, cell.repaired].map(|number| number.to_string());
            row([kind, role, phase.name(), &numbers[0], &numbers[1], &numbers[2], &detected.join(", ")]);
        }
        text
    }

    /// The table, for programs: one object a cell.
    pub fn to_json(&self) -> serde_json::Value {
        let cells = self.cells.iter().map(|((kind, role, phase), cell)| {
            serde_json::json!({
                "fault": kind, "role": role, "phase": phase.name(), "asked": cell.asked, "fired": cell.fired,
                "repaired": cell.repaired, "detected": cell.detected,
            })
        });
        cells.collect()
    }
}
