//! From the files of `dsms init` to a cluster that answers.

use dsms::protocol::id::NodeId;

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
    for node in NodeId::all(3) {
        let kept = files_below(&machines.directory(&node.to_string()));
        let own = format!(".dsms/data/{node}/");
        let foreign = |file: &String| file.starts_with(".dsms/data/replica") && !file.starts_with(&own);
        assert!(!kept.iter().any(foreign), "{node}: {kept:?}");
        assert_eq!(kept.contains(&format!("{own}00000001.log")), node.replica().is_some(), "{node}: {kept:?}");
    }
}
