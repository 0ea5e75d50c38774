//! The module that a swap has given a replica, kept beside what is ordered, so that the next process of its manager begins with it.
//!
//! `modules/` in the directory of the replica holds the module's file, named by its digest, and `present`, a text that names it and
//! the module that the configuration had named first by then. If the configuration names another one since, somebody has decided
//! anew, and what was kept is not used.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::market::Digest;
use crate::sandbox::{Engine, LoadedModule};
use crate::storage::files::MODULES_NAME;
use crate::whole_file::{self, Existing, Outlives, Readers, Rule, UNFINISHED_EXTENSION};

/// The name of the text.
const PRESENT_NAME: &str = "present";

/// The first line of the text; it changes whenever an older reader would misread it.
const FORMAT: &str = "dsms module 1";

/// The longest text that is read. A whole one has some 170 bytes.
const PRESENT_LEN_MAX: u64 = 4096;

/// How its files are written.
const FILES: Rule = Rule { existing: Existing::Replaced, outlives: Outlives::PowerCuts, readers: Readers::Owner };

/// Where one replica's manager keeps the module that a swap has brought.
#[derive(Clone, Debug)]
pub struct KeptModules {
    directory: PathBuf,
    /// The first module of the configuration.
    configured: Digest,
}

/// The modules that a process begins with.
pub struct Beginning {
    /// The first one and its spares.
    pub modules: Vec<LoadedModule>,
    /// Which of them the last swap has replaced, if the first one came in a swap.
    pub previous: Option<usize>,
    /// Why the module that was kept is not among them, in words, if it should be.
    pub lost: Option<String>,
}

impl KeptModules {
    /// In the directory of a replica, whose configuration names this module first.
    pub fn within(directory: &Path, configured: Digest) -> KeptModules {
        KeptModules { directory: directory.join(MODULES_NAME), configured }
    }

    /// The modules to begin with, of which the configuration has named some.
    pub fn begin_with(&self, engine: &Engine, mut modules: Vec<LoadedModule>) -> Beginning {
        let kept = match self.present() {
            Ok(None) => return Beginning { modules, previous: None, lost: None },
            Ok(Some(name)) => self.load(engine, &name, &modules),
            Err(words) => Err(words),
        };
        match kept {
            Ok(kept) => {
                modules.retain(|module| module.digest() != kept.digest());
                modules.insert(0, kept);
                let previous = modules.iter().position(|module| module.digest() == self.configured);
                Beginning { modules, previous, lost: None }
            }
            Err(words) => Beginning { modules, previous: None, lost: Some(words) },
        }
    }

    fn load(&self, engine: &Engine, name: &str, modules: &[LoadedModule]) -> Result<LoadedModule, String> {
        if let Some(spare) = modules.iter().find(|module| module.digest().to_string() == name) {
            return Ok(spare.clone());
        }
        let path = self.path(name);
        let loaded = engine.load_file(&path).map_err(|error| error.to_string())?;
        if loaded.digest().to_string() != name {
            return Err(format!("{}: its digest is {}", path.display(), loaded.digest()));
        }
        Ok(loaded)
    }

    /// The digest of the module that was there last, if it came in a swap and the configuration is still the same.
    fn present(&self) -> Result<Option<String>, String> {
        let path = self.directory.join(PRESENT_NAME);
        let unreadable = |words: &dyn std::fmt::Display| format!("{}: {words}", path.display());
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| unreadable(&error))?,
        };
        let text = io::read_to_string(io::Read::take(file, PRESENT_LEN_MAX)).map_err(|error| unreadable(&error))?;
        let lines: Vec<&str> = text.lines().collect();
        let [FORMAT, present, configured] = lines[..] else {
            return Err(unreadable(&"it does not say which module was there, as a file of this version does"));
        };
        let is_name = |name: &&str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (present, configured) = (present.strip_prefix("present "), configured.strip_prefix("configured "));
        let (Some(present), Some(configured)) = (present.filter(is_name), configured.filter(is_name)) else {
            return Err(unreadable(&"it names no module"));
        };
        Ok((configured == self.configured.to_string()).then(|| present.to_owned()))
    }

    /// Keeps the bytes of a module that is about to be tried.
    pub fn keep(&self, bytes: &[u8], digest: Digest) -> io::Result<()> {
        let path = self.path(&digest.to_string());
        if path.exists() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        whole_file::write(&path, bytes, FILES)
    }

    /// This module is the replica's from now on. All others are forgotten.
    pub fn choose(&self, digest: Digest) -> io::Result<()> {
        let present = self.directory.join(PRESENT_NAME);
        if digest == self.configured {
            if present.exists() {
                fs::remove_file(&present)?;
            }
        } else {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            let text = format!("{FORMAT}\npresent {digest}\nconfigured {}\n", self.configured);
            whole_file::write(&present, text.as_bytes(), FILES)?;
        }
        self.forget_all_but(digest)
    }

    fn forget_all_but(&self, digest: Digest) -> io::Result<()> {
        let kept = self.path(&digest.to_string());
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            // Nobody else writes here, so what is unfinished was left behind.
            let is_ours = |extension: &OsStr| extension == "wasm" || extension == UNFINISHED_EXTENSION;
            if path.extension().is_some_and(is_ours) && path != kept {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.wasm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{SandboxLimits, reference_module};

    struct Bench {
        directory: tempfile::TempDir,
        engine: Engine,
        configured: LoadedModule,
        /// Another module that does the same: it has one custom section more.
        other: Vec<u8>,
    }

    impl Bench {
        fn new() -> Bench {
            let engine = Engine::new(SandboxLimits::default()).unwrap();
            let configured = engine.load(reference_module()).unwrap();
            let other = [reference_module(), &[0, 5, 4, b'm', b'o', b'r', b'e']].concat();
            Bench { directory: tempfile::tempdir().unwrap(), engine, configured, other }
        }

        fn kept(&self) -> KeptModules {
            KeptModules::within(self.directory.path(), self.configured.digest())
        }

        fn begin(&self, kept: &KeptModules) -> (Vec<Digest>, Option<usize>, Option<String>) {
            let Beginning { modules, previous, lost } = kept.begin_with(&self.engine, vec![self.configured.clone()]);
            (modules.iter().map(LoadedModule::digest).collect(), previous, lost)
        }
    }

    #[test]
    fn the_module_that_came_last_is_the_first_one_of_the_next_process() {
        let bench = Bench::new();
        let (kept, configured, other) = (bench.kept(), bench.configured.digest(), Digest::of_bytes(&bench.other));
        assert_eq!(bench.begin(&kept), (vec![configured], None, None));
        kept.keep(&bench.other, other).unwrap();
        fs::write(bench.directory.path().join(MODULES_NAME).join("a.wasm.1-0.tmp"), "of a process that was killed")
            .unwrap();
        assert_eq!(bench.begin(&kept), (vec![configured], None, None), "it was tried, and did not take over");
        kept.choose(other).unwrap();
        assert_eq!(bench.begin(&kept), (vec![other, configured], Some(1), None));
        kept.choose(configured).unwrap();
        assert_eq!(bench.begin(&kept), (vec![configured], None, None), "it was taken back");
        let left = fs::read_dir(bench.directory.path().join(MODULES_NAME)).unwrap().count();
        assert_eq!(left, 0, "what is not needed any more is gone");
    }

    #[test]
    fn whoever_configures_another_module_has_decided_anew() {
        let bench = Bench::new();
        let other = Digest::of_bytes(&bench.other);
        bench.kept().keep(&bench.other, other).unwrap();
        bench.kept().choose(other).unwrap();
        let anew = KeptModules::within(bench.directory.path(), Digest::of_bytes(b"configured since"));
        assert_eq!(bench.begin(&anew), (vec![bench.configured.digest()], None, None));
    }

    #[test]
    fn a_module_that_is_lost_or_damaged_is_told_and_the_configured_one_is_used() {
        let bench = Bench::new();
        let (kept, configured, other) = (bench.kept(), bench.configured.digest(), Digest::of_bytes(&bench.other));
        kept.keep(&bench.other, other).unwrap();
        kept.choose(other).unwrap();
        let path = kept.path(&other.to_string());
        fs::write(&path, reference_module()).unwrap();
        let (modules, previous, lost) = bench.begin(&kept);
        assert_eq!((modules, previous), (vec![configured], None));
        assert!(lost.unwrap().contains("its digest is"), "another file was put there");
        fs::remove_file(path).unwrap();
        assert!(bench.begin(&kept).2.is_some());
        fs::write(bench.directory.path().join(MODULES_NAME).join(PRESENT_NAME), "dsms module 2\n").unwrap();
        assert!(bench.begin(&kept).2.unwrap().contains("this version"));
    }
}
