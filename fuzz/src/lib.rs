//! What the targets feed: the bodies of the property tests in `tests/fuzz/`.

#[path = "../../tests/fuzz/cores.rs"]
pub mod cores;
#[path = "../../tests/fuzz/draw.rs"]
pub mod draw;
#[path = "../../tests/fuzz/guests.rs"]
pub mod guests;
#[path = "../../tests/fuzz/messages.rs"]
pub mod messages;
#[path = "../../tests/fuzz/readers.rs"]
pub mod readers;
