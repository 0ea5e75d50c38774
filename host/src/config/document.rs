//! TOML with places: which tables and keys there are, what type each value has, and everything that is wrong with that.
//!
//! Nothing here knows what a value means. A reader takes what it can and notes a problem for the rest, so that one pass
//! finds all.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near_miss::near_miss;
use super::{PROBLEMS_LEN_MAX, Place, Problem};

/// Most characters of the file that a message repeats. The file controls the length of a key or a value.
const QUOTED_LEN_MAX: usize = 60;

/// The problems found so far, each with the byte of the text at which it is.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<(usize, String)>,
}

impl Findings {
    pub(super) fn add(&mut self, at: usize, what: impl Into<String>) {
        self.found.push((at, what.into()));
    }

    /// The problems in the order of the text, at most [`PROBLEMS_LEN_MAX`].
    fn into_problems(mut self, text: &str) -> Vec<Problem> {
        self.found.sort_by_key(|(at, _)| *at);
        let more = self.found.len().saturating_sub(PROBLEMS_LEN_MAX);
        self.found.truncate(PROBLEMS_LEN_MAX);
        if let Some((_, last)) = self.found.last_mut().filter(|_| more > 0) {
            last.push_str(&format!(" (and {more} more problems)"));
        }
        self.found.into_iter().map(|(at, what)| Problem { place: Place::of(text, at), what }).collect()
    }
}

/// Reads a document with `read`, which is told whether the whole of it parsed.
///
/// A document with errors of syntax is read as well. What is found before the first of them holds; what follows may be a
/// consequence of it, and is left for the next attempt.
pub(super) fn read_document<T>(
    text: &str,
    schema: &'static [(&'static str, &'static [&'static str])],
    read: impl FnOnce(&Section<'_>, bool, &mut Findings) -> T,
) -> Result<T, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::default();
    let root = Section { schema, keys: &[], name: None, table: Some(document.get_ref()) };
    root.refuse_unknown_tables(&mut findings);
    let value = read(&root, errors.is_empty(), &mut findings);

    let place_of = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    if let Some(first) = errors.iter().map(place_of).min() {
        let line_start = text[..text.floor_char_boundary(first)].rfind('\n').map_or(0, |newline| newline + 1);
        findings.found.retain(|(at, _)| *at < line_start);
    }
    for error in &errors {
        // A problem is one line, whatever a version of the parser says.
        findings.add(place_of(error), error.message().replace('\n', " "));
    }
    if findings.found.is_empty() { Ok(value) } else { Err(findings.into_problems(text)) }
}

/// A table of the document, or one that is absent and so has no keys.
#[derive(Debug)]
pub(super) struct Section<'d> {
    schema: &'static [(&'static str, &'static [&'static str])],
    keys: &'static [&'static str],
    /// How the table is called in messages; `None` for the whole document.
    name: Option<String>,
    table: Option<&'d DeTable<'d>>,
}

impl<'d> Section<'d> {
    /// The table `[name]` of the document.
    pub(super) fn table(&self, name: &'static str, findings: &mut Findings) -> Section<'d> {
        let entry = self.entry(name);
        let table = entry.and_then(|entry| entry.table(findings));
        self.child(name, format!("[{name}]"), table, findings)
    }

    /// The tables `[[name]]` of the document, in order, each with the byte at which it is; `None` where something else is.
    pub(super) fn tables(&self, name: &'static str, findings: &mut Findings) -> Option<Vec<(usize, Section<'d>)>> {
        let Some(entry) = self.entry(name) else { return Some(Vec::new()) };
        let DeValue::Array(values) = entry.value else {
            entry.expected(&format!("[[{name}]], one such table for each {name}"), "", findings);
            return None;
        };
        let mut sections = Vec::new();
        for value in values.iter() {
            let entry = Entry { key: name, at: value.span().start, value: value.get_ref() };
            if let Some(table) = entry.table(findings) {
                sections.push((entry.at, self.child(name, format!("[[{name}]]"), Some(table), findings)));
            }
        }
        (sections.len() == values.len()).then_some(sections)
    }

    /// The same, where a single table may stand as `[name]`.
    pub(super) fn one_or_more_tables(
        &self,
        name: &'static str,
        findings: &mut Findings,
    ) -> Option<Vec<(usize, Section<'d>)>> {
        match self.entry(name) {
            Some(Entry { at, value: DeValue::Table(_), .. }) => Some(vec![(at, self.table(name, findings))]),
            _ => self.tables(name, findings),
        }
    }

    /// The value of a key.
    pub(super) fn entry(&self, key: &'static str) -> Option<Entry<'d>> {
        let value = self.table?.get(key)?;
        Some(Entry { key, at: value.span().start, value: value.get_ref() })
    }

    fn child(
        &self,
        name: &'static str,
        called: String,
        table: Option<&'d DeTable<'d>>,
        findings: &mut Findings,
    ) -> Section<'d> {
        let keys = self.schema.iter().find(|(table, _)| *table == name).map_or(&[][..], |(_, keys)| keys);
        let section = Section { schema: self.schema, keys, name: Some(called), table };
        section.refuse_unknown_keys(findings);
        section
    }

    fn refuse_unknown_tables(&self, findings: &mut Findings) {
        let tables: Vec<&'static str> = self.schema.iter().map(|(table, _)| *table).collect();
        for (at, key) in self.unknown(&tables) {
            let owner = self.schema.iter().find(|(_, keys)| keys.contains(&key));
            let what = match (owner, near_miss(key, tables.iter().copied())) {
                (Some((table, _)), _) => format!("`{key}` is outside its table, expected it in [{table}]"),
                (None, Some(meant)) => format!("unknown table `{}`, did you mean `{meant}`?", quote(key)),
                (None, None) => format!("unknown table `{}`, expected {}", quote(key), list(&tables)),
            };
            findings.add(at, what);
        }
    }

    fn refuse_unknown_keys(&self, findings: &mut Findings) {
        for (at, key) in self.unknown(self.keys) {
            let advice = match near_miss(key, self.keys.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("expected {}", list(self.keys)),
            };
            let name = self.name.as_deref().unwrap_or("the file");
            findings.add(at, format!("unknown key `{}` in {name}, {advice}", quote(key)));
        }
    }

    fn unknown(&self, known: &[&str]) -> impl Iterator<Item = (usize, &'d str)> {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        let keys = keys.map(|key: &'d Spanned<_>| (key.span().start, key.get_ref().as_ref()));
        keys.filter(move |(_, key)| !known.contains(key))
    }
}

/// A value of the document with its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'d> {
    key: &'static str,
    /// The byte of the text at which the value begins.
    pub(super) at: usize,
    value: &'d DeValue<'d>,
}

impl<'d> Entry<'d> {
    /// The string, which is never empty.
    pub(super) fn string(&self, expected: &str, findings: &mut Findings) -> Option<&'d str> {
        let text = self.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.expected(expected, "", findings);
        }
        text
    }

    /// The whole number, which lies in the range.
    pub(super) fn number(&self, range: RangeInclusive<u64>, findings: &mut Findings) -> Option<u64> {
        let number = self.value.as_integer();
        let number = number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.expected(&format!("a whole number from {} to {}", range.start(), range.end()), "", findings);
        }
        number
    }

    /// Yes or no.
    pub(super) fn boolean(&self, findings: &mut Findings) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.expected("true or false", "", findings);
        }
        value
    }

    /// The values of a list, each under the same key.
    pub(super) fn list(&self, expected: &str, findings: &mut Findings) -> Option<Vec<Entry<'d>>> {
        let DeValue::Array(values) = self.value else {
            self.expected(expected, "", findings);
            return None;
        };
        let entry =
            |value: &'d Spanned<DeValue<'d>>| Entry { key: self.key, at: value.span().start, value: value.get_ref() };
        Some(values.iter().map(entry).collect())
    }

    /// The table, if it is one; nothing is noted otherwise.
    pub(super) fn inline_table(&self, keys: &'static [&'static str], findings: &mut Findings) -> Option<Section<'d>> {
        let table = self.value.as_table()?;
        let section = Section { schema: &[], keys, name: Some(format!("`{}`", self.key)), table: Some(table) };
        section.refuse_unknown_keys(findings);
        Some(section)
    }

    fn table(&self, findings: &mut Findings) -> Option<&'d DeTable<'d>> {
        let table = self.value.as_table();
        if table.is_none() {
            self.expected("a table", "", findings);
        }
        table
    }

    /// Notes that the value is not what is expected, with more about it where there is more to say.
    pub(super) fn expected(&self, expected: &str, more: &str, findings: &mut Findings) {
        findings.add(self.at, format!("`{}`: expected {expected}, found {}{more}", self.key, self.found()));
    }

    /// The value in words: itself where it is short, else its type.
    fn found(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("\"{}\"", quote(text)),
            DeValue::Integer(number) => quote(&number.to_string()),
            DeValue::Float(number) => quote(number.as_str()),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date or a time".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

/// Text of the file as a message may repeat it: on one line, without control characters, and not at any length.
pub(super) fn quote(text: &str) -> String {
    let start: String = text.chars().take(QUOTED_LEN_MAX).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    // Single quotes are left alone: they are no danger to a terminal, and frequent in paths.
    format!("{}{more}", start.escape_debug().to_string().replace("\\'", "'"))
}

/// `a, b or c`, each as code.
fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => "nothing".to_owned(),
    }
}
