//! Drives the protocol cores for real: sockets, timers, threads, processes. The only code that touches the operating system.

pub mod client;
pub mod client_files;
pub mod clock;
pub mod connections;
pub mod data;
pub mod directory;
mod dropped;
pub mod executor;
pub mod frames;
pub mod front_end;
pub mod guest_log;
pub mod injection;
pub mod kept_modules;
pub mod keys;
pub mod log;
pub mod network;
pub mod node;
pub mod private_file;
pub mod replica;
pub mod restarts;
pub mod shadow;
pub mod stop;
pub mod tls;
pub mod tls_files;
pub mod token_files;
pub mod up;
pub mod writer;
