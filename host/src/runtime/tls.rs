//! TLS on the client port: rustls with `ring`, TLS 1.3 alone.
//!
//! A front end shows a certificate; a client believes one that an authority of its choice has signed for the name or address it connects
//! to. Who the client is, tokens say.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::client;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, server};

use super::private_file::{FileError, read_private, read_public};

/// The first byte of a connection on which TLS is spoken: the type of a handshake record.
pub const HANDSHAKE_BYTE: u8 = 0x16;

/// What a front end shows to its clients.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

/// Whom a client believes.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

/// Why a connection is not secured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The other side does not speak TLS.
    #[error("it does not speak TLS; leave out --ca, or DSMS_CA_FILE")]
    Plain,
    /// The certificate is not to be believed, or is not for this name.
    #[error(
        "its certificate is refused: {0}; --ca has to name the authority that signed it, and the certificate the address"
    )]
    Certificate(String),
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ServerTls {
    /// Reads a chain of certificates, the front end's own first, and its key, both PEM. The key must be readable by its owner only.
    pub fn load(cert: &Path, key: &Path) -> Result<ServerTls, FileError> {
        let chain = certificates(cert)?;
        let key_text = read_private(key)?;
        let private = PrivateKeyDer::from_pem_slice(key_text.as_bytes())
            .map_err(|error| FileError::content(key, format!("no private key in PEM form: {error}")))?;
        let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let config = config.expect("ring has the suites of TLS 1.3").with_no_client_auth();
        let config = config.with_single_cert(chain, private);
        let config = config.map_err(|error| {
            FileError::content(cert, format!("cannot be used with the key {}: {error}", key.display()))
        })?;
        Ok(ServerTls(TlsAcceptor::from(Arc::new(config))))
    }

    /// Secures a connection that a client has opened.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl ClientTls {
    /// Reads the certificates of authorities, PEM.
    pub fn load(ca: &Path) -> Result<ClientTls, FileError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(|error| FileError::content(ca, format!("not an authority: {error}")))?;
        }
        let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let config = config.expect("ring has the suites of TLS 1.3");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(ClientTls(TlsConnector::from(Arc::new(config))))
    }

    /// Secures a connection to the front end of this name or address.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<client::TlsStream<TcpStream>, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| TlsError::Certificate(error.to_string()))?;
        self.0.connect(name, stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(Error::InvalidMessage(_)) => TlsError::Plain,
                Some(refused @ Error::InvalidCertificate(_)) => TlsError::Certificate(refused.to_string()),
                _ => TlsError::Io(error),
            }
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let text = read_public(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(FileError::content(path, "no certificate in PEM form; `dsms tls init` makes one")),
        Err(error) => Err(FileError::content(path, format!("no certificate in PEM form: {error}"))),
    }
}

/// The key in it is never printed.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls(…)")
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls(…)")
    }
}
