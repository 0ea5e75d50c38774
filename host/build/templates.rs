//! Writes the table of what `dsms new` writes: every file of the module projects in `replicas/`, with its contents.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The directories that are templates, by the names of their tables.
const TEMPLATES: [(&str, &str); 4] = [("RUST", "rust"), ("PYTHON", "python"), ("JAVASCRIPT", "javascript"), ("C", "c")];

/// Writes `file`, which `host/src/cli/new/templates.rs` includes.
pub fn write(replicas: &Path, file: &Path) -> Result<(), String> {
    let mut table = String::new();
    for (name, directory) in TEMPLATES {
        let root = replicas.join(directory);
        let project = Project { ignored: ignored(&root.join(".gitignore"))?, root };
        let mut files = Vec::new();
        project
            .collect(&project.root, &mut files)
            .map_err(|error| format!("cannot read {}: {error}", project.root.display()))?;
        files.sort();
        table.push_str(&format!(
            "/// The files of `replicas/{directory}`.\npub(super) const {name}: &[TemplateFile] = &[\n"
        ));
        for path in files {
            table.push_str(&project.row(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?);
        }
        table.push_str("];\n");
    }
    fs::write(file, table).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

struct Project {
    root: PathBuf,
    ignored: Vec<String>,
}

impl Project {
    /// The files below a directory. `wit` is a link to one, and followed.
    fn collect(&self, directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if self.is_ignored(&path) {
                continue;
            }
            if path.is_dir() {
                // Looked through as a whole, so that a new file is noticed. Not the top: what is built is in there.
                println!("cargo::rerun-if-changed={}", path.display());
                self.collect(&path, files)?;
            } else {
                println!("cargo::rerun-if-changed={}", path.display());
                files.push(path);
            }
        }
        Ok(())
    }

    fn is_ignored(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_top = path.parent() == Some(&self.root);
        self.ignored.iter().any(|pattern| match pattern.strip_prefix('/') {
            Some(top) => is_top && top == name,
            None => *pattern == *name,
        })
    }

    fn row(&self, path: &Path) -> io::Result<String> {
        let is_executable = fs::metadata(path)?.permissions().mode() & 0o100 != 0;
        let place = path.strip_prefix(&self.root).expect("it lies in there");
        Ok(format!(
            "    TemplateFile {{ path: {place:?}, is_executable: {is_executable}, contents: include_bytes!({path:?}) }},\n"
        ))
    }
}

/// The names that a project's own `.gitignore` keeps out, which are those of what is built or installed.
fn ignored(file: &Path) -> Result<Vec<String>, String> {
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let name = line.strip_suffix('/').unwrap_or(line);
            if name.contains(['*', '?', '!', '[']) || name.trim_start_matches('/').contains('/') {
                return Err(format!(
                    "{}: the templates' build script knows plain names only, not {line}",
                    file.display()
                ));
            }
            Ok(name.to_owned())
        })
        .collect()
}
