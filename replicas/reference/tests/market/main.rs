//! What the market does, case by case and over random histories.
//!
//! One file for each operation, each a set of scripts in the form of `notation`; `histories` draws requests at random
//! and compares the market with `naive`, a second model that shares no code with it. The component over the market is
//! not tested here: the host's conformance cases run it.

mod naive;
mod notation;

mod add_share;
mod get_shares;
mod histories;
mod limits;
mod list_share_availability;
mod permission;
mod purchase_share;
mod remove_share;
mod sell_share;
mod state;
mod swap_shares;
