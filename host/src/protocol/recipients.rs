//! To whom a core sends a message.

use super::id::NodeId;

/// One node, or a group that gets the same bytes, encoded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// This node.
    One(NodeId),
    /// Every replica manager.
    ReplicaManagers,
}

impl Recipients {
    /// Whether a node is meant.
    pub fn include(self, node: NodeId) -> bool {
        match self {
            Recipients::One(one) => one == node,
            Recipients::ReplicaManagers => matches!(node, NodeId::ReplicaManager(_)),
        }
    }
}
