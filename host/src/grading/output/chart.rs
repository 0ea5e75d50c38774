//! The pictures of the report, as SVG.

use super::Class;
use super::escape::markup;
use crate::grading::coincidence::Cell;

/// The side of a cell of the matrix, and the width of names beside it.
const CELL: usize = 60;
const NAMES: usize = 230;

/// The width of the timeline, in which so many bins of requests are drawn.
const WIDTH: usize = 620;
const BINS: usize = 310;
const ROW: usize = 34;

/// Most characters of a name in a picture.
const NAME_LEN_MAX: usize = 28;

/// The coincident failures of every two modules: the more of them share an outcome, the darker.
pub fn matrix(class: &Class) -> String {
    let len = class.asked.len();
    let (width, height) = (NAMES + len * CELL + 10, len * CELL + 40);
    let label = "Coincident failures of every two modules";
    let mut svg = open(width, height, label);
    let most = class.matrix.iter().flatten().map(|cell| cell.both).max().unwrap_or(0).max(1);
    for (row, place) in class.asked.iter().enumerate() {
        let (y, name) = (30 + row * CELL, &class.grades[*place].name);
        svg += &text(NAMES - 8, y + CELL / 2 + 4, "end", "name", &format!("{} {}", short(name), row + 1));
        svg += &text(NAMES + row * CELL + CELL / 2, 20, "middle", "name", &(row + 1).to_string());
        for (column, Cell { both, same }) in class.matrix[row].iter().enumerate() {
            let x = NAMES + column * CELL;
            let other = &class.grades[class.asked[column]].name;
            let kind = match (row == column, *same > 0) {
                (true, _) => "own",
                (false, true) => "alike",
                (false, false) => "apart",
            };
            // From a fifth on, so that a single coincidence is seen among thousands.
            let opacity = if *both == 0 { 0.0 } else { 0.2 + 0.6 * f64::from(*both) / f64::from(most) };
            let told = match row == column {
                true => format!("{name} fails at {both} requests, at {same} of them with a wrong outcome"),
                false => format!("{name} and {other} both fail at {both} requests, at {same} with the same outcome"),
            };
            svg += &format!(
                "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" class=\"cell\"/>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" class=\"{kind}\" fill-opacity=\"{opacity:.2}\"/>",
                markup(&told)
            );
            svg += &text(x + CELL / 2, y + 27, "middle", "both", &both.to_string());
            let word = if row == column { "wrong" } else { "alike" };
            if *both > 0 {
                svg += &text(x + CELL / 2, y + 44, "middle", "same", &format!("{same} {word}"));
            }
            svg += "</g>\n";
        }
    }
    svg + "</svg>\n"
}

/// Where each module fails in the common history, and where first.
pub fn timeline(class: &Class) -> String {
    let requests = class.settings.requests.max(1) as usize;
    let (left, right) = (NAMES, 120);
    let height = 34 + class.asked.len() * ROW + 6;
    let mut svg = open(left + WIDTH + right, height, "Failures in the common history, and the first divergence");
    let x_of = |at: usize| left + (at - 1) * WIDTH / requests;
    for at in [1, requests / 4, requests / 2, requests * 3 / 4, requests].into_iter().filter(|at| *at > 0) {
        svg += &text(x_of(at), 16, "middle", "axis", &format!("#{at}"));
    }
    for (row, place) in class.asked.iter().enumerate() {
        let grade = &class.grades[*place];
        let Some(answers) = &grade.examined.answers else { continue };
        let y = 30 + row * ROW;
        svg += &text(left - 8, y + 15, "end", "name", &short(&grade.name));
        let asked = WIDTH * (answers.asked as usize).min(requests) / requests;
        svg += &format!("<rect x=\"{left}\" y=\"{y}\" width=\"{WIDTH}\" height=\"20\" class=\"unasked\"/>");
        svg += &format!("<rect x=\"{left}\" y=\"{y}\" width=\"{asked}\" height=\"20\" class=\"right\"/>");
        let mut bins = [None; BINS];
        for failure in &answers.failures {
            let bin = ((failure.at.max(1) as usize - 1) * BINS / requests).min(BINS - 1);
            // A wrong outcome is what matters more.
            bins[bin] = Some(bins[bin].unwrap_or(false) || failure.wrong.is_some());
        }
        let width = WIDTH / BINS;
        for (bin, is_wrong) in bins.iter().enumerate().filter_map(|(bin, kind)| Some((bin, (*kind)?))) {
            let (x, kind) = (left + bin * width, if is_wrong { "wrong" } else { "fault" });
            svg += &format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"20\" class=\"{kind}\"/>");
        }
        match &answers.first {
            Some(first) => {
                let (x, at) = (x_of((first.at.max(1) as usize).min(requests)), first.at);
                let told = format!("#{at} {}: expected {}, given {}", first.request, first.expected, first.given);
                svg += &format!("<g><title>{}</title>", markup(&told));
                svg += &format!("<path d=\"M {x} {} l -5 8 h 10 z\" class=\"first\"/></g>", y + 20);
                svg += &text(left + WIDTH + 8, y + 15, "start", "told", &format!("first at #{at}"));
            }
            None => svg += &text(left + WIDTH + 8, y + 15, "start", "told", "no failure"),
        }
        svg += "\n";
    }
    svg + "</svg>\n"
}

fn open(width: usize, height: usize, label: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{label}\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n"
    )
}

fn text(x: usize, y: usize, anchor: &str, kind: &str, words: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" class=\"{kind}\">{}</text>", markup(words))
}

fn short(name: &str) -> String {
    match name.char_indices().nth(NAME_LEN_MAX) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}
