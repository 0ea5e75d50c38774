//! What a guest printed before it ended, down to what one needs to know: what went wrong, and in which line of its
//! source.
//!
//! Language runtimes print that in their own ways: Rust a place and a message, Python a traceback whose innermost frame
//! comes last, JavaScript a message with the innermost frame right below it. What is not recognised is quoted from its
//! end. The guest controls every byte, so nothing here is believed, and the result is bounded; it is a function of
//! those bytes alone, so that it is the same on every host.

/// Most bytes that are quoted. A panic message with its place fits.
const BYTES_MAX: usize = 512;

/// Why the guest ended, on one line; empty if the text is.
pub(super) fn digest(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    match rust_panic(&lines).or_else(|| python_traceback(&lines)).or_else(|| javascript_error(&lines)) {
        Some(words) => beginning(words),
        None => end(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ")),
    }
}

/// `thread 'main' panicked at src/lib.rs:12:5:`, then the message, then advice that is of no use inside a sandbox.
fn rust_panic(lines: &[&str]) -> Option<String> {
    const PANICKED: &str = "panicked at ";
    let at = lines.iter().rposition(|line| line.contains(PANICKED))?;
    let (_, place) = lines[at].split_once(PANICKED)?;
    let is_message = |line: &&&str| !line.starts_with("note: ") && **line != "stack backtrace:";
    let message: Vec<&str> = lines[at + 1..].iter().take_while(is_message).map(|line| line.trim()).collect();
    Some(format!("{PANICKED}{place} {}", message.join("; ")).trim_end().to_owned())
}

/// `Traceback (most recent call last):`, then frames with the innermost one last, then the exception.
fn python_traceback(lines: &[&str]) -> Option<String> {
    let start = lines.iter().rposition(|line| line.trim() == "Traceback (most recent call last):")?;
    let (frames, exception): (Vec<&str>, Vec<&str>) =
        lines[start + 1..].iter().partition(|line| line.starts_with(char::is_whitespace));
    let innermost = frames.iter().rev().find_map(|line| line.trim().strip_prefix("File "));
    let exception = if exception.is_empty() { vec!["an exception"] } else { exception };
    let place = innermost.map(|place| format!(", at {}", place.replace('"', ""))).unwrap_or_default();
    Some(format!("{}{place}", exception.join("; ")))
}

/// `Error: message`, then ` at function (file:line:column)` with the innermost frame first.
fn javascript_error(lines: &[&str]) -> Option<String> {
    let frame =
        |line: &str| line.starts_with(char::is_whitespace).then(|| line.trim().strip_prefix("at "))?.map(str::to_owned);
    let last = lines.iter().rposition(|line| frame(line).is_some())?;
    let first = lines[..last].iter().rposition(|line| frame(line).is_none()).map_or(0, |message| message + 1);
    let message = first.checked_sub(1).map_or("an error", |at| lines[at].trim());
    Some(format!("{message}, at {}", frame(lines[first])?))
}

fn beginning(words: String) -> String {
    match words.len() > BYTES_MAX {
        false => words,
        true => format!("{}…", &words[..words.floor_char_boundary(BYTES_MAX)]),
    }
}

fn end(words: String) -> String {
    match words.len() > BYTES_MAX {
        false => words,
        true => format!("…{}", &words[words.ceil_char_boundary(words.len() - BYTES_MAX)..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(digest(text), expected);
    }

    #[test]
    fn a_panic_is_its_place_and_its_message() {
        check(
            "starting\n\nthread '<unnamed>' panicked at src/lib.rs:12:5:\nindex out of bounds: the len is 0\n\
             note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
            "panicked at src/lib.rs:12:5: index out of bounds: the len is 0",
        );
        check(
            "thread 'main' panicked at a.rs:1:2:\nassertion failed\n  left: 1\n right: 2\n",
            "panicked at a.rs:1:2: assertion failed; left: 1; right: 2",
        );
        check("panicked at a.rs:1:2", "panicked at a.rs:1:2");
    }

    #[test]
    fn a_traceback_is_its_exception_and_its_innermost_line() {
        check(
            "Traceback (most recent call last):\n  File \"/app.py\", line 3, in execute\n    return buy()\n  \
             File \"/market.py\", line 40, in buy\n    raise ValueError('x')\n    ^^^^^\nValueError: x\n",
            "ValueError: x, at /market.py, line 40, in buy",
        );
        // Of an exception while another one is handled, the later one ends the module.
        check(
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 1\n\nDuring handling of it:\n\n\
             Traceback (most recent call last):\n  File \"b.py\", line 2, in g\nTypeError: 2",
            "TypeError: 2, at b.py, line 2, in g",
        );
        check("Traceback (most recent call last):", "an exception");
    }

    #[test]
    fn an_error_of_javascript_is_its_message_and_its_innermost_line() {
        check(
            "warming up\nTypeError: x is undefined\n    at purchase (market.js:12:5)\n    at execute (market.js:3:1)\n",
            "TypeError: x is undefined, at purchase (market.js:12:5)",
        );
        check("    at f (a.js:1)", "an error, at f (a.js:1)");
    }

    #[test]
    fn other_words_are_quoted_from_their_end_and_all_are_bounded() {
        check("", "");
        check("Assertion failed: units > 0 (market.c: buy: 12)\n", "Assertion failed: units > 0 (market.c: buy: 12)");
        check("one\n  two\n\nthree", "one; two; three");
        let long = "é".repeat(10_000);
        for text in [
            long.clone(),
            format!("{long}\npanicked at x\n{long}"),
            format!("Traceback (most recent call last):\n{long}"),
            format!("{long}\n  at {long}"),
        ] {
            let words = digest(&text);
            assert!((BYTES_MAX..=BYTES_MAX + 8).contains(&words.len()), "{} bytes", words.len());
        }
    }
}
