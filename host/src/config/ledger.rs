//! What `[ledger]` says: how much the front end keeps of what it has seen.

use super::document::{Findings, Section};
use crate::storage::ledger::{SIZE_BYTES_MAX, SIZE_BYTES_RANGE};

/// The keys of the table.
pub(super) const KEYS: &[&str] = &["size_bytes_max"];

/// How much of the ledger is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerConfig {
    /// Most bytes of all its files; the oldest are removed.
    pub size_bytes_max: u64,
}

impl Default for LedgerConfig {
    fn default() -> LedgerConfig {
        LedgerConfig { size_bytes_max: SIZE_BYTES_MAX }
    }
}

/// Reads the table.
pub(super) fn read(table: &Section<'_>, findings: &mut Findings) -> LedgerConfig {
    let given = table.entry("size_bytes_max").and_then(|entry| entry.number(SIZE_BYTES_RANGE, findings));
    given.map_or_else(LedgerConfig::default, |size_bytes_max| LedgerConfig { size_bytes_max })
}
