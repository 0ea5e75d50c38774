//! The module that is to take over from another one in a simulated swap, and what is the matter with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::replica::other_than;
use crate::market::{Context, Digest, GuestFault, MarketState, Module, Outcome, Request};

/// A module that an operator has take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextModule {
    /// It does what the replica's first module does, without that one's faults.
    Right,
    /// The same, but every call takes 3 ms longer.
    Slow,
    /// None of its outcomes is right.
    Wrong,
    /// It traps at every request.
    Trap,
    /// It traps as soon as it is instantiated.
    Unstartable,
    /// There is no such file.
    Missing,
    /// The one that was there before the last swap.
    Previous,
}

impl NextModule {
    /// All of them.
    pub const ALL: [NextModule; 7] = [
        NextModule::Right,
        NextModule::Slow,
        NextModule::Wrong,
        NextModule::Trap,
        NextModule::Unstartable,
        NextModule::Missing,
        NextModule::Previous,
    ];

    /// Its name in plans and transcripts, and the path of its file.
    pub fn name(self) -> &'static str {
        match self {
            NextModule::Right => "right",
            NextModule::Slow => "slow",
            NextModule::Wrong => "wrong",
            NextModule::Trap => "trap",
            NextModule::Unstartable => "unstartable",
            NextModule::Missing => "missing",
            NextModule::Previous => "previous",
        }
    }

    /// The module of this name.
    pub fn named(name: &str) -> Option<NextModule> {
        NextModule::ALL.into_iter().find(|module| module.name() == name)
    }

    /// The digest of its file.
    pub fn digest(self) -> Digest {
        Digest::of_bytes(self.name().as_bytes())
    }

    /// Whether it may take over.
    pub fn is_right(self) -> bool {
        matches!(self, NextModule::Right | NextModule::Slow | NextModule::Previous)
    }

    /// How much longer each of its calls takes than those of other modules.
    pub fn slower(self) -> Duration {
        if self == NextModule::Slow { Duration::from_millis(3) } else { Duration::ZERO }
    }

    /// An instance, made of one that is right.
    pub fn instance(self, right: Box<dyn Module>) -> Result<Box<dyn Module>, GuestFault> {
        match self {
            NextModule::Wrong => Ok(Box::new(Wrong(right))),
            NextModule::Trap => Ok(Box::new(Trap(right))),
            NextModule::Unstartable => Err(GuestFault::Trap("no start".to_owned())),
            NextModule::Right | NextModule::Slow | NextModule::Missing | NextModule::Previous => Ok(right),
        }
    }
}

struct Wrong(Box<dyn Module>);

impl Module for Wrong {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        self.0.execute(context, request).map(other_than)
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        self.0.export_state()
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        self.0.import_state(state)
    }
}

struct Trap(Box<dyn Module>);

impl Module for Trap {
    fn execute(&mut self, _: Context, _: &Request) -> Result<Outcome, GuestFault> {
        Err(GuestFault::Trap("not this request".to_owned()))
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        self.0.export_state()
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        self.0.import_state(state)
    }
}
