//! Draws the plan of a run from a seed.

use super::fault::{FaultKind, KINDS, Place, PlannedFault, Realm};
use super::next_module::NextModule;
use super::random::Random;
use super::scenario::{FORMAT, PlannedRequest, REINSTANTIATIONS_MAX, Scenario};
use super::workload::Workload;
use crate::protocol::id::{Membership, NodeId, ReplicaId};
use crate::protocol::quorum::Tolerance;

/// Requests of one run, unless somebody asks for another number.
pub const REQUESTS_LEN_DEFAULT: usize = 200;

/// Most faults of one run, unless somebody asks for another number.
pub const FAULTS_LEN_MAX: u64 = 8;

/// Virtual time in which requests are sent, in milliseconds.
const LOAD_MS: u64 = 6000;

/// The first requests come after this: by then a cluster without faults is ready.
const LOAD_FROM_MS: u64 = 300;

/// What is left to choose when a run is drawn.
#[derive(Clone, Debug)]
pub struct DrawOptions {
    /// The mode; any of the three named ones otherwise.
    pub tolerance: Option<Tolerance>,
    /// The kinds of faults that may be in it, by name; all of them otherwise.
    pub faults: Option<Vec<&'static str>>,
    /// How many requests.
    pub requests_len: usize,
    /// How many faults at most.
    pub faults_len_max: u64,
    /// The replicas' modules; native otherwise.
    pub modules: Vec<String>,
}

impl Default for DrawOptions {
    fn default() -> DrawOptions {
        DrawOptions {
            tolerance: None,
            faults: None,
            requests_len: REQUESTS_LEN_DEFAULT,
            faults_len_max: FAULTS_LEN_MAX,
            modules: Vec::new(),
        }
    }
}

/// The run of this seed.
pub fn draw(seed: u64, options: &DrawOptions) -> Scenario {
    let mut random = Random::of(seed, "plan");
    let named = Tolerance::NAMED.map(|(_, tolerance)| tolerance);
    let drawn = *random.pick(&named);
    let tolerance = options.tolerance.unwrap_or(drawn);
    let replicas = tolerance.replicas_len_min();
    let mut scenario = Scenario {
        format: FORMAT.to_owned(),
        seed,
        wrong: tolerance.wrong,
        crashed: tolerance.crashed,
        replicas,
        front_ends: front_ends(seed),
        spares: usize::from(random.per_mille(200)),
        checkpoint_every: random.between(10, 60),
        reinstantiations_max: REINSTANTIATIONS_MAX,
        latency_us: random.between(50, 1500),
        jitter_us: random.between(0, 500),
        call_us: random.between(1, 300),
        modules: options.modules.clone(),
        requests: requests(&mut random, seed, options.requests_len),
        faults: Vec::new(),
    };
    let (clients_len, membership) = (scenario.clients_len(), scenario.membership());
    let is_allowed = |kind: &&FaultKind| {
        let is_asked_for = options.faults.as_ref().is_none_or(|names| names.contains(&kind.name()));
        // Where nobody may be wrong, a wrong outcome may be released: there would be no law to hold the run to.
        is_asked_for && kind.realm() != Realm::Swap && (tolerance.wrong > 0 || !kind.makes_wrong())
    };
    let kinds: Vec<FaultKind> = KINDS.iter().filter(is_allowed).copied().collect();
    if !kinds.is_empty() {
        let faults_len = random.between(1, options.faults_len_max.max(1));
        let times: Vec<u64> = scenario.requests.iter().map(|request| request.at_ms).collect();
        scenario.faults =
            (0..faults_len).map(|_| fault(&mut random, &kinds, &times, membership, clients_len)).collect();
    }
    if options.faults.as_ref().is_none_or(|names| names.contains(&"swap")) {
        scenario.faults.extend(swaps(seed, replicas));
    }
    scenario.faults.sort_by_key(|fault| (fault.at_ms, fault.place));
    scenario
}

/// How many front ends a run has: drawn apart from the rest, as the swaps are.
fn front_ends(seed: u64) -> usize {
    let mut random = Random::of(seed, "front ends");
    if random.per_mille(400) { random.between(2, 3) as usize } else { 1 }
}

/// The swaps of a run, in half of all runs. They are drawn apart from the faults, so that a run may have both.
fn swaps(seed: u64, replicas: usize) -> Vec<PlannedFault> {
    let mut random = Random::of(seed, "swaps");
    let swaps_len = if random.per_mille(500) { random.between(1, 4) } else { 0 };
    let managers: Vec<NodeId> = ReplicaId::first(replicas).map(NodeId::ReplicaManager).collect();
    let mut swap = || {
        let is_right = random.per_mille(600);
        let to = if is_right { NextModule::Right } else { *random.pick(&NextModule::ALL) };
        let shadow = random.between(u64::from(!to.is_right()), 40);
        PlannedFault {
            at_ms: random.between(LOAD_FROM_MS, LOAD_MS),
            lasts_ms: random.between(500, 4000),
            place: Place::Node(*random.pick(&managers)),
            peer: None,
            kind: FaultKind::Swap { to, shadow },
        }
    };
    (0..swaps_len).map(|_| swap()).collect()
}

fn requests(random: &mut Random, seed: u64, len: usize) -> Vec<PlannedRequest> {
    let clients_len = random.between(1, 5) as usize;
    // Some loads have a pause in the middle, so that faults strike at a cluster that does nothing.
    let pause = random.per_mille(400).then(|| random.between(LOAD_FROM_MS, LOAD_MS / 2));
    // Half of the requests come alone, the others in bursts, so that some are under way at most times.
    let bursts: Vec<(u64, u64)> = (0..8).map(|_| (random.between(LOAD_FROM_MS, LOAD_MS), random.below(20))).collect();
    let mut times: Vec<u64> = (0..len)
        .map(|_| match random.below(2) {
            0 => random.between(LOAD_FROM_MS, LOAD_MS),
            _ => {
                let (from, lasts) = *random.pick(&bursts);
                from + random.below(lasts)
            }
        })
        .collect();
    if let Some(from) = pause {
        let until = from + LOAD_MS / 2;
        times.iter_mut().filter(|at| (from..until).contains(*at)).for_each(|at| *at = from);
    }
    times.sort_unstable();
    let mut workload = Workload::new(seed);
    let mut numbers = vec![0; clients_len];
    let request = |at_ms| {
        let client = random.between(1, clients_len as u64) as usize;
        numbers[client - 1] += 1;
        PlannedRequest { at_ms, client, number: numbers[client - 1], words: workload.next_words() }
    };
    times.into_iter().map(request).collect()
}

/// One fault: at any time, or at that of a request, so that many strike while something is under way.
fn fault(
    random: &mut Random,
    kinds: &[FaultKind],
    times: &[u64],
    membership: Membership,
    clients_len: usize,
) -> PlannedFault {
    let nodes = membership.nodes();
    let managers: Vec<NodeId> = ReplicaId::first(membership.replicas_len).map(NodeId::ReplicaManager).collect();
    let kind = *random.pick(kinds);
    let kind = vary(random, kind);
    let place = match kind.realm() {
        _ if kind == FaultKind::TornWrite => Place::Node(*random.pick(&managers)),
        Realm::Link | Realm::Process => Place::Node(*random.pick(&nodes)),
        Realm::Module | Realm::Swap => Place::Node(*random.pick(&managers)),
        Realm::Client => Place::Client(random.between(1, clients_len as u64) as usize),
    };
    let others: Vec<NodeId> = nodes.into_iter().filter(|node| Some(*node) != place.node()).collect();
    let is_of_one_link = kind.realm() == Realm::Link && random.per_mille(600);
    let peer = is_of_one_link.then(|| Place::Node(*random.pick(&others)));
    let lasts_ms = match kind {
        FaultKind::Mute => random.between(1000, 8000),
        FaultKind::Kill { .. } | FaultKind::TornWrite | FaultKind::Outage { .. } => random.between(50, 4000),
        FaultKind::Pause => random.between(20, 4000),
        _ => random.between(100, 3000),
    };
    let at_ms = match random.per_mille(600) && !times.is_empty() {
        true => *random.pick(times) + random.below(4),
        false => random.between(LOAD_FROM_MS, LOAD_MS + 500),
    };
    PlannedFault { at_ms, lasts_ms, place, peer, kind }
}

/// The same kind with numbers of its own.
fn vary(random: &mut Random, kind: FaultKind) -> FaultKind {
    match kind {
        FaultKind::Loss { .. } => FaultKind::Loss { per_mille: random.between(20, 600) },
        FaultKind::Delay { .. } => {
            FaultKind::Delay { by_us: random.between(500, 60_000), jitter_us: random.between(0, 40_000) }
        }
        FaultKind::Duplicate { .. } => FaultKind::Duplicate { per_mille: random.between(20, 500) },
        FaultKind::Reorder { .. } => FaultKind::Reorder { per_mille: random.between(20, 500) },
        FaultKind::Garble { .. } => FaultKind::Garble { per_mille: random.between(20, 500) },
        FaultKind::SlowLink { .. } => FaultKind::SlowLink { each_us: random.between(200, 10_000) },
        FaultKind::Outage { .. } => FaultKind::Outage { managers_only: random.per_mille(400) },
        FaultKind::Kill { .. } => FaultKind::Kill { keeps_disk: random.per_mille(600) },
        FaultKind::Wrong { .. } => {
            let per_mille = if random.per_mille(500) { 1000 } else { random.between(300, 900) };
            FaultKind::Wrong { outcomes: random.between(1, 12), per_mille }
        }
        FaultKind::SlowModule { .. } => FaultKind::SlowModule { by_ms: random.between(1, 60) },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_every_time() {
        let options = DrawOptions::default();
        assert_eq!(draw(3, &options), draw(3, &options));
        assert_ne!(draw(3, &options), draw(4, &options));
    }

    #[test]
    fn every_kind_of_fault_every_mode_and_every_role_is_drawn() {
        let plans: Vec<Scenario> = (0..400).map(|seed| draw(seed, &DrawOptions::default())).collect();
        let kinds: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.faults).map(|fault| fault.kind.name()).collect();
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
        let modes: BTreeSet<(usize, usize)> = plans.iter().map(|plan| (plan.wrong, plan.crashed)).collect();
        assert_eq!(modes.len(), 3);
        let killed: BTreeSet<&str> = plans
            .iter()
            .flat_map(|plan| &plan.faults)
            .filter(|fault| matches!(fault.kind, FaultKind::Kill { .. }))
            .map(|fault| fault.place.role())
            .collect();
        assert_eq!(killed.len(), 3);
    }

    #[test]
    fn only_what_was_asked_for_is_drawn() {
        let some = DrawOptions { faults: Some(vec!["kill"]), ..DrawOptions::default() };
        let swaps = DrawOptions { faults: Some(vec!["swap"]), ..DrawOptions::default() };
        let none = DrawOptions { faults: Some(Vec::new()), tolerance: Some(Tolerance::BOTH), ..DrawOptions::default() };
        for seed in 0..20 {
            assert!(draw(seed, &swaps).faults.iter().all(|fault| fault.kind.name() == "swap"));
            assert!(draw(seed, &some).faults.iter().all(|fault| fault.kind.name() == "kill"));
            assert!(draw(seed, &none).faults.is_empty());
            assert_eq!(draw(seed, &none).replicas, 4);
        }
    }
}
