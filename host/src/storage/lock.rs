//! Locks: files that one process at a time holds, and that say which.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A lock that is held. It ends with this value, or with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process holds it: its number, or `unknown`.
    Held(String),
    /// The system refused.
    Io(io::Error),
}

/// Takes the lock of this path, and makes its file if there is none.
pub fn take(path: &Path) -> Result<Lock, LockError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let mut file = opened.map_err(LockError::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is said if it can be read; that somebody does is certain.
            let _unreadable = file.read_to_string(&mut holder);
            return Err(LockError::Held(if holder.is_empty() { "unknown".to_owned() } else { holder }));
        }
        Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
    }
    let named = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    named.map_err(LockError::Io)?;
    Ok(Lock { _held: file })
}
