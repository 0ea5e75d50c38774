//! What a replica's module writes, on its way from the thread that calls it to the node's log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::protocol::id::NodeId;
use crate::sandbox::{LogLevel, LogLine, LogOrigin, LogSink};

use super::clock::Clock;
use super::log::Log;

/// Most lines that wait for the node to write them. The module controls how many there are; what goes beyond is counted.
const LINES_LEN_MAX: usize = 256;

/// Most characters of one line; the module controls them.
const LINE_LEN_MAX: usize = 500;

/// Collects the lines of a replica's instances, and writes them. They have a bound of their own in the node's log, so that a module
/// that floods it does not drown what the node has to say.
#[derive(Debug)]
pub struct GuestLines {
    log: Log,
    sender: SyncSender<LogLine>,
    lines: Receiver<LogLine>,
    lost_len: Arc<AtomicU64>,
    /// What the host last had to say of the module's log, with a bound of its own as well, so that a flood does not drown that it is one.
    host_log: Log,
    said_by_host: Arc<Mutex<Option<LogLine>>>,
}

impl GuestLines {
    /// The lines of a node's module.
    pub fn new(node: NodeId, clock: Clock) -> GuestLines {
        let (sender, lines) = sync_channel(LINES_LEN_MAX);
        let [log, host_log] = [Log::new(node, clock), Log::new(node, clock)];
        GuestLines { log, sender, lines, lost_len: Arc::default(), host_log, said_by_host: Arc::default() }
    }

    /// Makes a sink for each new instance.
    pub fn sinks(&self) -> impl Fn() -> LogSink + Send + 'static {
        let (sender, lost_len) = (self.sender.clone(), Arc::clone(&self.lost_len));
        let said_by_host = Arc::clone(&self.said_by_host);
        move || {
            let (sender, lost_len) = (sender.clone(), Arc::clone(&lost_len));
            let said_by_host = Arc::clone(&said_by_host);
            Box::new(move |line: LogLine| {
                if line.origin == LogOrigin::Host {
                    *said_by_host.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
                } else if sender.try_send(line).is_err() {
                    lost_len.fetch_add(1, Ordering::Relaxed);
                }
            })
        }
    }

    /// Writes what has come.
    pub fn write(&mut self) {
        let said_by_host = self.said_by_host.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(LogLine { text, .. }) = said_by_host {
            self.host_log.warn(format_args!("module: {} (said by the host)", one_line(&text)));
        }
        while let Ok(LogLine { level, origin, text }) = self.lines.try_recv() {
            let text = one_line(&text);
            let line = match origin {
                LogOrigin::Log | LogOrigin::Host => format!("module: {text}"),
                LogOrigin::Stdout => format!("module (stdout): {text}"),
                LogOrigin::Stderr => format!("module (stderr): {text}"),
            };
            match level {
                LogLevel::Debug | LogLevel::Info => self.log.info(line),
                LogLevel::Warn | LogLevel::Error => self.log.warn(line),
            }
        }
        let lost_len = self.lost_len.swap(0, Ordering::Relaxed);
        if lost_len > 0 {
            self.log.warn(format_args!("{lost_len} lines of the module were lost: it writes more than can be written"));
        }
    }
}

/// The guest's text with nothing in it that would act upon a terminal.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for letter in text.trim_end().chars() {
        if line.len() >= LINE_LEN_MAX {
            line.push('…');
            break;
        }
        if letter.is_control() { line.extend(letter.escape_default()) } else { line.push(letter) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_module_stays_one_line_and_moves_no_cursor() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\n"), "a\\u{1b}[2Jb\\nc");
        let long = one_line(&"ä".repeat(1000));
        assert!(long.len() <= LINE_LEN_MAX + '…'.len_utf8() && long.ends_with('…'), "{long}");
    }

    #[test]
    fn lines_beyond_the_bound_are_counted_and_hold_up_nobody() {
        let lines = GuestLines::new(NodeId::Sequencer, Clock::start());
        let mut sink = lines.sinks()();
        for _ in 0..LINES_LEN_MAX + 7 {
            sink(LogLine { level: LogLevel::Info, origin: LogOrigin::Log, text: "again".to_owned() });
        }
        assert_eq!(lines.lost_len.load(Ordering::Relaxed), 7);
    }
}
