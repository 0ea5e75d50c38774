//! A manager's disk: what a process that ends leaves to the next one.
//!
//! It holds the bytes that a real one would, in the same frames, read by the same decoder. What was committed is there. Of what was
//! appended since, any number of bytes may be there as well, and one bit of them may be wrong.

use std::collections::VecDeque;

use super::random::Random;
use crate::protocol::record::Record;
use crate::storage::{CommitError, Opened, Storage, frame};

/// The disk of one replica's manager.
#[derive(Debug)]
pub struct Disk {
    bytes: Vec<u8>,
    /// So many of them are committed.
    committed_len: usize,
    /// The next commit that writes anything fails, for these faults of the plan.
    failures: VecDeque<usize>,
    random: Random,
}

impl Disk {
    /// An empty disk. `purpose` names its random numbers.
    pub fn new(seed: u64, purpose: &str) -> Disk {
        Disk { bytes: Vec::new(), committed_len: 0, failures: VecDeque::new(), random: Random::of(seed, purpose) }
    }

    /// The process has ended. Whatever it had not committed is there up to some byte, or not, and may be damaged.
    pub fn crash(&mut self) {
        let appended_len = self.bytes.len() - self.committed_len;
        let left_len = self.random.below(appended_len as u64 + 1) as usize;
        self.bytes.truncate(self.committed_len + left_len);
        if left_len > 0 && self.random.per_mille(300) {
            let at = self.committed_len + self.random.below(left_len as u64) as usize;
            self.flip(at);
        }
        self.committed_len = self.bytes.len();
    }

    /// The disk is lost, or damaged somewhere, so that only what is before that can be read.
    pub fn lose(&mut self) {
        self.crash();
        if self.bytes.is_empty() || self.random.per_mille(600) {
            self.bytes.clear();
        } else {
            let at = self.random.below(self.bytes.len() as u64) as usize;
            self.flip(at);
        }
        self.committed_len = self.bytes.len();
    }

    fn flip(&mut self, at: usize) {
        self.bytes[at] ^= 1 << self.random.below(8);
    }

    /// The next commit fails, because of this fault of the plan.
    pub fn fail_next_commit(&mut self, fault: usize) {
        self.failures.push_back(fault);
    }

    /// This fault is over.
    pub fn disarm(&mut self, fault: usize) {
        self.failures.retain(|other| *other != fault);
    }

    /// The fault for which a commit would fail now.
    pub fn failing(&self) -> Option<usize> {
        self.failures.front().copied().filter(|_| self.committed_len < self.bytes.len())
    }

    /// A new process reads what there is. It writes on after the last intact record.
    pub fn open(&mut self) -> Opened {
        let mut opened = Opened::default();
        let mut at = 0;
        while at < self.bytes.len() {
            let read = frame::decode(&self.bytes[at..]);
            let applied = read.and_then(|(record, len)| opened.recovered.apply(record).map(|()| len));
            match applied {
                Ok(len) => at += len,
                Err(reason) => {
                    opened.damage.push(format!("{} bytes from byte {at} on: {reason}", self.bytes.len() - at));
                    break;
                }
            }
        }
        opened.recovered.finish();
        self.bytes.truncate(at);
        self.committed_len = at;
        self.failures.clear();
        opened
    }
}

impl Storage for Disk {
    fn append(&mut self, record: &Record) {
        frame::encode(record, &mut self.bytes);
    }

    fn commit(&mut self) -> Result<(), CommitError> {
        if self.failing().is_some() {
            let error = std::io::Error::other("the process ends in the middle of it");
            return Err(CommitError { what: "the disk of a run".to_owned(), error });
        }
        self.committed_len = self.bytes.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::Incarnation;

    fn with_lives(committed: u32, appended: u32, seed: u64) -> Disk {
        let mut disk = Disk::new(seed, "disk");
        (1..=committed).for_each(|life| disk.append(&Record::Life(Incarnation(life))));
        disk.commit().unwrap();
        (1..=appended).for_each(|life| disk.append(&Record::Life(Incarnation(committed + life))));
        disk
    }

    #[test]
    fn what_was_committed_is_there_and_of_the_rest_any_part() {
        let left = (0..200).map(|seed| {
            let mut disk = with_lives(5, 5, seed);
            disk.crash();
            let opened = disk.open();
            assert_eq!(disk.open().damage, [""; 0], "it goes on after what is intact");
            (opened.recovered.incarnation.0, opened.damage.is_empty())
        });
        let left: std::collections::BTreeSet<_> = left.collect();
        assert!(left.iter().all(|(life, _)| (5..=10).contains(life)));
        assert!((5..=9).all(|life| left.contains(&(life, false))), "{left:?}");
    }

    #[test]
    fn a_lost_disk_is_empty_or_read_up_to_its_damage() {
        let left = (0..200).map(|seed| {
            let mut disk = with_lives(5, 0, seed);
            disk.lose();
            disk.open().recovered.incarnation.0
        });
        let left: std::collections::BTreeSet<_> = left.collect();
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_commit_fails_only_where_there_is_something_to_write() {
        let mut disk = with_lives(1, 0, 1);
        disk.fail_next_commit(7);
        assert!(disk.commit().is_ok());
        disk.append(&Record::Life(Incarnation(2)));
        assert_eq!(disk.failing(), Some(7));
        assert!(disk.commit().is_err());
    }
}
