//! Faults that are asked for, to see what the cluster does about them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::NodeId;
use crate::market::OPERATION_FORMS;

/// A fault that was asked for, by its number in one run of the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultId(pub u32);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// The module answers otherwise than it means to.
    Wrong,
    /// The module does not come back from a call.
    Mute,
    /// The module takes this much longer.
    Slow(Duration),
    /// The module traps.
    Trap,
    /// A share of the module's state gets one unit more.
    CorruptState,
    /// A state that the manager serves to another one is garbled.
    WrongSnapshot,
    /// The process ends at once, as by SIGKILL.
    Kill,
    /// The process is stopped for this long, as by SIGSTOP.
    Pause(Duration),
    /// A datagram that the node sends is lost.
    Loss,
    /// A datagram that the node sends is late by this much, and up to the second more.
    Delay(Duration, Duration),
    /// A datagram that the node sends arrives twice.
    Duplicate,
    /// A datagram that the node sends is overtaken by those after it.
    Reorder,
    /// Nothing gets through, neither from the node nor to it.
    Cut,
}

/// A fault, with where and how often it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// On the link to which other node; all of them otherwise. Of faults of links only.
    pub peer: Option<NodeId>,
    /// At which operation, by its name; all of them otherwise. Of faults of modules only.
    pub operation: Option<String>,
    /// How often it strikes at most; without end otherwise.
    pub count: Option<u64>,
    /// With which probability it strikes when it could, in millionths.
    pub rate_ppm: u32,
    /// How long it can strike; until it is removed otherwise.
    pub lasts: Option<Duration>,
}

/// Longest that anything of a fault may last. Whoever asks controls it.
const DURATION_MAX: Duration = Duration::from_secs(3600);

/// A rate at which a fault strikes whenever it can.
pub const ALWAYS_PPM: u32 = 1_000_000;

impl FaultKind {
    /// The kind's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Wrong => "wrong",
            FaultKind::Mute => "mute",
            FaultKind::Slow(_) => "slow",
            FaultKind::Trap => "trap",
            FaultKind::CorruptState => "corrupt-state",
            FaultKind::WrongSnapshot => "wrong-snapshot",
            FaultKind::Kill => "kill",
            FaultKind::Pause(_) => "pause",
            FaultKind::Loss => "loss",
            FaultKind::Delay(..) => "delay",
            FaultKind::Duplicate => "duplicate",
            FaultKind::Reorder => "reorder",
            FaultKind::Cut => "cut",
        }
    }

    /// Whether it is a fault of a link between two nodes.
    pub fn is_of_link(self) -> bool {
        use FaultKind::{Cut, Delay, Duplicate, Loss, Reorder};
        matches!(self, Loss | Delay(..) | Duplicate | Reorder | Cut)
    }

    /// Whether it strikes when a module is called.
    pub fn is_of_module(self) -> bool {
        use FaultKind::{CorruptState, Mute, Slow, Trap, Wrong};
        matches!(self, Wrong | Mute | Slow(_) | Trap | CorruptState)
    }

    /// Whether it is a fault of a whole process.
    pub fn is_of_process(self) -> bool {
        matches!(self, FaultKind::Kill | FaultKind::Pause(_))
    }
}

impl Fault {
    /// A fault that strikes everywhere it can, until it is removed.
    pub fn of(kind: FaultKind) -> Fault {
        Fault { kind, peer: None, operation: None, count: None, rate_ppm: ALWAYS_PPM, lasts: None }
    }

    /// Why there can be no such fault on this node, in words, if `asked` is the front end that is to have it removed.
    pub fn check(&self, node: NodeId, asked: NodeId) -> Result<(), String> {
        let name = self.kind.name();
        if !self.kind.is_of_link() && node.replica().is_none() {
            return Err(format!(
                "{name} is a fault of replicas; {node} can have loss, delay, duplicate, reorder and cut"
            ));
        }
        if self.peer.is_some() && !self.kind.is_of_link() {
            return Err(format!("{name} is not a fault of a link, so it takes no peer"));
        }
        if self.peer == Some(node) {
            return Err(format!("{node} has no link to itself; name another peer"));
        }
        if self.operation.is_some() && !self.kind.is_of_module() {
            return Err(format!("{name} does not depend on requests, so it takes no operation"));
        }
        let is_cut_off = self.kind == FaultKind::Cut && node != asked;
        if is_cut_off && self.lasts.is_none() && self.peer.is_none_or(|peer| peer == asked) {
            return Err(format!(
                "a cut between {node} and {asked} could not be removed, since nothing gets through: give a duration, or cut \
                 the front end's side"
            ));
        }
        let durations = match self.kind {
            FaultKind::Slow(by) | FaultKind::Pause(by) => [by, Duration::ZERO],
            FaultKind::Delay(by, jitter) => [by, jitter],
            _ => [Duration::ZERO; 2],
        };
        if durations.into_iter().chain(self.lasts).any(|duration| duration > DURATION_MAX) {
            return Err(format!("{name} would last too long: give at most {DURATION_MAX:?}"));
        }
        let known = OPERATION_FORMS.map(|(form, _)| form);
        if let Some(operation) = self.operation.as_ref().filter(|operation| !known.contains(&operation.as_str())) {
            return Err(format!("there is no operation {operation:?}: expected one of {}", known.join(", ")));
        }
        if self.count == Some(0) || self.rate_ppm == 0 || self.rate_ppm > ALWAYS_PPM {
            return Err(format!(
                "{name} would never strike: give a count of at least 1 and a rate above 0 and up to 100 %"
            ));
        }
        Ok(())
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            FaultKind::Slow(by) => write!(f, " by {by:?}")?,
            FaultKind::Delay(by, jitter) if jitter.is_zero() => write!(f, " by {by:?}")?,
            FaultKind::Delay(by, jitter) => write!(f, " by {by:?} to {:?}", by.saturating_add(jitter))?,
            FaultKind::Pause(lasts) => write!(f, " for {lasts:?}")?,
            _ => {}
        }
        if let Some(peer) = self.peer {
            write!(f, " with {peer}")?;
        }
        if let Some(operation) = &self.operation {
            write!(f, " at {operation}")?;
        }
        if self.rate_ppm < ALWAYS_PPM {
            write!(f, " at {} %", f64::from(self.rate_ppm) / 10_000.0)?;
        }
        match self.count {
            Some(1) if self.kind.is_of_process() => {}
            Some(1) => write!(f, " once")?,
            Some(count) => write!(f, " {count} times")?,
            None => {}
        }
        if let Some(lasts) = self.lasts {
            // With a count, whichever comes first ends it.
            let word = if self.count.is_some() { "within" } else { "for" };
            write!(f, " {word} {lasts:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::ReplicaId;
    use super::*;

    fn replica(number: u8) -> NodeId {
        NodeId::ReplicaManager(ReplicaId::new(number).unwrap())
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        #[track_caller]
        fn check(node: NodeId, fault: Fault, words: Option<&str>) {
            match (fault.check(node, NodeId::FRONT_END), words) {
                (Ok(()), None) => {}
                (Err(refused), Some(words)) => assert!(refused.contains(words), "{refused}"),
                other => panic!("{other:?}"),
            }
        }
        let fault = Fault::of;
        check(replica(1), fault(FaultKind::Wrong), None);
        check(NodeId::Sequencer, fault(FaultKind::Loss), None);
        check(NodeId::Sequencer, fault(FaultKind::Kill), Some("kill is a fault of replicas; sequencer can have loss"));
        check(replica(1), Fault { peer: Some(replica(2)), ..fault(FaultKind::Trap) }, Some("takes no peer"));
        check(replica(1), Fault { peer: Some(replica(1)), ..fault(FaultKind::Loss) }, Some("no link to itself"));
        let operation = Some("get-shares".to_owned());
        check(replica(1), Fault { operation, ..fault(FaultKind::Kill) }, Some("takes no operation"));
        check(replica(1), fault(FaultKind::Cut), Some("give a duration"));
        check(replica(1), Fault { peer: Some(NodeId::Sequencer), ..fault(FaultKind::Cut) }, None);
        check(NodeId::FRONT_END, fault(FaultKind::Cut), None);
        let operation = Some("get-rich".to_owned());
        check(replica(1), Fault { operation, ..fault(FaultKind::Wrong) }, Some("no operation \"get-rich\""));
        check(replica(1), fault(FaultKind::Delay(Duration::MAX, Duration::MAX)), Some("too long"));
        check(replica(1), Fault { rate_ppm: 0, ..fault(FaultKind::Loss) }, Some("never strike"));
    }

    #[test]
    fn a_fault_is_said_in_one_line() {
        let fault = Fault {
            peer: Some(NodeId::Sequencer),
            count: Some(3),
            rate_ppm: 50_000,
            lasts: Some(Duration::from_secs(5)),
            ..Fault::of(FaultKind::Delay(Duration::from_millis(10), Duration::from_millis(5)))
        };
        assert_eq!(fault.to_string(), "delay by 10ms to 15ms with sequencer at 5 % 3 times within 5s");
        let always = Fault { lasts: Some(Duration::from_secs(5)), ..Fault::of(FaultKind::Mute) };
        assert_eq!(always.to_string(), "mute for 5s");
        let endless = Fault::of(FaultKind::Delay(Duration::MAX, Duration::MAX));
        assert!(endless.to_string().starts_with("delay by 18446744073709551615"), "{endless}");
    }
}
