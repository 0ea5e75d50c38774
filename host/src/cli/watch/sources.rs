//! What a project's sources looked like at one moment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};

/// What is built or installed, and so no source. Hidden files are none either, nor is what `dsms check` saves.
const IGNORED: [&str; 4] = ["out", "target", "node_modules", "__pycache__"];

/// Most files that are looked at twice a second. Whoever runs it in a home directory by mistake is told so.
const FILES_LEN_MAX: usize = 10_000;

/// When each file was changed last, and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Sources {
    /// Looks at all files of a project. One that is gone in the meantime, as editors do it, is not there.
    pub(super) fn look(project: &Path) -> anyhow::Result<Sources> {
        fs::read_dir(project).with_context(|| format!("cannot look into {}", project.display()))?;
        let mut files = BTreeMap::new();
        let mut directories = vec![project.to_owned()];
        while let Some(directory) = directories.pop() {
            // A link is looked at itself, except for the contract, which is one in the templates' own directories.
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let metadata = if *name == *"wit" { path.metadata() } else { path.symlink_metadata() };
                let Ok(metadata) = metadata else { continue };
                let is_made = IGNORED.contains(&&*name) || name.ends_with(".check");
                if name.starts_with('.') || (metadata.is_dir() && is_made) {
                    continue;
                }
                if metadata.is_dir() {
                    directories.push(path);
                } else {
                    files.insert(path, (metadata.modified().ok(), metadata.len()));
                }
            }
            if files.len() > FILES_LEN_MAX {
                bail!("{} has more than {FILES_LEN_MAX} files; give the directory of one module", project.display());
            }
        }
        Ok(Sources(files))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(project: &Path, file: &str, text: &str) {
        let path = project.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_file_that_is_written_added_or_removed_is_a_change() {
        let project = tempfile::tempdir().unwrap();
        let look = || Sources::look(project.path()).unwrap();
        write(project.path(), "src/lib.rs", "a");
        let first = look();
        assert_eq!(look(), first);
        write(project.path(), "src/lib.rs", "ab");
        let second = look();
        assert_ne!(second, first);
        write(project.path(), "src/deep/new.rs", "");
        assert_ne!(look(), second);
        fs::remove_file(project.path().join("src/deep/new.rs")).unwrap();
        assert_eq!(look(), second);
    }

    #[test]
    fn what_is_built_installed_or_hidden_is_no_source() {
        let project = tempfile::tempdir().unwrap();
        write(project.path(), "src/lib.rs", "a");
        let first = Sources::look(project.path()).unwrap();
        for file in [
            "out/replica.wasm",
            "target/x",
            "node_modules/x/y",
            ".venv/x",
            ".src.swp",
            "src/__pycache__/x.pyc",
            "replica.check/golden-1.toml",
        ] {
            write(project.path(), file, "built");
        }
        assert_eq!(Sources::look(project.path()).unwrap(), first);
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let error = Sources::look(Path::new("/no/such")).unwrap_err();
        assert!(format!("{error:#}").contains("/no/such"), "{error:#}");
    }
}
