//! Files that are there whole or not at all: whoever reads one sees all of it, or what was there before.
//!
//! A file is written beside its place under another name, `NAME.PROCESS-NUMBER.tmp`, and put there at once. Any number of processes may do
//! so at one time. What a process leaves behind that is killed in the middle has that name; nobody reads it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// How the names of files end that are not in their place.
pub const UNFINISHED_EXTENSION: &str = "tmp";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What becomes of a file that is there already.
    pub existing: Existing,
    /// What the file outlives.
    pub outlives: Outlives,
    /// Who may read it.
    pub readers: Readers,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The new one takes its place.
    Replaced,
    /// It is left as it is, which is an error of the kind [`ErrorKind::AlreadyExists`].
    Kept,
}

/// What a file outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlives {
    /// The end of any processes; the system decides when the disk is written.
    Processes,
    /// The end of the system, and a power cut: the disk is waited for.
    PowerCuts,
}

/// Who may read a file. Only its owner may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner.
    Owner,
    /// Everybody, whatever the process's umask says.
    Everybody,
    /// Whom the process's umask lets.
    ByUmask,
}

/// Writes a file. Its directory has to be there.
pub fn write(path: &Path, content: &[u8], rule: Rule) -> io::Result<()> {
    if rule.existing == Existing::Kept && path.exists() {
        return Err(is_there_already());
    }
    let unfinished = unfinished_name(path)?;
    let written = write_new(&unfinished, content, rule).and_then(|()| put_in_place(&unfinished, path, rule.existing));
    if written.is_err() {
        // It may never have been made, or lie on a disk that takes nothing any more.
        let _gone_already = fs::remove_file(&unfinished);
        return written;
    }
    match rule.outlives {
        Outlives::Processes => Ok(()),
        Outlives::PowerCuts => {
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        }
    }
}

/// A name beside the file's place that no other writer has.
fn unfinished_name(path: &Path) -> io::Result<PathBuf> {
    static WRITTEN_LEN: AtomicU32 = AtomicU32::new(0);
    let no_name = || io::Error::new(ErrorKind::InvalidInput, "this names no file");
    let mut name = path.file_name().ok_or_else(no_name)?.to_owned();
    let number = WRITTEN_LEN.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.{UNFINISHED_EXTENSION}", std::process::id()));
    Ok(path.with_file_name(name))
}

fn write_new(path: &Path, content: &[u8], rule: Rule) -> io::Result<()> {
    let (mode, is_exact) = match rule.readers {
        Readers::Owner => (0o600, true),
        Readers::Everybody => (0o644, true),
        Readers::ByUmask => (0o666, false),
    };
    // Of a process that had this number and was killed.
    let _none_as_a_rule = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    if is_exact {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(content)?;
    match rule.outlives {
        Outlives::Processes => Ok(()),
        Outlives::PowerCuts => file.sync_all(),
    }
}

fn put_in_place(unfinished: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    if existing == Existing::Replaced {
        return fs::rename(unfinished, path);
    }
    match renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE) {
        Err(Errno::EXIST) => Err(is_there_already()),
        // File systems that cannot do so have links, which replace nothing either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(unfinished, path).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => is_there_already(),
                _ => error,
            })?;
            fs::remove_file(unfinished)
        }
        renamed => Ok(renamed?),
    }
}

fn is_there_already() -> io::Error {
    io::Error::new(ErrorKind::AlreadyExists, "it exists already, and is left as it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { existing: Existing::Replaced, outlives: Outlives::Processes, readers: Readers::Owner };

    /// The names in a directory.
    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_there_is_replaced_or_left_as_it_is_and_nothing_else_stays_behind() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        for outlives in [Outlives::Processes, Outlives::PowerCuts] {
            write(&path, b"first", Rule { outlives, ..RULE }).unwrap();
            write(&path, b"second", Rule { outlives, ..RULE }).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"second");
            let kept = Rule { existing: Existing::Kept, outlives, ..RULE };
            assert_eq!(write(&path, b"third", kept).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&path).unwrap(), b"second");
            fs::remove_file(&path).unwrap();
            write(&path, b"third", kept).unwrap();
            assert_eq!((fs::read(&path).unwrap(), names(scratch.path())), (b"third".to_vec(), vec!["file".to_owned()]));
        }
    }

    #[test]
    fn of_those_who_write_a_new_file_at_one_time_one_does() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        let written = std::thread::scope(|scope| {
            let write = |content: u8| {
                let path = &path;
                move || write(path, &[content; 1000], Rule { existing: Existing::Kept, ..RULE }).is_ok()
            };
            let writers: Vec<_> = (0..8).map(|content| scope.spawn(write(content))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<bool>>()
        });
        let winner = written.iter().position(|won| *won).unwrap();
        assert_eq!(written.iter().filter(|won| **won).count(), 1);
        assert_eq!(fs::read(&path).unwrap(), [winner as u8; 1000]);
        assert_eq!(names(scratch.path()), ["file"]);
    }

    #[test]
    fn a_file_is_for_whom_it_is_for() {
        let scratch = tempfile::tempdir().unwrap();
        for (readers, mode) in [(Readers::Owner, 0o600), (Readers::Everybody, 0o644)] {
            let path = scratch.path().join(format!("{mode:o}"));
            write(&path, b"", Rule { readers, ..RULE }).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(write(Path::new("/"), b"", RULE).unwrap_err().kind(), ErrorKind::InvalidInput);
        let taken = scratch.path().join("directory");
        fs::create_dir(&taken).unwrap();
        assert!(write(&taken, b"", RULE).is_err());
        assert_eq!(names(scratch.path()), ["directory"]);
    }
}
