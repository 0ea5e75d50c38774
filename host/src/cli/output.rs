//! Writes results to standard output, and bears that nobody reads them: `dsms ps | head -1` ends without a word.

use std::fmt;
use std::io::Write;
use std::path::Path;

/// Writes one line of result.
pub fn line(text: fmt::Arguments<'_>) {
    let _nobody_reads = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes one line of result, formatted like `println!` does.
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::output::line(format_args!($($argument)*)) };
}
pub(crate) use say;

/// A path as a shell reads it.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|letter| letter.is_alphanumeric() || "/._-+:@".contains(letter));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
