//! Where a front end listens for clients: a host, by name or address, and a port.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A host and a port. A name is looked up at each attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrontEndName {
    /// By name or address; what a certificate has to name, if TLS is spoken.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for FrontEndName {
    fn from(address: SocketAddr) -> FrontEndName {
        FrontEndName { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for FrontEndName {
    type Err = String;

    fn from_str(text: &str) -> Result<FrontEndName, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
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
    }
}
