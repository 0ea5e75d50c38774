//! How a command finds the cluster: by `--connect`, or by what `dsms up` left in the current directory.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::protocol::client_message::ServerBody;
use crate::runtime::client::{Client, ClientError};
use crate::runtime::directory::ClusterDirectory;

/// Which cluster to talk to.
#[derive(Debug, Clone, Args)]
pub struct ConnectArgs {
    /// The front end's client address, such as 127.0.0.1:7401. Without it: the cluster of the current directory.
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Option<SocketAddr>,
    /// How many seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

impl ConnectArgs {
    /// The address of the front end.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        match self.connect {
            Some(address) => Ok(address),
            None => Ok(ClusterDirectory::within(".".as_ref()).running()?.front_end.client_address),
        }
    }

    /// Connects to the front end under a newly drawn client id.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let patience = Duration::from_secs(self.timeout);
        let client = Client::connect(self.address()?, Client::draw_id(), patience).await;
        client.map_err(|error| match (&error, self.connect) {
            (ClientError::Unreachable { .. }, None) => anyhow::Error::new(error)
                .context("the cluster of this directory has ended without taking leave; start it again with `dsms up`"),
            _ => error.into(),
        })
    }
}

/// The front end answered something else than was asked: it is of another version.
pub fn unexpected(body: &ServerBody) -> anyhow::Error {
    anyhow::anyhow!("unexpected answer {body:?}")
        .context("the front end speaks another version of dsms than this program")
}

/// Waits for the client's answer within a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    super::runtime().context("cannot start the runtime")?.block_on(future)
}
