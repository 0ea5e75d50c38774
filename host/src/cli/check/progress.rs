//! What is being done, on standard error, once it has taken a while.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::module::compiling_words;
use crate::conformance::{Examination, Progress};
use crate::protocol::time::Instant;
use crate::runtime::clock::Clock;

/// Nothing is shown before so long.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// Where nobody sees a line move, there is one for each examination, and so often within one.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress.
pub(super) struct Shown {
    bar: ProgressBar,
    clock: Clock,
    began_at: Instant,
    file_bytes: usize,
    last: Option<(Option<Examination>, Instant)>,
}

impl Shown {
    pub(super) fn new(file_bytes: usize) -> Shown {
        let clock = Clock::start();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is well formed"));
        Shown { bar, clock, began_at: clock.now(), file_bytes, last: None }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        let now = self.clock.now();
        let (examination, words) = match progress {
            Progress::Loading => (None, compiling_words(self.file_bytes)),
            Progress::Examining { examination, done, of } => {
                (Some(examination), format!("{}: {done} of {of}", examination.name()))
            }
            Progress::Examined(_) => return,
        };
        // How long the module takes to compile is not known before; a large one takes longer than a moment.
        let is_early = now.since(self.began_at) < SHOWN_AFTER;
        if is_early && (examination.is_some() || self.file_bytes < 1 << 20) {
            return;
        }
        if console_is_watched() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(100));
            self.bar.set_message(words);
        } else if self.last.is_none_or(|(last, at)| last != examination || now.since(at) >= LINE_EVERY) {
            eprintln!("dsms: {words}");
            self.last = Some((examination, now));
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn console_is_watched() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
