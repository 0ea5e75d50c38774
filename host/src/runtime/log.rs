//! Log lines on standard error, bounded in number.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use crate::protocol::id::NodeId;
use crate::protocol::time::Instant;

use super::clock::Clock;

/// Most lines a node writes in one second; what goes beyond is counted, and the count is written.
///
/// Peers, clients and modules control how much there is to say. Without a bound they could fill a disk.
const LINES_PER_SECOND_MAX: u32 = 50;

/// The log of one node.
#[derive(Debug)]
pub struct Log {
    node: NodeId,
    clock: Clock,
    second_began_at: Instant,
    lines_len: u32,
    suppressed_len: u32,
}

impl Log {
    /// The log of a node.
    pub fn new(node: NodeId, clock: Clock) -> Log {
        Log { node, clock, second_began_at: clock.now(), lines_len: 0, suppressed_len: 0 }
    }

    /// Something that went as it should.
    pub fn info(&mut self, what: impl fmt::Display) {
        self.line("info", what);
    }

    /// Something that somebody may want to look into.
    pub fn warn(&mut self, what: impl fmt::Display) {
        self.line("warn", what);
    }

    fn line(&mut self, level: &str, what: impl fmt::Display) {
        let now = self.clock.now();
        if now.since(self.second_began_at) >= Duration::from_secs(1) {
            self.second_began_at = now;
            self.lines_len = 0;
            let suppressed_len = std::mem::take(&mut self.suppressed_len);
            if suppressed_len > 0 {
                self.write("warn", format_args!("{suppressed_len} lines were left out"));
            }
        }
        if self.lines_len >= LINES_PER_SECOND_MAX {
            self.suppressed_len += 1;
            return;
        }
        self.lines_len += 1;
        self.write(level, what);
    }

    fn write(&self, level: &str, what: impl fmt::Display) {
        let line = format!("{level} node={} {what}\n", self.node);
        // Nobody may be reading any more; a node does not fail for that.
        let _nobody_reads = std::io::stderr().lock().write_all(line.as_bytes());
    }
}
