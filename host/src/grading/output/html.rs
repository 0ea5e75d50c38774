//! `report.html`: one file with everything that a person wants to see, which loads nothing and runs nothing.

use super::escape::markup;
use super::junit::finding_text;
use super::{Class, chart};
use crate::grading::Grade;

/// Findings of one module that are shown at most; `results.json` has all.
const FINDINGS_MAX: usize = 50;

const STYLE: &str = include_str!("report.css");

/// The file's text.
pub fn text(class: &Class) -> String {
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>");
    html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>";
    html += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\"/>";
    html +=
        &format!("<title>dsms grade</title><style>\n{STYLE}</style></head><body><main>\n<h1>Replica modules</h1>\n");
    let settings = class.settings;
    html += &format!(
        "<p>{} modules, seed {}, at most {} s each; {} requests in the common history.</p>\n",
        class.grades.len(),
        settings.seed,
        settings.time_s,
        settings.requests
    );
    html += &format!("<p class=\"trio\">{}</p>\n", markup(&class.trio_words()));
    grades(&mut html, class);
    if !class.asked.is_empty() {
        html += "<h2>Coincident failures</h2>\n<p>At how many requests two modules both fail, and at how many with the same wrong \
                 outcome: those two outvote a right third one. On the diagonal are a module&#39;s own \
                 failures, and the wrong outcomes among them; the others are faults.</p>\n";
        html += &format!("<div class=\"wide\">{}</div>\n", chart::matrix(class));
        html += "<h2>First divergence</h2>\n<p>Each row is the common history. <b class=\"key wrong\">wrong outcome</b> \
                 <b class=\"key fault\">fault</b> <b class=\"key unasked\">not asked in time</b>; the mark is the first failure.</p>\n";
        html += &format!("<div class=\"wide\">{}</div>\n", chart::timeline(class));
        divergences(&mut html, class);
    }
    html += "<h2>Findings</h2>\n";
    class.grades.iter().for_each(|grade| findings(&mut html, grade));
    html + "</main></body></html>\n"
}

fn grades(html: &mut String, class: &Class) {
    *html += "<h2>Grades</h2>\n<div class=\"wide\"><table><thead><tr><th>Module</th><th class=\"number\">Score</th>";
    let items = class.grades.first().map(|grade| &grade.score.items[..]).unwrap_or_default();
    for item in items {
        *html += &format!("<th class=\"number\">{} /{}</th>", markup(&item.name), item.max);
    }
    *html += "<th>Verdict</th></tr></thead><tbody>\n";
    for grade in class.grades {
        *html +=
            &format!("<tr><td>{}</td><td class=\"number\"><b>{:.1}</b></td>", markup(&grade.name), grade.score.points);
        for item in &grade.score.items {
            let kind = if item.points < item.max { "number less" } else { "number" };
            *html += &format!("<td class=\"{kind}\" title=\"{}\">{}</td>", markup(&item.why), item.points);
        }
        *html += &format!("<td>{}</td></tr>\n", markup(&grade.verdict()));
    }
    *html += "</tbody></table></div>\n";
}

fn divergences(html: &mut String, class: &Class) {
    *html += "<div class=\"wide\"><table><thead><tr><th>Module</th><th class=\"number\">At</th><th>Request</th><th>Expected</th>\
              <th>Given</th></tr></thead><tbody>\n";
    for grade in class.grades {
        let first = grade.examined.answers.as_ref().and_then(|answers| answers.first.as_ref());
        let Some(first) = first else { continue };
        *html += &format!("<tr><td>{}</td><td class=\"number\">#{}</td>", markup(&grade.name), first.at);
        for words in [&first.request, &first.expected, &first.given] {
            *html += &format!("<td><code>{}</code></td>", markup(words));
        }
        *html += "</tr>\n";
    }
    *html += "</tbody></table></div>\n";
}

fn findings(html: &mut String, grade: &Grade) {
    let all: Vec<_> = grade.examined.check.iter().flat_map(|check| check.findings()).collect();
    let broken = grade.examined.clusters.iter().flat_map(|clusters| &clusters.broken);
    *html += &format!(
        "<details><summary>{} <span class=\"count\">{} findings</span></summary>\n<p>{}</p>\n",
        markup(&grade.name),
        all.len(),
        markup(&grade.verdict())
    );
    for finding in all.iter().take(FINDINGS_MAX) {
        *html += &format!("<pre>{}</pre>\n", markup(&finding_text(finding)));
    }
    if all.len() > FINDINGS_MAX {
        *html += &format!("<p>{} more are in results.json.</p>\n", all.len() - FINDINGS_MAX);
    }
    for run in broken {
        *html += &format!("<pre>cluster, seed {}: {}</pre>\n", run.seed, markup(&run.words));
    }
    *html += "</details>\n";
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_report_is_well_formed_and_has_no_script_and_no_address_in_it() {
        let grades = sample::class_with_hostile_names();
        let html = text(&Class::new(sample::SETTINGS, &grades));
        sample::assert_well_formed(&html);
        assert!(!html.contains("<script") && !html.contains("href=") && !html.contains("src="), "{html}");
        assert_eq!(html.matches("http").count() - html.matches("http://www.w3.org/2000/svg").count(), 1, "http-equiv");
        for words in ["first at #41", "no failure", "1 wrong", "&lt;script&gt;alert(&#39;x&#39;)", "out of time"] {
            assert!(html.contains(words), "{words:?} is not in:\n{html}");
        }
    }

    #[test]
    fn a_report_of_modules_that_cannot_run_has_no_pictures() {
        let grades: Vec<Grade> = sample::class_with_hostile_names().into_iter().skip(2).collect();
        let html = text(&Class::new(sample::SETTINGS, &grades));
        sample::assert_well_formed(&html);
        assert!(!html.contains("<svg") && html.contains("no best trio"));
    }
}
