//! Files with secrets in them: readable by their owner only, which is looked at whenever one is read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

/// Largest file that is read, in bytes; a longer one is another file by mistake.
const FILE_LEN_MAX: u64 = 256 * 1024;

/// Why a file of keys, tokens or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Others may read the secret in it.
    #[error("{path} may be read by others (mode {mode:03o}); make it private with: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// It is not what it should be.
    #[error("{path}: {problem}")]
    Content {
        /// Which file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// It is there already, and would be lost.
    #[error("{path} exists already; {advice}")]
    Exists {
        /// Which file.
        path: String,
        /// What to do.
        advice: String,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        error: io::Error,
    },
}

impl FileError {
    /// The file is not what it should be.
    pub fn content(path: &Path, problem: impl ToString) -> FileError {
        FileError::Content { path: path.display().to_string(), problem: problem.to_string() }
    }

    fn io(path: &Path) -> impl Fn(io::Error) -> FileError {
        let path = path.display().to_string();
        move |error| FileError::Io { path: path.clone(), error }
    }
}

/// Reads a file that must be readable by its owner only.
pub fn read_private(path: &Path) -> Result<String, FileError> {
    let file = File::open(path).map_err(FileError::io(path))?;
    let mode = file.metadata().map_err(FileError::io(path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.display().to_string(), mode });
    }
    read_text(path, file)
}

/// Reads a file that has no secret in it.
pub fn read_public(path: &Path) -> Result<String, FileError> {
    read_text(path, File::open(path).map_err(FileError::io(path))?)
}

fn read_text(path: &Path, file: File) -> Result<String, FileError> {
    let mut text = String::new();
    match file.take(FILE_LEN_MAX + 1).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(FileError::content(path, "it is not text")),
        Err(error) => Err(FileError::io(path)(error)),
        Ok(len) if len as u64 > FILE_LEN_MAX => {
            Err(FileError::content(path, format!("longer than {FILE_LEN_MAX} bytes")))
        }
        Ok(_) => Ok(text),
    }
}

/// Writes a new secret for its owner only. A file that is there already is left alone.
pub fn write_private(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, Readers::Owner)
}

/// Writes a new file that anybody may read. A file that is there already is left alone.
pub fn write_public(path: &Path, text: &str) -> Result<(), FileError> {
    write_new(path, text, Readers::Everybody)
}

fn write_new(path: &Path, text: &str, readers: Readers) -> Result<(), FileError> {
    let rule = Rule { existing: Existing::Kept, outlives: Outlives::PowerCuts, readers };
    whole_file::write(path, text.as_bytes(), rule).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists {
            path: path.display().to_string(),
            advice: "move it away first if it is not needed any more".to_owned(),
        },
        _ => FileError::io(path)(error),
    })
}

/// Makes a directory for its owner only, unless it is there.
pub fn make_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::io(path))
}

/// Takes a file away; one that is not there is gone already.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_and_is_refused_when_others_may_read_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("secret");
        write_private(&path, "hello").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path).unwrap(), "hello");
        assert!(matches!(write_private(&path, "again"), Err(FileError::Exists { .. })));
        for mode in [0o640, 0o604, 0o644, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = read_private(&path).unwrap_err().to_string();
            assert!(refused.contains(&format!("mode {mode:03o}")) && refused.contains("chmod 600"), "{refused}");
        }
        assert_eq!(read_public(&path).unwrap(), "hello");
    }

    #[test]
    fn what_is_no_text_or_far_too_long_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("file");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read_public(&path), Err(FileError::Content { .. })));
        fs::write(&path, vec![b'x'; FILE_LEN_MAX as usize + 1]).unwrap();
        assert!(matches!(read_public(&path), Err(FileError::Content { .. })));
        assert!(matches!(read_public(&scratch.path().join("none")), Err(FileError::Io { .. })));
    }
}
