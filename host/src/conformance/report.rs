//! All that was found out about one module, as it is printed, and as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Examination;
use super::cost::Cost;
use super::finding::{Finding, Weight};
use crate::market::{Digest, GuestFault};
use crate::sandbox::{CacheStatus, ContractReport, Instance, Origin};

/// What was found out about one module, as far as the examination came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// As people name it.
    pub module: String,
    /// Its size.
    pub bytes: usize,
    /// The digest of its bytes, 64 hexadecimal digits.
    pub digest: String,
    /// Whether it can run as a replica: the contract is met, an instance starts, there was time for every examination, and nothing found
    /// is a failure.
    pub good: bool,
    /// What everything that was drawn follows from.
    pub seed: u64,
    /// Imports and exports against the contract.
    pub contract: Contract,
    /// How its code was made ready; nothing if the contract is not met.
    pub load: Option<Loading>,
    /// Its first instance.
    pub instantiate: Option<Starting>,
    /// Each examination that was made.
    pub examinations: Vec<Examined>,
    /// What its calls cost, if that was examined.
    pub cost: Option<Cost>,
}

/// How a component meets the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contract {
    /// Whether it does.
    pub met: bool,
    /// Why the file is no component at all.
    pub error: Option<String>,
    /// The functions of the contract that it exports as it should.
    pub exports: Vec<String>,
    /// What is wrong with the exports, in words.
    pub violations: Vec<String>,
    /// Exports that the contract does not know.
    pub ignored_exports: Vec<String>,
    /// Everything that it imports.
    pub imports: Vec<ImportVerdict>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportVerdict {
    /// Its name.
    pub name: String,
    /// Why a replica may not have it; nothing if it may.
    pub refused: Option<String>,
}

/// How a module's code was made ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Loading {
    /// Whether it had been compiled before.
    pub from_cache: bool,
    /// How long it took.
    pub milliseconds: f64,
    /// Where compiled code is kept.
    pub cache: Option<String>,
    /// Why it is not kept.
    pub cache_off: Option<String>,
}

/// A module's first instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Starting {
    /// How long it took to start.
    pub milliseconds: f64,
    /// The memory it had then.
    pub memory_bytes: u64,
    /// Why it did not start.
    pub error: Option<String>,
}

/// One examination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Examined {
    /// Which.
    pub examination: Examination,
    /// Whether all of it was made; else the time was over.
    pub is_complete: bool,
    /// Histories that were executed, those of shortening not counted.
    pub histories: u64,
    /// Requests that the module was asked in them.
    pub requests: u64,
    /// How long it took, shortening included.
    pub milliseconds: f64,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(module: &str, bytes: usize, digest: Digest, seed: u64) -> Report {
        Report {
            module: module.to_owned(),
            bytes,
            digest: digest.to_string(),
            good: false,
            seed,
            contract: Contract::default(),
            load: None,
            instantiate: None,
            examinations: Vec::new(),
            cost: None,
        }
    }

    /// Everything that was found, in the order of the examinations.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.examinations.iter().flat_map(|examined| &examined.findings)
    }

    /// Whether there was no time for one of the examinations: a call that took long may have left none.
    pub fn has_unexamined(&self) -> bool {
        self.examinations.iter().any(|examined| !examined.was_begun())
    }

    pub(super) fn judge(&mut self) {
        let starts = self.instantiate.as_ref().is_some_and(|started| started.error.is_none());
        let is_free = self.findings().all(|finding| finding.weight != Weight::Failure);
        self.good = self.contract.met && starts && is_free && !self.has_unexamined();
    }
}

impl From<&ContractReport> for Contract {
    fn from(report: &ContractReport) -> Contract {
        let import = |import: &crate::sandbox::Import| ImportVerdict {
            name: import.name.clone(),
            refused: import.refused.clone(),
        };
        Contract {
            met: report.is_met(),
            error: None,
            exports: report.exports.clone(),
            violations: report.violations.iter().map(ToString::to_string).collect(),
            ignored_exports: report.foreign_exports.clone(),
            imports: report.imports.iter().map(import).collect(),
        }
    }
}

impl Contract {
    pub(super) fn unreadable(words: String) -> Contract {
        Contract { error: Some(words), ..Contract::default() }
    }
}

impl Loading {
    pub(super) fn new(origin: Origin, cache: &CacheStatus, took: Duration) -> Loading {
        let (cache, cache_off) = match cache {
            CacheStatus::On(directory) => (Some(directory.display().to_string()), None),
            CacheStatus::Off(why) => (None, Some(why.to_string())),
        };
        Loading { from_cache: origin == Origin::Cache, milliseconds: took.as_secs_f64() * 1000.0, cache, cache_off }
    }
}

impl Starting {
    pub(super) fn new(started: &Result<Instance, GuestFault>, took: Duration) -> Starting {
        Starting {
            milliseconds: took.as_secs_f64() * 1000.0,
            memory_bytes: started.as_ref().map_or(0, Instance::memory_bytes),
            error: started.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Examined {
    /// Whether there was time for any of it.
    pub fn was_begun(&self) -> bool {
        self.histories > 0 || self.is_complete
    }

    pub(super) fn new(examination: Examination) -> Examined {
        Examined { examination, is_complete: true, histories: 0, requests: 0, milliseconds: 0.0, findings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::finding::Kind;

    #[test]
    fn a_module_is_good_if_nothing_was_found_and_everything_was_examined() {
        let examined = |histories, is_complete, findings| Examined {
            is_complete,
            histories,
            findings,
            ..Examined::new(Examination::RoundTrip)
        };
        let is_good = |last: Examined| {
            let mut report = Report::new("m", 1, Digest::of_bytes(b"m"), 1);
            report.contract.met = true;
            report.instantiate = Some(Starting { milliseconds: 1.0, memory_bytes: 1, error: None });
            report.examinations = vec![examined(9, true, Vec::new()), last];
            report.judge();
            report.good
        };
        assert!(is_good(examined(9, true, Vec::new())) && is_good(examined(1, false, Vec::new())));
        assert!(!is_good(examined(0, false, Vec::new())), "there was no time for it");
        assert!(!is_good(examined(9, true, vec![Finding::failure(Kind::Fault, "rule")])));
        assert!(is_good(examined(9, true, vec![Finding::warning(Kind::NearBudget, "rule")])));
    }
}
