//! The plan of one run: everything that a run depends on, as data that can be saved, read, edited and shrunk.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::{FaultKind, Place, PlannedFault, Realm};
use crate::market::parse_request;
use crate::protocol::id::Membership;
use crate::protocol::limits::{FRONT_ENDS_LEN_MAX, REPLICAS_LEN_MAX};
use crate::protocol::quorum::Tolerance;

/// What a saved plan says in its first line; it changes whenever an older reader would misread one.
pub const FORMAT: &str = "dsms-run 1";

/// Failures of a module that are borne in a run, unless its plan says otherwise: more than there are in any.
pub const REINSTANTIATIONS_MAX: u32 = 1000;

/// Most requests and faults of one plan, and most milliseconds of anything in it. Whoever writes the file controls them.
const REQUESTS_LEN_MAX: usize = 100_000;
const FAULTS_LEN_MAX: usize = 1000;
const CLIENTS_LEN_MAX: usize = 64;
const TIME_MAX_MS: u64 = 3_600_000;

/// The slowest call of a module, in milliseconds: well below what managers take for hung.
const SLOW_MAX_MS: u64 = 1000;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// [`FORMAT`].
    pub format: String,
    /// Where the random numbers of the run come from: delays, losses, and which of them strike.
    pub seed: u64,
    /// How many replicas may be wrong.
    pub wrong: usize,
    /// How many may have crashed.
    pub crashed: usize,
    /// How many there are.
    pub replicas: usize,
    /// How many front ends there are. Clients go from one to another.
    #[serde(default = "one")]
    pub front_ends: usize,
    /// How many spares each replica has. A spare has none of the faults of the first module.
    #[serde(default)]
    pub spares: usize,
    /// A checkpoint is taken after so many orders.
    pub checkpoint_every: u64,
    /// So many failures of a module are borne before its spare takes over.
    #[serde(default = "patience")]
    pub reinstantiations_max: u32,
    /// How long a datagram is on its way at least, in microseconds.
    pub latency_us: u64,
    /// And up to so much longer, in microseconds.
    pub jitter_us: u64,
    /// How long a module takes for one call, in microseconds.
    pub call_us: u64,
    /// The replicas' modules, as they were given on the command line; the reference market, called natively, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// What clients ask for, in the order of their times.
    #[serde(default, rename = "request")]
    pub requests: Vec<PlannedRequest>,
    /// What goes wrong, in the order of their times.
    #[serde(default, rename = "fault")]
    pub faults: Vec<PlannedFault>,
}

/// A run has many faults in few seconds, and is not about the operator's patience; the ladder has tests of its own.
fn patience() -> u32 {
    REINSTANTIATIONS_MAX
}

fn one() -> usize {
    1
}

/// A request in the plan of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRequest {
    /// Not before this, in milliseconds after the start.
    pub at_ms: u64,
    /// Which client, from 1.
    pub client: usize,
    /// The client's own count.
    pub number: u64,
    /// The request in the words of a command line.
    pub words: String,
}

/// A plan cannot be used: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableScenario(String);

impl Scenario {
    /// The mode as a pair of tolerances.
    pub fn tolerance(&self) -> Tolerance {
        Tolerance { wrong: self.wrong, crashed: self.crashed }
    }

    /// Who belongs to the cluster.
    pub fn membership(&self) -> Membership {
        Membership { front_ends_len: self.front_ends, replicas_len: self.replicas }
    }

    /// How many clients there are.
    pub fn clients_len(&self) -> usize {
        let of_faults = self.faults.iter().filter_map(|fault| match fault.place {
            Place::Client(client) => Some(client),
            Place::Node(_) => None,
        });
        self.requests.iter().map(|request| request.client).chain(of_faults).max().unwrap_or(1)
    }

    /// When the last fault ends, in milliseconds after the start.
    pub fn faults_end_ms(&self) -> u64 {
        self.faults.iter().map(PlannedFault::ends_ms).max().unwrap_or(0)
    }

    /// The plan as text.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("a plan is made of tables, numbers and text")
    }

    /// Reads a plan from its text, and checks that it can be run.
    pub fn from_text(text: &str) -> Result<Scenario, UnusableScenario> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| UnusableScenario(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), UnusableScenario> {
        let refuse = |words: String| Err(UnusableScenario(words));
        if self.format != FORMAT {
            return refuse(format!("the format is {:?}, this dsms reads {FORMAT:?}", self.format));
        }
        if self.replicas == 0 || self.replicas > REPLICAS_LEN_MAX {
            return refuse(format!("{} replicas: expected 1 to {REPLICAS_LEN_MAX}", self.replicas));
        }
        if self.front_ends == 0 || self.front_ends > FRONT_ENDS_LEN_MAX {
            return refuse(format!("{} front ends: expected 1 to {FRONT_ENDS_LEN_MAX}", self.front_ends));
        }
        match self.tolerance().check(self.replicas) {
            Err(impossible) => return refuse(impossible.to_string()),
            // Mode `crash` stands for "all but one", which a plan has to say in numbers.
            Ok(tolerance) if tolerance != self.tolerance() => {
                return refuse(format!("{} replicas bear {} crashed ones", self.replicas, tolerance.crashed));
            }
            Ok(_) => {}
        }
        if self.checkpoint_every == 0 {
            return refuse("checkpoint_every is 0: expected at least 1".to_owned());
        }
        if self.spares > REPLICAS_LEN_MAX || self.modules.len() > REPLICAS_LEN_MAX {
            return refuse(format!("more than {REPLICAS_LEN_MAX} modules or spares"));
        }
        let too_long = [self.latency_us, self.jitter_us, self.call_us].into_iter().any(|us| us > TIME_MAX_MS * 1000);
        if too_long || self.requests.len() > REQUESTS_LEN_MAX || self.faults.len() > FAULTS_LEN_MAX {
            return refuse(format!(
                "too long: expected at most {REQUESTS_LEN_MAX} requests, {FAULTS_LEN_MAX} faults and {TIME_MAX_MS} ms for \
                 anything"
            ));
        }
        self.requests.iter().try_for_each(check_request)?;
        self.check_numbers()?;
        self.faults.iter().try_for_each(|fault| self.check_fault(fault))
    }

    /// A client's numbers grow, as a client counts.
    fn check_numbers(&self) -> Result<(), UnusableScenario> {
        let mut last = [0; CLIENTS_LEN_MAX + 1];
        for PlannedRequest { client, number, .. } in &self.requests {
            if *number <= last[*client] {
                let words = format!("request {number} of client {client} comes after its request {}", last[*client]);
                return Err(UnusableScenario(format!("{words}: expected numbers that grow")));
            }
            last[*client] = *number;
        }
        Ok(())
    }

    fn check_fault(&self, fault: &PlannedFault) -> Result<(), UnusableScenario> {
        let refuse = |words: &str| Err(UnusableScenario(format!("fault {fault}: {words}")));
        let nodes = self.membership().nodes();
        for place in [Some(fault.place), fault.peer].into_iter().flatten() {
            match place {
                Place::Node(node) if !nodes.contains(&node) => return refuse("this run has no such node"),
                Place::Client(number) if number > CLIENTS_LEN_MAX => return refuse("there are at most 64 clients"),
                _ => {}
            }
        }
        let is_replica = fault.place.node().is_some_and(|node| node.replica().is_some());
        let is_right_place = match fault.kind.realm() {
            _ if fault.kind == FaultKind::TornWrite => is_replica,
            Realm::Link | Realm::Process => fault.place.node().is_some(),
            Realm::Module | Realm::Swap => is_replica,
            Realm::Client => fault.place.node().is_none(),
        };
        if !is_right_place {
            return refuse("this is not a place for it");
        }
        let is_link = fault.kind.realm() == Realm::Link;
        if fault.peer.is_some_and(|peer| !is_link || peer == fault.place || peer.node().is_none()) {
            return refuse("only a fault of a link has a peer, which is another node");
        }
        if fault.ends_ms() > TIME_MAX_MS {
            return refuse("it lasts too long");
        }
        check_kind(fault.kind).or_else(refuse)
    }
}

/// Whether a kind of fault has possible numbers; if not, what was expected.
fn check_kind(kind: FaultKind) -> Result<(), &'static str> {
    let (is_possible, expected) = match kind {
        FaultKind::Loss { per_mille }
        | FaultKind::Duplicate { per_mille }
        | FaultKind::Reorder { per_mille }
        | FaultKind::Garble { per_mille } => (per_mille <= 1000, "expected at most 1000 of a thousand"),
        FaultKind::Wrong { outcomes, per_mille } => {
            (outcomes > 0 && per_mille <= 1000, "expected at least one outcome, and at most 1000 of a thousand")
        }
        FaultKind::Delay { by_us, jitter_us } => {
            (by_us.max(jitter_us) <= TIME_MAX_MS * 1000, "expected at most an hour")
        }
        FaultKind::SlowLink { each_us } => (each_us <= TIME_MAX_MS * 1000, "expected at most an hour"),
        FaultKind::Swap { to, shadow } => {
            (to.is_right() || shadow > 0, "a module that is not right has to be compared once at least")
        }
        FaultKind::SlowModule { by_ms } => (by_ms <= SLOW_MAX_MS, "a module that is slower than that passes for hung"),
        _ => (true, ""),
    };
    if is_possible { Ok(()) } else { Err(expected) }
}

fn check_request(request: &PlannedRequest) -> Result<(), UnusableScenario> {
    let PlannedRequest { at_ms, client, number, words } = request;
    let refuse = |reason: &str| Err(UnusableScenario(format!("request {words:?} of client {client}: {reason}")));
    if *at_ms > TIME_MAX_MS || *client == 0 || *client > CLIENTS_LEN_MAX {
        return refuse("expected client 1 to 64, within an hour");
    }
    if *number == 0 || *number > REQUESTS_LEN_MAX as u64 {
        return refuse("expected a number from 1");
    }
    match parse_request(&words.split_whitespace().collect::<Vec<_>>()) {
        Ok(_) => Ok(()),
        Err(bad) => refuse(&bad.message),
    }
}

impl fmt::Display for PlannedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client-{} #{} at {} ms: {}", self.client, self.number, self.at_ms, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{NodeId, ReplicaId};
    use crate::simulation::draw::{DrawOptions, draw};
    use crate::simulation::next_module::NextModule;

    #[test]
    fn a_plan_is_read_back_from_its_text() {
        for seed in 0..50 {
            let scenario = draw(seed, &DrawOptions::default());
            assert_eq!(Scenario::from_text(&scenario.to_text()), Ok(scenario));
        }
    }

    #[test]
    fn a_plan_that_cannot_be_run_is_refused_with_the_reason() {
        let good = draw(1, &DrawOptions::default());
        let check = |change: &dyn Fn(&mut Scenario), expected: &str| {
            let mut bad = good.clone();
            change(&mut bad);
            let words = Scenario::from_text(&bad.to_text()).unwrap_err().to_string();
            assert!(words.contains(expected), "{words}");
        };
        check(&|plan| plan.format = "dsms-run 9".to_owned(), "this dsms reads \"dsms-run 1\"");
        check(&|plan| (plan.wrong, plan.crashed, plan.replicas) = (1, 0, 2), "there are 2");
        check(&|plan| plan.replicas = 99, "expected 1 to 7");
        check(
            &|plan| {
                (plan.wrong, plan.crashed, plan.replicas, plan.faults[0].place) =
                    (0, 1, 2, Place::Node(NodeId::ReplicaManager(ReplicaId::new(3).unwrap())))
            },
            "no such node",
        );
        check(&|plan| plan.checkpoint_every = 0, "expected at least 1");
        check(&|plan| plan.requests[0].words = "NYKB1001 fly".to_owned(), "NYKB1001 fly");
        check(&|plan| plan.requests[0].client = 0, "expected client 1");
        check(&|plan| plan.latency_us = u64::MAX / 2, "too long");
        let fault = |place, peer, kind| {
            move |plan: &mut Scenario| plan.faults = vec![PlannedFault { at_ms: 1, lasts_ms: 1, place, peer, kind }]
        };
        let (sequencer, client) = (Place::Node(NodeId::Sequencer), Place::Client(1));
        check(&fault(sequencer, None, FaultKind::Trap), "not a place for it");
        check(&fault(sequencer, Some(client), FaultKind::Cut), "which is another node");
        check(&fault(sequencer, Some(sequencer), FaultKind::Cut), "which is another node");
        check(&fault(sequencer, None, FaultKind::Loss { per_mille: 1001 }), "at most 1000");
        check(&fault(sequencer, None, FaultKind::Delay { by_us: u64::MAX / 2, jitter_us: u64::MAX / 2 }), "an hour");
        let replica = Place::Node(NodeId::ReplicaManager(ReplicaId::new(1).unwrap()));
        check(&fault(replica, None, FaultKind::Wrong { outcomes: 0, per_mille: 1 }), "at least one outcome");
        let unseen = FaultKind::Swap { to: NextModule::Wrong, shadow: 0 };
        check(&fault(replica, None, unseen), "compared once at least");
        check(&fault(replica, None, FaultKind::SlowModule { by_ms: 3000 }), "passes for hung");
        check(&|plan| plan.requests[1].number = 0, "expected a number from 1");
        check(&|plan| plan.requests.push(plan.requests[0].clone()), "expected numbers that grow");
        check(
            &|plan| (plan.wrong, plan.crashed, plan.replicas, plan.faults) = (0, 2, 2, Vec::new()),
            "2 replicas bear 1",
        );
        assert!(Scenario::from_text("seed = ").is_err());
    }
}
