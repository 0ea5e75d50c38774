//! Which front ends a client may talk to, and how: their names, TLS, and the tokens to show.

use std::net::SocketAddr;

use super::front_end_name::FrontEndName;
use crate::protocol::client_message::TokenText;
use crate::runtime::tls::ClientTls;

/// Which front ends to talk to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Front ends of one cluster, in the order in which they are tried; at least one.
    pub front_ends: Vec<FrontEndName>,
    /// Whom to believe; without it no TLS is spoken.
    pub tls: Option<ClientTls>,
    /// What to show on each connection.
    pub tokens: Vec<TokenText>,
}

impl Target {
    /// A front end that is spoken to without TLS and shown nothing.
    pub fn plain(address: SocketAddr) -> Target {
        Target { front_ends: vec![address.into()], tls: None, tokens: Vec::new() }
    }

    /// Each of the front ends alone, spoken to in the same way.
    pub fn each(&self) -> impl Iterator<Item = Target> + '_ {
        self.front_ends.iter().map(|name| Target { front_ends: vec![name.clone()], ..self.clone() })
    }
}
