//! The directory in which a cluster of one machine keeps what its processes and clients share: `.dsms/`.
//!
//! | File | What it is |
//! |---|---|
//! | `lock` | held by the one `dsms up` of this directory, released by the system when that process ends, however it ends |
//! | `cluster.key` | the cluster's key, readable by its owner only |
//! | `data/` | what its replica managers have written, unless the configuration says another place ([`crate::storage::files`]) |
//! | `cluster.toml` | the running cluster's complete configuration, by which nodes and clients find each other |

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::config::{ClusterConfig, ConfigError, PathNotUtf8};
use crate::protocol::secret::{SECRET_LEN, Secret};
use crate::storage::lock::{self, Lock, LockError};
use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

/// The directory's name, in the directory where `dsms up` is run.
const NAME: &str = ".dsms";

/// A cluster's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDirectory {
    path: PathBuf,
}

/// The right to run the one cluster of a directory; it ends with this value, or with the process.
#[derive(Debug)]
pub struct ClusterLock {
    _held: Lock,
    _data: Option<Lock>,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another `dsms up` holds the lock.
    #[error(
        "a cluster is running in this directory already ({lock}, process {holder}); use it with `dsms sh`, \
         stop it with Ctrl-C where it runs, or start this one in another directory"
    )]
    AlreadyRunning {
        /// The lock file.
        lock: String,
        /// The process that holds it.
        holder: String,
    },
    /// No cluster was started here.
    #[error(
        "no cluster is running in this directory (there is no {path}); start one here with `dsms up`, \
         or name the front end of another with --connect ADDRESS"
    )]
    NotRunning {
        /// The file that a running cluster has.
        path: String,
    },
    /// The key file is open to others, or is no key.
    #[error("{path}: {problem}")]
    Key {
        /// The key file.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The configuration that the cluster left is damaged.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A path cannot be written down in a configuration.
    #[error(transparent)]
    Path(#[from] PathNotUtf8),
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        error: io::Error,
    },
}

impl ClusterDirectory {
    /// The cluster directory within this directory; it need not exist yet.
    pub fn within(directory: &Path) -> ClusterDirectory {
        ClusterDirectory { path: directory.join(NAME) }
    }

    /// Makes the directory, if need be, for its owner only, and takes the lock.
    pub fn lock(&self) -> Result<ClusterLock, DirectoryError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(io_error(&self.path))?;
        let path = self.path.join("lock");
        let held = lock::take(&path).map_err(|error| match error {
            LockError::Held(holder) => DirectoryError::AlreadyRunning { lock: path.display().to_string(), holder },
            LockError::Io(error) => io_error(&path)(error),
        })?;
        Ok(ClusterLock { _held: held, _data: None })
    }

    /// Where the cluster's key is, unless the configuration says otherwise.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("cluster.key")
    }

    /// Where the running cluster's configuration is.
    pub fn config_file(&self) -> PathBuf {
        self.path.join("cluster.toml")
    }

    /// Writes the configuration by which nodes and clients find each other.
    pub fn publish(&self, config: &ClusterConfig) -> Result<(), DirectoryError> {
        let (path, text) = (self.config_file(), config.to_toml()?);
        let rule = Rule { existing: Existing::Replaced, outlives: Outlives::Processes, readers: Readers::Owner };
        whole_file::write(&path, text.as_bytes(), rule).map_err(io_error(&path))
    }

    /// Takes the configuration away when the cluster ends.
    pub fn withdraw(&self) {
        let _never_published = fs::remove_file(self.config_file());
    }

    /// Whether the process that held the lock is gone; what it has left here is no running cluster.
    pub fn has_ended(&self) -> bool {
        let holder = fs::read_to_string(self.path.join("lock")).ok().and_then(|text| text.trim().parse().ok());
        // A process of somebody else cannot be asked, but is there.
        holder.and_then(Pid::from_raw).is_some_and(|holder| test_kill_process(holder) == Err(Errno::SRCH))
    }

    /// The configuration of the cluster that runs here.
    pub fn running(&self) -> Result<ClusterConfig, DirectoryError> {
        let path = self.config_file();
        if !path.exists() {
            return Err(DirectoryError::NotRunning { path: path.display().to_string() });
        }
        Ok(ClusterConfig::load(&path)?)
    }
}

impl ClusterLock {
    /// The same, with the right to a data directory.
    pub fn with_data(self, lock: Lock) -> ClusterLock {
        ClusterLock { _data: Some(lock), ..self }
    }
}

/// Reads a cluster's key. The file must be readable by its owner only.
pub fn read_key(path: &Path) -> Result<Secret, DirectoryError> {
    let key_error =
        |problem: &str| DirectoryError::Key { path: path.display().to_string(), problem: problem.to_owned() };
    if !path.exists() {
        return Err(key_error(
            "there is no key; `dsms up` draws one, or write one with: openssl rand -hex 32 > FILE, chmod 600 FILE",
        ));
    }
    let file = File::open(path).map_err(io_error(path))?;
    let metadata = file.metadata().map_err(io_error(path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(key_error("the cluster's key may be read by others; make it private with chmod 600"));
    }
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).map_err(io_error(path))?;
    Secret::from_hex(&text)
        .ok_or_else(|| key_error("not a cluster key (64 hexadecimal digits); delete it to draw a new one"))
}

/// Reads the cluster's key, or draws one and writes it for its owner only.
pub fn read_or_draw_key(path: &Path) -> Result<Secret, DirectoryError> {
    if path.exists() {
        return read_key(path);
    }
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(io_error(parent))?;
    }
    let mut bytes = [0; SECRET_LEN];
    getrandom::fill(&mut bytes).map_err(|error| io_error(path)(io::Error::other(error.to_string())))?;
    let key = Secret::new(bytes);
    let rule = Rule { existing: Existing::Kept, outlives: Outlives::PowerCuts, readers: Readers::Owner };
    whole_file::write(path, format!("{}\n", key.to_hex()).as_bytes(), rule).map_err(io_error(path))?;
    Ok(key)
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> DirectoryError {
    let path = path.display().to_string();
    move |error| DirectoryError::Io { path: path.clone(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_has_one_cluster_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = ClusterDirectory::within(scratch.path());
        let lock = directory.lock().unwrap();
        let refused = directory.lock().unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        drop(lock);
        directory.lock().unwrap();
    }

    #[test]
    fn a_key_is_drawn_once_for_its_owner_only() {
        let scratch = tempfile::tempdir().unwrap();
        let path = ClusterDirectory::within(scratch.path()).key_file();
        let drawn = read_or_draw_key(&path).unwrap();
        assert_eq!(read_or_draw_key(&path).unwrap(), drawn);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_key(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn where_nothing_runs_that_is_said() {
        let scratch = tempfile::tempdir().unwrap();
        let refused = ClusterDirectory::within(scratch.path()).running().unwrap_err().to_string();
        assert!(refused.contains("dsms up"), "{refused}");
    }
}
