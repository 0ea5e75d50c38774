//! Files that are numbered, and how any of them begins: so that one of a later version is told from a damaged one.
//!
//! ```text
//! what kind of file it is (8) | version (1) | checksum of these (4) | …
//! ```
//!
//! Whatever a later version changes, these 13 bytes keep their meaning.

/// The bytes that any version begins with, and those of them that the checksum is of.
pub(super) const BEGINNING_LEN: usize = 13;
const CHECKED_LEN: usize = 9;

/// What is written into files of one kind, how, and what they are called.
#[derive(Debug)]
pub(super) struct Kind {
    /// The first bytes of every file, by which others are told from it.
    pub(super) magic: &'static [u8; 8],
    /// The version of what is written. A reader refuses later ones, and leaves them as they are.
    pub(super) version: u8,
    /// How the name of every file ends.
    pub(super) suffix: &'static str,
}

/// Why a file's header is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// A later version of this program wrote it.
    Newer(u8),
    /// It is whole, and of somebody else, in words.
    Foreign(String),
    /// It is damaged, or never was a header, in words.
    Damaged(String),
}

impl Kind {
    /// How a file begins.
    pub(super) fn beginning(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.push(self.version);
        bytes.extend_from_slice(&checksum::<4>(&bytes));
        bytes
    }

    /// Whether these bytes begin a file of this kind, and of this version or an earlier one.
    pub(super) fn check_beginning(&self, bytes: &[u8]) -> Result<(), Unusable> {
        let beginning = bytes.first_chunk::<BEGINNING_LEN>().ok_or_else(|| Unusable::cut_off(bytes))?;
        let (named, named_checksum) = beginning.split_at(CHECKED_LEN);
        if !named.starts_with(self.magic) || checksum::<4>(named) != named_checksum {
            return Err(Unusable::damaged("this is no file of dsms, or its beginning is damaged"));
        }
        let version = named[self.magic.len()];
        match version {
            0 => Err(Unusable::damaged("there is no version 0")),
            _ if version <= self.version => Ok(()),
            _ => Err(Unusable::Newer(version)),
        }
    }

    /// The name of the file of this number.
    pub(super) fn file_name(&self, number: u64) -> String {
        format!("{number:08}{}", self.suffix)
    }

    /// The number of the file of this name, if it is the name of one.
    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        let number = name.strip_suffix(self.suffix)?.parse().ok()?;
        (self.file_name(number) == name).then_some(number)
    }
}

impl Unusable {
    pub(super) fn damaged(words: &str) -> Unusable {
        Unusable::Damaged(words.to_owned())
    }

    pub(super) fn cut_off(bytes: &[u8]) -> Unusable {
        Unusable::Damaged(format!("it is cut off after {} bytes of a header", bytes.len()))
    }
}

/// The next bytes of a header, which is long enough.
pub(super) fn take<const LEN: usize>(rest: &mut &[u8]) -> [u8; LEN] {
    let (taken, left) = rest.split_first_chunk().expect("a header is longer");
    *rest = left;
    *taken
}

/// The beginning of the digest of these bytes.
pub(super) fn checksum<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a digest is longer")
}
