//! Cables that are taken out and put in again.

use crate::lab::End;
use crate::load::Load;
use crate::machines::Machines;

#[test]
fn a_replica_whose_cable_was_out_under_load_votes_again() {
    let Some(machines) = Machines::start() else { return };
    let load = Load::start(&machines);
    for end in [End::Switch, End::Machine] {
        load.wait_for_answers(50);
        machines.lab.cut("replica-2", end);
        machines.wait_for_status("WARNING: 2 of 3 replicas vote; replica-2 is silent", 1);
        load.wait_for_answers(200);
        machines.lab.mend("replica-2", end);
        machines.wait_until_well();
    }
    load.end();
    machines.wait_until_well();
}
