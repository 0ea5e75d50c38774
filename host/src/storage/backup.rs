//! Backups: what one replica manager has kept of the order, as one file, and back into the files of a whole cluster.
//!
//! ```text
//! "dsms backup" (11) | version (1) | wrong (1) | crashed (1) | replicas (1) | frames | digest (32)
//! ```
//!
//! The frames are those of [`frame`]: the last certified checkpoint, the orders after it, and the last life. The digest is
//! the BLAKE3 digest of all the rest. It tells accidents, not forgeries: who can write to the file can make another one.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::identity::{ClusterId, Identity};
use super::files::{self, FileStorage, OpenError, Owner, directory_of};
use super::{CommitError, Durability, Opened, Storage, frame};
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::quorum::Tolerance;
use crate::protocol::record::{Record, Recovered};

/// The first bytes of every backup, by which other files are told from it.
const MAGIC: &[u8; 11] = b"dsms backup";

/// The version of the format. A reader refuses later ones.
const VERSION: u8 = 1;

/// The bytes before the first frame.
const HEADER_LEN: usize = MAGIC.len() + 4;

/// The bytes after the last frame.
const DIGEST_LEN: usize = 32;

/// How often files are read again that their manager deletes meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// What a backup holds.
#[derive(Debug)]
pub struct Backup {
    /// What the cluster tolerates.
    pub tolerance: Tolerance,
    /// How many replicas it has.
    pub replicas_len: usize,
    /// The records, each leading on from those before.
    records: Vec<Record>,
    /// What they amount to.
    recovered: Recovered,
}

/// Why there is no backup, or none that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A data directory cannot be read or written.
    #[error(transparent)]
    Files(#[from] OpenError),
    /// What is to be restored cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// There is nothing to back up.
    #[error("{0}: no cluster has kept anything here; name the directory with --data DIR")]
    NoData(String),
    /// No replica here can be executed from what it has.
    #[error(
        "{0}: no replica here holds a certified checkpoint that its orders lead on from; wait for the next one, and try again"
    )]
    Incomplete(String),
    /// The bytes are no backup that can be used.
    #[error("{0}")]
    Unusable(String),
    /// There is something already where the backup is to go.
    #[error(
        "{0} is there already, and is left as it is; stop its cluster and move it away, or restore elsewhere with --data DIR"
    )]
    Occupied(String),
}

/// A backup that was taken, and from which replica.
#[derive(Debug)]
pub struct Taken {
    /// Whose files.
    pub replica: ReplicaId,
    /// What they hold.
    pub backup: Backup,
    /// What was wrong with the files of any replica, in words.
    pub damage: Vec<String>,
}

/// Reads the data directory of a cluster, running or not, and takes what the replica has that has most.
///
/// Whatever a client was answered before is in it, if the directories of all replicas are here: a quorum has written it by then.
pub fn take(data: &Path) -> Result<Taken, BackupError> {
    let no_data = || BackupError::NoData(data.display().to_string());
    let Identity { cluster, tolerance, replicas_len } = Identity::read(data)?.ok_or_else(no_data)?;
    let mut damage = Vec::new();
    let mut best: Option<(ReplicaId, Recovered)> = None;
    for replica in ReplicaId::first(replicas_len) {
        let directory = directory_of(replica, data);
        if !directory.is_dir() {
            continue;
        }
        let opened = read_while_in_use(&directory, Owner { cluster, replica })?;
        damage.extend(opened.damage);
        let is_better = best.as_ref().is_none_or(|(_, best)| best.log.end() < opened.recovered.log.end());
        if is_better && base_of(&opened.recovered).is_some() {
            best = Some((replica, opened.recovered));
        }
    }
    let (replica, recovered) = best.ok_or_else(|| BackupError::Incomplete(data.display().to_string()))?;
    let backup = Backup::of(tolerance, replicas_len, &recovered).map_err(BackupError::Unusable)?;
    Ok(Taken { replica, backup, damage })
}

/// The manager may delete a file between its being listed and its being read.
fn read_while_in_use(directory: &Path, owner: Owner) -> Result<Opened, OpenError> {
    let mut last = files::look(directory, owner);
    for _ in 1..ATTEMPTS_MAX {
        match &last {
            Err(OpenError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {}
            _ => break,
        }
        last = files::look(directory, owner);
    }
    last
}

/// The place from which what was kept can be executed: a certified checkpoint, or the empty market.
fn base_of(recovered: &Recovered) -> Option<SequenceNumber> {
    let checkpoint = recovered.stable.back().map(|(checkpoint, _)| checkpoint.sequence);
    checkpoint.or_else(|| (recovered.log.start() == SequenceNumber(0)).then_some(SequenceNumber(0)))
}

impl Backup {
    /// What is needed to go on from here, or why there is too little.
    fn of(tolerance: Tolerance, replicas_len: usize, recovered: &Recovered) -> Result<Backup, String> {
        let base = base_of(recovered).ok_or("there is no checkpoint to begin with")?;
        let mut records = vec![Record::Life(recovered.incarnation)];
        if let Some((checkpoint, certificate)) = recovered.stable.back() {
            records.push(Record::Begin(base));
            records.push(Record::Checkpoint(checkpoint.clone(), certificate.clone()));
        }
        let orders =
            (base.0 + 1..=recovered.log.end().0).filter_map(|place| recovered.log.order(SequenceNumber(place)));
        records.extend(orders.map(|order| Record::Order(*order)));
        Backup::from_records(tolerance, replicas_len, records)
    }

    fn from_records(tolerance: Tolerance, replicas_len: usize, records: Vec<Record>) -> Result<Backup, String> {
        let mut recovered = Recovered::default();
        for record in &records {
            if matches!(record, Record::Tentative(_)) {
                return Err("it holds a checkpoint that nobody has certified".to_owned());
            }
            recovered.apply(record.clone())?;
        }
        recovered.finish();
        match tolerance.check(replicas_len) {
            Ok(checked) if checked == tolerance => {}
            Ok(_) => return Err(format!("{replicas_len} replicas do not have the tolerances that it names")),
            Err(impossible) => return Err(impossible.to_string()),
        }
        let certificate = recovered.stable.back().map(|(_, certificate)| certificate);
        if certificate.is_some_and(|certificate| certificate.voters.len() < tolerance.quorum()) {
            return Err("too few replicas have voted for its checkpoint".to_owned());
        }
        if base_of(&recovered).is_none() {
            return Err("its orders lead on from no checkpoint".to_owned());
        }
        Ok(Backup { tolerance, replicas_len, records, recovered })
    }

    /// The place of its checkpoint; 0 if it begins with the empty market.
    pub fn base(&self) -> SequenceNumber {
        base_of(&self.recovered).expect("a backup has one")
    }

    /// The last place of the order in it.
    pub fn end(&self) -> SequenceNumber {
        self.recovered.log.end()
    }

    /// The bytes of its file.
    pub fn encode(&self) -> Vec<u8> {
        let Tolerance { wrong, crashed } = self.tolerance;
        let numbers = [wrong, crashed, self.replicas_len].map(|number| number as u8);
        let mut bytes = [MAGIC.as_slice(), &[VERSION], &numbers].concat();
        self.records.iter().for_each(|record| frame::encode(record, &mut bytes));
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads the bytes of a file, all of them, or says in words why they are no backup that can be used.
    pub fn decode(bytes: &[u8]) -> Result<Backup, String> {
        if !bytes.starts_with(MAGIC) {
            return Err("this is no backup of dsms".to_owned());
        }
        if let Some(version) = bytes.get(MAGIC.len()).filter(|version| **version > VERSION) {
            return Err(format!(
                "a later version of dsms wrote this backup (format {version}, this one knows {VERSION})"
            ));
        }
        let whole = bytes.split_last_chunk::<DIGEST_LEN>().filter(|(rest, _)| rest.len() >= HEADER_LEN);
        let Some((rest, _)) = whole.filter(|(rest, digest)| blake3::hash(rest) == **digest) else {
            return Err("it is damaged or cut off: its digest is wrong".to_owned());
        };
        let [_, wrong, crashed, replicas_len] = rest[MAGIC.len()..HEADER_LEN] else { unreachable!("four bytes") };
        let mut records = Vec::new();
        let mut at = HEADER_LEN;
        while at < rest.len() {
            let (record, len) = frame::decode(&rest[at..]).map_err(|reason| format!("at byte {at}: {reason}"))?;
            records.push(record);
            at += len;
        }
        let tolerance = Tolerance { wrong: wrong.into(), crashed: crashed.into() };
        Backup::from_records(tolerance, replicas_len.into(), records)
    }

    /// Makes the data directory of a cluster that goes on from here, under a number that was drawn for it. It appears whole or not at all.
    pub fn restore(&self, data: &Path, cluster: ClusterId) -> Result<(), BackupError> {
        if fs::symlink_metadata(data).is_ok() {
            return Err(BackupError::Occupied(data.display().to_string()));
        }
        let mut name = data.file_name().unwrap_or_default().to_owned();
        name.push(".restoring");
        let unfinished = data.with_file_name(name);
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |error| BackupError::Files(OpenError::Io { path, error })
        };
        if unfinished.exists() {
            // Of an attempt that was cut off.
            fs::remove_dir_all(&unfinished).map_err(io(&unfinished))?;
        }
        let identity = Identity { cluster, tolerance: self.tolerance, replicas_len: self.replicas_len };
        Identity::claim(&unfinished, identity)?;
        for replica in ReplicaId::first(self.replicas_len) {
            self.write(&directory_of(replica, &unfinished), Owner { cluster, replica })?;
        }
        fs::rename(&unfinished, data).map_err(io(data))?;
        let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        files::sync_directory(&parent).map_err(io(&parent))
    }

    fn write(&self, directory: &Path, owner: Owner) -> Result<(), BackupError> {
        let (mut storage, _empty) = FileStorage::open(directory, owner, Durability::Fsync)?;
        self.records.iter().for_each(|record| storage.append(record));
        Ok(storage.commit()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::id::Incarnation;
    use crate::protocol::record::tests::order;

    const CLUSTER: ClusterId = ClusterId([7; 16]);
    const IDENTITY: Identity = Identity { cluster: CLUSTER, tolerance: Tolerance::BYZANTINE, replicas_len: 3 };

    /// A data directory in which replica 2 has most.
    fn data() -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        Identity::claim(data.path(), IDENTITY).unwrap();
        for (replica, end) in ReplicaId::first(3).zip([3, 9, 5]) {
            let owner = Owner { cluster: CLUSTER, replica };
            let directory = directory_of(replica, data.path());
            let (mut storage, _) = FileStorage::open(&directory, owner, Durability::Os).unwrap();
            storage.append(&Record::Life(Incarnation(4)));
            (1..=end).for_each(|sequence| storage.append(&order(sequence)));
            storage.commit().unwrap();
        }
        data
    }

    #[test]
    fn what_the_furthest_replica_has_is_what_every_one_has_afterwards() {
        let data = data();
        let Taken { replica, backup, damage } = take(data.path()).unwrap();
        assert_eq!((replica.to_string().as_str(), backup.base().0, backup.end().0), ("replica-2", 0, 9));
        assert_eq!(damage, [""; 0]);
        let read = Backup::decode(&backup.encode()).unwrap();
        let elsewhere = data.path().join("restored");
        read.restore(&elsewhere, ClusterId([8; 16])).unwrap();
        for replica in ReplicaId::first(3) {
            let owner = Owner { cluster: ClusterId([8; 16]), replica };
            let opened = files::look(&directory_of(replica, &elsewhere), owner).unwrap();
            assert_eq!((opened.recovered.log.end().0, opened.recovered.incarnation), (9, Incarnation(4)));
            assert_eq!(opened.damage, [""; 0]);
        }
        let again = read.restore(&elsewhere, CLUSTER).unwrap_err().to_string();
        assert!(again.contains("is there already"), "{again}");
    }

    #[test]
    fn a_directory_that_is_in_use_can_be_backed_up() {
        let data = data();
        let replica = ReplicaId::new(2).unwrap();
        let directory = directory_of(replica, data.path());
        let (mut storage, _) =
            FileStorage::open(&directory, Owner { cluster: CLUSTER, replica }, Durability::Os).unwrap();
        storage.append(&order(10));
        storage.commit().unwrap();
        assert_eq!(take(data.path()).unwrap().backup.end().0, 10);
    }

    #[test]
    fn where_nothing_was_kept_nothing_is_taken() {
        let empty = tempfile::tempdir().unwrap();
        assert!(take(empty.path()).unwrap_err().to_string().contains("--data DIR"));
        Identity::claim(empty.path(), IDENTITY).unwrap();
        assert!(take(empty.path()).unwrap_err().to_string().contains("certified checkpoint"));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused_in_words() {
        let bytes = take(data().path()).unwrap().backup.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!Backup::decode(&flipped).unwrap_err().is_empty(), "bit {bit}");
        }
        (0..bytes.len()).for_each(|len| assert!(Backup::decode(&bytes[..len]).is_err(), "{len} bytes"));
    }

    #[test]
    fn what_does_not_hold_together_is_refused_although_its_digest_is_right() {
        let check = |tolerance, replicas_len, records: Vec<Record>, expected: &str| {
            let words = Backup::from_records(tolerance, replicas_len, records).unwrap_err();
            assert!(words.contains(expected), "{words}");
        };
        check(Tolerance::BYZANTINE, 3, vec![order(2)], "order #2 follows #0");
        check(Tolerance::BYZANTINE, 2, vec![order(1)], "");
        check(Tolerance::BYZANTINE, 3, vec![Record::Begin(SequenceNumber(5)), order(6)], "no checkpoint");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_backup_or_refused(rest in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [MAGIC.as_slice(), &[VERSION], &rest].concat();
            let digest = blake3::hash(&bytes);
            let _total = Backup::decode(&[&bytes[..], digest.as_bytes()].concat());
        }
    }
}
