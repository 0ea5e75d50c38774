//! Length-delimited frames over TCP, between clients and a front end.
//!
//! A frame is its length as four bytes, most significant first, and that many bytes: one message as `protocol/wire.rs` encodes
//! it. A length beyond the reader's limit ends the connection before anything is allocated for it.

use std::io;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use crate::protocol::wire::{self, DecodeError, MESSAGE_LEN_MAX, TooLong};

/// Bytes of the length in front of each frame.
const LENGTH_LEN: usize = 4;

/// Room for one read, in bytes: some dozens of requests.
const READ_LEN: usize = 4096;

/// Longest frame a client may send, in bytes. A request takes less than two hundred; clients control it.
pub const CLIENT_FRAME_LEN_MAX: usize = 64 * 1024;

/// Longest frame a front end may send, in bytes.
pub const SERVER_FRAME_LEN_MAX: usize = MESSAGE_LEN_MAX;

/// Reads frames from a stream.
#[derive(Debug)]
pub struct FrameReader<S> {
    stream: S,
    codec: LengthDelimitedCodec,
    buffer: BytesMut,
}

/// Why the next frame cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed the connection, perhaps in the middle of a frame.
    #[error("the connection was closed")]
    Closed,
    /// The stream failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A frame longer than this many bytes, the most there may be, was announced.
    #[error("a frame may have {0} bytes at most")]
    TooLong(usize),
    /// The frame is no message.
    #[error("a frame is no message: {0}")]
    Malformed(#[from] DecodeError),
}

impl<S: AsyncRead + Unpin> FrameReader<S> {
    /// A reader that accepts frames up to this length.
    pub fn new(stream: S, frame_len_max: usize) -> FrameReader<S> {
        let codec = LengthDelimitedCodec::builder().max_frame_length(frame_len_max).new_codec();
        FrameReader { stream, codec, buffer: BytesMut::new() }
    }

    /// The next message. Cancel-safe: what was read stays in the buffer.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        let frame = self.next_frame().await?;
        Ok(wire::decode(&frame)?)
    }

    /// The bytes of the next frame. Cancel-safe as well.
    pub async fn next_frame(&mut self) -> Result<BytesMut, FrameError> {
        loop {
            // Nothing else can be wrong with a frame.
            let decoded = self.codec.decode(&mut self.buffer);
            if let Some(frame) = decoded.map_err(|_| FrameError::TooLong(self.codec.max_frame_length()))? {
                return Ok(frame);
            }
            // The codec makes room for one frame at a time; with more, one read takes all that have arrived.
            self.buffer.reserve(READ_LEN);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(FrameError::Closed);
            }
        }
    }
}

/// Appends one message as a frame; leaves the frames as they were when it is too long.
pub fn put_frame<T: Serialize>(message: &T, frames: &mut Vec<u8>) -> Result<(), TooLong> {
    let start = frames.len();
    frames.extend_from_slice(&[0; LENGTH_LEN]);
    let message_start = frames.len();
    let encoded = wire::encode(message, frames);
    let len = u32::try_from(frames.len() - message_start).map_err(|_| TooLong);
    match encoded.and(len) {
        Ok(len) => {
            frames[start..message_start].copy_from_slice(&len.to_be_bytes());
            Ok(())
        }
        Err(TooLong) => {
            frames.truncate(start);
            Err(TooLong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::client_message::ClientMessage;
    use crate::protocol::id::ClientId;

    fn read(bytes: &[u8]) -> Result<ClientMessage, FrameError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(FrameReader::new(bytes, CLIENT_FRAME_LEN_MAX).next())
    }

    #[test]
    fn a_frame_is_read_back() {
        let hello = ClientMessage::Hello { client: ClientId(7) };
        let mut frames = Vec::new();
        put_frame(&hello, &mut frames).unwrap();
        assert_eq!(read(&frames).unwrap(), hello);
    }

    #[test]
    fn a_frame_of_four_gigabytes_is_refused_when_it_is_announced() {
        assert!(matches!(read(&[0xff, 0xff, 0xff, 0xff, 1]), Err(FrameError::TooLong(CLIENT_FRAME_LEN_MAX))));
    }

    #[test]
    fn half_a_frame_is_a_closed_connection_and_garbage_is_malformed() {
        assert!(matches!(read(&[0, 0]), Err(FrameError::Closed)));
        assert!(matches!(read(&[0, 0, 0, 9, 1]), Err(FrameError::Closed)));
        assert!(matches!(read(&[0, 0, 0, 2, 1, 99]), Err(FrameError::Malformed(_))));
        assert!(matches!(read(&[0, 0, 0, 0]), Err(FrameError::Malformed(_))));
    }
}
