//! All files of a directory, which may be in use meanwhile: does each entry follow the one before it?

use std::io;
use std::path::Path;

use super::chain::{Frames, Link};
use super::disk::{Directory, Disk};
use super::recalling::decode;
use super::segment::{Before, HEADER_LEN, KIND};
use super::{Owner, Tip};
use crate::protocol::ledger::Entry;
use crate::storage::files::set_aside;
use crate::storage::frame::Unusable;
use crate::storage::numbered_file;

/// What was found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Whose the ledger is; `None` if there is no file of it.
    pub owner: Option<Owner>,
    /// The files up to the first broken place.
    pub segments: Vec<SegmentReport>,
    /// How many entries were lost before they were written, as the ledger itself says.
    pub lost_len: u64,
    /// The first place at which the chain is broken.
    pub broken: Option<Broken>,
    /// What else is worth knowing, in words, one sentence each.
    pub remarks: Vec<String>,
    /// Whether the link that was asked for is that of an entry, or of the beginning of a file.
    pub has_earlier_link: bool,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its path.
    pub file: String,
    /// How many bytes of it are whole entries, and its header.
    pub len_bytes: u64,
    /// How many entries it has.
    pub entries_len: u64,
    /// The first and the last place that its entries are about; 0 if they are about none.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// The link of its last entry.
    pub link: Link,
}

/// A place at which the chain is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The path of the file.
    pub file: String,
    /// The byte of it.
    pub at: u64,
    /// What is wrong.
    pub words: String,
}

/// Walks along the chain up to its end, or to the first place at which it is broken. `earlier` is a link that somebody has noted.
pub fn verify(directory: &Path, earlier: Option<Link>) -> io::Result<Verified> {
    walk(directory, earlier, |_| {})
}

/// The same, and hands over each entry that this version can read.
pub fn read_entries(directory: &Path, take_in: impl FnMut(Entry)) -> io::Result<Verified> {
    walk(directory, None, take_in)
}

fn walk(directory: &Path, earlier: Option<Link>, take_in: impl FnMut(Entry)) -> io::Result<Verified> {
    let disk = Directory::look(directory);
    let names = disk.names()?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| KIND.number_of(name)).collect();
    numbers.sort_unstable();
    let mut aside: Vec<_> = names.iter().filter(|name| set_aside::is_name(name)).collect();
    aside.sort_unstable();
    let mut verifier = Verifier { verified: Verified::default(), earlier, end: None, others_len: 0, take_in };
    verifier.verified.remarks.extend(aside.iter().map(|name| format!("{} was set aside as damaged", disk.path(name))));
    for (place, number) in numbers.iter().enumerate() {
        let name = KIND.file_name(*number);
        let bytes = match disk.read(&name, u64::MAX) {
            // It was the oldest, and somebody writes.
            Err(error) if error.kind() == io::ErrorKind::NotFound && verifier.end.is_none() => continue,
            read => read?,
        };
        let is_last = place + 1 == numbers.len();
        if let Err((at, words)) = verifier.take_in_file(*number, &disk.path(&name), &bytes, is_last) {
            verifier.verified.broken = Some(Broken { file: disk.path(&name), at: at as u64, words });
            break;
        }
    }
    if verifier.others_len > 0 {
        let words = format!(
            "{} entries are of another version of dsms; they follow each other, and are not read",
            verifier.others_len
        );
        verifier.verified.remarks.push(words);
    }
    Ok(verifier.verified)
}

struct Verifier<F> {
    verified: Verified,
    earlier: Option<Link>,
    /// The number of the file before, and the end of its entries.
    end: Option<(u64, Tip)>,
    /// How many entries this version cannot read.
    others_len: u64,
    take_in: F,
}

impl<F: FnMut(Entry)> Verifier<F> {
    /// Takes in the next file; or at which byte it is wrong, and how.
    fn take_in_file(&mut self, number: u64, file: &str, bytes: &[u8], is_last: bool) -> Result<(), (usize, String)> {
        let (owner, before) =
            Before::read(number, bytes, self.verified.owner).map_err(|unusable| (0, in_words(unusable)))?;
        self.verified.owner = Some(owner);
        if let Some((earlier, end)) = self.end {
            if earlier + 1 != number {
                return Err((0, format!("{}, which it follows, is missing", KIND.file_name(number - 1))));
            }
            // The links bind the rest of the header as well. What entries of another version are about is not known here.
            if (before.link, before.entries_len) != (end.link, end.entries_len) {
                let earlier = KIND.file_name(earlier);
                return Err((0, format!("{earlier}, which it follows, ends elsewhere than when this one was begun")));
            }
        }
        let mut tip = Tip::at_begin(&before, &bytes[..HEADER_LEN]);
        self.look_at_link(tip.link);
        let mut frames = Frames::after_header(bytes, HEADER_LEN, tip.link);
        let mut at = HEADER_LEN;
        while let Some(entry) = frames.next() {
            match entry {
                Ok(entry) => self.take_in_entry(entry, &mut tip).map_err(|words| (at, words))?,
                Err(Unusable::CutOff(_)) if is_last => {
                    let more = bytes.len() - at;
                    let words = format!(
                        "{file}, byte {at}: the last {more} bytes are no whole entry; a process was just writing it"
                    );
                    self.verified.remarks.push(words);
                }
                Err(unusable) => return Err((at, unusable.to_string())),
            }
            at = frames.at;
            tip.link = frames.link;
            self.look_at_link(tip.link);
        }
        self.end = Some((number, tip));
        self.verified.segments.push(SegmentReport {
            file: file.to_owned(),
            len_bytes: at as u64,
            entries_len: tip.entries_len - before.entries_len,
            first: tip.places.first,
            last: tip.places.last,
            link: tip.link,
        });
        Ok(())
    }

    fn take_in_entry(&mut self, entry: &[u8], tip: &mut Tip) -> Result<(), String> {
        let entry = decode(entry)?;
        tip.pass(entry.as_ref());
        match entry {
            None => self.others_len += 1,
            Some(Entry::Lost { len, .. }) => self.verified.lost_len = self.verified.lost_len.saturating_add(len),
            Some(_) => {}
        }
        entry.into_iter().for_each(&mut self.take_in);
        Ok(())
    }

    fn look_at_link(&mut self, link: Link) {
        self.verified.has_earlier_link |= self.earlier == Some(link);
    }
}

fn in_words(unusable: numbered_file::Unusable) -> String {
    match unusable {
        numbered_file::Unusable::Damaged(words) | numbered_file::Unusable::Foreign(words) => words,
        numbered_file::Unusable::Newer(version) => {
            format!("a later version of dsms wrote it (format {version}, this one knows {})", KIND.version)
        }
    }
}
