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
    /// The best three of those that are fit to be replicas.
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
        let with_places = asked.iter().zip(&failing);
        let fit: Vec<Failing> =
            with_places.filter(|(place, _)| grades[**place].is_fit()).map(|(_, one)| one.clone()).collect();
        Class { settings, grades, asked, matrix: matrix(&failing), trio: best_trio(&fit) }
    }

    /// The best three, and what would become of their cluster, in a sentence.
    pub fn trio_words(&self) -> String {
        match &self.trio {
            None => "no best trio: fewer than three different modules could be asked the whole history".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grading::{Ended, Examined};

    #[test]
    fn a_module_that_was_not_examined_to_the_end_is_in_no_trio() {
        let grade = |name: &str, change: fn(&mut Examined)| {
            let mut examined = sample::examined();
            examined.digest = name.repeat(64);
            change(&mut examined);
            Grade::new(name.to_owned(), examined)
        };
        let changes: [fn(&mut Examined); 4] = [
            |examined| examined.ended = Ended::OutOfTime,
            |examined| examined.ended = Ended::Failed("killed".to_owned()),
            |examined| examined.answers.as_mut().unwrap().asked = 40,
            |examined| examined.answers.as_mut().unwrap().stopped = Some("it refuses the state".to_owned()),
        ];
        for change in changes {
            let grades = [grade("a", change), grade("b", |_| {}), grade("c", |_| {}), grade("d", |_| {})];
            let class = Class::new(sample::SETTINGS, &grades);
            assert_eq!(class.trio.as_ref().map(|trio| trio.modules.concat()), Some("bcd".to_owned()));
            assert_eq!(class.matrix.len(), 4, "it is compared all the same");
            let class = Class::new(sample::SETTINGS, &grades[..3]);
            assert!(class.trio_words().starts_with("no best trio"), "{}", class.trio_words());
        }
    }
}
