//! Which datagrams of a session have arrived, so that none is taken in twice.
//!
//! The packets in them have such a memory of their own (`receive.rs`), but acknowledgements are no packets, and an old one that says
//! "full" would stop a sender. A datagram that the network has doubled is dropped here as well.

use super::limits::REPLAY_WINDOW_LEN;

/// Blocks of the window; one more than it needs, since the newest is not full.
const BLOCKS_LEN: usize = REPLAY_WINDOW_LEN / 64 + 1;

/// The serial numbers of one session of the peer, the last [`REPLAY_WINDOW_LEN`] of them one by one.
#[derive(Debug, Default)]
pub struct ReplayWindow {
    /// The largest that has arrived.
    last: Option<u64>,
    /// One bit each, 64 a block, the block of a number at its index modulo the blocks.
    seen: [u64; BLOCKS_LEN],
}

impl ReplayWindow {
    /// Takes a number in; `false` if it has arrived before, or is so old that this is not known any more.
    pub fn admit(&mut self, serial: u64) -> bool {
        let block = serial / 64;
        match self.last {
            Some(last) if serial <= last => {
                if last - serial >= REPLAY_WINDOW_LEN as u64 {
                    return false;
                }
            }
            last => {
                let newest = last.map_or(block, |last| last / 64);
                // Blocks that the window moves over were those of older numbers.
                for passed in (newest..block).take(BLOCKS_LEN) {
                    self.seen[((passed + 1) % BLOCKS_LEN as u64) as usize] = 0;
                }
                self.last = Some(serial);
            }
        }
        let (word, bit) = (&mut self.seen[(block % BLOCKS_LEN as u64) as usize], 1 << (serial % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_number_is_taken_in_once_and_none_that_is_too_old() {
        let mut window = ReplayWindow::default();
        let len = REPLAY_WINDOW_LEN as u64;
        assert!(window.admit(5) && !window.admit(5));
        assert!(window.admit(3) && window.admit(4) && !window.admit(3), "late ones are taken in");
        assert!(window.admit(len + 3) && !window.admit(3), "too old");
        assert!(!window.admit(4) && window.admit(6), "at the edge");
        assert!(window.admit(u64::MAX) && !window.admit(u64::MAX) && !window.admit(len + 3));
        assert!(window.admit(u64::MAX - len + 1) && !window.admit(u64::MAX - len));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_says_what_a_set_of_all_numbers_says(
            start in prop_oneof![Just(0), any::<u64>()],
            steps in prop::collection::vec((0..3000_u64, 0..40_u64), 1..200),
        ) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            let mut last: Option<u64> = None;
            let mut at = start;
            for (back, forth) in steps {
                at = at.saturating_add(forth * forth);
                for serial in [at, at.saturating_sub(back)] {
                    let is_too_old = last.is_some_and(|last| serial < last && last - serial >= REPLAY_WINDOW_LEN as u64);
                    last = last.max(Some(serial));
                    let is_new = seen.insert(serial);
                    prop_assert_eq!(window.admit(serial), is_new && !is_too_old, "{} after {:?}", serial, last);
                }
            }
        }
    }
}
