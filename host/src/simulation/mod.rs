//! The simulator: the whole cluster in one thread, under virtual time, from one seed.
//!
//! A [`Scenario`] is the plan of a run: what clients ask for, and what goes wrong when. [`draw`](draw::draw) makes one from a
//! seed. A [`World`] lets it happen, with the same cores, channels and encoding as the real cluster, and holds the run to the
//! laws of `laws/` at every step. A run is a pure function of its plan, so whatever it finds can be replayed, shrunk and saved.
//!
//! What modules did in a real cluster is executed again without any of that: a [`History`] is the list of their requests.
//!
//! What stands in for the outside is small: the network, the disks, a module's thread, the clients, the clock.

pub mod campaign;
pub mod client;
pub mod coverage;
mod disk;
pub mod draw;
pub mod fault;
pub mod history;
pub mod laws;
mod narrator;
mod network;
pub mod next_module;
mod node;
pub mod panics;
mod random;
pub mod replica;
pub mod saved;
pub mod scenario;
pub mod shrink;
mod workload;
pub mod world;

pub use history::History;
pub use laws::Broken;
pub use scenario::Scenario;
pub use world::{Report, World};

#[cfg(test)]
mod tests;
