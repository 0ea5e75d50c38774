//! Files that are written, cut, damaged, mixed up and read again. What they amount to is compared with the records themselves.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::market::MarketState;
use crate::protocol::checkpoint::{Checkpoint, ClientTables};
use crate::protocol::id::{ClientId, Incarnation, NodeId, RequestId, RequestNumber, SequenceNumber};
use crate::protocol::message::{Certificate, Command, Order};
use crate::protocol::record::Recovered;
use crate::protocol::tentative::Tentative;

mod damage;

fn owner() -> Owner {
    Owner { cluster: ClusterId([7; 16]), replica: ReplicaId::new(2).unwrap() }
}

fn order(sequence: u64) -> Record {
    let id = RequestId { client: ClientId(1), number: RequestNumber(sequence) };
    let sequence = SequenceNumber(sequence);
    Record::Order(Order { sequence, time_ms: sequence.0, origin: NodeId::FRONT_END, id, command: Command::Barrier })
}

fn checkpoint(sequence: u64) -> Record {
    let state = MarketState::default();
    let digest = state.digest();
    let checkpoint = Checkpoint::new(SequenceNumber(sequence), Arc::new(state), digest, &ClientTables::default());
    let certificate = Certificate {
        sequence: SequenceNumber(sequence),
        digest: checkpoint.digest,
        voters: vec![ReplicaId::new(1).unwrap(), ReplicaId::new(2).unwrap()],
    };
    Record::Checkpoint(checkpoint, certificate)
}

fn tentative(sequence: u64) -> Record {
    let Record::Checkpoint(checkpoint, _) = checkpoint(sequence) else { unreachable!("it is one") };
    Record::Tentative(Tentative::of(&checkpoint))
}

fn begin(after: u64) -> Record {
    Record::Begin(SequenceNumber(after))
}

/// A directory, and whoever opens it.
struct Bench {
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { scratch: tempfile::tempdir().unwrap() }
    }

    fn directory(&self) -> PathBuf {
        self.scratch.path().join("replica-2")
    }

    fn try_open(&self) -> Result<(FileStorage, Opened), OpenError> {
        FileStorage::open(&self.directory(), owner(), Durability::Os)
    }

    /// Opens what must be whole.
    fn open(&self) -> (FileStorage, Recovered) {
        let (storage, opened) = self.try_open().unwrap();
        assert_eq!(opened.damage, [""; 0]);
        (storage, opened.recovered)
    }

    /// Writes these records, each with its own commit.
    fn write(&self, records: &[Record]) {
        let (mut storage, _) = self.try_open().unwrap();
        for record in records {
            storage.append(record);
            storage.commit().unwrap();
        }
    }

    /// The names of all files but the lock, in their order.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name != LOCK_NAME);
        names.sort();
        names
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}

/// What records amount to, to be compared. The last of the checkpoints may be tentative.
fn summary(recovered: &Recovered) -> (Incarnation, u64, u64, Vec<Order>, Vec<u64>) {
    let Recovered { incarnation, log, stable, tentative } = recovered;
    let orders = (log.start().0 + 1..=log.end().0).map(|sequence| *log.order(SequenceNumber(sequence)).unwrap());
    let stable = stable.iter().map(|(checkpoint, _)| checkpoint.sequence);
    let stable = stable.chain(tentative.as_ref().map(|tentative| tentative.sequence)).map(|place| place.0).collect();
    (*incarnation, log.start().0, log.end().0, orders.collect(), stable)
}

fn amount(records: &[Record]) -> Recovered {
    let mut recovered = Recovered::default();
    records.iter().for_each(|record| recovered.apply(record.clone()).unwrap());
    recovered.finish();
    recovered
}

#[test]
fn what_was_committed_is_read_back_and_what_was_not_is_not() {
    let bench = Bench::new();
    let records = [Record::Life(Incarnation(1)), order(1), order(2), Record::Void(SequenceNumber(1))];
    {
        let (mut storage, before) = bench.open();
        assert_eq!(summary(&before), summary(&Recovered::default()));
        records.iter().for_each(|record| storage.append(record));
        storage.commit().unwrap();
        storage.append(&order(3));
    }
    assert_eq!(summary(&bench.open().1), summary(&amount(&records)));
    bench.write(&[order(3)]);
    assert_eq!(bench.open().1.log.end(), SequenceNumber(3), "a later process writes on");
}

#[test]
fn files_and_directory_are_for_their_owner_only() {
    let bench = Bench::new();
    bench.write(&[order(1), checkpoint(1)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.directory()), 0o700);
    let names = bench.names();
    assert_eq!(names, ["00000001.log", "00000002.log"]);
    names.iter().for_each(|name| assert_eq!(mode(&bench.path(name)), PRIVATE_FILE));
}

#[test]
fn a_directory_belongs_to_one_process_at_a_time() {
    let bench = Bench::new();
    let first = bench.open();
    let refused = bench.try_open().unwrap_err();
    assert!(refused.is_held());
    let words = refused.to_string();
    assert!(words.contains(&std::process::id().to_string()) && words.contains("--data"), "{words}");
    drop(first);
    bench.open();
}

/// What a manager writes that takes a checkpoint after each so many orders: it is certified some orders later.
fn life_of(checkpoints_len: u64, every: u64) -> Vec<Record> {
    let mut records = vec![Record::Life(Incarnation(1))];
    for sequence in 1..=checkpoints_len * every + 3 {
        records.push(order(sequence));
        let certified = sequence.saturating_sub(3);
        if certified > 0 && certified.is_multiple_of(every) {
            records.push(checkpoint(certified));
            if certified > every {
                records.push(begin(certified - every));
            }
        }
    }
    records
}

#[test]
fn files_that_nothing_needs_any_more_are_deleted() {
    let bench = Bench::new();
    let records = life_of(40, 50);
    let (mut storage, _) = bench.open();
    let mut len_max = 0;
    for record in &records {
        storage.append(record);
        storage.commit().unwrap();
        let names = bench.names();
        len_max = len_max.max(names.len());
        let bytes: u64 = names.iter().map(|name| fs::metadata(bench.path(name)).unwrap().len()).sum();
        assert!(bytes < 20_000, "{bytes} bytes in {names:?}");
    }
    assert_eq!(len_max, 4, "three of them, and for a moment the next one");
    drop(storage);
    assert_eq!(bench.names(), ["00000039.log", "00000040.log", "00000041.log"]);
    assert_eq!(summary(&bench.open().1), summary(&amount(&records)));
}

#[test]
fn every_moment_of_that_can_be_the_last_one() {
    let bench = Bench::new();
    let records = life_of(5, 10);
    for len in 1..=records.len() {
        bench.write(&records[len - 1..len]);
        assert_eq!(summary(&bench.open().1), summary(&amount(&records[..len])), "after {len} records");
    }
}

#[test]
fn a_file_that_has_grown_long_is_followed_by_another_one() {
    let bench = Bench::new();
    let (mut storage, _) = bench.open();
    storage.segment_len_max = 500;
    (1..=30).for_each(|sequence| storage.append(&order(sequence)));
    storage.commit().unwrap();
    drop(storage);
    let lens: Vec<u64> = bench.names().iter().map(|name| fs::metadata(bench.path(name)).unwrap().len()).collect();
    assert!(lens.len() > 1 && lens.iter().all(|len| *len < 500 + frame::HEADER_LEN as u64 + 60), "{lens:?}");
    assert_eq!(bench.open().1.log.len(), 30);
}

#[test]
fn a_file_may_say_that_the_log_begins_later_than_those_before_it_do() {
    let bench = Bench::new();
    let (mut storage, _) = bench.open();
    (1..=5).for_each(|sequence| storage.append(&order(sequence)));
    // As a version did that dropped orders of a full log without a record.
    storage.extent.start = SequenceNumber(3);
    storage.segment_len_max = 1;
    storage.append(&order(6));
    storage.commit().unwrap();
    drop(storage);
    let (_, recovered) = bench.open();
    assert_eq!((recovered.log.start().0, recovered.log.end().0), (3, 6));
}

#[test]
fn a_file_that_begins_earlier_than_those_before_it_is_not_used() {
    let bench = Bench::new();
    let (mut storage, _) = bench.open();
    [order(1), order(2), begin(1)].iter().for_each(|record| storage.append(record));
    storage.extent.start = SequenceNumber(0);
    storage.segment_len_max = 1;
    storage.append(&order(3));
    storage.commit().unwrap();
    drop(storage);
    let (_, opened) = bench.try_open().unwrap();
    assert!(opened.damage[0].contains("ends elsewhere"), "{:?}", opened.damage);
    assert_eq!(opened.recovered.log.end().0, 2);
}

#[test]
fn an_adopted_checkpoint_makes_all_before_it_superfluous() {
    let bench = Bench::new();
    let records = [order(1), order(2), checkpoint(70), begin(70), order(71)];
    bench.write(&records);
    assert_eq!(bench.names(), ["00000002.log"]);
    assert_eq!(summary(&bench.open().1), summary(&amount(&records)));
}

#[test]
fn a_commit_that_fails_says_how_much_was_to_go_where_and_leaves_what_there_was() {
    let bench = Bench::new();
    let (mut storage, _) = bench.open();
    storage.append(&order(1));
    storage.commit().unwrap();
    storage.last = OpenOptions::new().append(true).open("/dev/full").unwrap();
    storage.append(&order(2));
    let words = storage.commit().unwrap_err().to_string();
    assert!(words.contains("bytes to") && words.contains("replica-2") && words.contains("No space left"), "{words}");
    drop(storage);
    assert_eq!(bench.open().1.log.end(), SequenceNumber(1));
}

/// What happens to a directory.
#[derive(Clone, Debug)]
enum Step {
    Orders(u64),
    Void(u64),
    Life,
    /// So many orders back, and one before that.
    Checkpoint(u64),
    /// So many orders back, tentatively.
    Tentative(u64),
    /// So many orders ahead, as fetched from another manager.
    Adopt(u64),
    Commit,
    /// The process ends, and another one begins.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..20u64).prop_map(Step::Orders),
        2 => (0..30u64).prop_map(Step::Void),
        1 => Just(Step::Life),
        4 => (0..8u64).prop_map(Step::Checkpoint),
        1 => (0..8u64).prop_map(Step::Tentative),
        1 => (1..40u64).prop_map(Step::Adopt),
        4 => Just(Step::Commit),
        2 => Just(Step::Reopen),
    ]
}

/// The records of one step, after those before.
fn records_of(step: &Step, before: &[Record]) -> Vec<Record> {
    let now = amount(before);
    let (start, end) = (now.log.start().0, now.log.end().0);
    match *step {
        Step::Orders(len) => (end + 1..=end + len).map(order).collect(),
        Step::Void(back) if end.saturating_sub(back) > start => vec![Record::Void(SequenceNumber(end - back))],
        Step::Life => vec![Record::Life(Incarnation(now.incarnation.0 + 1))],
        Step::Checkpoint(back) => {
            let latest = now.stable.back().map(|(latest, _)| latest.sequence.0);
            let sequence = end.saturating_sub(back);
            if sequence <= start || latest.is_some_and(|latest| latest >= sequence) {
                return Vec::new();
            }
            std::iter::once(checkpoint(sequence)).chain(latest.map(begin)).collect()
        }
        Step::Tentative(back) if end.saturating_sub(back) > start => vec![tentative(end - back)],
        Step::Adopt(ahead) => vec![checkpoint(end + ahead), begin(end + ahead)],
        Step::Void(_) | Step::Tentative(_) | Step::Commit | Step::Reopen => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn files_amount_to_the_records_that_were_committed(steps in prop::collection::vec(step(), 1..60), len_max in 200..2000u64) {
        let bench = Bench::new();
        let (mut committed, mut appended): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
        let mut storage = bench.open().0;
        storage.segment_len_max = len_max;
        for step in steps.iter().chain([&Step::Commit, &Step::Reopen]) {
            for record in records_of(step, &appended) {
                storage.append(&record);
                appended.push(record);
            }
            match step {
                Step::Commit => {
                    storage.commit().unwrap();
                    committed.clone_from(&appended);
                }
                Step::Reopen => {
                    drop(storage);
                    let (again, recovered) = bench.open();
                    prop_assert_eq!(summary(&recovered), summary(&amount(&committed)));
                    storage = again;
                    storage.segment_len_max = len_max;
                    appended.clone_from(&committed);
                }
                _ => {}
            }
        }
        prop_assert!(bench.names().len() < 200, "{:?}", bench.names());
    }
}
