//! Tentative checkpoints: those that a replica manager writes down by itself, since nobody has certified one for long.

use serde::{Deserialize, Serialize};

use crate::market::Digest;

use super::checkpoint::Checkpoint;
use super::id::SequenceNumber;
use super::message::Certificate;

/// A checkpoint that nobody has certified, as bytes: of all that were ever written only the last one is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tentative {
    /// After which order.
    pub sequence: SequenceNumber,
    /// The digest that would have been voted on.
    pub digest: Digest,
    encoded: Vec<u8>,
}

impl Tentative {
    /// This checkpoint, to be written down.
    pub fn of(checkpoint: &Checkpoint) -> Tentative {
        Tentative { sequence: checkpoint.sequence, digest: checkpoint.digest, encoded: checkpoint.encode() }
    }

    /// The checkpoint, or why these bytes are not the one that they are said to be.
    pub fn open(&self) -> Result<Checkpoint, String> {
        let Tentative { sequence, digest, .. } = *self;
        Checkpoint::decode(&self.encoded, &Certificate { sequence, digest, voters: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::market::MarketState;
    use crate::protocol::checkpoint::ClientTables;

    #[test]
    fn what_was_written_is_opened_and_what_was_garbled_is_refused() {
        let state = MarketState::default();
        let digest = state.digest();
        let checkpoint = Checkpoint::new(SequenceNumber(5), Arc::new(state), digest, &ClientTables::default());
        let tentative = Tentative::of(&checkpoint);
        assert_eq!(tentative.open(), Ok(checkpoint));
        let elsewhere = Tentative { sequence: SequenceNumber(6), ..tentative.clone() };
        assert!(elsewhere.open().unwrap_err().contains("its digest is"), "the place is part of the digest");
        let mut garbled = tentative;
        garbled.encoded.pop();
        assert!(garbled.open().unwrap_err().contains("cannot be decoded"));
    }
}
