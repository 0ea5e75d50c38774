//! The whole cluster as a black box: the built binary, real processes, real UDP on loopback, real modules.
//!
//! Few and slow by nature; what a lower layer can show is tested there. Nothing sleeps: every wait is for an event, with a
//! deadline.

#[path = "../faulty_modules.rs"]
mod faulty_modules;
mod harness;
mod load;

mod backups;
mod checking;
mod clients;
mod clients_elsewhere;
mod demo;
mod durable;
mod faulty;
mod front_ends;
mod grading;
mod hostile;
mod incident;
mod injection;
mod keys;
mod ledger;
mod lifecycle;
mod overload;
mod projects;
mod recovery;
mod replication;
mod simulating;
mod swapping;
