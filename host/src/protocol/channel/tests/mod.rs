//! Tests of two whole channels.

mod faults;
mod harness;
mod sessions;
