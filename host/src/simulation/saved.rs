//! What `dsms replay` reads: a file that says in its first line what it is.

use serde::Deserialize;

use super::history::{self, History};
use super::scenario::{self, Scenario};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// A run of the simulator.
    Run(Box<Scenario>),
    /// What a real cluster has executed.
    History(Box<History>),
}

/// A file cannot be replayed: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableFile(String);

#[derive(Deserialize)]
struct Head {
    format: String,
}

impl Saved {
    /// Reads whatever the text says that it is.
    pub fn from_text(text: &str) -> Result<Saved, UnusableFile> {
        let head: Head = toml::from_str(text).map_err(|error| UnusableFile(error.to_string()))?;
        let unusable = |words: String| UnusableFile(words);
        match head.format.as_str() {
            scenario::FORMAT => Scenario::from_text(text)
                .map(|plan| Saved::Run(Box::new(plan)))
                .map_err(|error| unusable(error.to_string())),
            history::FORMAT => History::from_text(text)
                .map(|history| Saved::History(Box::new(history)))
                .map_err(|error| unusable(error.to_string())),
            other => Err(unusable(format!(
                "the format is {other:?}, this dsms reads {:?}, a saved run of the simulator, and {:?}, the history of an incident",
                scenario::FORMAT,
                history::FORMAT
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::draw::{DrawOptions, draw};

    #[test]
    fn a_file_is_read_as_what_it_says_it_is() {
        let plan = draw(1, &DrawOptions::default());
        assert_eq!(Saved::from_text(&plan.to_text()), Ok(Saved::Run(Box::new(plan))));
        let words = |text: &str| Saved::from_text(text).unwrap_err().to_string();
        assert!(words("format = \"dsms-history 1\"").contains("missing field"));
        let unknown = words("format = \"dsms-history 2\"\nmore = 1");
        assert!(unknown.contains("\"dsms-run 1\"") && unknown.contains("\"dsms-history 1\""), "{unknown}");
        assert!(words("seed = 1").contains("format"));
        assert!(words("seed = ").contains("line 1"));
    }
}
