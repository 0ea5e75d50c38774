//! One connection to a front end, from the client's side.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::{Cause, Failure};
use super::front_end_name::FrontEndName;
use super::target::Target;
use crate::protocol::client_message::ClientMessage;
use crate::protocol::id::ClientId;
use crate::runtime::frames::{CLIENT_FRAME_LEN_MAX, FrameError, FrameReader, SERVER_FRAME_LEN_MAX, put_frame};
use crate::runtime::tls::TlsError;

/// What is read from, and what is written to; with TLS or without.
type Read = Box<dyn AsyncRead + Send + Unpin>;
type Write = Box<dyn AsyncWrite + Send + Unpin>;

/// Tokens of one message. A token has some 170 bytes, a frame 64 KiB.
const TOKENS_PER_MESSAGE_MAX: usize = 256;

/// How long a host may take to be found, to accept a connection, and to do its part of TLS, all together. A machine that is off does not
/// even refuse.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

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
    /// Connects to one front end of the target, and says who the client is and what it has to show.
    pub async fn open(target: &Target, front_end: &FrontEndName, id: ClientId) -> Result<Connection, Failure> {
        let failure = |cause, words| Failure { front_end: front_end.clone(), cause, words };
        let unreachable = |error: std::io::Error| failure(Cause::Unreachable, error.to_string());
        let opened = async {
            let stream = TcpStream::connect((&*front_end.host, front_end.port)).await.map_err(unreachable)?;
            stream.set_nodelay(true).map_err(unreachable)?;
            match &target.tls {
                None => {
                    let (read, write) = stream.into_split();
                    Ok((Box::new(read) as Read, Box::new(write) as Write))
                }
                Some(tls) => match tls.connect(&front_end.host, stream).await {
                    Ok(stream) => {
                        let (read, write) = tokio::io::split(stream);
                        Ok((Box::new(read) as Read, Box::new(write) as Write))
                    }
                    Err(TlsError::Io(error)) => Err(unreachable(error)),
                    Err(refused) => Err(failure(Cause::NotSecured, refused.to_string())),
                },
            }
        };
        let late = |_| failure(Cause::Unreachable, format!("nothing within {} s", OPEN_TIMEOUT.as_secs()));
        let (read, write) = tokio::time::timeout(OPEN_TIMEOUT, opened).await.map_err(late)??;
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
