//! How a command finds the cluster: by `--connect`, or by what `dsms up` left in the current directory; and what it shows there.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::config::ClusterConfig;
use crate::protocol::client_message::{ClientMessage, ClusterStatus, ServerBody};
use crate::runtime::client::{Client, ClientError, Target};
use crate::runtime::directory::ClusterDirectory;
use crate::runtime::tls::ClientTls;
use crate::runtime::token_files::read_tokens;

/// Names the file of tokens where --token-file does not.
const TOKEN_FILE_VARIABLE: &str = "DSMS_TOKEN_FILE";

/// Names the authority where --ca does not.
const CA_FILE_VARIABLE: &str = "DSMS_CA_FILE";

/// Which cluster to talk to.
#[derive(Debug, Clone, Args)]
pub struct ConnectArgs {
    /// The front end's client address, such as 127.0.0.1:7401 or market.example:7401. Without it: the cluster of the current directory.
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Option<FrontEndName>,
    /// How many seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// A file with tokens, one a line, for whom this client may speak; or in DSMS_TOKEN_FILE. `dsms token issue` issues them.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Speak TLS, and believe a front end whose certificate this authority has signed (PEM); or in DSMS_CA_FILE.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontEndName {
    host: String,
    port: u16,
}

impl FromStr for FrontEndName {
    type Err = String;

    fn from_str(text: &str) -> Result<FrontEndName, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(FrontEndName { host: address.ip().to_string(), port: address.port() });
        }
        let split = text.rsplit_once(':').filter(|(host, _)| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        });
        let port = split.and_then(|(_, port)| port.parse().ok());
        match (split, port) {
            (Some((host, _)), Some(port)) => Ok(FrontEndName { host: host.to_owned(), port }),
            _ => {
                Err("expected an address or a name, and a port, such as 127.0.0.1:7401 or market.example:7401"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for FrontEndName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrontEndName { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FrontEndName {
    fn resolve(&self) -> anyhow::Result<SocketAddr> {
        let mut found =
            (self.host.as_str(), self.port).to_socket_addrs().with_context(|| format!("cannot find {self}"))?;
        found.next().with_context(|| format!("{self} has no address"))
    }
}

impl ConnectArgs {
    /// The address of the front end.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        match &self.connect {
            Some(front_end) => front_end.resolve(),
            None => Ok(running()?.front_ends[0].client_address),
        }
    }

    /// Connects to the front end under a newly drawn client id.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let patience = Duration::from_secs(self.timeout);
        let client = Client::connect_to(self.target()?, Client::draw_id(), patience).await;
        client.map_err(|error| match (&error, &self.connect) {
            (ClientError::Unreachable { .. }, None) => anyhow::Error::new(error)
                .context("the cluster of this directory has ended without taking leave; start it again with `dsms up`"),
            _ => error.into(),
        })
    }

    /// The words with which another command finds the same cluster and shows it the same.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["--timeout".to_owned(), self.timeout.to_string()];
        let mut add = |flag: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        let text = |path: &PathBuf| path.display().to_string();
        add("--connect", self.connect.as_ref().map(FrontEndName::to_string));
        add("--token-file", self.token_file.as_ref().map(text));
        add("--ca", self.ca.as_ref().map(text));
        words
    }

    fn target(&self) -> anyhow::Result<Target> {
        let (address, host, ca) = match &self.connect {
            Some(front_end) => (front_end.resolve()?, front_end.host.clone(), None),
            None => {
                let config = running()?;
                let address = config.front_ends[0].client_address;
                (address, address.ip().to_string(), self.ca_of(&config)?)
            }
        };
        let ca = self.ca.clone().or_else(|| variable(CA_FILE_VARIABLE)).or(ca);
        let token_file = self.token_file.clone().or_else(|| variable(TOKEN_FILE_VARIABLE));
        let tls = ca.map(|ca| ClientTls::load(&ca)).transpose()?;
        let tokens = token_file.map(|file| read_tokens(&file)).transpose()?.unwrap_or_default();
        Ok(Target { address, host, tls, tokens })
    }

    /// Whom to believe in this directory, if nothing else is said.
    fn ca_of(&self, config: &ClusterConfig) -> anyhow::Result<Option<PathBuf>> {
        let Some(tls) = &config.clients.tls else { return Ok(None) };
        if tls.ca.is_none() && self.ca.is_none() && variable(CA_FILE_VARIABLE).is_none() {
            bail!(
                "the cluster of this directory speaks TLS; name the authority to believe with --ca FILE, or as `ca` of `tls` \
                 in its configuration"
            );
        }
        Ok(tls.ca.clone())
    }
}

fn running() -> anyhow::Result<ClusterConfig> {
    Ok(ClusterDirectory::within(".".as_ref()).running()?)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// How the nodes are, as the front end of this connection knows it.
pub async fn status_of(client: &mut Client) -> anyhow::Result<ClusterStatus> {
    match client.call(|number| ClientMessage::Status { number }).await? {
        ServerBody::Status(status) => Ok(status),
        other => Err(unexpected(&other)),
    }
}

/// The front end answered something else than was asked: it is too busy, the client may not ask that, or it is of another version.
pub fn unexpected(body: &ServerBody) -> anyhow::Error {
    match body {
        ServerBody::Answer(answer) => anyhow::anyhow!("{answer}"),
        _ => anyhow::anyhow!("unexpected answer {body:?}")
            .context("the front end speaks another version of dsms than this program"),
    }
}

/// Waits for the client's answer within a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    super::runtime().context("cannot start the runtime")?.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_is_named_by_address_or_name_and_always_with_its_port() {
        for text in ["127.0.0.1:7401", "[::1]:7401", "market.example:7401", "front-end:1"] {
            assert_eq!(text.parse::<FrontEndName>().unwrap().to_string(), text);
        }
        for text in ["", ":7401", "127.0.0.1", "market.example", "market:example", "::1:7401", "a b:1", "market:65536"]
        {
            assert!(text.parse::<FrontEndName>().is_err(), "{text:?}");
        }
        assert_eq!("127.0.0.1:7401".parse::<FrontEndName>().unwrap().resolve().unwrap().port(), 7401);
    }
}
