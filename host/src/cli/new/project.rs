//! A module project of a given name: a template with that name in it, written to a directory that did not exist.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, bail};

use super::templates::{Language, TemplateFile};

/// Longest name of a project, so that it is a name for every tool and file system.
const NAME_LEN_MAX: usize = 64;

/// The name of a project, in the letters that every language's tools take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProjectName(String);

impl FromStr for ProjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<ProjectName, String> {
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(is_plain)
            && !text.ends_with('-')
            && text.len() <= NAME_LEN_MAX
        {
            return Ok(ProjectName(text.to_owned()));
        }
        Err(format!(
            "a name has 1 to {NAME_LEN_MAX} lower-case letters, digits and hyphens, begins with a letter and does not end \
             with a hyphen, such as my-market; it is not a path"
        ))
    }
}

/// A project that can be written.
pub(super) struct Project {
    name: ProjectName,
    /// What the template is called in its own files.
    template_name: String,
    files: &'static [TemplateFile],
}

impl Project {
    /// A project in one language. Its name must not be that of a package which it needs itself.
    pub(super) fn new(name: ProjectName, language: Language) -> anyhow::Result<Project> {
        let files = language.files();
        let lock = files.iter().find(|file| file.path == CARGO_LOCK).map_or(&[][..], |file| file.contents);
        if String::from_utf8_lossy(lock).contains(&format!("\nname = \"{}\"\n", name.0)) {
            bail!("{} is the name of a package that the project needs; choose another name", name.0);
        }
        Ok(Project { name, template_name: format!("dsms-replica-{}", language.directory()), files })
    }

    pub(super) fn name(&self) -> &str {
        &self.name.0
    }

    pub(super) fn files_len(&self) -> usize {
        self.files.len()
    }

    /// Writes all files to a new directory of the project's name. What was written is taken away again if that fails.
    pub(super) fn write(&self, parent: &Path) -> anyhow::Result<()> {
        let directory = parent.join(self.name());
        if directory.symlink_metadata().is_ok() {
            bail!("{} exists already, and nothing is overwritten; choose another name, or move it away", self.name());
        }
        fs::create_dir(&directory).with_context(|| format!("cannot make the directory {}", self.name()))?;
        let written = self.write_files(&directory);
        if written.is_err() {
            let _what_is_left = fs::remove_dir_all(&directory);
        }
        written
    }

    fn write_files(&self, directory: &Path) -> anyhow::Result<()> {
        for file in self.files {
            let path = directory.join(file.path);
            let write = || {
                fs::create_dir_all(path.parent().unwrap_or(directory))?;
                fs::write(&path, self.contents(file))?;
                let mode = if file.is_executable { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            };
            write().with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// What a file holds in this project.
    fn contents(&self, file: &TemplateFile) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(file.contents) else { return file.contents.to_vec() };
        let text = text.replace(&self.template_name, self.name());
        let text = match file.path {
            "README.md" => self.readme(&text),
            // The key of a cluster that is started in here is nobody else's; what a check has found is of the moment.
            ".gitignore" => format!("{text}/.dsms/\n/replica.check/\n"),
            CARGO_LOCK => sorted_lock(&text),
            _ => text,
        };
        text.into_bytes()
    }

    /// The template's own text under the project's name, and after it what can be done next.
    fn readme(&self, template: &str) -> String {
        let rest = template.strip_prefix("# A replica module").unwrap_or_else(|| panic!("README.md begins otherwise"));
        format!("# {}: a replica module{rest}\n{NEXT}", self.name())
    }
}

const CARGO_LOCK: &str = "Cargo.lock";

/// The end of a project's README.md.
const NEXT: &str = "## Next

```sh
./build && dsms check out/replica.wasm             # good as it is; change it and see what the check says
dsms up                                            # a cluster; it goes on, so type the rest in another terminal, from here
dsms swap replica-2 out/replica.wasm --shadow 0    # the module votes as soon as it has caught up
dsms swap replica-2 --rollback                     # and the one before it again
dsms watch .                                       # build, check and swap into replica-3, after each save
```

The contract is `wit/replica.wit`: what a module exports, and the rules of the market beside each operation. The guide
`docs/writing-a-replica.md` of dsms says how to read what the check says, and how to find out why an answer was wrong.
";

/// A lock file as cargo would write it: a project that is renamed comes elsewhere among its packages.
fn sorted_lock(text: &str) -> String {
    const PACKAGE: &str = "[[package]]\n";
    let mut parts = text.split(PACKAGE);
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<&str> = parts.map(str::trim_end).collect();
    packages.sort_by_key(|package| package.lines().next().unwrap_or_default().trim_end_matches('"'));
    format!("{head}{PACKAGE}{}\n", packages.join(&format!("\n\n{PACKAGE}")))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn name(text: &str) -> ProjectName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_lower_case_letters_digits_and_hyphens() {
        for good in ["a", "my-market", "market2", &"a".repeat(NAME_LEN_MAX)] {
            assert_eq!(good.parse(), Ok(ProjectName(good.to_owned())));
        }
        for bad in
            ["", "My", "2nd", "-a", "a-", "a/b", "../a", ".", "a b", "a_b", "größe", &"a".repeat(NAME_LEN_MAX + 1)]
        {
            let words = bad.parse::<ProjectName>().unwrap_err();
            assert!(words.contains("my-market"), "{bad}: {words}");
        }
    }

    #[test]
    fn a_project_has_every_file_of_its_template_under_its_own_name() {
        for language in Language::value_variants() {
            let parent = tempfile::tempdir().unwrap();
            let project = Project::new(name("my-market"), *language).unwrap();
            project.write(parent.path()).unwrap();
            for file in language.files() {
                let path = parent.path().join("my-market").join(file.path);
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(!text.contains(&project.template_name), "{} has the template's name", file.path);
                let mode = path.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o111 != 0, file.is_executable, "{}", file.path);
            }
            let readme = fs::read_to_string(parent.path().join("my-market/README.md")).unwrap();
            assert!(readme.starts_with("# my-market: a replica module in "), "{readme}");
            assert!(readme.contains("\n## Next\n"), "{readme}");
        }
    }

    #[test]
    fn nothing_that_exists_is_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        let theirs = parent.path().join("mine");
        for make in [|path: &Path| fs::create_dir(path), |path: &Path| fs::write(path, "x")] {
            make(&theirs).unwrap();
            let error = Project::new(name("mine"), Language::Rust).unwrap().write(parent.path()).unwrap_err();
            assert!(error.to_string().contains("mine exists already"), "{error}");
            let _one_of_both = (fs::remove_dir(&theirs), fs::remove_file(&theirs));
            assert!(!theirs.exists(), "something was written into it");
        }
    }

    #[test]
    fn a_name_that_a_needed_package_has_is_refused() {
        let error = Project::new(name("wit-bindgen"), Language::Rust).err().unwrap();
        assert!(error.to_string().contains("choose another name"), "{error}");
    }

    #[test]
    fn the_packages_of_a_lock_file_stay_in_order_under_any_name() {
        let lock = Language::Rust.files().iter().find(|file| file.path == CARGO_LOCK).unwrap();
        for (own, place) in [("aaa", 0), ("zzz", usize::MAX)] {
            let project = Project::new(name(own), Language::Rust).unwrap();
            let text = String::from_utf8(project.contents(lock)).unwrap();
            let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
            assert!(names.is_sorted(), "{names:?}");
            assert_eq!(names.iter().position(|name| name.trim_matches('"') == own), Some(place.min(names.len() - 1)));
            assert_eq!(text.len() + "dsms-replica-rust".len(), lock.contents.len() + own.len());
        }
    }
}
