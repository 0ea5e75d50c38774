//! Puts what is damaged where nobody reads it and somebody can look into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::PRIVATE_FILE;
use super::error::{OpenError, io_error};
use super::reading::Damage;
use super::segment::file_name;
use crate::storage::Durability;

/// What the names of such files have after that of the file they were.
const MARK: &str = ".damaged";

/// Whether a file of this name was set aside.
pub(in crate::storage) fn is_name(name: &str) -> bool {
    name.contains(MARK)
}

/// Sets aside what is damaged, and all after it; says in words what is where now, a sentence a file.
pub(super) fn set_aside(directory: &Path, damage: &Damage, durability: Durability) -> Result<Vec<String>, OpenError> {
    let Damage { number, at, words, later } = damage;
    let path = directory.join(file_name(*number));
    let aside = free_name(&path);
    let (file, to) = (path.display(), aside.display());
    let mut sentences = Vec::new();
    if *at == 0 {
        fs::rename(&path, &aside).map_err(io_error(&path))?;
        sentences.push(format!("{file}, byte 0: {words}; it is set aside as {to}"));
    } else {
        let len = cut(&path, *at, &aside, durability).map_err(io_error(&aside))?;
        sentences.push(format!("{file}, byte {at}: {words}; the {len} bytes from there on are set aside in {to}"));
    }
    for number in later {
        let path = directory.join(file_name(*number));
        let aside = free_name(&path);
        fs::rename(&path, &aside).map_err(io_error(&path))?;
        let (file, to) = (path.display(), aside.display());
        sentences.push(format!("{file} follows what is damaged; it is set aside as {to}"));
    }
    durability.sync_directory(directory).map_err(io_error(directory))?;
    Ok(sentences)
}

/// Moves what a file has from a byte on to another one; how many bytes that were.
pub(in crate::storage) fn cut(path: &Path, at: u64, aside: &Path, durability: Durability) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut to: File = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(aside)?;
    let copied = to.write_all(&bytes).and_then(|()| durability.sync(&to));
    if copied.is_err() {
        // Half a copy would only take the room that there is not.
        let _gone_already = fs::remove_file(aside);
    }
    copied?;
    file.set_len(at)?;
    durability.sync(&file)?;
    Ok(bytes.len() as u64)
}

/// A name for what a file was that no file has yet.
pub(in crate::storage) fn free_name(path: &Path) -> PathBuf {
    let named = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(MARK);
        name.push(suffix);
        PathBuf::from(name)
    };
    let numbered = (2..).map(|number: u32| named(format!("-{number}")));
    let mut names = std::iter::once(named(String::new())).chain(numbered);
    names.find(|name| !name.exists()).expect("a directory does not hold that many files")
}
