//! What a guest says for people to read: its log, its standard output and its standard error.
//!
//! Bounded for each call, since the guest controls how much it is. What goes beyond the allowance is counted, dropped,
//! and reported in one line at the end of the call. The end of standard error is kept apart: it is where language
//! runtimes print why they abort.

use std::fmt;

use super::last_words;

/// How much of the end of standard error is kept to find out why the guest ended, in bytes. A message with the hundred
/// frames that an interpreter prints below it fits.
const LAST_WORDS_BYTES_MAX: usize = 8 << 10;

/// Counted for each line beside its text, so that empty lines are bounded as well.
const LINE_OVERHEAD_BYTES: usize = 16;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Of interest to the module's author.
    Debug,
    /// Normal operation.
    Info,
    /// Something unexpected.
    Warn,
    /// Something wrong.
    Error,
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOrigin {
    /// The module called the contract's `log.write`.
    Log,
    /// The module printed to its standard output.
    Stdout,
    /// The module printed to its standard error.
    Stderr,
    /// The host speaks, about the module's log.
    Host,
}

/// One line of a module's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters; lines of standard output are `Info`, of standard error `Warn`.
    pub level: LogLevel,
    /// Where it came from.
    pub origin: LogOrigin,
    /// The text. It is the guest's own: it may hold anything but invalid UTF-8, control characters and line breaks
    /// included.
    pub text: String,
}

/// Takes a module's log lines, during the call that writes them. It must not wait.
pub type LogSink = Box<dyn FnMut(LogLine) + Send>;

/// One of the two standard streams a guest can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StandardStream {
    Out,
    Err,
}

/// The log of one instance.
pub(super) struct GuestLog {
    sink: LogSink,
    allowance_bytes: usize,
    left_bytes: usize,
    dropped_bytes: u64,
    out_line: Vec<u8>,
    err_line: Vec<u8>,
    last_words: Vec<u8>,
}

impl GuestLog {
    pub(super) fn new(sink: LogSink, allowance_bytes: usize) -> GuestLog {
        GuestLog {
            sink,
            allowance_bytes,
            left_bytes: allowance_bytes,
            dropped_bytes: 0,
            out_line: Vec::new(),
            err_line: Vec::new(),
            last_words: Vec::new(),
        }
    }

    pub(super) fn begin_call(&mut self) {
        self.left_bytes = self.allowance_bytes;
        self.last_words.clear();
    }

    /// Hands on lines without an end, and says what was dropped.
    pub(super) fn end_call(&mut self) {
        for stream in [StandardStream::Out, StandardStream::Err] {
            let rest = std::mem::take(self.line_of(stream));
            if !rest.is_empty() {
                self.emit_printed(stream, &rest);
            }
        }
        if self.dropped_bytes > 0 {
            let dropped = std::mem::take(&mut self.dropped_bytes);
            let text = format!("dropped {dropped} bytes of log: a call may write {}", self.allowance_bytes);
            (self.sink)(LogLine { level: LogLevel::Warn, origin: LogOrigin::Host, text });
        }
    }

    pub(super) fn write(&mut self, level: LogLevel, text: &str) {
        if !self.spend_line() {
            self.dropped_bytes += text.len() as u64;
            return;
        }
        let kept = text.floor_char_boundary(self.left_bytes.min(text.len()));
        self.left_bytes -= kept;
        self.dropped_bytes += (text.len() - kept) as u64;
        (self.sink)(LogLine { level, origin: LogOrigin::Log, text: text[..kept].to_owned() });
    }

    pub(super) fn print(&mut self, stream: StandardStream, bytes: &[u8]) {
        if stream == StandardStream::Err {
            self.remember_last_words(bytes);
        }
        let kept = bytes.len().min(self.left_bytes);
        self.left_bytes -= kept;
        self.dropped_bytes += (bytes.len() - kept) as u64;
        let mut pieces = bytes[..kept].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.line_of(stream).extend_from_slice(piece);
            if pieces.peek().is_some() {
                let line = std::mem::take(self.line_of(stream));
                if self.spend_line() {
                    self.emit_printed(stream, &line);
                } else {
                    self.dropped_bytes += line.len() as u64;
                }
            }
        }
    }

    /// Why the guest ended, by what it printed to its standard error in this call; empty when it printed nothing.
    pub(super) fn last_words(&self) -> String {
        last_words::digest(&String::from_utf8_lossy(&self.last_words))
    }

    fn remember_last_words(&mut self, bytes: &[u8]) {
        let tail = &bytes[bytes.len().saturating_sub(LAST_WORDS_BYTES_MAX)..];
        self.last_words.extend_from_slice(tail);
        let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
        self.last_words.drain(..excess);
    }

    fn spend_line(&mut self) -> bool {
        let left = self.left_bytes.checked_sub(LINE_OVERHEAD_BYTES);
        self.left_bytes = left.unwrap_or(0);
        left.is_some()
    }

    fn emit_printed(&mut self, stream: StandardStream, line: &[u8]) {
        let (level, origin) = match stream {
            StandardStream::Out => (LogLevel::Info, LogOrigin::Stdout),
            StandardStream::Err => (LogLevel::Warn, LogOrigin::Stderr),
        };
        (self.sink)(LogLine { level, origin, text: String::from_utf8_lossy(line).into_owned() });
    }

    fn line_of(&mut self, stream: StandardStream) -> &mut Vec<u8> {
        match stream {
            StandardStream::Out => &mut self.out_line,
            StandardStream::Err => &mut self.err_line,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        })
    }
}

impl fmt::Debug for GuestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestLog").field("left_bytes", &self.left_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn log_of(allowance_bytes: usize) -> (GuestLog, Receiver<LogLine>) {
        let (sender, lines) = channel();
        (GuestLog::new(Box::new(move |line| sender.send(line).unwrap()), allowance_bytes), lines)
    }

    #[test]
    fn what_exceeds_the_allowance_of_a_call_is_dropped_and_reported_once() {
        let (mut log, lines) = log_of(100);
        for _ in 0..2 {
            log.begin_call();
            for _ in 0..1000 {
                log.write(LogLevel::Info, "twenty bytes of text");
            }
            log.end_call();
            let lines: Vec<String> = lines.try_iter().map(|line| line.text).collect();
            assert_eq!(lines.len(), 4, "{lines:?}");
            assert!(lines[3].starts_with("dropped 19948 bytes"), "{lines:?}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let (mut log, lines) = log_of(LINE_OVERHEAD_BYTES + 3);
        log.write(LogLevel::Error, "éé");
        assert_eq!(lines.recv().unwrap().text, "é");
    }

    #[test]
    fn printed_bytes_become_lines_however_they_are_cut() {
        let (mut log, lines) = log_of(1000);
        for piece in ["one\ntw", "o\n", "", "three"] {
            log.print(StandardStream::Out, piece.as_bytes());
        }
        log.end_call();
        let lines: Vec<String> = lines.try_iter().map(|line| line.text).collect();
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_flood_of_empty_lines_is_bounded() {
        let (mut log, lines) = log_of(1000);
        log.print(StandardStream::Err, &[b'\n'; 1_000_000]);
        log.end_call();
        assert!(lines.try_iter().count() <= 1000 / LINE_OVERHEAD_BYTES + 1);
    }

    #[test]
    fn the_last_words_come_from_the_end_of_standard_error() {
        let (mut log, _lines) = log_of(10);
        log.print(StandardStream::Err, &[b'x'; 100_000]);
        log.print(StandardStream::Err, b"\nthread '<unnamed>' panicked at src/lib.rs:1:2:\nboom\n");
        assert_eq!(log.last_words(), "panicked at src/lib.rs:1:2: boom");
        log.begin_call();
        assert_eq!(log.last_words(), "");
    }
}
