//! Panics of runs, which are results here and not to be printed.

use std::cell::{Cell, RefCell};
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the last panic of this thread has said, if panics are kept.
pub fn last_words() -> String {
    LAST_WORDS.take()
}

/// Does something while the panics of this thread are kept and not printed.
pub fn quietly<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |info| match IS_QUIET.get() {
            true => LAST_WORDS.set(info.to_string().replace('\n', " ")),
            false => loud(info),
        }));
    });
    let was_quiet = IS_QUIET.replace(true);
    let value = run();
    IS_QUIET.set(was_quiet);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_panic_are_kept() {
        let ended = quietly(|| std::panic::catch_unwind(|| panic!("out of {}", "order")));
        assert!(ended.is_err());
        assert!(last_words().ends_with("out of order"), "and where");
        assert_eq!(last_words(), "");
    }
}
