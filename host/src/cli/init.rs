//! `dsms init`: a cluster on several machines, as one configuration and a key file for each node.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::here::CONFIG_FILE;
use super::output::{say, shell_word};
use super::up::parse_mode;
use crate::config::parse;
use crate::protocol::id::{Membership, NodeId};
use crate::protocol::limits::{FRONT_ENDS_LEN_MAX, REPLICAS_LEN_MAX};
use crate::protocol::quorum::Tolerance;
use crate::runtime::keys::{draw, write_all};
use crate::whole_file::{self, Existing, Outlives, Readers, Rule};

/// The directory of the key files, beside the configuration.
const KEYS: &str = "keys";

/// Write the configuration of a cluster on several machines, and a key file for each node.
///
/// The configuration is the same on every machine. Of the key files, each machine gets those of its own nodes, and no other: keys/NAME.key
/// holds the secrets of that node with each other one. Nothing that exists is overwritten.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Every node with the UDP address at which the others reach it: front-end, sequencer, replica-1 and on; with several front ends,
    /// front-end-2 and on as well.
    #[arg(long, value_name = "NAME=ADDRESS", value_delimiter = ',', required = true, value_parser = parse_node)]
    nodes: Vec<(NodeId, SocketAddr)>,
    /// The TCP address at which each front end listens for clients, or one for each of them. Without tokens, whoever reaches it may ask
    /// anything: see `dsms token`.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', default_value = "127.0.0.1:7401")]
    clients: Vec<SocketAddr>,
    /// What to tolerate: byzantine (one wrong replica), crash (all but one crashed), both (one wrong and one crashed).
    #[arg(long, value_parser = parse_mode, default_value = "byzantine")]
    mode: Tolerance,
    /// Where replica managers keep what is ordered, each on its own machine; .dsms/data beside the configuration otherwise.
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// Where to write.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    out: PathBuf,
}

fn parse_node(text: &str) -> Result<(NodeId, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("expected NAME=ADDRESS, such as replica-1=10.0.0.3:7400")?;
    let node = name.parse().map_err(|unknown: crate::protocol::id::UnknownNode| unknown.to_string())?;
    let address: SocketAddr =
        address.parse().map_err(|_| "expected an IP address and a port, such as 10.0.0.3:7400")?;
    if address.port() == 0 {
        return Err("expected a port, since no node can tell the others which one it has got".to_owned());
    }
    Ok((node, address))
}

/// Runs the command.
pub fn run(args: InitArgs) -> anyhow::Result<ExitCode> {
    let nodes = complete(&args.nodes)?;
    let front_ends_len = nodes.iter().filter(|(node, _)| node.is_front_end()).count();
    if ![1, front_ends_len].contains(&args.clients.len()) {
        anyhow::bail!(
            "--clients gives {} addresses for {front_ends_len} front ends; give one, or one for each",
            args.clients.len()
        );
    }
    let path = args.out.join(CONFIG_FILE);
    let text = config_text(&args, &nodes);
    // Whatever a configuration may not say is found out before anything is written.
    parse(&text, &args.out).map_err(|problems| {
        let words: Vec<String> = problems.into_iter().map(|problem| problem.what).collect();
        anyhow::anyhow!("nothing is written, since these options make no cluster: {}", words.join("; "))
    })?;
    let names: Vec<NodeId> = nodes.iter().map(|(node, _)| *node).collect();
    let keys = args.out.join(KEYS);
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    write_new(&path, &text)?;
    write_all(&keys, &draw(&names).context("cannot draw keys")?)?;
    say!("{}: for every machine", shell_word(&path));
    for (node, address) in &nodes {
        let file = shell_word(&keys.join(format!("{node}.key")));
        say!("{file}: for the machine at {} alone", address.ip());
    }
    say!("copy them so that each machine has the same layout; then start each node there:");
    say!("  dsms node NAME --config {CONFIG_FILE}");
    Ok(ExitCode::SUCCESS)
}

/// The nodes in their order, each once and none left out.
fn complete(given: &[(NodeId, SocketAddr)]) -> anyhow::Result<Vec<(NodeId, SocketAddr)>> {
    let mut nodes = given.to_vec();
    nodes.sort();
    let replicas_len = nodes.iter().filter(|(node, _)| node.replica().is_some()).count();
    let front_ends_len = nodes.iter().filter(|(node, _)| node.is_front_end()).count().max(1);
    if replicas_len > REPLICAS_LEN_MAX || front_ends_len > FRONT_ENDS_LEN_MAX {
        anyhow::bail!(
            "--nodes names a node twice: no cluster has {front_ends_len} front ends and {replicas_len} replicas"
        );
    }
    let membership = Membership { front_ends_len, replicas_len };
    for (expected, found) in
        membership.nodes().into_iter().zip(nodes.iter().map(|(node, _)| Some(*node)).chain([None, None]))
    {
        match found {
            Some(found) if found == expected => {}
            Some(found) if found < expected => anyhow::bail!("--nodes names {found} twice"),
            _ => anyhow::bail!("--nodes names no {expected}"),
        }
    }
    if let Some((extra, _)) = nodes.get(membership.nodes().len()) {
        anyhow::bail!("--nodes names {extra} twice");
    }
    Ok(nodes)
}

fn config_text(args: &InitArgs, nodes: &[(NodeId, SocketAddr)]) -> String {
    let named = Tolerance::NAMED.iter().find(|(_, tolerance)| *tolerance == args.mode);
    let mode = named.map_or_else(|| args.mode.to_string(), |(name, _)| (*name).to_owned());
    let mut text = format!(
        "# A cluster, the same on every machine. Each machine has the key files of its own nodes, and no other.\n\n\
         [cluster]\nmode = \"{mode}\"\nkeys = \"{KEYS}\"\n"
    );
    if let Some(data) = &args.data {
        text.push_str(&format!("data = {}\n", toml::Value::from(data.as_str())));
    }
    for (node, address) in nodes {
        text.push_str(&match node {
            NodeId::FrontEnd(front_end) => {
                let clients = args.clients.get(front_end.index()).unwrap_or(&args.clients[0]);
                format!("\n# {node}\n[[front_end]]\naddress = \"{address}\"\nclient_address = \"{clients}\"\n")
            }
            NodeId::Sequencer => format!("\n[sequencer]\naddress = \"{address}\"\n"),
            NodeId::ReplicaManager(_) => format!("\n# {node}\n[[replica]]\naddress = \"{address}\"\n"),
        });
    }
    text
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let rule = Rule { existing: Existing::Kept, outlives: Outlives::PowerCuts, readers: Readers::ByUmask };
    whole_file::write(path, text.as_bytes(), rule).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow::anyhow!(
            "{} exists already, and is left as it is; give another directory with --out, or move that file away",
            path.display()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use clap::Parser;

    use super::*;
    use crate::config::{ClusterConfig, Keys};
    use crate::runtime::keys::{key_file, read_keyring};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: InitArgs,
    }

    fn args(words: &[&str]) -> Result<InitArgs, clap::Error> {
        Line::try_parse_from([&["init"], words].concat()).map(|line| line.args)
    }

    const NODES: &str = "replica-2=10.0.0.4:7400,front-end=10.0.0.1:7400,sequencer=10.0.0.2:7400,replica-1=10.0.0.3:7400,\
                         replica-3=[10::5]:7400";

    #[test]
    fn a_configuration_for_every_machine_and_a_key_file_for_each_node_are_written() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("cluster");
        let nodes = NODES.replace("[10::5]", "10.0.0.5");
        let words = ["--nodes", &nodes, "--data", "/var/lib/\"dsms\"/data", "--out", out.to_str().unwrap()];
        run(args(&words).unwrap()).unwrap();
        let config = ClusterConfig::load(&out.join(CONFIG_FILE)).unwrap();
        assert_eq!(config.keys, Keys::OfNodes(out.join(KEYS)));
        assert_eq!(config.require_ports(), Ok(()));
        assert_eq!(config.data.as_ref().unwrap().directory, Path::new("/var/lib/\"dsms\"/data"));
        assert_eq!(config.address_of(config.nodes()[3]).to_string(), "10.0.0.4:7400");
        assert!(config.front_ends[0].client_address.ip().is_loopback());
        for node in config.nodes() {
            let path = key_file(&out.join(KEYS), node);
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
            read_keyring(&path, node, &config.nodes()).unwrap();
        }
        let again = run(args(&words).unwrap()).unwrap_err().to_string();
        assert!(again.contains("dsms.toml exists already") && again.contains("--out"), "{again}");
    }

    #[test]
    fn nodes_that_make_no_cluster_are_refused_and_nothing_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().to_str().unwrap();
        let refused = |nodes: &str| match args(&["--nodes", nodes, "--out", out]) {
            Ok(args) => run(args).unwrap_err().to_string(),
            Err(usage) => usage.to_string(),
        };
        for (nodes, expected) in [
            ("front-end", "expected NAME=ADDRESS"),
            ("front-end=10.0.0.1", "expected an IP address and a port"),
            ("front-end=10.0.0.1:0", "expected a port"),
            ("backend=10.0.0.1:7400", "expected front-end, sequencer, replica-1"),
            ("front-end-2=10.0.0.1:1,sequencer=10.0.0.2:1", "--nodes names no front-end"),
            ("front-end=10.0.0.1:1", "--nodes names no sequencer"),
            ("front-end=10.0.0.1:1,front-end=10.0.0.1:1", "--nodes names front-end twice"),
            ("front-end=10.0.0.1:1,sequencer=10.0.0.2:1,sequencer=10.0.0.3:1", "--nodes names sequencer twice"),
            ("front-end=10.0.0.1:1,sequencer=10.0.0.1:2,replica-2=10.0.0.1:3", "--nodes names no replica-1"),
            ("front-end=10.0.0.1:1,sequencer=10.0.0.1:2,replica-1=10.0.0.1:3", "need 2 x 1 + 0 + 1 = 3 replicas"),
            (NODES, "IPv6"),
            (&NODES.replace("[10::5]", "0.0.0.0"), "expected one at which the other nodes reach replica-3"),
        ] {
            let words = refused(nodes);
            assert!(words.contains(expected) && !words.contains("dsms.toml"), "{nodes}: {words}");
        }
        assert_eq!(std::fs::read_dir(out).unwrap().count(), 0);
    }
}
