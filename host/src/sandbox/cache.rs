//! Compiled modules on disk, so that a replica that starts anew maps its code instead of compiling it.
//!
//! A file is named by the module's digest, the engine's settings (wasmtime's own compatibility hash) and the digest of the
//! file's own content: `<module>-<engine>-<content>.cwasm`. A file that was cut short or damaged no longer has
//! the content that its name says, is removed, and the module is compiled again. Processes that store at the same time
//! do not disturb each other, as each writes a temporary file and renames it.
//!
//! Compiled code is run as it is. So the directory must belong to us and be closed to everybody else; otherwise there is no
//! cache, and [`CacheStatus`] says why.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::market::Digest;
use crate::whole_file::{self, Existing, Outlives, Readers, Rule, UNFINISHED_EXTENSION};

/// Most bytes of compiled code that are kept; beyond it the oldest files go. Rust modules have some hundred kilobytes of
/// code, Python modules some fifty megabytes.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// Whether compiled modules are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// In this directory.
    On(PathBuf),
    /// No. Says why, in words for the operator.
    Off(String),
}

#[derive(Debug)]
pub(super) struct Cache {
    status: CacheStatus,
}

impl Cache {
    /// The user's cache, by `$DSMS_CACHE_DIR`, `$XDG_CACHE_HOME` and `$HOME`, in this order.
    pub(super) fn open_default() -> Cache {
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let dir = variable("DSMS_CACHE_DIR")
            .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("dsms")))
            .or_else(|| variable("HOME").map(|dir| dir.join(".cache/dsms")));
        match dir {
            Some(dir) => Cache::open(&dir),
            None => Cache::off("none of DSMS_CACHE_DIR, XDG_CACHE_HOME and HOME is set"),
        }
    }

    pub(super) fn open(dir: &Path) -> Cache {
        match prepare(dir) {
            Ok(()) => Cache { status: CacheStatus::On(dir.to_owned()) },
            Err(why) => Cache::off(&why),
        }
    }

    pub(super) fn off(why: &str) -> Cache {
        Cache { status: CacheStatus::Off(why.to_owned()) }
    }

    pub(super) fn status(&self) -> &CacheStatus {
        &self.status
    }

    /// The compiled form of a module, if an earlier process left one that is whole and fits this engine.
    pub(super) fn load(&self, engine: &Engine, module: Digest) -> Option<Component> {
        let CacheStatus::On(dir) = &self.status else { return None };
        let prefix = prefix(engine, module);
        let path = entries(dir).map(|(path, _)| path).find(|path| name_of(path).starts_with(&prefix))?;
        let loaded = load_checked(engine, &path, &prefix);
        if loaded.is_none() {
            let _ = fs::remove_file(&path); // Another process may have been faster; either way it is gone.
        }
        loaded
    }

    /// Keeps the compiled form of a module. A full disk is no error: the next process compiles again.
    pub(super) fn store(&self, component: &Component, module: Digest) {
        let CacheStatus::On(dir) = &self.status else { return };
        let Ok(code) = component.serialize() else { return };
        if code.len() as u64 > CACHE_BYTES_MAX {
            return;
        }
        let name = format!("{}{}.cwasm", prefix(component.engine(), module), Digest::of_bytes(&code));
        let rule = Rule { existing: Existing::Replaced, outlives: Outlives::Processes, readers: Readers::Owner };
        if whole_file::write(&dir.join(name), &code, rule).is_ok() {
            evict(dir, CACHE_BYTES_MAX);
        }
    }
}

/// Makes the directory, or says why it must not be used.
fn prepare(dir: &Path) -> Result<(), String> {
    let shown = dir.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| format!("cannot make the directory {shown}: {error}; set DSMS_CACHE_DIR to another"))?;
    let metadata = fs::metadata(dir).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let us = rustix::process::geteuid().as_raw();
    if metadata.uid() != us {
        return Err(format!(
            "{shown} belongs to user {}, not to us (user {us}); set DSMS_CACHE_DIR to a directory of your own",
            metadata.uid()
        ));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} is open to others (mode {mode:o}); type: chmod 700 {shown}"));
    }
    Ok(())
}

/// `<module>-<engine>-`.
fn prefix(engine: &Engine, module: Digest) -> String {
    let mut settings = SettingsHasher(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    format!("{module}-{}-", &settings.0.finalize().to_hex()[..16])
}

/// BLAKE3 as a [`Hasher`], since the standard one may differ between versions of Rust.
struct SettingsHasher(blake3::Hasher);

impl Hasher for SettingsHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(self.0.finalize().as_bytes()[..8].try_into().expect("eight bytes"))
    }
}

fn load_checked(engine: &Engine, path: &Path, prefix: &str) -> Option<Component> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).ok()?).ok()?;
    let expected_name = format!("{prefix}{}.cwasm", hasher.finalize().to_hex());
    if name_of(path) != expected_name {
        return None;
    }
    // SAFETY: the file must hold what `Component::serialize` gave, and must not change while it is mapped. It has the content
    // whose digest it was named by when it was stored, so it is neither cut short nor damaged. It lies in a directory that only
    // we can write (`prepare`), and nothing of ours ever writes to a file under its final name: files come by renaming
    // and go by unlinking, which leaves a mapped file as it is. wasmtime itself refuses code of other versions or settings.
    unsafe { Component::deserialize_file(engine, path) }.ok()
}

/// Removes the oldest files until those that stay fit. Temporary files that a crash left behind grow old like all others.
fn evict(dir: &Path, bytes_max: u64) {
    let mut files: Vec<(PathBuf, Metadata)> = entries(dir).collect();
    files.sort_by_key(|(_, metadata)| std::cmp::Reverse(metadata.modified().ok()));
    let mut bytes = 0;
    for (path, metadata) in files {
        bytes += metadata.len();
        if bytes > bytes_max {
            let _ = fs::remove_file(path);
        }
    }
}

/// The cache's own files.
fn entries(dir: &Path) -> impl Iterator<Item = (PathBuf, Metadata)> {
    let ours = |path: &Path| {
        path.extension().is_some_and(|extension| extension == "cwasm" || extension == UNFINISHED_EXTENSION)
    };
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .filter(move |(path, metadata)| metadata.is_file() && ours(path))
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn stored(dir: &Path) -> (Engine, Cache, Digest, PathBuf) {
        let engine = Engine::default();
        let cache = Cache::open(dir);
        let module = Digest::of_bytes(EMPTY_COMPONENT);
        cache.store(&Component::from_binary(&engine, EMPTY_COMPONENT).unwrap(), module);
        let (path, _) = entries(dir).next().unwrap();
        (engine, cache, module, path)
    }

    fn private_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        dir
    }

    #[test]
    fn what_was_stored_is_found_by_the_same_engine_only() {
        let dir = private_dir();
        let (engine, cache, module, _) = stored(dir.path());
        assert!(cache.load(&engine, module).is_some());
        assert!(cache.load(&engine, Digest::of_bytes(b"other")).is_none());
        let other = Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        assert!(cache.load(&other, module).is_none());
        assert!(cache.load(&engine, module).is_some());
    }

    #[test]
    fn a_truncated_or_damaged_file_is_removed() {
        let damages: [fn(&mut Vec<u8>); 3] = [|code| code.truncate(100), |code| code[2000] ^= 1, |code| code.clear()];
        for damage in damages {
            let dir = private_dir();
            let (engine, cache, module, path) = stored(dir.path());
            let mut code = fs::read(&path).unwrap();
            damage(&mut code);
            fs::write(&path, &code).unwrap();
            assert!(cache.load(&engine, module).is_none());
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_directory_that_others_may_enter_is_not_used() {
        let dir = private_dir();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let cache = Cache::open(dir.path());
        assert!(matches!(cache.status(), CacheStatus::Off(why) if why.contains("chmod 700")), "{:?}", cache.status());
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_not_used() {
        let dir = private_dir();
        fs::write(dir.path().join("file"), "").unwrap();
        let cache = Cache::open(&dir.path().join("file/cache"));
        assert!(matches!(cache.status(), CacheStatus::Off(why) if why.contains("DSMS_CACHE_DIR")));
    }

    #[test]
    fn the_oldest_files_go_first() {
        let dir = private_dir();
        for (age, name) in ["oldest", "middle", "newest"].iter().enumerate() {
            let path = dir.path().join(format!("{name}.cwasm"));
            fs::write(&path, [0; 100]).unwrap();
            let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + age as u64);
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
        fs::write(dir.path().join("of-somebody-else"), [0; 1000]).unwrap();
        evict(dir.path(), 250);
        assert!(!dir.path().join("oldest.cwasm").exists());
        assert!(dir.path().join("middle.cwasm").exists() && dir.path().join("newest.cwasm").exists());
        assert!(dir.path().join("of-somebody-else").exists());
    }
}
