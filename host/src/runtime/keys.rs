//! Where the keys of nodes come from, and how their files are kept: for their owner only.
//!
//! The nodes of one machine may share one key (`directory.rs`). Else each node has a file of its own, `NAME.key` in one directory, which
//! [`draw`] and [`write_all`] make for a whole cluster, [`rotate`] gives a next generation, and a node reads again on SIGHUP.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::geteuid;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{ClusterConfig, KEY_FILE_LEN_MAX, KeyFileError, Keys, key_file_text, parse_key_file};
use crate::protocol::id::NodeId;
use crate::protocol::keyring::{ClusterId, GENERATIONS_LEN_MAX, Generation, Keyring};
use crate::protocol::secret::{SECRET_LEN, Secret};
use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

use super::directory::{DirectoryError, read_key};

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The key that all nodes of a machine share.
    #[error(transparent)]
    Shared(#[from] DirectoryError),
    /// A node's key file is missing.
    #[error(
        "there is no key file {path}; `dsms init` writes one for each node, of which each machine gets those of its own nodes"
    )]
    Missing {
        /// Which file.
        path: String,
    },
    /// Somebody else can read it.
    #[error(
        "{path}: the keys of {node} may be read by others ({why}): make the file this user's own, and private with chmod 600"
    )]
    Public {
        /// Which file.
        path: String,
        /// Whose keys.
        node: NodeId,
        /// Whose file it is, or its mode.
        why: String,
    },
    /// It is no key file, or of another version.
    #[error("{path}: {error}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong.
        error: KeyFileError,
    },
    /// It is a key file, but not the right one.
    #[error("{path}: {problem}")]
    Unfit {
        /// Which file.
        path: String,
        /// What does not fit, and what to do.
        problem: String,
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

/// The keys of one running node.
#[derive(Debug)]
pub struct NodeKeys {
    keyring: Keyring,
    nodes: Vec<NodeId>,
    /// Where to read them again, if they are in a file of their own, and whether that was asked for.
    reloading: Option<(PathBuf, Arc<AtomicBool>)>,
}

impl NodeKeys {
    /// Reads the keys of a node from where its configuration says.
    pub fn read(config: &ClusterConfig, node: NodeId) -> Result<NodeKeys, KeysError> {
        let nodes = config.nodes();
        match &config.keys {
            Keys::Shared(path) => {
                let keyring = Keyring::of_cluster_key(&read_key(path)?, node, nodes.iter().copied());
                Ok(NodeKeys { keyring, nodes, reloading: None })
            }
            Keys::OfNodes(directory) => {
                let path = key_file(directory, node);
                let keyring = read_keyring(&path, node, &nodes)?;
                Ok(NodeKeys { keyring, nodes, reloading: Some((path, Arc::default())) })
            }
        }
    }

    /// Has the key file read again at each SIGHUP. Returns whether there is one; if not, nobody listens. Must be called within a runtime.
    pub fn reload_on_hang_up(&self) -> io::Result<bool> {
        let Some((_, is_asked_for)) = &self.reloading else { return Ok(false) };
        let (mut hang_up, is_asked_for) = (signal(SignalKind::hangup())?, Arc::clone(is_asked_for));
        tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                is_asked_for.store(true, Ordering::Relaxed);
            }
        });
        Ok(true)
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The keys, if they have been read again since this was last asked. Those that cannot be used change nothing.
    pub fn poll_reloaded(&mut self) -> Option<Result<&Keyring, KeysError>> {
        let (path, is_asked_for) = self.reloading.as_ref()?;
        is_asked_for.swap(false, Ordering::Relaxed).then(|| {
            let keyring = read_keyring(path, self.keyring.local(), &self.nodes)?;
            let (old, new) = (self.keyring.cluster(), keyring.cluster());
            if old != new {
                let problem =
                    format!("it is of cluster {new}, and this node runs in cluster {old}; the keys stay as they are");
                return Err(KeysError::Unfit { path: path.display().to_string(), problem });
            }
            self.keyring = keyring;
            Ok(&self.keyring)
        })
    }
}

/// The key file of a node.
pub fn key_file(directory: &Path, node: NodeId) -> PathBuf {
    directory.join(format!("{node}.key"))
}

/// Reads a node's key file, which nobody else may read, and which has to have a secret with each of these nodes.
pub fn read_keyring(path: &Path, node: NodeId, nodes: &[NodeId]) -> Result<Keyring, KeysError> {
    let shown = || path.display().to_string();
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeysError::Missing { path: shown() },
        _ => io_error(path)(error),
    })?;
    let metadata = file.metadata().map_err(io_error(path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KeysError::Public { path: shown(), node, why: format!("mode {:03o}", metadata.mode() & 0o777) });
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(KeysError::Public { path: shown(), node, why: format!("it belongs to user {}", metadata.uid()) });
    }
    let mut text = String::new();
    file.take(KEY_FILE_LEN_MAX).read_to_string(&mut text).map_err(io_error(path))?;
    let keyring = parse_key_file(&text).map_err(|error| KeysError::Invalid { path: shown(), error })?;
    let problem = if keyring.local() != node {
        format!("these are the keys of {}, not of {node}; copy {node}.key here", keyring.local())
    } else if let Some(peer) = keyring.missing(nodes.iter().copied()) {
        format!("it has no secret with {peer}; `dsms init` writes keys for all nodes of a cluster")
    } else {
        return Ok(keyring);
    };
    Err(KeysError::Unfit { path: shown(), problem })
}

/// Draws the keys of a new cluster: one keyring a node, with a secret for each pair.
pub fn draw(nodes: &[NodeId]) -> io::Result<Vec<Keyring>> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let cluster = ClusterId(u64::from_le_bytes(id));
    let mut keyrings: Vec<Keyring> = nodes.iter().map(|node| Keyring::new(cluster, *node)).collect();
    draw_generation(&mut keyrings, Generation::FIRST)?;
    Ok(keyrings)
}

fn draw_generation(keyrings: &mut [Keyring], generation: Generation) -> io::Result<()> {
    for one in 0..keyrings.len() {
        for other in 0..one {
            let mut bytes = [0; SECRET_LEN];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            let secret = Secret::new(bytes);
            let (one_node, other_node) = (keyrings[one].local(), keyrings[other].local());
            keyrings[one].insert(generation, other_node, secret.clone());
            keyrings[other].insert(generation, one_node, secret);
        }
    }
    Ok(())
}

/// Writes the key files of a new cluster into this directory, which is made for its owner only. Nothing that exists is overwritten.
pub fn write_all(directory: &Path, keyrings: &[Keyring]) -> Result<(), KeysError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io_error(directory))?;
    for keyring in keyrings {
        let path = key_file(directory, keyring.local());
        write_private(&path, &key_file_text(keyring), Existing::Kept)?;
    }
    Ok(())
}

/// Writes a next generation into the key files of all nodes, which then hold the present one and the next.
///
/// Each file is replaced at once, by another that is complete. A rotation that was interrupted is finished.
pub fn rotate(directory: &Path, nodes: &[NodeId]) -> Result<Generation, KeysError> {
    let mut keyrings = read_all(directory, nodes)?;
    if !are_of_equal_generations(&keyrings) {
        // The new files are all complete before the first one is put in its place.
        nodes.iter().try_for_each(|node| put_in_place(&key_file(directory, *node)))?;
        keyrings = read_all(directory, nodes)?;
        if !are_of_equal_generations(&keyrings) {
            let problem =
                "its generations are not those of the other key files here; bring the files of one rotation together";
            let path = key_file(directory, nodes[0]).display().to_string();
            return Err(KeysError::Unfit { path, problem: problem.to_owned() });
        }
        return Ok(newest(&keyrings[0]));
    }
    let next = newest(&keyrings[0]).next().ok_or_else(|| {
        let problem = "there is no generation after this one; begin anew with `dsms init`".to_owned();
        KeysError::Unfit { path: key_file(directory, nodes[0]).display().to_string(), problem }
    })?;
    draw_generation(&mut keyrings, next).map_err(io_error(directory))?;
    for keyring in &mut keyrings {
        keyring.keep_newest(GENERATIONS_LEN_MAX);
        let new = new_file(&key_file(directory, keyring.local()));
        write_private(&new, &key_file_text(keyring), Existing::Replaced)?;
    }
    nodes.iter().try_for_each(|node| put_in_place(&key_file(directory, *node)))?;
    Ok(next)
}

/// The keyrings of all nodes, which have to be of one cluster.
fn read_all(directory: &Path, nodes: &[NodeId]) -> Result<Vec<Keyring>, KeysError> {
    let read = |node: &NodeId| read_keyring(&key_file(directory, *node), *node, nodes);
    let keyrings: Vec<Keyring> = nodes.iter().map(read).collect::<Result<_, _>>()?;
    let stranger = keyrings.iter().find(|keyring| keyring.cluster() != keyrings[0].cluster());
    match stranger {
        None => Ok(keyrings),
        Some(stranger) => {
            let (cluster, first) = (stranger.cluster(), &keyrings[0]);
            let problem =
                format!("it is of cluster {cluster}, and {}.key of cluster {}", first.local(), first.cluster());
            Err(KeysError::Unfit { path: key_file(directory, stranger.local()).display().to_string(), problem })
        }
    }
}

fn are_of_equal_generations(keyrings: &[Keyring]) -> bool {
    keyrings.iter().all(|keyring| keyring.generations().eq(keyrings[0].generations()))
}

fn newest(keyring: &Keyring) -> Generation {
    keyring.newest().expect("a key file has a generation")
}

/// What is to take the place of a key file.
fn new_file(path: &Path) -> PathBuf {
    path.with_extension("key.new")
}

fn put_in_place(path: &Path) -> Result<(), KeysError> {
    match fs::rename(new_file(path), path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        // One that is not there was put in its place before.
        _ => Ok(()),
    }
}

/// Writes a file for its owner only, to the disk.
fn write_private(path: &Path, text: &str, existing: Existing) -> Result<(), KeysError> {
    let rule = Rule { existing, outlives: Outlives::PowerCuts, readers: Readers::Owner };
    whole_file::write(path, text.as_bytes(), rule).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> KeysError {
    let path = path.display().to_string();
    move |error| KeysError::Io { path: path.clone(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::protocol::id::Membership;

    fn all_keys(directory: &Path) -> (Vec<NodeId>, Vec<Keyring>) {
        let nodes = Membership::of(3).nodes();
        let keyrings = draw(&nodes).unwrap();
        write_all(directory, &keyrings).unwrap();
        (nodes, keyrings)
    }

    fn words(result: Result<Keyring, KeysError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn each_pair_of_nodes_shares_a_secret_that_no_other_node_has() {
        let keyrings = draw(&Membership::of(3).nodes()).unwrap();
        let secret = |one: usize, other: usize| {
            let peer = keyrings[other].local();
            let found = keyrings[one].secrets(Generation::FIRST).find(|(node, _)| *node == peer);
            found.unwrap().1.clone()
        };
        let pairs: Vec<(usize, usize)> = (0..5).flat_map(|one| (0..one).map(move |other| (one, other))).collect();
        for (one, other) in &pairs {
            assert!(secret(*one, *other) == secret(*other, *one));
            let same = pairs.iter().filter(|pair| secret(pair.0, pair.1) == secret(*one, *other)).count();
            assert_eq!(same, 1);
        }
    }

    #[test]
    fn a_key_file_is_private_or_refused_in_words() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("keys");
        let (nodes, keyrings) = all_keys(&directory);
        let path = key_file(&directory, nodes[0]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read_keyring(&path, nodes[0], &nodes).unwrap(), keyrings[0]);
        let exists = write_all(&directory, &keyrings).unwrap_err().to_string();
        assert!(exists.contains("front-end.key"), "{exists}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = words(read_keyring(&path, nodes[0], &nodes));
        assert!(refused.contains("may be read by others (mode 640)") && refused.contains("chmod 600"), "{refused}");

        let other = key_file(&directory, nodes[1]);
        let refused = words(read_keyring(&other, nodes[0], &nodes));
        assert!(refused.contains("these are the keys of sequencer, not of front-end"), "{refused}");
        let refused = words(read_keyring(&other, nodes[1], &Membership::of(4).nodes()));
        assert!(refused.contains("no secret with replica-4"), "{refused}");
        let refused = words(read_keyring(&directory.join("none"), nodes[1], &nodes));
        assert!(refused.contains("there is no key file") && refused.contains("dsms init"), "{refused}");
        fs::write(&other, fs::read_to_string(&other).unwrap().replace("dsms-keys 1", "dsms-keys 7")).unwrap();
        let refused = words(read_keyring(&other, nodes[1], &nodes));
        assert!(refused.contains("sequencer.key: it is of version 7"), "{refused}");
    }

    #[test]
    fn a_rotation_keeps_the_present_generation_and_drops_the_one_before() {
        let scratch = tempfile::tempdir().unwrap();
        let (nodes, before) = all_keys(scratch.path());
        let generations = |expected: &[u16]| {
            let keyrings = read_all(scratch.path(), &nodes).unwrap();
            assert!(keyrings.iter().all(|keyring| keyring.generations().eq(expected.iter().copied().map(Generation))));
            keyrings
        };
        assert_eq!(rotate(scratch.path(), &nodes).unwrap(), Generation(2));
        let once = generations(&[1, 2]);
        assert!(once[0].secrets(Generation(1)).eq(before[0].secrets(Generation(1))), "the present one stays");
        assert_eq!(rotate(scratch.path(), &nodes).unwrap(), Generation(3));
        let twice = generations(&[2, 3]);
        assert!(twice[4].secrets(Generation(2)).eq(once[4].secrets(Generation(2))));
        for node in &nodes {
            assert_eq!(fs::metadata(key_file(scratch.path(), *node)).unwrap().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_rotation_that_was_interrupted_is_finished() {
        let scratch = tempfile::tempdir().unwrap();
        let (nodes, _) = all_keys(scratch.path());
        let files = || nodes.iter().map(|node| key_file(scratch.path(), *node));
        let old: Vec<Vec<u8>> = files().map(|path| fs::read(path).unwrap()).collect();
        rotate(scratch.path(), &nodes).unwrap();
        let new: Vec<Vec<u8>> = files().map(|path| fs::read(path).unwrap()).collect();
        // As if the process had ended when two files were in their places.
        for (path, old) in files().zip(&old).skip(2) {
            fs::rename(&path, new_file(&path)).unwrap();
            write_private(&path, std::str::from_utf8(old).unwrap(), Existing::Kept).unwrap();
        }
        assert_eq!(rotate(scratch.path(), &nodes).unwrap(), Generation(2));
        assert!(files().map(|path| fs::read(path).unwrap()).eq(new));

        fs::write(files().next().unwrap(), &old[0]).unwrap();
        let refused = rotate(scratch.path(), &nodes).unwrap_err().to_string();
        assert!(refused.contains("generations are not those"), "{refused}");
    }
}
