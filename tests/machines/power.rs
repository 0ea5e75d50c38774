//! Machines that go off, and on again at another time.

use dsms::protocol::id::{Membership, NodeId};

use crate::load::Load;
use crate::machines::{Machines, drawn_order};

#[test]
fn a_machine_that_was_off_goes_on_with_what_it_has_kept() {
    let Some(mut machines) = Machines::start() else { return };
    let replica: NodeId = "replica-3".parse().unwrap();
    let load = Load::start(&machines);
    load.wait_for_answers(50);
    machines.kill_node(replica);
    load.wait_for_answers(200);
    machines.start_node(replica);
    machines.wait_until_well();
    load.end();

    // The others one by one; while one of them is off, nothing is answered.
    for node in [NodeId::Sequencer, NodeId::FRONT_END] {
        machines.kill_node(node);
        machines.start_node(node);
        if node == NodeId::FRONT_END {
            machines.wait_until_ready();
        }
        machines.wait_until_well();
    }

    // All at once, and on again in another order.
    let before = machines.wait_until_well();
    for node in Membership::of(3).nodes() {
        machines.kill_node(node);
    }
    for node in drawn_order() {
        machines.start_node(node);
    }
    machines.wait_until_ready();
    assert_eq!(machines.wait_until_well(), before);
}
