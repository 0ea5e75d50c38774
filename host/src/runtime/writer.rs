//! Commits what a replica manager must not forget, beside the executor: while the disk is waited for, runs go on.

use std::sync::mpsc;

use tokio::sync::mpsc as answers;

use crate::protocol::record::Record;
use crate::storage::{CommitError, Durability, Storage};

/// Where a manager's records go, and how.
#[derive(Debug)]
pub enum Writer {
    /// Nowhere.
    Nowhere,
    /// To a storage that keeps nobody waiting, by whoever commits.
    AtOnce(Box<dyn Storage + Send>),
    /// To a storage that waits for a disk, on a thread of its own.
    OnThread {
        /// What was appended since the last commit.
        waiting: Vec<Record>,
        /// What each commit is of.
        commits: mpsc::Sender<Vec<Record>>,
        /// What became of each.
        committed: answers::UnboundedReceiver<Result<(), CommitError>>,
    },
}

impl Writer {
    /// A writer to this storage, which is of this durability.
    pub fn to(storage: impl Storage + Send + 'static, durability: Durability) -> Writer {
        match durability {
            Durability::Os => Writer::AtOnce(Box::new(storage)),
            Durability::Fsync => Writer::start(storage),
        }
    }

    fn start(mut storage: impl Storage + Send + 'static) -> Writer {
        let (commits, to_commit) = mpsc::channel::<Vec<Record>>();
        let (tell, committed) = answers::unbounded_channel();
        std::thread::spawn(move || {
            for records in to_commit {
                records.iter().for_each(|record| storage.append(record));
                let committed = storage.commit();
                let is_last = committed.is_err();
                if tell.send(committed).is_err() || is_last {
                    return;
                }
            }
        });
        Writer::OnThread { waiting: Vec::new(), commits, committed }
    }

    /// Appends a record. It may be lost until it is committed.
    pub fn append(&mut self, record: Record) {
        match self {
            Writer::Nowhere => {}
            Writer::AtOnce(storage) => storage.append(&record),
            Writer::OnThread { waiting, .. } => waiting.push(record),
        }
    }

    /// Begins to commit what was appended. Whether that goes on: then [`Writer::committed`] is to be waited for, once.
    pub fn commit(&mut self) -> Result<bool, CommitError> {
        match self {
            Writer::Nowhere => Ok(false),
            Writer::AtOnce(storage) => storage.commit().map(|()| false),
            Writer::OnThread { waiting, .. } if waiting.is_empty() => Ok(false),
            Writer::OnThread { waiting, commits, .. } => {
                // A thread that is gone has panicked, which shows when it is waited for.
                let _gone = commits.send(std::mem::take(waiting));
                Ok(true)
            }
        }
    }

    /// Returns when the commit that goes on is over. Cancel-safe.
    pub async fn committed(&mut self) -> Result<(), CommitError> {
        match self {
            Writer::Nowhere | Writer::AtOnce(_) => Ok(()),
            Writer::OnThread { committed, .. } => {
                committed.recv().await.expect("the thread ends after its last word, and that has ended this process")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::protocol::id::Incarnation;

    /// Notes what is done to it; its third commit fails.
    #[derive(Debug, Default)]
    struct Notes(Arc<Mutex<Vec<&'static str>>>);

    impl Storage for Notes {
        fn append(&mut self, _record: &Record) {
            self.0.lock().unwrap().push("append");
        }

        fn commit(&mut self) -> Result<(), CommitError> {
            let mut notes = self.0.lock().unwrap();
            notes.push("commit");
            match notes.iter().filter(|note| **note == "commit").count() {
                3 => Err(CommitError { what: "notes".to_owned(), error: std::io::Error::other("no paper") }),
                _ => Ok(()),
            }
        }
    }

    #[test]
    fn each_commit_is_of_what_was_appended_before_it_and_tells_what_became_of_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for durability in [Durability::Os, Durability::Fsync] {
            let notes = Arc::new(Mutex::new(Vec::new()));
            let mut writer = Writer::to(Notes(Arc::clone(&notes)), durability);
            let mut commit = |records_len: u32| {
                (0..records_len).for_each(|life| writer.append(Record::Life(Incarnation(life))));
                match writer.commit() {
                    Ok(true) => runtime.block_on(writer.committed()),
                    at_once => at_once.map(|_| ()),
                }
            };
            commit(2).unwrap();
            commit(1).unwrap();
            let failed = commit(1).unwrap_err().to_string();
            assert_eq!(failed, "cannot write notes: no paper");
            let expected = ["append", "append", "commit", "append", "commit", "append", "commit"];
            assert_eq!(*notes.lock().unwrap(), expected, "{durability:?}");
        }
    }

    #[test]
    fn nothing_is_committed_nowhere_and_without_a_record_no_disk_is_waited_for() {
        let mut nowhere = Writer::Nowhere;
        nowhere.append(Record::Life(Incarnation(1)));
        assert!(!nowhere.commit().unwrap());
        assert!(!Writer::to(Notes::default(), Durability::Fsync).commit().unwrap());
    }
}
