//! Records in the files of a directory, one for each replica manager.
//!
//! Records are appended, as frames, to the last of some numbered files; a commit is one write and one wait for the disk. A new file
//! begins with each checkpoint, certified or tentative, and when one has grown long. A file knows what was before it, so it can be
//! read without; it is deleted once the log begins after its orders, and so, after its certified checkpoints. What is in use at any
//! time is two intervals between checkpoints and some part of a third one, with three certified checkpoints and, where intervals
//! are long, a tentative one for every so many orders of them.
//!
//! What is damaged is told, set aside as `NAME.damaged`, and never read again; everything before it is used. It is as if the process had
//! ended earlier, and the other managers have the rest. What a later version has written, or another cluster, is left as it is.
//!
//! | File | Its part |
//! |---|---|
//! | `segment.rs` | one file: its name, and its header |
//! | `extent.rs` | what a header says of the files before |
//! | `reading.rs` | all files, up to the first damage |
//! | `set_aside.rs` | what becomes of the rest |
//! | `identity.rs` | which cluster a data directory belongs to |
//! | `error.rs` | why a directory is not used |

mod error;
mod extent;
pub mod identity;
mod reading;
mod segment;
pub(super) mod set_aside;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::lock::{self, Lock, LockError};
use super::{CommitError, Durability, Opened, Storage, frame};
use crate::protocol::id::ReplicaId;
use crate::protocol::record::Record;

pub use error::OpenError;
pub(super) use error::io_error;
use extent::Extent;
use identity::ClusterId;
use reading::{Damage, Reading};
use segment::Segment;

/// A file that is as long as this is the last one no more. Nobody but the order's pace controls how soon it is; some 100,000 orders fit.
const SEGMENT_LEN_MAX: u64 = 8 * 1024 * 1024;

/// So many bytes have to be free before a process begins: enough for its first records, and for no replica to come and go with each of
/// them on a disk that is full.
const ROOM_MIN: u64 = 1024 * 1024;

/// The name of the lock's file.
pub(super) const LOCK_NAME: &str = "lock";

/// The name of a file that shows whether there is room.
const ROOM_NAME: &str = "room";

/// The name of a directory for modules that swaps have brought. Nothing here looks into it.
pub const MODULES_NAME: &str = "modules";

/// Mode of every file: its owner may read and write it, nobody else may do anything.
const PRIVATE_FILE: u32 = 0o600;

/// Whose a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: ClusterId,
    /// The replica of it.
    pub replica: ReplicaId,
}

/// The records of one replica manager, in a directory that is its own while this lives.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
    owner: Owner,
    durability: Durability,
    /// What all records span, those included that wait.
    extent: Extent,
    /// The files there are, without those that wait.
    segments: VecDeque<Segment>,
    /// The last of them, and its length.
    last: File,
    last_len: u64,
    /// A file that is as long is the last one no more: [`SEGMENT_LEN_MAX`], but for tests.
    segment_len_max: u64,
    /// What waits for the next commit.
    waiting: Vec<Part>,
    _lock: Lock,
}

/// Where one replica's manager keeps its files, in the data directory of its cluster.
pub fn directory_of(replica: ReplicaId, data: &Path) -> PathBuf {
    data.join(replica.to_string())
}

/// Reads what is in a directory that may be in use, and changes nothing. Of what is being written meanwhile it has some part.
pub fn look(directory: &Path, owner: Owner) -> Result<Opened, OpenError> {
    let Reading { recovered, damage, mut remarks, .. } = reading::read(directory, owner)?;
    let damaged = |Damage { number, at, words, .. }| {
        let path = directory.join(segment::file_name(number));
        format!("{}, from byte {at} on: {words}", path.display())
    };
    remarks.extend(damage.map(damaged));
    Ok(Opened { recovered, damage: remarks })
}

/// Bytes that go to one file.
#[derive(Debug)]
struct Part {
    /// The file, if it begins with them.
    begins: Option<Segment>,
    bytes: Vec<u8>,
}

impl FileStorage {
    /// Opens the directory, made if there is none, and reads what is in it. Returns once that is no more than what was used of it.
    pub fn open(directory: &Path, owner: Owner, durability: Durability) -> Result<(FileStorage, Opened), OpenError> {
        let lock = hold(directory)?;
        let Reading { segments, last_len, extent, recovered, damage, remarks: mut told } =
            reading::read(directory, owner)?;
        if let Some(damage) = damage {
            told.extend(set_aside::set_aside(directory, &damage, durability)?);
        }
        check_room(directory)?;
        let mut segments = VecDeque::from(segments);
        let (last, last_len) = match segments.back() {
            Some(last) => {
                let path = last.path(directory);
                (OpenOptions::new().append(true).open(&path).map_err(io_error(&path))?, last_len)
            }
            None => {
                let first = Segment::new(1, extent);
                let path = first.path(directory);
                let header = first.header(owner);
                segments.push_back(first);
                let made = create(&path, &header, durability).map_err(io_error(&path))?;
                (made, header.len() as u64)
            }
        };
        let directory = directory.to_owned();
        let mut storage = FileStorage {
            directory,
            owner,
            durability,
            extent,
            segments,
            last,
            last_len,
            segment_len_max: SEGMENT_LEN_MAX,
            waiting: Vec::new(),
            _lock: lock,
        };
        let begins_at = recovered.log.start();
        if storage.extent.start < begins_at {
            // Some of the log is missing, so that it begins later than the files say.
            storage.append(&Record::Begin(begins_at));
        }
        Ok((storage, Opened { recovered, damage: told }))
    }

    /// The length of the file that the next record goes to, and whether it holds any yet.
    fn last_len(&self) -> (u64, bool) {
        let (begun, len) =
            self.waiting.last().map_or((false, 0), |part| (part.begins.is_some(), part.bytes.len() as u64));
        let len = if begun { len } else { self.last_len + len };
        (len, len > segment::HEADER_LEN as u64)
    }

    /// The number of the last file, those included that wait.
    fn last_number(&self) -> u64 {
        let waiting = self.waiting.iter().rev().find_map(|part| part.begins);
        waiting.or(self.segments.back().copied()).expect("there is always a file").number
    }

    /// The file that the next record goes to.
    fn last_segment(&mut self) -> &mut Segment {
        let waiting = self.waiting.iter_mut().rev().find_map(|part| part.begins.as_mut());
        waiting.or(self.segments.back_mut()).expect("there is always a file")
    }

    fn write(&mut self, part: &Part) -> io::Result<()> {
        match part.begins {
            Some(segment) => {
                self.last = create(&segment.path(&self.directory), &part.bytes, self.durability)?;
                self.last_len = part.bytes.len() as u64;
                self.segments.push_back(segment);
            }
            None => {
                let written = self.last.write_all(&part.bytes).and_then(|()| self.durability.sync(&self.last));
                if let Err(error) = written {
                    // What got there belongs to no commit. If it stays, the next process sets it aside.
                    let _stays = self.last.set_len(self.last_len);
                    return Err(error);
                }
                self.last_len += part.bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// Deletes the files whose orders and checkpoints are not needed any more, the oldest first, so that never one is missing between
    /// others.
    fn delete_superseded(&mut self) -> io::Result<()> {
        while let (Some(first), Some(second)) = (self.segments.front(), self.segments.get(1))
            && second.before.end <= self.extent.start
            && first.checkpoint < Some(self.extent.start)
        {
            fs::remove_file(first.path(&self.directory))?;
            self.segments.pop_front();
            self.durability.sync_directory(&self.directory)?;
        }
        Ok(())
    }
}

impl Storage for FileStorage {
    fn append(&mut self, record: &Record) {
        let checkpoint = match record {
            Record::Checkpoint(checkpoint, _) => Some(checkpoint.sequence),
            _ => None,
        };
        let (len, holds_any) = self.last_len();
        let begins_file = matches!(record, Record::Checkpoint(..) | Record::Tentative(_));
        if holds_any && (begins_file || len >= self.segment_len_max) {
            let next = Segment::new(self.last_number() + 1, self.extent);
            self.waiting.push(Part { begins: Some(next), bytes: next.header(self.owner) });
        }
        if self.waiting.is_empty() {
            self.waiting.push(Part { begins: None, bytes: Vec::new() });
        }
        let part = self.waiting.last_mut().expect("one was put there");
        frame::encode(record, &mut part.bytes);
        self.extent.pass(record);
        let segment = self.last_segment();
        segment.checkpoint = segment.checkpoint.max(checkpoint);
    }

    fn commit(&mut self) -> Result<(), CommitError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let written = waiting.iter().try_for_each(|part| self.write(part)).and_then(|()| self.delete_superseded());
        written.map_err(|error| {
            let bytes_len: usize = waiting.iter().map(|part| part.bytes.len()).sum();
            let (directory, available) = (self.directory.display(), available(&self.directory));
            CommitError { what: format!("{bytes_len} bytes to {directory}, where {available} are available"), error }
        })
    }
}

impl Durability {
    pub(super) fn sync(self, file: &File) -> io::Result<()> {
        match self {
            Durability::Fsync => file.sync_data(),
            Durability::Os => Ok(()),
        }
    }

    pub(super) fn sync_directory(self, directory: &Path) -> io::Result<()> {
        match self {
            Durability::Fsync => sync_directory(directory),
            Durability::Os => Ok(()),
        }
    }
}

/// Has the directory, made if there is none, be of nobody else.
pub fn hold(directory: &Path) -> Result<Lock, OpenError> {
    make_directory(directory)?;
    let path = directory.join(LOCK_NAME);
    lock::take(&path).map_err(|error| match error {
        LockError::Held(holder) => OpenError::Held { directory: directory.display().to_string(), holder },
        LockError::Io(error) => io_error(&path)(error),
    })
}

/// Makes the directory for its owner only, if there is none, and those that it is in.
fn make_directory(directory: &Path) -> Result<(), OpenError> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_directory(parent)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        // Another process of the same cluster was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(io_error(directory))?,
    }
    sync_directory(parent).map_err(io_error(parent))
}

/// Makes a file that there is not, which then begins with these bytes.
pub(super) fn create(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    let synced =
        |()| durability.sync(&file).and_then(|()| path.parent().map_or(Ok(()), |it| durability.sync_directory(it)));
    let written = (&file).write_all(bytes).and_then(synced);
    if let Err(error) = written {
        // Nothing in it is of any commit.
        let _stays = fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

/// Has the names in a directory outlive a power cut.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Whether a process can begin to write; a file of the same size says so for quotas and limits as well.
fn check_room(directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(ROOM_NAME);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE_FILE).open(&path);
    let reserved = file.and_then(|file| match fallocate(&file, FallocateFlags::empty(), 0, ROOM_MIN) {
        // A file system without this tells at the first commit.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        reserved => Ok(reserved?),
    });
    let _never_made = fs::remove_file(&path);
    reserved.map_err(|error| {
        let (directory, available) = (directory.display().to_string(), available(directory));
        OpenError::NoRoom { directory, needed: ROOM_MIN, available, error }
    })
}

/// How many bytes this user may still write where the directory is; 0 if nobody knows.
fn available(directory: &Path) -> u64 {
    statvfs(directory).map_or(0, |about| about.f_bavail.saturating_mul(about.f_frsize))
}
