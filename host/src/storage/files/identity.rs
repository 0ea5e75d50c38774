//! Which cluster a data directory belongs to: a text file that the first process of a cluster writes, and every later one compares.
//!
//! ```text
//! dsms data 1
//! cluster 6f0d5cbb3f4bd1d0a8b6f0d5cbb3f4bd
//! wrong 1
//! crashed 0
//! replicas 3
//! ```
//!
//! The cluster's number was drawn, and stands in every file of its managers, so that those of different clusters are not mixed.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::error::{OpenError, io_error};
use super::{create, make_directory};
use crate::protocol::quorum::Tolerance;
use crate::storage::Durability;

/// The name of the file.
const NAME: &str = "cluster";

/// The version of its format. It changes with every change of what a data directory holds that an older version would misread.
const VERSION: u64 = 1;

/// The longest file that is read. A whole one has some 90 bytes.
const LEN_MAX: u64 = 4096;

/// Names one cluster among all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterId(pub [u8; 16]);

/// What a cluster is, as far as its data depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which one.
    pub cluster: ClusterId,
    /// What it tolerates.
    pub tolerance: Tolerance,
    /// How many replicas it has.
    pub replicas_len: usize,
}

impl Identity {
    /// Whose a directory is, if it is anybody's.
    pub fn read(directory: &Path) -> Result<Option<Identity>, OpenError> {
        let path = directory.join(NAME);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_error(&path))?,
        };
        let mut text = String::new();
        file.take(LEN_MAX).read_to_string(&mut text).map_err(io_error(&path))?;
        Identity::parse(&text).map(Some).map_err(|unusable| unusable.in_file(&path.display().to_string()))
    }

    /// Takes the directory, made if there is none, for this cluster if it is nobody's, and otherwise compares: the identity of the data
    /// that is there now, or why this cluster may not use it. Any number of processes may do this at once.
    pub fn claim(directory: &Path, wanted: Identity) -> Result<Identity, OpenError> {
        make_directory(directory)?;
        let path = directory.join(NAME);
        if !path.exists() {
            let own = directory.join(format!("{NAME}.{}", std::process::id()));
            let _of_a_process_that_ended = fs::remove_file(&own);
            create(&own, wanted.to_string().as_bytes(), Durability::Fsync).map_err(io_error(&own))?;
            let linked = fs::hard_link(&own, &path);
            fs::remove_file(&own).map_err(io_error(&own))?;
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(&path)(error)),
                _ => super::sync_directory(directory).map_err(io_error(directory))?,
            }
        }
        let file = path.display().to_string();
        let gone = || io_error(&path)(io::ErrorKind::NotFound.into());
        let found = Identity::read(directory)?.ok_or_else(gone)?;
        if (found.tolerance, found.replicas_len) != (wanted.tolerance, wanted.replicas_len) {
            return Err(OpenError::OtherCluster { file, written: found.kind(), wanted: wanted.kind() });
        }
        Ok(found)
    }

    /// What kind of cluster it is, in words.
    fn kind(&self) -> String {
        let Identity { tolerance, replicas_len, .. } = self;
        let is_named = Tolerance::NAMED.iter().any(|(_, named)| named == tolerance);
        let what = if is_named { "in mode" } else { "that tolerates" };
        format!("a cluster of {replicas_len} replicas {what} {tolerance}")
    }

    fn parse(text: &str) -> Result<Identity, Unusable> {
        let mut lines = text.lines();
        let mut value = |key: &str| lines.next().and_then(|line| line.strip_prefix(key)).map(str::trim);
        let version: u64 = value("dsms data ").and_then(|word| word.parse().ok()).ok_or(Unusable::Damaged)?;
        if version > VERSION {
            return Err(Unusable::Newer(version));
        }
        let mut number = |key: &str| value(key).ok_or(Unusable::Damaged);
        let cluster = u128::from_str_radix(number("cluster ")?, 16).map_err(|_| Unusable::Damaged)?;
        let mut count = |key: &str| number(key)?.parse::<usize>().map_err(|_| Unusable::Damaged);
        let tolerance = Tolerance { wrong: count("wrong ")?, crashed: count("crashed ")? };
        Ok(Identity { cluster: ClusterId(cluster.to_be_bytes()), tolerance, replicas_len: count("replicas ")? })
    }
}

/// Why the file is not used.
#[derive(Debug)]
enum Unusable {
    Newer(u64),
    Damaged,
}

impl Unusable {
    fn in_file(self, file: &str) -> OpenError {
        let file = file.to_owned();
        match self {
            Unusable::Newer(version) => OpenError::Newer { file, version, known: VERSION },
            Unusable::Damaged => OpenError::Foreign { file, words: "it does not say which cluster this is".to_owned() },
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { cluster, tolerance: Tolerance { wrong, crashed }, replicas_len } = self;
        let cluster = u128::from_be_bytes(cluster.0);
        writeln!(f, "dsms data {VERSION}")?;
        writeln!(f, "cluster {cluster:032x}\nwrong {wrong}\ncrashed {crashed}\nreplicas {replicas_len}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(tolerance: Tolerance, replicas_len: usize) -> Identity {
        Identity { cluster: ClusterId([0x5A; 16]), tolerance, replicas_len }
    }

    #[test]
    fn the_first_cluster_that_claims_a_directory_has_it() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("data");
        let first = wanted(Tolerance::BYZANTINE, 3);
        assert_eq!(Identity::claim(&directory, first).unwrap(), first);
        let drawn_anew = Identity { cluster: ClusterId([1; 16]), ..first };
        assert_eq!(Identity::claim(&directory, drawn_anew).unwrap(), first, "it is the same cluster again");
        let refused = Identity::claim(&directory, wanted(Tolerance::BOTH, 4)).unwrap_err().to_string();
        for words in ["data/cluster", "of 3 replicas in mode byzantine", "of 4 replicas in mode both", "--data"] {
            assert!(refused.contains(words), "{words} in {refused}");
        }
        let five = wanted(Tolerance { wrong: 0, crashed: 4 }, 5);
        let refused = Identity::claim(&directory, five).unwrap_err().to_string();
        assert!(refused.contains("of 5 replicas that tolerates 0 wrong, 4 crashed"), "{refused}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_is_damaged_or_of_a_later_version_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        let whole = wanted(Tolerance::BYZANTINE, 3).to_string();
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Identity::claim(scratch.path(), wanted(Tolerance::BYZANTINE, 3)).unwrap_err().to_string()
        };
        assert!(refused(&whole.replace("data 1", "data 2")).contains("later version of dsms (format 2"));
        for text in ["", "something else", &whole[..40], &whole.replace("replicas 3", "replicas many")] {
            assert!(refused(text).contains("does not say which cluster"), "{text}");
        }
    }
}
