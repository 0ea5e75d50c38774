//! The cluster of the current directory: the one that `dsms up` runs in it, or else the one that its `dsms.toml` describes, as
//! `dsms init` writes it for clusters on several machines.

use std::path::Path;

use crate::config::{ClusterConfig, FrontEndConfig};
use crate::runtime::client::FrontEndName;
use crate::runtime::directory::ClusterDirectory;

/// The configuration of clusters whose nodes are started one by one.
pub const CONFIG_FILE: &str = "dsms.toml";

/// A cluster that was found.
pub struct Here {
    /// What is known of it.
    pub config: ClusterConfig,
    /// Why it may not answer, and what to do.
    pub advice: &'static str,
    /// `dsms up` has ended without taking its configuration away.
    pub has_ended: bool,
}

/// Finds the cluster of this directory.
pub fn find(directory: &Path) -> anyhow::Result<Here> {
    let of_up = ClusterDirectory::within(directory);
    let config_file = directory.join(CONFIG_FILE);
    if !of_up.config_file().exists() && config_file.exists() {
        let config = ClusterConfig::load(&config_file)?;
        // Ports that are drawn at the start are known to `dsms up` alone.
        if config.require_ports().is_ok() {
            let advice = "dsms.toml says that a front end listens there: is it started, with `dsms up --config dsms.toml` or \
                          `dsms node front-end`, and reached from this machine? --connect names another address";
            return Ok(Here { config, advice, has_ended: false });
        }
    }
    Ok(Here {
        config: of_up.running()?,
        advice: "the cluster of this directory does not answer; the log of `dsms up` says why its front end does not start",
        has_ended: of_up.has_ended(),
    })
}

/// Where the front ends of a cluster listen for clients, as they are reached from any of its machines.
pub fn front_ends_of(config: &ClusterConfig) -> Vec<FrontEndName> {
    let reached = |front_end: &FrontEndConfig| {
        let mut address = front_end.client_address;
        if address.ip().is_unspecified() {
            // It listens at every address of its machine, of which the other nodes know this one.
            address.set_ip(front_end.address.ip());
        }
        address.into()
    };
    config.front_ends.iter().map(reached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "[sequencer]\naddress = '10.0.0.2:7400'\n[[replica]]\naddress = '10.0.0.3:7400'\n[[replica]]\n\
                         address = '10.0.0.4:7400'\n[[replica]]\naddress = '10.0.0.5:7400'\n";

    #[track_caller]
    fn check(config: &str, expected: Result<&str, &str>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(CONFIG_FILE), config).unwrap();
        let found = find(directory.path()).map(|here| front_ends_of(&here.config)[0].to_string());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_configuration_of_nodes_that_are_started_one_by_one_says_where_clients_are_let_in() {
        let with = |client_address: &str| {
            let front_end = format!("address = '10.0.0.1:7400'\nclient_address = '{client_address}'");
            let clients = "tls = { cert = 'cert.pem', key = 'cert.key' }";
            format!("[cluster]\nkeys = 'keys'\n[front_end]\n{front_end}\n{NODES}[clients]\n{clients}\n")
        };
        check(&with("127.0.0.1:7401"), Ok("127.0.0.1:7401"));
        check(&with("0.0.0.0:7401"), Ok("10.0.0.1:7401"));
        check(&with("127.0.0.1:0"), Err("no cluster is running in this directory"));
        check("mode = 1", Err("dsms.toml:1:"));
    }

    #[test]
    fn without_a_configuration_no_cluster_runs() {
        let directory = tempfile::tempdir().unwrap();
        let error = find(directory.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("no cluster is running in this directory"), "{error}");
    }
}
