//! Every queue within its bound.

use super::{Held, Laws, broken};
use crate::protocol::id::NodeId;

/// A queue, buffer or table of a core: what it is, how long it is and how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// What it holds.
    pub name: &'static str,
    /// How long it is.
    pub len: usize,
    /// How long it may be.
    pub max: usize,
}

impl Laws {
    /// A node has had its turn.
    pub fn queues_stay_within_limits(&mut self, node: NodeId, queues: impl Iterator<Item = Queue>) -> Held {
        self.checked += 1;
        for Queue { name, len, max } in queues {
            if len > max {
                return broken("queues_stay_within_limits", format!("{node}: {len} {name}, the bound is {max}"));
            }
        }
        Ok(())
    }
}
