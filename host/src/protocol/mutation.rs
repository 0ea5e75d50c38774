//! Deliberate bugs, to show that the simulator finds them.
//!
//! Only a test can switch one on, for its own thread. Everywhere else the answer is "no" at compile time, and nothing of this is left.

/// A bug that somebody could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// The front end releases the first outcome that comes, whatever the mode.
    ReleaseAtOneReply,
    /// A manager counts all wrong answers of a life, not those in a row.
    CountStrikesInTotal,
    /// A manager takes an order for the next one, although one before it is missing.
    SkipHoldBack,
    /// What clients were answered is not taken over with a checkpoint.
    LoseSessionTable,
    /// The channel takes a lost packet for acknowledged.
    ForgetRetransmission,
    /// The front end judges an order while replies to it are missing.
    JudgeBeforeAllReplied,
    /// A manager takes a fetched checkpoint without comparing it with its certificate.
    TrustFirstSnapshot,
    /// A manager delivers orders without writing them down.
    ForgetRecord,
    /// An accusation of an earlier life counts for the present one.
    IgnoreIncarnation,
    /// The front end takes every outcome of a shadow for right.
    TrustShadow,
    /// A front end whose process is new neither asks nor waits for the managers before it submits.
    SubmitAtOnce,
}

/// Whether this bug is switched on.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn is_on(_: Mutation) -> bool {
    false
}

#[cfg(test)]
pub(crate) use switch::{is_on, with};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Mutation;

    thread_local! {
        static ON: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Whether this bug is switched on in this thread.
    pub(crate) fn is_on(mutation: Mutation) -> bool {
        ON.get() == Some(mutation)
    }

    /// Does something with this bug switched on in this thread.
    pub(crate) fn with<T>(mutation: Mutation, run: impl FnOnce() -> T) -> T {
        ON.set(Some(mutation));
        let value = run();
        ON.set(None);
        value
    }
}
