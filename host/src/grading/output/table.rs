//! The table on the terminal.

use super::Class;
use super::escape::line;
use crate::grading::Grade;

/// Most characters of a name in the table.
const NAME_LEN_MAX: usize = 32;

/// One module in one line, as it is told when its examination has ended.
pub fn streamed(grade: &Grade) -> String {
    let seconds = grade.examined.milliseconds as f64 / 1000.0;
    line(&format!("{:>5.1}  {}  {} ({seconds:.1} s)", grade.score.points, grade.name, cut(&grade.verdict(), 120)))
}

/// All modules, the best first, and the best trio.
pub fn lines(class: &Class) -> Vec<String> {
    let mut grades: Vec<&Grade> = class.grades.iter().collect();
    grades.sort_by(|one, other| other.score.points.total_cmp(&one.score.points).then(one.name.cmp(&other.name)));
    let width = grades.iter().map(|grade| cut(&grade.name, NAME_LEN_MAX).chars().count()).max().unwrap_or(0).max(6);
    let mut lines = vec![format!(
        "{:<width$}  {:>5}  {:>6} {:>6} {:>6} {:>6} {:>6} {:>8}  {:>11}  VERDICT",
        "MODULE", "SCORE", "GOLDEN", "RANDOM", "DETERM", "STATE", "INPUT", "CLUSTERS", "FAILED"
    )];
    for grade in grades {
        let items = &grade.score.items;
        let failed = grade
            .examined
            .answers
            .as_ref()
            .map_or_else(|| "-".to_owned(), |answers| format!("{}/{}", answers.failures.len(), answers.asked));
        lines.push(line(&format!(
            "{:<width$}  {:>5.1}  {:>6} {:>6} {:>6} {:>6} {:>6} {:>8}  {failed:>11}  {}",
            cut(&grade.name, NAME_LEN_MAX),
            grade.score.points,
            items[0].points,
            items[1].points,
            items[2].points,
            items[3].points,
            items[4].points,
            items[5].points,
            cut(&grade.verdict(), 60)
        )));
    }
    lines.push(line(&class.trio_words()));
    lines
}

fn cut(text: &str, len_max: usize) -> String {
    match text.char_indices().nth(len_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_best_module_comes_first_and_no_line_is_broken_by_a_name() {
        let grades = sample::class_with_hostile_names();
        let lines = lines(&Class::new(sample::SETTINGS, &grades));
        assert_eq!(lines.len(), grades.len() + 2);
        assert!(lines[1].contains("100.0"), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:#?}");
    }
}
