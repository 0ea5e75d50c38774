//! The files and the table in which people and their tools read the grades.

mod chart;
pub mod csv;
pub mod escape;
pub mod gradescope;
pub mod html;
pub mod json;
pub mod junit;
#[cfg(test)]
pub mod sample;
pub mod table;

use super::coincidence::{Cell, Failing, Trio, best_trio, matrix};
use super::{Grade, Settings};

/// All of a run, for whoever writes it down.
pub struct Class<'a> {
    /// How all modules were examined.
    pub settings: Settings,
    /// The modules, in the order in which they were named.
    pub grades: &'a [Grade],
    /// The places in `grades` of those that were asked the common history: the rows and columns of the matrix.
    pub asked: Vec<usize>,
    /// How often two of them fail together.
    pub matrix: Vec<Vec<Cell>>,
    /// The best three.
    pub trio: Option<Trio>,
}

impl<'a> Class<'a> {
    /// Compares the modules with each other.
    pub fn new(settings: Settings, grades: &'a [Grade]) -> Class<'a> {
        let (mut asked, mut failing) = (Vec::new(), Vec::new());
        for (place, grade) in grades.iter().enumerate() {
            if let Some(answers) = &grade.examined.answers {
                asked.push(place);
                failing.push(Failing::new(&grade.name, &grade.examined.digest, grade.score.points, answers));
            }
        }
        Class { settings, grades, asked, matrix: matrix(&failing), trio: best_trio(&failing) }
    }

    /// The best three, and what would become of their cluster, in a sentence.
    pub fn trio_words(&self) -> String {
        match &self.trio {
            None => "no best trio: fewer than three different modules could be run".to_owned(),
            Some(trio) => format!(
                "best trio: {}: of {} requests {} answered wrongly by two alike, {} without a quorum, {} failures in all",
                trio.modules.join(", "),
                self.settings.requests,
                trio.outvoted,
                trio.no_quorum,
                trio.failures
            ),
        }
    }
}
