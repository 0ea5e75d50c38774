//! Reads the files of a directory, in their order, up to the first damage. Changes nothing.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::error::{OpenError, io_error};
use super::extent::Extent;
use super::segment::{self, HEADER_LEN, Segment};
use super::{LOCK_NAME, MODULES_NAME, Owner, ROOM_NAME, SEGMENT_LEN_MAX, set_aside};
use crate::protocol::record::{Record, Recovered};
use crate::storage::frame;
use crate::storage::numbered_file::Unusable;

/// Longest file that is read: one that has just not reached its length, and then the longest record.
const FILE_LEN_MAX: u64 = SEGMENT_LEN_MAX + frame::LEN_MAX as u64;

/// What is in a directory.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The files that are used, the first to the last. Of the last one, maybe only a part.
    pub(super) segments: Vec<Segment>,
    /// How many bytes of the last one are used.
    pub(super) last_len: u64,
    /// What the records in them span.
    pub(super) extent: Extent,
    /// What they amount to.
    pub(super) recovered: Recovered,
    /// Where they end before their time.
    pub(super) damage: Option<Damage>,
    /// What else is not as it should be, in words.
    pub(super) remarks: Vec<String>,
}

/// Where the first damage is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// In which file.
    pub(super) number: u64,
    /// Nothing from this byte of it on is used; 0 if it is not used at all.
    pub(super) at: u64,
    /// What is wrong.
    pub(super) words: String,
    /// The files after it, which are not used either.
    pub(super) later: Vec<u64>,
}

/// Reads what is there, or says why nobody may who does not own it.
pub(super) fn read(directory: &Path, owner: Owner) -> Result<Reading, OpenError> {
    let mut reading = Reading::default();
    let numbers = numbers_in(directory, &mut reading.remarks)?;
    for number in &numbers {
        refuse_others(directory, *number, owner)?;
    }
    for (place, number) in numbers.iter().enumerate() {
        if let Err((at, words)) = reading.read_file(directory, *number, owner)? {
            let later = numbers[place + 1..].to_vec();
            reading.damage = Some(Damage { number: *number, at, words, later });
            break;
        }
    }
    reading.finish();
    Ok(reading)
}

/// The numbers of the files there are, in their order. Tells of those that do not belong here.
fn numbers_in(directory: &Path, remarks: &mut Vec<String>) -> Result<Vec<u64>, OpenError> {
    let mut numbers = Vec::new();
    let mut foreign = Vec::new();
    for entry in fs::read_dir(directory).map_err(io_error(directory))? {
        let name = entry.map_err(io_error(directory))?.file_name();
        let name = name.to_string_lossy();
        match segment::number_of(&name) {
            Some(number) => numbers.push(number),
            None if [LOCK_NAME, ROOM_NAME, MODULES_NAME].contains(&&*name) || set_aside::is_name(&name) => {}
            None => foreign.push(name.into_owned()),
        }
    }
    numbers.sort_unstable();
    if let Some(first) = foreign.iter().min() {
        let more = match foreign.len() - 1 {
            0 => "does".to_owned(),
            more => format!("and {more} more do"),
        };
        remarks.push(format!("{} {more} not belong here, and is left alone", directory.join(first).display()));
    }
    Ok(numbers)
}

/// Whether a file may be read and, if it is damaged, set aside.
fn refuse_others(directory: &Path, number: u64, owner: Owner) -> Result<(), OpenError> {
    let path = directory.join(segment::file_name(number));
    let mut header = Vec::new();
    let file = File::open(&path).map_err(io_error(&path))?;
    file.take(HEADER_LEN as u64).read_to_end(&mut header).map_err(io_error(&path))?;
    let file = path.display().to_string();
    match Segment::read(number, &header, owner) {
        Err(Unusable::Newer(version)) => {
            Err(OpenError::Newer { file, version: version.into(), known: segment::KIND.version.into() })
        }
        Err(Unusable::Foreign(words)) => Err(OpenError::Foreign { file, words }),
        Err(Unusable::Damaged(_)) | Ok(_) => Ok(()),
    }
}

impl Reading {
    /// Takes in one file, up to its end or its first damage: at which byte, and what is wrong.
    fn read_file(
        &mut self,
        directory: &Path,
        number: u64,
        owner: Owner,
    ) -> Result<Result<(), (u64, String)>, OpenError> {
        let path = directory.join(segment::file_name(number));
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(io_error(&path))?;
        file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes).map_err(io_error(&path))?;
        if bytes.len() as u64 > FILE_LEN_MAX {
            return Ok(Err((0, format!("it has more than {FILE_LEN_MAX} bytes, as no file of dsms has"))));
        }
        let segment = match Segment::read(number, &bytes, owner) {
            Ok(segment) => segment,
            Err(Unusable::Damaged(words) | Unusable::Foreign(words)) => return Ok(Err((0, words))),
            Err(Unusable::Newer(version)) => return Ok(Err((0, format!("it has version {version} all at once")))),
        };
        if let Err(words) = self.begin(segment) {
            return Ok(Err((0, words)));
        }
        Ok(self.read_frames(&bytes))
    }

    /// The next file begins, if it follows those before.
    fn begin(&mut self, segment: Segment) -> Result<(), String> {
        match self.segments.last() {
            None => {
                self.extent = segment.before;
                self.recovered.incarnation = segment.before.incarnation;
                self.recovered.log.begin_after(segment.before.end);
            }
            Some(last) if last.number + 1 != segment.number => {
                return Err(format!("{}, which it follows, is missing", segment::file_name(segment.number - 1)));
            }
            Some(last) if !self.extent.may_precede(segment.before) => {
                let last = segment::file_name(last.number);
                return Err(format!("{last}, which it follows, ends elsewhere than when this one was begun"));
            }
            Some(_) => {
                self.extent = segment.before;
                self.recovered.log.truncate(segment.before.start);
            }
        }
        self.segments.push(segment);
        Ok(())
    }

    fn read_frames(&mut self, bytes: &[u8]) -> Result<(), (u64, String)> {
        let mut at = HEADER_LEN;
        self.last_len = at as u64;
        while at < bytes.len() {
            let read = frame::decode(&bytes[at..]);
            let applied = read.and_then(|(record, len)| self.apply(record).map(|()| len));
            at += applied.map_err(|words| (at as u64, words))?;
            self.last_len = at as u64;
        }
        Ok(())
    }

    fn apply(&mut self, record: Record) -> Result<(), String> {
        let mut extent = self.extent;
        extent.pass(&record);
        let checkpoint = match &record {
            Record::Checkpoint(checkpoint, _) => Some(checkpoint.sequence),
            _ => None,
        };
        // When it was written, the log still reached back to files that are gone by now.
        let shortens_what_is_gone = matches!(&record, Record::Begin(after)
            if self.extent.holds(*after) && *after < self.recovered.log.start());
        if !shortens_what_is_gone {
            self.recovered.apply(record)?;
        }
        self.extent = extent;
        let segment = self.segments.last_mut().expect("a file has begun");
        segment.checkpoint = segment.checkpoint.max(checkpoint);
        Ok(())
    }

    fn finish(&mut self) {
        let (start, began) = (self.recovered.log.start(), self.extent.start);
        if start > began && self.damage.is_none() {
            self.remarks.push(format!("the files with the orders after #{began} up to #{start} are missing"));
        }
        self.recovered.finish();
    }
}
