//! Results that are kept, one file a module, so that a run that was stopped goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Ended, Examined, FORMAT, Settings};
use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

/// A file cannot be written: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {cause}; choose another directory with --out DIR", path.display())]
pub struct WriteError {
    path: PathBuf,
    cause: std::io::Error,
}

/// Writes a file as a whole: whoever reads it sees the one of before, or all of this one.
pub fn write(path: &Path, text: &str) -> Result<(), WriteError> {
    let failed = |cause| WriteError { path: path.to_owned(), cause };
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed)?;
    let rule = Rule { existing: Existing::Replaced, outlives: Outlives::Processes, readers: Readers::ByUmask };
    whole_file::write(path, text.as_bytes(), rule).map_err(failed)
}

/// Where the result of the module of this digest is kept.
fn place(directory: &Path, digest: &str) -> PathBuf {
    directory.join("results").join(digest).with_added_extension("json")
}

/// Keeps a result.
pub fn keep(directory: &Path, examined: &Examined) -> Result<(), WriteError> {
    let text = serde_json::to_string(examined).expect("a result is made of tables, numbers and text");
    write(&place(directory, &examined.digest), &text)
}

/// The kept result of this module, if it was examined like this. A file that cannot be read is none, nor is the result of a process that
/// failed: that may have been the machine's doing.
pub fn kept(directory: &Path, digest: &str, settings: &Settings) -> Option<Examined> {
    let text = fs::read_to_string(place(directory, digest)).ok()?;
    let examined: Examined = serde_json::from_str(&text).ok()?;
    let is_meant = examined.format == FORMAT && examined.digest == digest && examined.settings == *settings;
    (is_meant && !matches!(examined.ended, Ended::Failed(_))).then_some(examined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grading::output::sample;

    #[test]
    fn a_result_is_found_again_under_the_same_digest_and_settings_only() {
        let directory = tempfile::tempdir().unwrap();
        let examined = sample::examined();
        let (digest, settings) = (&*examined.digest, examined.settings);
        assert_eq!(kept(directory.path(), digest, &settings), None);
        keep(directory.path(), &examined).unwrap();
        assert_eq!(kept(directory.path(), digest, &settings).as_ref(), Some(&examined));
        assert_eq!(kept(directory.path(), digest, &Settings { seed: settings.seed + 1, ..settings }), None);
        assert_eq!(kept(directory.path(), &"0".repeat(64), &settings), None);
        let failed = Examined { ended: Ended::Failed("killed".to_owned()), ..examined.clone() };
        keep(directory.path(), &failed).unwrap();
        assert_eq!(kept(directory.path(), digest, &settings), None, "it is tried again");
        fs::write(place(directory.path(), digest), "{").unwrap();
        assert_eq!(kept(directory.path(), digest, &settings), None, "half a file is none");
    }
}
