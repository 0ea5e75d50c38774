//! How a command finds the cluster: by `--connect`, or by the cluster of the current directory; and what it shows there.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::config::ClusterConfig;
use crate::protocol::client_message::{ClientMessage, ClusterStatus, ServerBody};
use crate::runtime::client::{CONNECT_PATIENCE, Cause, Client, FrontEndName, Target};
use crate::runtime::tls::ClientTls;
use crate::runtime::token_files::read_tokens;

use super::here::{self, Here, front_ends_of};

/// Names the file of tokens where --token-file does not.
const TOKEN_FILE_VARIABLE: &str = "DSMS_TOKEN_FILE";

/// Names the authority where --ca does not.
const CA_FILE_VARIABLE: &str = "DSMS_CA_FILE";

/// Which cluster to talk to.
#[derive(Debug, Clone, Args)]
pub struct ConnectArgs {
    /// The client addresses of the cluster's front ends, with commas between them, such as 127.0.0.1:7401 or
    /// market-1.example:7401,market-2.example:7401; the first one that answers is asked. Without it: the cluster of the current directory.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub connect: Vec<FrontEndName>,
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

impl ConnectArgs {
    /// Where front ends listen for clients; at least one.
    pub fn front_ends(&self) -> anyhow::Result<Vec<FrontEndName>> {
        if self.connect.is_empty() { Ok(front_ends_of(&here()?.config)) } else { Ok(self.connect.clone()) }
    }

    /// The first front end that lets it connect, for a client with a newly drawn id. Where it is waited for one is told on standard error.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let here = if self.connect.is_empty() { Some(here()?) } else { None };
        let mut client = self.new_client(self.target()?).with_notice(tell);
        if here.as_ref().is_some_and(|here| here.has_ended) {
            // Unless its processes are only not seen from here, as from another container, there is nobody to wait for.
            let words = "the cluster of this directory has ended without taking leave; start it again with `dsms up`";
            return match client.try_open().await {
                Ok(()) => Ok(client),
                Err(failure) => Err(anyhow::anyhow!("{words}: {failure}")),
            };
        }
        let advice = here
            .map_or("--connect names nobody who answers; give the `client_address` of a front end that runs", |here| {
                here.advice
            });
        match client.open().await {
            Ok(()) => Ok(client),
            // Who refuses says why.
            Err(error) if error.shared_cause() == Some(Cause::Unreachable) => {
                Err(anyhow::Error::new(error).context(advice))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A client of each front end that lets it connect, at least one. The others are told of on standard error. What one knows is answered at
    /// once, so where there are others none is waited for longer than it takes to see that it is gone.
    pub async fn clients(&self) -> anyhow::Result<Vec<Client>> {
        let target = self.target()?;
        let mut clients = Vec::new();
        if target.front_ends.len() > 1 {
            for one in target.each() {
                let patience = CONNECT_PATIENCE.min(Duration::from_secs(self.timeout));
                let mut client = Client::new(one, Client::draw_id(), patience);
                match client.try_open().await {
                    Ok(()) => clients.push(client),
                    Err(failure) => tell(&failure.to_string()),
                }
            }
        }
        if clients.is_empty() {
            clients.push(self.client().await?);
        }
        Ok(clients)
    }

    fn new_client(&self, target: Target) -> Client {
        Client::new(target, Client::draw_id(), Duration::from_secs(self.timeout))
    }

    /// The words with which another command finds the same cluster and shows it the same.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["--timeout".to_owned(), self.timeout.to_string()];
        let mut add = |flag: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        };
        let text = |path: &PathBuf| path.display().to_string();
        add("--connect", self.connect_word());
        add("--token-file", self.token_file.as_ref().map(text));
        add("--ca", self.ca.as_ref().map(text));
        words
    }

    /// The configuration of the cluster, if it is the one of this directory. A front end does not tell strangers.
    pub fn config(&self) -> anyhow::Result<Option<ClusterConfig>> {
        if self.connect.is_empty() { Ok(Some(here()?.config)) } else { Ok(None) }
    }

    /// What --connect says, in one word, if it is there.
    pub fn connect_word(&self) -> Option<String> {
        let names: Vec<String> = self.connect.iter().map(FrontEndName::to_string).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    fn target(&self) -> anyhow::Result<Target> {
        let (front_ends, ca) = if self.connect.is_empty() {
            let config = here()?.config;
            (front_ends_of(&config), self.ca_of(&config)?)
        } else {
            (self.connect.clone(), None)
        };
        let ca = self.ca.clone().or_else(|| variable(CA_FILE_VARIABLE)).or(ca);
        let token_file = self.token_file.clone().or_else(|| variable(TOKEN_FILE_VARIABLE));
        let tls = ca.map(|ca| ClientTls::load(&ca)).transpose()?;
        let tokens = token_file.map(|file| read_tokens(&file)).transpose()?.unwrap_or_default();
        Ok(Target { front_ends, tls, tokens })
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

fn here() -> anyhow::Result<Here> {
    here::find(".".as_ref())
}

/// Faults and swaps are known to the front end that was asked for them: says which it is, where it might have been another.
pub fn tell_whose(client: &Client) {
    if client.has_choice() {
        tell(&format!("at the front end {}", client.front_end()));
    }
}

/// On standard error, what a person should know who waits.
fn tell(words: &str) {
    eprintln!("dsms: {words}");
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
