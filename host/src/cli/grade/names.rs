//! What modules are called in a run: as short as tells them apart.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::grading::output::escape::line;

/// A name for each path: the file's stem, or, where two have the same, the path; numbered where that is the same as well.
pub fn distinct(paths: &[PathBuf]) -> Vec<String> {
    let stem = |path: &Path| line(&path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy());
    let stems: Vec<String> = paths.iter().map(|path| stem(path)).collect();
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for (path, stem) in paths.iter().zip(&stems) {
        let is_alone = stems.iter().filter(|other| *other == stem).count() == 1;
        let name = if is_alone { stem.clone() } else { line(&path.with_extension("").to_string_lossy()) };
        let numbered = (2_u64..).map(|number| format!("{name} ({number})"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
        let free = free.expect("there are fewer modules than numbers");
        taken.insert(free.clone());
        names.push(free);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_short_as_tells_modules_apart() {
        let paths =
            ["a/replica.wasm", "b/replica.wasm", "c/other.wasm", "c/other.wasm", "x/mine.wasm", "e\x1bvil.wasm"];
        let names = distinct(&paths.map(PathBuf::from));
        assert_eq!(names, ["a/replica", "b/replica", "c/other", "c/other (2)", "mine", "e\u{fffd}vil"]);
    }
}
