//! One client connection from its first byte to its last: TLS, reading, writing, and last words.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Shared;
use super::lanes::{Wake, last_frame, rest_of_frame};
use super::limits::{INTRODUCTION_TIMEOUT, LAST_WORD_TIMEOUT, PIECE_LEN, PIECE_TIMEOUT};
use crate::protocol::client_message::ServerBody;
use crate::protocol::front_end::ConnectionId;
use crate::runtime::frames::{CLIENT_FRAME_LEN_MAX, FrameError, FrameReader};
use crate::runtime::tls::{HANDSHAKE_BYTE, ServerTls};

/// What is read from, and what is written to; with TLS or without.
type Read = Box<dyn AsyncRead + Send + Unpin>;
type Write = Box<dyn AsyncWrite + Send + Unpin>;

/// How a connection ends: with last words, unless the client is gone already.
type Ending = Option<ServerBody>;

/// Serves one client until it is gone, breaks the rules, is idle, or has to end.
pub async fn serve(stream: TcpStream, connection: ConnectionId, shared: &Shared) {
    let Ok(peer) = stream.peer_addr() else { return };
    let tls = shared.tls();
    let introduced = match timeout(INTRODUCTION_TIMEOUT, introduce(stream, tls.as_ref())).await {
        Ok(introduced) => introduced,
        Err(_) => return,
    };
    let Introduced { mut frames, mut write, first } = match introduced {
        Ok(introduced) => introduced,
        Err(Some((mut write, words))) => return say_last_word(&mut write, &[], ServerBody::Refused(words)).await,
        Err(None) => return,
    };
    let wake = shared.lanes().open(connection, peer);
    shared.put(connection, &first);
    let mut writing = Writing::default();
    let ending = tokio::select! {
        ending = read_frames(&mut frames, connection, shared, &wake) => ending,
        ending = write_answers(&mut write, &mut writing, connection, shared, &wake) => ending,
        ending = idle(connection, shared) => ending,
        () = wake.ended.notified() => shared.lanes().ending(connection),
    };
    shared.close(connection);
    if let Some(last_word) = ending {
        say_last_word(&mut write, writing.rest(), last_word).await;
    }
}

/// Tells a client that there are too many already.
pub async fn turn_away(stream: TcpStream, tls: Option<&ServerTls>, words: String) {
    let told = async {
        let (_, mut write) = secure(stream, tls).await.ok()?;
        say_last_word(&mut write, &[], ServerBody::Closed(words)).await;
        Some(())
    };
    let _gone_already = timeout(LAST_WORD_TIMEOUT, told).await;
}

/// A client that has sent its first frame.
struct Introduced {
    frames: FrameReader<Read>,
    write: Write,
    first: BytesMut,
}

/// Has a client do its part of TLS, and send a first frame. If it cannot be served: where it can be told so, and the words.
async fn introduce(stream: TcpStream, tls: Option<&ServerTls>) -> Result<Introduced, Option<(Write, String)>> {
    let mut first_byte = [0];
    let speaks_tls = match stream.peek(&mut first_byte).await {
        Ok(1) => first_byte[0] == HANDSHAKE_BYTE,
        _ => return Err(None),
    };
    let refused = |stream: TcpStream, words: &str| Some((Box::new(stream) as Write, words.to_owned()));
    match (speaks_tls, tls) {
        (false, Some(_)) => {
            return Err(refused(stream, "this port speaks TLS; name the authority to believe with --ca FILE"));
        }
        (true, None) => return Err(refused(stream, "this port does not speak TLS; leave out --ca")),
        _ => {}
    }
    let (read, write) = secure(stream, tls).await.map_err(|_| None)?;
    let mut frames = FrameReader::new(read, CLIENT_FRAME_LEN_MAX);
    match frames.next_frame().await {
        Ok(first) => Ok(Introduced { frames, write, first }),
        Err(error) => Err(words_for(&error).map(|words| (write, words))),
    }
}

async fn secure(stream: TcpStream, tls: Option<&ServerTls>) -> io::Result<(Read, Write)> {
    // Answers are written whole, and none of them should wait for a fuller packet.
    let _slower_without = stream.set_nodelay(true);
    match tls {
        None => {
            let (read, write) = stream.into_split();
            Ok((Box::new(read), Box::new(write)))
        }
        Some(tls) => {
            let (read, write) = tokio::io::split(tls.accept(stream).await?);
            Ok((Box::new(read), Box::new(write)))
        }
    }
}

/// Reads frames until the client is gone or breaks the rules.
async fn read_frames(frames: &mut FrameReader<Read>, connection: ConnectionId, shared: &Shared, wake: &Wake) -> Ending {
    loop {
        while !shared.lanes().may_read(connection) {
            wake.reader.notified().await;
        }
        match frames.next_frame().await {
            Ok(frame) => shared.put(connection, &frame),
            Err(error) => return words_for(&error).map(ServerBody::Refused),
        }
    }
}

/// What a client is told whose next frame cannot be had; nothing if it is gone.
fn words_for(error: &FrameError) -> Option<String> {
    match error {
        FrameError::Closed | FrameError::Io(_) => None,
        FrameError::TooLong(_) | FrameError::Malformed(_) => Some(error.to_string()),
    }
}

/// Frames that are being written.
#[derive(Debug, Default)]
struct Writing {
    frames: Vec<u8>,
    written_len: usize,
}

impl Writing {
    /// What has to be written before another frame can be.
    fn rest(&self) -> &[u8] {
        rest_of_frame(&self.frames, self.written_len)
    }
}

/// Writes answers as they come, as many at once as are there, until the client is gone or does not read them.
async fn write_answers(
    write: &mut Write,
    writing: &mut Writing,
    connection: ConnectionId,
    shared: &Shared,
    wake: &Wake,
) -> Ending {
    loop {
        writing.frames.clear();
        writing.written_len = 0;
        while !shared.lanes().take_outgoing(connection, &mut writing.frames) {
            wake.writer.notified().await;
        }
        while writing.written_len < writing.frames.len() {
            let end = writing.frames.len().min(writing.written_len + PIECE_LEN);
            match timeout(PIECE_TIMEOUT, write_piece(write, writing, end, connection, shared)).await {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return None,
                Err(_) => {
                    let words = format!(
                        "{} bytes of answers were not read within {} s",
                        end - writing.written_len,
                        PIECE_TIMEOUT.as_secs()
                    );
                    let last_word = ServerBody::Closed(words);
                    shared.lanes().end(connection, last_word.clone());
                    return Some(last_word);
                }
            }
        }
        // A burst of long answers is not to hold its memory for ever.
        if writing.frames.capacity() > 4 * PIECE_LEN {
            writing.frames = Vec::new();
            writing.written_len = 0;
        }
    }
}

/// Writes up to the byte `end`. What was written stands in `writing`, also when it is given up on the way.
async fn write_piece(
    write: &mut Write,
    writing: &mut Writing,
    end: usize,
    connection: ConnectionId,
    shared: &Shared,
) -> io::Result<()> {
    while writing.written_len < end {
        let len = write.write(&writing.frames[writing.written_len..end]).await?;
        if len == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        writing.written_len += len;
        shared.on_written(connection, len);
    }
    write.flush().await
}

/// Waits until the client has asked nothing for as long as it may.
async fn idle(connection: ConnectionId, shared: &Shared) -> Ending {
    let mut look = tokio::time::interval(shared.idle_timeout);
    let mut messages_len = 0;
    loop {
        look.tick().await;
        match shared.lanes().check_idle(connection, messages_len) {
            Ok(()) => {
                let words = format!("nothing was asked for {}", in_words(shared.idle_timeout));
                return Some(ServerBody::Closed(words));
            }
            Err(len) => messages_len = len,
        }
    }
}

fn in_words(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

/// Tells a client why its connection ends, after the rest of the frame that it is in the middle of.
async fn say_last_word(write: &mut Write, rest: &[u8], last_word: ServerBody) {
    let last = [rest, &last_frame(last_word)].concat();
    let said = async {
        write.write_all(&last).await?;
        // With TLS, so that the client knows that nothing was cut off.
        write.shutdown().await
    };
    let _gone_already = timeout(LAST_WORD_TIMEOUT, said).await;
}
