//! What is done to the files of a ledger: to those of a directory, or in tests to some in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::storage::files::{self, OpenError, set_aside};
use crate::storage::lock::Lock;
use crate::storage::{Durability, frame};

use super::SEGMENT_LEN_MAX;

/// Longest file that is read: one that has just not been full, and then the longest entry.
const FILE_LEN_MAX: u64 = SEGMENT_LEN_MAX + frame::LEN_MAX as u64;

/// Where files are. A name is that of a file in the one directory of a ledger.
pub trait Disk: std::fmt::Debug {
    /// The file, as people are told of it.
    fn path(&self, name: &str) -> String;
    /// All names there are, of whatever.
    fn names(&self) -> io::Result<Vec<String>>;
    /// How long a file is.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// The bytes of a file; no more than so many.
    fn read(&self, name: &str, len_max: u64) -> io::Result<Vec<u8>>;
    /// Has a file that is there be the one that is appended to.
    fn open(&mut self, name: &str) -> io::Result<()>;
    /// Makes a file that there is not, which begins with these bytes, and has it be the one that is appended to. It is there whole or not at
    /// all.
    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Appends to that file. After an error it may be longer by some of the bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Shortens that file.
    fn cut(&mut self, len: u64) -> io::Result<()>;
    /// Returns once what was appended to that file outlives what it has to.
    fn sync(&mut self) -> io::Result<()>;
    /// Removes a file. One that is gone already is no error.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Puts what a file has from this byte on where nobody reads it; where that is, as people are told.
    fn set_aside(&mut self, name: &str, at: u64) -> io::Result<String>;
}

/// The files of a directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    durability: Durability,
    /// The file that is appended to.
    last: Option<File>,
    _lock: Option<Lock>,
}

impl Directory {
    /// The directory, made if there is none, which is nobody else's while this lives.
    pub fn hold(path: &Path, durability: Durability) -> Result<Directory, OpenError> {
        let lock = files::hold(path)?;
        Ok(Directory { path: path.to_owned(), durability, last: None, _lock: Some(lock) })
    }

    /// The directory, to be looked at while somebody else may write there.
    pub(super) fn look(path: &Path) -> Directory {
        Directory { path: path.to_owned(), durability: Durability::Os, last: None, _lock: None }
    }

    fn last(&mut self) -> io::Result<&mut File> {
        self.last.as_mut().ok_or_else(|| io::Error::other("no file of the ledger is open"))
    }
}

impl Disk for Directory {
    fn path(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path.join(name))?.len())
    }

    fn read(&self, name: &str, len_max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path.join(name))?.take(len_max.min(FILE_LEN_MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&mut self, name: &str) -> io::Result<()> {
        self.last = Some(OpenOptions::new().append(true).open(self.path.join(name))?);
        Ok(())
    }

    fn create(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.last = Some(files::create(&self.path.join(name), bytes, self.durability)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.last()?.write_all(bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.last()?.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        let durability = self.durability;
        durability.sync(self.last()?)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn set_aside(&mut self, name: &str, at: u64) -> io::Result<String> {
        let path = self.path.join(name);
        let aside = set_aside::free_name(&path);
        if at == 0 {
            fs::rename(&path, &aside)?;
        } else {
            set_aside::cut(&path, at, &aside, self.durability)?;
        }
        self.durability.sync_directory(&self.path)?;
        Ok(aside.display().to_string())
    }
}

/// An error of the system about a file, as why a directory is not used.
pub(super) fn unusable<D: Disk>(disk: &D, name: &str) -> impl Fn(io::Error) -> OpenError + use<D> {
    let path = disk.path(name);
    move |error| OpenError::Io { path: path.clone(), error }
}
