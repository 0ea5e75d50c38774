//! The projects that `dsms new` writes: those of `replicas/`, embedded by the build script.

use clap::ValueEnum;

/// The language of a module project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Rust, with wit-bindgen
    Rust,
    /// Python, with componentize-py
    Python,
    /// JavaScript, on the QuickJS engine
    #[value(name = "js", alias = "javascript")]
    JavaScript,
    /// C, compiled by zig cc
    C,
}

/// One file of a project.
#[derive(Clone, Copy, Debug)]
pub(super) struct TemplateFile {
    /// Relative to the project.
    pub path: &'static str,
    pub is_executable: bool,
    pub contents: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

impl Language {
    /// The project's files, in the order of their paths.
    pub(super) fn files(self) -> &'static [TemplateFile] {
        match self {
            Language::Rust => RUST,
            Language::Python => PYTHON,
            Language::JavaScript => JAVASCRIPT,
            Language::C => C,
        }
    }

    /// The directory in `replicas/`, which is also the end of the project's name as it is written there.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::C => "c",
        }
    }

    /// What `build` and `test` need to be there.
    pub(super) fn needs(self) -> &'static str {
        match self {
            Language::Rust => "Rust 1.88 or later, from https://rustup.rs",
            Language::Python => "Python 3.10 or later, with venv",
            Language::JavaScript => "Node.js 20.19 or later, with npm",
            Language::C => "Python 3.9 with venv, Rust 1.88 and a cc, or later ones",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What git tracks in a directory; `wit` is a link there, to the directory that it stands for.
    fn tracked(replicas: &Path, language: Language) -> Vec<String> {
        let listed = |directory: &Path| {
            let output = Command::new("git").arg("ls-files").current_dir(directory).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let wit = listed(&replicas.join("../wit")).into_iter().map(|file| format!("wit/{file}"));
        let own = listed(&replicas.join(language.directory())).into_iter().filter(|file| file != "wit");
        let mut files: Vec<String> = own.chain(wit).collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_embedded_is_what_git_tracks() {
        let replicas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../replicas");
        if !replicas.join("../.git").exists() {
            eprintln!("SKIPPED: this is no checkout of git, so nobody says which files are part of the templates");
            return;
        }
        for language in Language::value_variants() {
            let mut embedded: Vec<String> = language.files().iter().map(|file| file.path.to_owned()).collect();
            embedded.sort();
            assert_eq!(
                embedded,
                tracked(&replicas, *language),
                "{language:?}: touch host/build.rs after adding a file"
            );
        }
    }

    #[test]
    fn every_project_has_its_commands_its_readme_and_the_contract() {
        for language in Language::value_variants() {
            let file = |path: &str| {
                let found = language.files().iter().find(|file| file.path == path);
                *found.unwrap_or_else(|| panic!("{language:?} has no {path}"))
            };
            assert!(file("build").is_executable && file("test").is_executable, "{language:?}");
            assert!(!file("README.md").is_executable, "{language:?}");
            let contract = std::str::from_utf8(file("wit/replica.wit").contents).unwrap();
            assert!(contract.contains("world replica"), "{language:?}");
        }
    }
}
