//! Which front end a client talks to, and how: its address, TLS, and the tokens to show.

use std::fmt;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ClientError;
use crate::protocol::client_message::{ClientMessage, TokenText};
use crate::protocol::id::ClientId;
use crate::runtime::frames::{CLIENT_FRAME_LEN_MAX, FrameError, FrameReader, SERVER_FRAME_LEN_MAX, put_frame};
use crate::runtime::tls::{ClientTls, TlsError};

/// What is read from, and what is written to; with TLS or without.
type Read = Box<dyn AsyncRead + Send + Unpin>;
type Write = Box<dyn AsyncWrite + Send + Unpin>;

/// Tokens of one message. A token has some 170 bytes, a frame 64 KiB.
const TOKENS_PER_MESSAGE_MAX: usize = 256;

/// Which front end to talk to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens for clients.
    pub address: SocketAddr,
    /// What its certificate has to name, if it is spoken to over TLS: a host's name or an address.
    pub host: String,
    /// Whom to believe; without it no TLS is spoken.
    pub tls: Option<ClientTls>,
    /// What to show on each connection.
    pub tokens: Vec<TokenText>,
}

impl Target {
    /// A front end that is spoken to without TLS and shown nothing.
    pub fn plain(address: SocketAddr) -> Target {
        Target { address, host: address.ip().to_string(), tls: None, tokens: Vec::new() }
    }
}

/// One connection to a front end.
pub struct Connection {
    frames: FrameReader<Read>,
    write: Write,
    /// Encoded and not yet written.
    outgoing: Vec<u8>,
    /// How much of it is written.
    written_len: usize,
}

impl Connection {
    /// Connects, and says who the client is and what it has to show.
    pub async fn open(target: &Target, id: ClientId) -> Result<Connection, ClientError> {
        let address = target.address;
        let unreachable = |error: std::io::Error| ClientError::Unreachable { address, reason: error.to_string() };
        let stream = TcpStream::connect(address).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (read, write): (Read, Write) = match &target.tls {
            None => {
                let (read, write) = stream.into_split();
                (Box::new(read), Box::new(write))
            }
            Some(tls) => match tls.connect(&target.host, stream).await {
                Ok(stream) => {
                    let (read, write) = tokio::io::split(stream);
                    (Box::new(read), Box::new(write))
                }
                Err(TlsError::Io(error)) => return Err(unreachable(error)),
                Err(refused) => return Err(ClientError::NotSecured { address, words: refused.to_string() }),
            },
        };
        let frames = FrameReader::new(read, SERVER_FRAME_LEN_MAX);
        let mut connection = Connection { frames, write, outgoing: Vec::new(), written_len: 0 };
        connection.put(&ClientMessage::Hello { client: id });
        for tokens in target.tokens.chunks(TOKENS_PER_MESSAGE_MAX) {
            connection.put(&ClientMessage::Tokens { tokens: tokens.to_vec() });
        }
        Ok(connection)
    }

    /// Queues a message; [`Connection::next`] writes it.
    pub fn put(&mut self, message: &ClientMessage) {
        let start = self.outgoing.len();
        let fits =
            put_frame(message, &mut self.outgoing).is_ok() && self.outgoing.len() - start <= CLIENT_FRAME_LEN_MAX;
        // Words longer than a frame may be are sent as none at all, which the front end refuses as a bad request.
        if !fits && let ClientMessage::Request { number, .. } = message {
            self.outgoing.truncate(start);
            put_frame(&ClientMessage::Request { number: *number, words: Vec::new() }, &mut self.outgoing)
                .expect("an empty request fits a message");
        }
    }

    /// Writes what is queued, and reads the next message. Cancel-safe.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        while self.written_len < self.outgoing.len() {
            // A front end that waits for its answers to be read takes nothing more until they are.
            tokio::select! {
                biased;
                written = self.write.write(&self.outgoing[self.written_len..]) => self.written_len += written?,
                message = self.frames.next() => return message,
            }
        }
        self.write.flush().await?;
        self.outgoing.clear();
        self.written_len = 0;
        self.frames.next().await
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} bytes to write)", self.outgoing.len() - self.written_len)
    }
}
