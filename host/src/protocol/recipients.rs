//! To whom a core sends a message.

use super::id::NodeId;

/// One node, or a group that gets the same bytes, encoded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// This node.
    One(NodeId),
    /// Every replica manager.
    ReplicaManagers,
    /// Every front end.
    FrontEnds,
    /// Every replica manager and every front end.
    Watchers,
    /// Every node.
    All,
}

impl Recipients {
    /// Whether a node is meant. The sender is never among the recipients.
    pub fn include(self, node: NodeId) -> bool {
        match self {
            Recipients::One(one) => one == node,
            Recipients::ReplicaManagers => matches!(node, NodeId::ReplicaManager(_)),
            Recipients::FrontEnds => node.is_front_end(),
            Recipients::Watchers => node != NodeId::Sequencer,
            Recipients::All => true,
        }
    }
}
