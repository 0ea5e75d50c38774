//! Faults that somebody asked for, on one node: of its links, its module, its process.
//!
//! They are around the cores, never in them: a core and the nodes around it see what they would see if the fault were real. Nothing
//! of this does anything unless the cluster was started with faults allowed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::id::NodeId;
use crate::protocol::limits::FAULT_REPORT_INTERVAL;
use crate::protocol::message::Message;
use crate::protocol::time::{Instant, earliest};

use super::clock::Clock;

mod link;
mod module;
mod trigger;

pub use link::Links;
pub use module::{ASLEEP, Injected, ModuleFaults};
pub use trigger::{FaultKey, Trigger};

/// What a node whose process is to be stopped prints on standard output, followed by for how many milliseconds: nobody can resume
/// itself.
pub const PAUSE_LINE: &str = "pause";

/// How long a process that is to end waits until the front end knows why.
const DYING_PATIENCE: Duration = Duration::from_millis(200);

/// All faults of one node.
#[derive(Debug)]
pub struct Injection {
    is_allowed: bool,
    is_supervised: bool,
    clock: Clock,
    /// The faults of its links.
    pub links: Links,
    module: Arc<ModuleFaults>,
    /// Those of states that are served, and of the process.
    others: Vec<Trigger>,
    /// What was last reported of each.
    reported: BTreeMap<FaultKey, (u64, bool)>,
    /// What is to be told to which front end.
    reports: VecDeque<(NodeId, Message)>,
    report_at: Option<Instant>,
    ends_at: Option<Instant>,
}

impl Injection {
    /// No faults yet. Where they are not allowed, there will be none; where nobody supervises the process, it cannot be paused.
    pub fn new(is_allowed: bool, is_supervised: bool, clock: Clock) -> Injection {
        Injection {
            is_allowed,
            is_supervised,
            clock,
            links: Links::default(),
            module: ModuleFaults::new(clock),
            others: Vec::new(),
            reported: BTreeMap::new(),
            reports: VecDeque::new(),
            report_at: None,
            ends_at: None,
        }
    }

    /// The faults of the module, for those who call it.
    pub fn module(&self) -> Arc<ModuleFaults> {
        Arc::clone(&self.module)
    }

    /// Takes a message of a front end in if it is about faults; otherwise gives it back.
    pub fn take(&mut self, asked: NodeId, message: Message) -> Option<Message> {
        match message {
            Message::AddFault { id, fault } => self.add(FaultKey { asked, id }, *fault, self.clock.now()),
            Message::RemoveFault { id } => self.remove(FaultKey { asked, id }),
            other => return Some(other),
        }
        None
    }

    fn add(&mut self, key: FaultKey, fault: Fault, now: Instant) {
        let refused = match fault.kind {
            _ if !self.is_allowed => Some("this node lets no faults be injected"),
            FaultKind::Pause(_) if !self.is_supervised => {
                Some("nobody would resume this process: it was not started by `dsms up`")
            }
            _ => None,
        };
        if let Some(words) = refused {
            let (id, refused) = (key.id, Some(words.to_owned()));
            self.reports.push_back((key.asked, Message::FaultReport { id, fired: 0, is_over: true, refused }));
            return;
        }
        // A process that is new may be told twice.
        self.remove(key);
        let mut trigger = Trigger::new(key, fault, now);
        self.report_at = Some(now + FAULT_REPORT_INTERVAL);
        match trigger.kind() {
            kind if kind.is_of_link() => self.links.triggers.push(trigger),
            kind if kind.is_of_module() => self.module.change(|triggers| triggers.push(trigger)),
            FaultKind::Kill | FaultKind::Pause(_) => {
                trigger.fires(now);
                if trigger.kind() == FaultKind::Kill {
                    self.ends_at = Some(now + DYING_PATIENCE);
                }
                self.others.push(trigger);
                self.report_at = Some(now);
            }
            _ => self.others.push(trigger),
        }
    }

    fn remove(&mut self, key: FaultKey) {
        self.links.triggers.retain(|trigger| trigger.key != key);
        self.others.retain(|trigger| trigger.key != key);
        self.module.change(|triggers| triggers.retain(|trigger| trigger.key != key));
        self.reported.remove(&key);
    }

    /// A state is about to be served to another manager: garbles it if that was asked for.
    pub fn garble(&mut self, message: &Message) -> Option<Message> {
        let Message::State { sequence, offset, len, bytes } = message else { return None };
        let now = self.clock.now();
        let garbles = |trigger: &mut Trigger| trigger.kind() == FaultKind::WrongSnapshot && trigger.fires(now);
        if bytes.is_empty() || !self.others.iter_mut().any(garbles) {
            return None;
        }
        let mut bytes = bytes.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(Message::State { sequence: *sequence, offset: *offset, len: *len, bytes })
    }

    /// The next thing to tell, and which front end. Call until `None` at the end of each turn.
    pub fn poll_report(&mut self, now: Instant) -> Option<(NodeId, Message)> {
        if self.report_at.is_some_and(|at| at <= now) {
            self.settle(now);
        }
        self.reports.pop_front()
    }

    /// For how long the process is to be stopped, if it is, once its front end knows.
    pub fn poll_pause(&mut self) -> Option<Duration> {
        let place = self.others.iter().position(|trigger| matches!(trigger.kind(), FaultKind::Pause(_)))?;
        let FaultKind::Pause(lasts) = self.others[place].kind() else { return None };
        let is_reported = self.reported.contains_key(&self.others[place].key);
        if is_reported {
            self.others.remove(place);
        }
        is_reported.then_some(lasts)
    }

    /// Whether the process is to end now, given that the front end has acknowledged all that it was told.
    pub fn is_ending(&self, is_acknowledged: bool, now: Instant) -> bool {
        self.ends_at.is_some_and(|at| at <= now || (is_acknowledged && self.reports.is_empty()))
    }

    /// The next deadline and what it is for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let report = self.report_at.map(|at| (at, "fault report"));
        let ends = self.ends_at.map(|at| (at, "fault"));
        earliest(earliest(report, ends), self.links.poll_timeout())
    }

    fn settle(&mut self, now: Instant) {
        let Injection { links, module, others, reported, reports, .. } = self;
        let mut tell = |trigger: &Trigger| {
            let (key, fired, is_over) = (trigger.key, trigger.fired, trigger.is_over(now));
            if reported.insert(key, (fired, is_over)) != Some((fired, is_over)) {
                let FaultKey { asked, id } = key;
                reports.push_back((asked, Message::FaultReport { id, fired, is_over, refused: None }));
            }
        };
        links.triggers.iter().chain(others.iter()).for_each(&mut tell);
        module.settle(now, &mut tell);
        links.triggers.retain(|trigger| !trigger.is_over(now));
        others.retain(|trigger| !trigger.is_over(now) || matches!(trigger.kind(), FaultKind::Pause(_)));
        let is_quiet = links.triggers.is_empty() && others.is_empty() && !module.are_any();
        self.report_at = (!is_quiet).then(|| now + FAULT_REPORT_INTERVAL);
    }
}
