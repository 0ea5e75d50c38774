//! Backups of running clusters, and clusters that go on from them.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Cluster, dsms};

#[test]
fn a_cluster_goes_on_from_the_backup_of_another_one_with_all_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("dsms.toml"),
        "[cluster]\ndurability = \"os\"\n[recovery]\ncheckpoint_every = 10\n",
    )
    .unwrap();
    let mut cluster = Cluster::start_durable(directory, &["--config", "dsms.toml"]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 1000").1, 0);
    for buyer in 1..=25 {
        let (bought, _) = cluster.request(&format!("NYKB{buyer:04}"), "purchase-share NYKM100925 Equity 3");
        assert_eq!(bought["result"], "purchased", "{bought}");
    }
    let taken = cluster.run(&["backup", "--out", "market.backup", "--json"]);
    let told: Value = serde_json::from_slice(&taken.stdout).unwrap_or_else(|_| panic!("{taken:?}"));
    assert!(told["last"].as_u64() >= Some(26) && told["checkpoint"].as_u64() >= Some(10), "{told}");
    let again = cluster.run(&["backup", "--out", "market.backup"]);
    let told = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(2) && told.contains("market.backup exists already"), "{told}");
    let (after, _) = cluster.request("NYKB0026", "purchase-share NYKM100925 Equity 3");
    assert_eq!(after["result"], "purchased");
    assert!(cluster.end_by(Signal::TERM).success());

    let elsewhere = tempfile::tempdir().unwrap();
    let backup = cluster.directory().join("market.backup");
    let restore =
        |arguments: &[&str]| dsms(elsewhere.path()).arg("restore").arg(&backup).args(arguments).output().unwrap();
    let verified = String::from_utf8(restore(&["--verify"]).stdout).unwrap();
    assert!(verified.contains("market.backup verifies: the checkpoint after #"), "{verified}");
    assert!(!elsewhere.path().join(".dsms").exists(), "it was only verified");
    let restored = restore(&[]);
    assert!(restored.status.success(), "{restored:?}");
    let occupied = restore(&[]);
    assert!(String::from_utf8(occupied.stderr).unwrap().contains("is there already"));

    let cluster = Cluster::start_durable(elsewhere, &["--durability", "os"]);
    for (buyer, expected) in [(1, 3), (25, 3)] {
        let (holdings, _) = cluster.request(&format!("NYKB{buyer:04}"), "get-shares");
        assert_eq!(holdings["holdings"][0]["units"], expected, "{holdings}");
    }
    let (availability, _) = cluster.request("NYKA1001", "list-share-availability Equity");
    assert_eq!(availability["shares"][0]["available"], 1000 - 25 * 3, "what came after the backup is not in it");
    cluster.equal_digest();
}

#[test]
fn a_backup_that_does_not_verify_is_not_restored() {
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start_durable(directory, &["--durability", "os"]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 5").1, 0);
    assert!(cluster.end_by(Signal::TERM).success());
    let taken = cluster.run(&["backup", "--out", "whole.backup"]);
    assert!(taken.status.success(), "{taken:?}");
    let mut bytes = fs::read(cluster.directory().join("whole.backup")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(cluster.directory().join("damaged.backup"), bytes).unwrap();
    let refused = cluster.run(&["restore", "damaged.backup", "--data", "restored"]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && words.contains("its digest is wrong"), "{words}");
    assert!(!cluster.directory().join("restored").exists());
}
