//! Streams and waiting, as a guest sees them: `wasi:io`.
//!
//! There are three streams. Standard input is at its end, the two others go to the guest's log and always accept. So nothing
//! is ever waited for, and a pollable is always ready: a guest that sleeps goes on at once. With a real clock behind
//! it, a guest could sleep past every budget, since it uses no fuel while it does.
//!
//! Since the streams are fixed, a handle's number says which one it is, and the host keeps no table of them.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::fault::Misuse;
use super::host_state::{HostState, charge};
use super::log::StandardStream;

/// Marks handles of `wasi:io/error`. None is ever handed out, as no stream fails.
pub(super) struct IoError;
/// Marks handles of `wasi:io/poll`.
pub(super) struct Pollable;
/// Marks handles of `wasi:io/streams` to read from.
pub(super) struct InputStream;
/// Marks handles of `wasi:io/streams` to write to.
pub(super) struct OutputStream;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// What `check-write` grants at a time. Runtimes cut their output into pieces of this size.
const WRITE_BYTES_MAX: u64 = 64 << 10;

/// The number behind a handle of an output stream.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

pub(super) fn stdin_handle() -> Resource<InputStream> {
    Resource::new_own(0)
}

pub(super) fn output_handle(stream: StandardStream) -> Resource<OutputStream> {
    Resource::new_own(match stream {
        StandardStream::Out => STDOUT,
        StandardStream::Err => STDERR,
    })
}

pub(super) fn always_ready() -> Resource<Pollable> {
    Resource::new_own(0)
}

type Store<'a> = StoreContextMut<'a, HostState>;
type Written = Result<(), StreamError>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.12")?;
    error.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    error.func_wrap("[method]error.to-debug-string", |_: Store, (_,): (Resource<IoError>,)| Ok((String::new(),)))?;

    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(()))?;
    poll.func_wrap("[method]pollable.ready", |mut store: Store, (_,): (Resource<Pollable>,)| {
        charge(&mut store, 0)?;
        Ok((true,))
    })?;
    poll.func_wrap("[method]pollable.block", |mut store: Store, (_,): (Resource<Pollable>,)| charge(&mut store, 0))?;
    poll.func_wrap("poll", |mut store: Store, (pollables,): (Vec<Resource<Pollable>>,)| {
        charge(&mut store, pollables.len())?;
        if pollables.is_empty() {
            return Err(Misuse("polled an empty list, which WASI forbids".to_owned()).into());
        }
        let ready: Vec<u32> = (0..).take(pollables.len()).collect();
        Ok((ready,))
    })?;
    link_streams(linker)
}

fn link_streams(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    streams.resource("input-stream", ResourceType::host::<InputStream>(), |_, _| Ok(()))?;
    for name in ["read", "blocking-read"] {
        let name = format!("[method]input-stream.{name}");
        streams.func_wrap(&name, |mut store: Store, (_, _): (Resource<InputStream>, u64)| {
            charge(&mut store, 0)?;
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    for name in ["skip", "blocking-skip"] {
        let name = format!("[method]input-stream.{name}");
        streams.func_wrap(&name, |mut store: Store, (_, _): (Resource<InputStream>, u64)| {
            charge(&mut store, 0)?;
            Ok((Err::<u64, _>(StreamError::Closed),))
        })?;
    }
    streams.func_wrap("[method]input-stream.subscribe", |mut store: Store, (_,): (Resource<InputStream>,)| {
        charge(&mut store, 0)?;
        Ok((always_ready(),))
    })?;

    streams.resource("output-stream", ResourceType::host::<OutputStream>(), |_, _| Ok(()))?;
    streams.func_wrap("[method]output-stream.check-write", |mut store: Store, (_,): (Resource<OutputStream>,)| {
        charge(&mut store, 0)?;
        Ok((Ok::<u64, StreamError>(WRITE_BYTES_MAX),))
    })?;
    for name in ["write", "blocking-write-and-flush"] {
        let name = format!("[method]output-stream.{name}");
        streams.func_wrap(&name, |store: Store, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
            print(store, &stream, &bytes)
        })?;
    }
    for name in ["flush", "blocking-flush"] {
        let name = format!("[method]output-stream.{name}");
        streams.func_wrap(&name, |mut store: Store, (_,): (Resource<OutputStream>,)| {
            charge(&mut store, 0)?;
            Ok((Written::Ok(()),))
        })?;
    }
    // Nobody reads zeroes: they are accepted and forgotten.
    for name in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        let name = format!("[method]output-stream.{name}");
        streams.func_wrap(&name, |mut store: Store, (_, _): (Resource<OutputStream>, u64)| {
            charge(&mut store, 0)?;
            Ok((Written::Ok(()),))
        })?;
    }
    for name in ["splice", "blocking-splice"] {
        let name = format!("[method]output-stream.{name}");
        streams.func_wrap(
            &name,
            |mut store: Store, (_, _, _): (Resource<OutputStream>, Resource<InputStream>, u64)| {
                charge(&mut store, 0)?;
                Ok((Err::<u64, _>(StreamError::Closed),))
            },
        )?;
    }
    streams.func_wrap("[method]output-stream.subscribe", |mut store: Store, (_,): (Resource<OutputStream>,)| {
        charge(&mut store, 0)?;
        Ok((always_ready(),))
    })
}

fn print(mut store: Store, stream: &Resource<OutputStream>, bytes: &[u8]) -> wasmtime::Result<(Written,)> {
    charge(&mut store, bytes.len())?;
    let stream = if stream.rep() == STDERR { StandardStream::Err } else { StandardStream::Out };
    store.data_mut().log.print(stream, bytes);
    Ok((Ok(()),))
}
