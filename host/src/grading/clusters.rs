//! Simulated clusters of which the module is one replica and the reference market all others, with faults of all kinds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::native::NativeMarket;
use crate::sandbox::LoadedModule;
use crate::simulation::campaign;
use crate::simulation::draw::{DrawOptions, draw};
use crate::simulation::replica::MakeModule;

/// Runs of one module at most.
const RUNS_MAX: u64 = 20;

/// Broken laws that are told of at most.
const TOLD_MAX: usize = 5;

/// How the clusters fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Clusters {
    /// Runs that were made.
    pub runs: u64,
    /// Those in which every law held.
    pub held: u64,
    /// How often a fault struck.
    pub struck: u64,
    /// The first laws that were broken.
    pub broken: Vec<BrokenRun>,
}

/// A run in which a law was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BrokenRun {
    /// `dsms sim --seed N --runs 1 --module M --module reference --module reference --module reference` makes it again.
    pub seed: u64,
    /// Which law, and what happened instead.
    pub words: String,
}

/// Makes runs, one at least, until there are enough or `is_over`. A run is not interrupted.
pub fn run(module: &LoadedModule, seed: u64, is_over: &dyn Fn() -> bool) -> Clusters {
    let module = module.clone();
    let make: MakeModule = Arc::new(move |replica, _spare| match replica.index() == 0 {
        true => Ok(Box::new(module.instantiate()?)),
        false => Ok(Box::new(NativeMarket::new())),
    });
    run_with(&make, seed, is_over)
}

fn run_with(make: &MakeModule, seed: u64, is_over: &dyn Fn() -> bool) -> Clusters {
    let mut clusters = Clusters::default();
    for offset in 0..RUNS_MAX {
        if offset > 0 && is_over() {
            break;
        }
        let seed = seed.wrapping_add(offset);
        let report = campaign::run(&draw(seed, &DrawOptions::default()), make, false);
        clusters.runs += 1;
        clusters.struck += report.observed.struck_len();
        match report.broken {
            None => clusters.held += 1,
            Some(broken) if clusters.broken.len() < TOLD_MAX => {
                clusters.broken.push(BrokenRun { seed, words: broken.to_string() });
            }
            Some(_) => {}
        }
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Context, GuestFault, MarketState, Module, Outcome, Request};

    #[test]
    fn clusters_of_the_reference_market_keep_every_law_under_faults() {
        let clusters = run_with(&crate::simulation::replica::native(), 1, &|| false);
        assert_eq!((clusters.runs, clusters.held), (RUNS_MAX, RUNS_MAX), "{clusters:?}");
        assert!(clusters.struck > 0);
    }

    struct Liar;

    impl Module for Liar {
        fn execute(&mut self, _: Context, _: &Request) -> Result<Outcome, GuestFault> {
            Ok(Outcome::Swapped { units: 77 })
        }

        fn export_state(&mut self) -> Result<MarketState, GuestFault> {
            NativeMarket::new().export_state()
        }

        fn import_state(&mut self, _: &MarketState) -> Result<Result<(), String>, GuestFault> {
            Ok(Ok(()))
        }
    }

    #[test]
    fn a_replica_that_lies_breaks_a_law_and_the_seed_is_told() {
        let make: MakeModule = Arc::new(|replica, _| match replica.index() == 0 {
            true => Ok(Box::new(Liar)),
            false => Ok(Box::new(NativeMarket::new())),
        });
        let clusters = crate::simulation::panics::quietly(|| run_with(&make, 1, &|| false));
        assert!(clusters.held < clusters.runs && !clusters.broken.is_empty(), "{clusters:?}");
    }
}
