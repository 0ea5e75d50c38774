//! A cluster on several machines: a network namespace for each node, with an address of its own on a switch, the files that `dsms init`
//! writes for it and nothing else, and one more for clients. The built binary as a black box, over a network that can be cut and
//! disturbed.
//!
//! This needs root and `ip` (iproute2). Where something is missing, the tests say what on standard error, and pass. Nothing sleeps: every
//! wait is for an event or a condition, with a deadline.

#[expect(dead_code, reason = "the cluster tests need more of it")]
#[path = "../cluster/harness.rs"]
mod harness;
mod lab;
mod load;
mod machines;

mod cables;
mod deploying;
mod loss;
mod power;
mod starting;
