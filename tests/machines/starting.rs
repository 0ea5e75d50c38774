//! From the files of `dsms init` to a cluster that answers.

use std::fs;

use dsms::protocol::id::Membership;

use crate::harness::{dsms, reference_wasm};
use crate::machines::{Machines, drawn_order, files_below};

#[test]
fn nodes_that_have_their_own_key_alone_are_started_in_any_order_and_agree() {
    let Some(mut machines) = Machines::install() else { return };
    for node in drawn_order() {
        let name = node.to_string();
        assert_eq!(files_below(&machines.directory(&name)), ["dsms.toml".to_owned(), format!("keys/{name}.key")]);
        machines.start_node(node);
    }
    machines.wait_until_ready();
    machines.request("NYKA1001", "add-share NYKM100925 Equity 100");
    assert_eq!(machines.request("NYKB1001", "purchase-share NYKM100925 Equity 10")["result"], "purchased");
    machines.wait_until_well();
    // What is kept of the order is on the machine of its replica, and nowhere else.
    for node in Membership::of(3).nodes() {
        let kept = files_below(&machines.directory(&node.to_string()));
        let own = format!(".dsms/data/{node}/");
        let foreign = |file: &String| file.starts_with(".dsms/data/replica") && !file.starts_with(&own);
        assert!(!kept.iter().any(foreign), "{node}: {kept:?}");
        assert_eq!(kept.contains(&format!("{own}00000001.log")), node.replica().is_some(), "{node}: {kept:?}");
    }
}

#[test]
fn a_module_is_on_the_machine_of_its_replica_alone() {
    let Some(mut machines) = Machines::install() else { return };
    for node in Membership::of(3).nodes() {
        let path = machines.directory(&node.to_string()).join("dsms.toml");
        let text = fs::read_to_string(&path).unwrap();
        let with_module =
            text.replace("# replica-2\n[[replica]]\n", "# replica-2\n[[replica]]\nmodule = \"reference.wasm\"\n");
        assert_ne!(with_module, text);
        fs::write(&path, with_module).unwrap();
    }
    let own = machines.directory("replica-2");
    let mut without_module = machines.lab.on("replica-2", dsms(&own).args(["node", "replica-2"]));
    let refused = String::from_utf8(without_module.output().unwrap().stderr).unwrap();
    assert!(refused.contains("cannot read the module") && refused.contains("replica-2/reference.wasm"), "{refused}");

    reference_wasm(&own);
    drawn_order().into_iter().for_each(|node| machines.start_node(node));
    machines.wait_until_ready();
    machines.wait_until_well();
}

#[test]
fn a_node_on_the_wrong_machine_is_told_so() {
    let Some(machines) = Machines::install() else { return };
    let own = machines.directory("replica-1");
    let refused = |machine: &str, node: &str| {
        let output = machines.lab.on(machine, dsms(&own).args(["node", node])).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let words = refused("replica-2", "replica-1");
    assert!(words.contains("this machine has no such address: start replica-1 on the one that has it"), "{words}");
    let words = refused("replica-1", "replica-2");
    assert!(words.contains("there is no key file") && words.contains("keys/replica-2.key"), "{words}");
    fs::copy(own.join("keys/replica-1.key"), own.join("keys/replica-2.key")).unwrap();
    let words = refused("replica-1", "replica-2");
    assert!(words.contains("these are the keys of replica-1, not of replica-2"), "{words}");
}
