//! `gradescope/NAME.json`: the results format of Gradescope's autograder, for one module.

use serde_json::{Value, json};

use super::escape::line;
use super::junit::finding_text;
use crate::grading::Grade;
use crate::grading::score::findings_of;

/// Findings that are told for one item at most.
const TOLD_MAX: usize = 5;

/// The results of one module.
pub fn value(grade: &Grade) -> Value {
    let tests: Vec<Value> = grade
        .score
        .items
        .iter()
        .map(|item| {
            json!({
                "name": item.name,
                "score": item.points,
                "max_score": item.max,
                "status": if item.points >= item.max { "passed" } else { "failed" },
                "output": output(grade, &item.name, &item.why),
                "output_format": "text",
                "visibility": "visible",
            })
        })
        .collect();
    json!({
        "score": grade.score.points,
        "execution_time": grade.examined.milliseconds / 1000,
        "output": line(&grade.verdict()),
        "output_format": "text",
        "visibility": "visible",
        "tests": tests,
    })
}

fn output(grade: &Grade, item: &str, why: &str) -> String {
    let mut told = vec![why.to_owned()];
    let findings = grade.examined.check.iter().flat_map(|check| findings_of(check, item));
    told.extend(findings.take(TOLD_MAX).map(finding_text));
    if let (Some(clusters), "clusters") = (&grade.examined.clusters, item) {
        told.extend(clusters.broken.iter().map(|run| format!("seed {}: {}", run.seed, run.words)));
    }
    let clean = |text: &String| text.lines().map(line).collect::<Vec<_>>().join("\n");
    told.iter().map(clean).collect::<Vec<_>>().join("\n\n")
}

/// A name for the file of a module that no file system takes amiss; `number` tells those apart that come to the same.
pub fn file_name(name: &str, number: usize) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let plain: String = name.chars().map(plain).take(100).collect();
    let plain = plain.trim_start_matches('.');
    let is_same = plain == name;
    if is_same { format!("{plain}.json") } else { format!("{plain}-{number}.json") }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_scores_of_the_tests_sum_up_and_names_stay_in_their_directory() {
        for (grade, number) in sample::class_with_hostile_names().iter().zip(1..) {
            let value = value(grade);
            let tests = value["tests"].as_array().unwrap();
            let sum: f64 = tests.iter().map(|test| test["score"].as_f64().unwrap()).sum();
            assert!((sum - value["score"].as_f64().unwrap()).abs() < 0.01, "{value}");
            assert_eq!(tests.iter().map(|test| test["max_score"].as_f64().unwrap()).sum::<f64>(), 100.0);
            let name = file_name(&grade.name, number);
            assert!(!name.contains('/') && !name.starts_with('.') && name.ends_with(".json"), "{name}");
        }
        assert_eq!(file_name("alice", 3), "alice.json");
        assert_eq!(file_name("../../etc/passwd", 3), "_.._etc_passwd-3.json");
    }
}
