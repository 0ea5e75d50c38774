//! `grades.csv`: a line for each module.

use super::Class;
use super::escape::field;

/// The file's text.
pub fn text(class: &Class) -> String {
    let items = class.grades.first().map(|grade| &grade.score.items[..]).unwrap_or_default();
    let mut header: Vec<String> = ["module", "score", "verdict"].map(str::to_owned).into();
    header.extend(items.iter().map(|item| field(&item.name)));
    header.extend(["requests_failed", "requests_asked", "seconds", "digest"].map(str::to_owned));
    let mut text = header.join(",") + "\n";
    for grade in class.grades {
        let answers = grade.examined.answers.as_ref();
        let mut fields = vec![field(&grade.name), grade.score.points.to_string(), field(&grade.verdict())];
        fields.extend(grade.score.items.iter().map(|item| item.points.to_string()));
        fields.push(answers.map_or_else(String::new, |answers| answers.failures.len().to_string()));
        fields.push(answers.map_or_else(String::new, |answers| answers.asked.to_string()));
        fields.push(format!("{:.1}", grade.examined.milliseconds as f64 / 1000.0));
        fields.push(grade.examined.digest.clone());
        text += &(fields.join(",") + "\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_line_has_as_many_fields_as_the_header() {
        let grades = sample::class_with_hostile_names();
        let text = text(&Class::new(sample::SETTINGS, &grades));
        let fields = |line: &str| {
            let mut within = false;
            line.chars()
                .filter(|letter| {
                    within ^= *letter == '"';
                    *letter == ',' && !within
                })
                .count()
        };
        let counts: Vec<usize> = text.lines().map(fields).collect();
        assert_eq!(counts.len(), grades.len() + 1, "{text}");
        assert!(counts.iter().all(|count| *count == counts[0] && *count == 12), "{counts:?}\n{text}");
    }
}
