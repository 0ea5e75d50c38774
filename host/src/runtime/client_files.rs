//! The files that a front end reads for its clients: the keys of tokens, and its certificate. Read again on SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access::Policy;
use crate::config::{Auth, ClientsConfig};

use super::connections::Credentials;
use super::private_file::FileError;
use super::tls::ServerTls;
use super::token_files::read_token_keys;

/// The files that a configuration names.
#[derive(Debug)]
pub struct ClientFiles {
    config: ClientsConfig,
    hang_up: Option<Signal>,
}

impl ClientFiles {
    /// Whether there are any, so that SIGHUP means to read them again.
    pub fn are_named(config: &ClientsConfig) -> bool {
        config.auth == Auth::Required || config.tls.is_some()
    }

    /// The files of a front end. Must be called within a runtime.
    pub fn new(config: &ClientsConfig) -> io::Result<ClientFiles> {
        let hang_up = ClientFiles::are_named(config).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(ClientFiles { config: config.clone(), hang_up })
    }

    /// What stands in them now.
    pub fn read(&self) -> Result<Credentials, FileError> {
        let policy = match self.config.auth {
            Auth::None => Policy::Open,
            Auth::Required => Policy::TokensRequired(read_token_keys(&self.config.token_keys)?),
        };
        let tls = self.config.tls.as_ref().map(|tls| ServerTls::load(&tls.cert, &tls.key)).transpose()?;
        Ok(Credentials { policy, tls })
    }

    /// What was read, for the log: secrets are not in it.
    pub fn words(credentials: &Credentials) -> String {
        let tokens = match &credentials.policy {
            Policy::Open => "no token is asked for".to_owned(),
            Policy::TokensRequired(keys) => {
                let ids: Vec<String> = keys.ids().map(|id| id.to_string()).collect();
                format!("tokens are accepted of {}", if ids.is_empty() { "no key".to_owned() } else { ids.join(", ") })
            }
        };
        let tls = if credentials.tls.is_some() { ", TLS is spoken" } else { "" };
        format!("{tokens}{tls}")
    }

    /// Waits until they are to be read again; for ever if there are none. Cancel-safe.
    pub async fn asked_for_again(&mut self) {
        match &mut self.hang_up {
            Some(hang_up) => drop(hang_up.recv().await),
            None => std::future::pending().await,
        }
    }
}
