//! Panics of runs, which are results here and not to be printed.

use std::cell::RefCell;
use std::panic::{set_hook, take_hook};

thread_local! {
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the last panic of this thread has said, if panics are kept.
pub fn last_words() -> String {
    LAST_WORDS.take()
}

/// Does something while panics are kept and not printed, in whatever thread.
pub fn quietly<T>(run: impl FnOnce() -> T) -> T {
    let hook = take_hook();
    set_hook(Box::new(|info| LAST_WORDS.set(info.to_string().replace('\n', " "))));
    let value = run();
    set_hook(hook);
    value
}
