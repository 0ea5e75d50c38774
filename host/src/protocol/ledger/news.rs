//! What becomes of the ledger's files, for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that people may want to know about the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerNews {
    /// Nothing can be written for now, so entries are lost. Requests are answered all the same.
    Failed {
        /// Why, in words.
        reason: String,
    },
    /// There is room again.
    Resumed {
        /// How many entries were lost.
        lost_len: u64,
    },
    /// Some of what was written before cannot be read.
    Damaged {
        /// What is wrong where, in words.
        what: String,
    },
}

impl LedgerNews {
    /// The name of the event, for programs that read the log.
    pub fn kind(&self) -> &'static str {
        match self {
            LedgerNews::Failed { .. } => "ledger-failed",
            LedgerNews::Resumed { .. } => "ledger-resumed",
            LedgerNews::Damaged { .. } => "ledger-damaged",
        }
    }
}

impl fmt::Display for LedgerNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LedgerNews::Failed { reason } => {
                write!(f, "the ledger is not written, entries are lost until it can be reason={reason:?}")
            }
            LedgerNews::Resumed { lost_len } => write!(f, "the ledger is written again lost={lost_len}"),
            LedgerNews::Damaged { what } => write!(f, "the ledger is damaged what={what:?}"),
        }
    }
}
