//! What hostile modules have named and said, made harmless for each form.

/// Whether a character does something to a reader instead of being read: controls, and what turns the direction of writing.
fn is_harmful(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line for a terminal: whatever is no letter to read is replaced.
pub fn line(text: &str) -> String {
    text.chars().map(|letter| if is_harmful(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Text of XML or HTML, in an element or in an attribute within double quotes. Lines stay lines.
pub fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            // What XML may not contain at all.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter if is_harmful(letter) => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// One field of CSV. What a spreadsheet would take for a formula is kept from being one.
pub fn field(text: &str) -> String {
    let text = line(text);
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_hostile_text_is_more_than_text() {
        assert_eq!(line("a\x1b[31mb\u{202e}c\nd"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        assert_eq!(markup("<a href=\"x\">&'\0\u{ffff}\n"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}\u{fffd}\n");
        assert_eq!(field("=1+1,2"), "\"'=1+1,2\"");
        assert_eq!(field("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(field("plain"), "plain");
    }
}
