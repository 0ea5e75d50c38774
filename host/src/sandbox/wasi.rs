//! The world around a guest, as far as language runtimes insist on one: `wasi:cli`, `clocks`, `random`, `filesystem`.
//!
//! It is written out here by hand rather than taken from an implementation for real programs, so that one can read on two
//! pages all that a replica can learn: the order's time, bytes from a seed, and that there is nothing else. No
//! arguments, no environment, no directory to open a file in. What is not linked here (sockets, HTTP and the
//! rest) is refused by `contract` before a module runs.
//!
//! Names carry the newest version of WASI 0.2; wasmtime lets a module that was built for any 0.2 have them.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::fault::{Exit, Misuse};
use super::host_state::{HostState, charge};
use super::log::StandardStream;
use super::streams;

/// Most random bytes that a guest gets in one call of the host; runtimes ask for 16 or 32.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The resolution of both clocks, in nanoseconds: the order's time counts milliseconds.
const CLOCK_RESOLUTION_NS: u32 = 1_000_000;

/// Marks handles of `wasi:filesystem`. None is ever handed out, as there is no directory to begin at.
struct Descriptor;
struct DirectoryEntryStream;
/// Marks handles of `wasi:cli/terminal-*`. None is ever handed out, as nobody sits at a terminal.
struct TerminalInput;
struct TerminalOutput;

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, HostState>;

/// Adds the whole virtual world to a linker.
pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    streams::link(linker)?;
    link_clocks(linker)?;
    link_random(linker)?;
    link_cli(linker)?;
    link_terminals(linker)?;
    link_filesystem(linker)
}

/// Both clocks show the order's time, and stand still during a call.
fn link_clocks(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.12")?;
    wall.func_wrap("now", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        let now_ms = store.data().context.time_ms;
        let nanoseconds = u32::try_from(now_ms % 1000 * 1_000_000).expect("less than a second");
        Ok((Datetime { seconds: now_ms / 1000, nanoseconds },))
    })?;
    wall.func_wrap("resolution", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((Datetime { seconds: 0, nanoseconds: CLOCK_RESOLUTION_NS },))
    })?;

    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    monotonic.func_wrap("now", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data().context.time_ms.saturating_mul(1_000_000),))
    })?;
    monotonic.func_wrap("resolution", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((u64::from(CLOCK_RESOLUTION_NS),))
    })?;
    for name in ["subscribe-instant", "subscribe-duration"] {
        monotonic.func_wrap(name, |mut store: Store, (_,): (u64,)| {
            charge(&mut store, 0)?;
            Ok((streams::always_ready(),))
        })?;
    }
    Ok(())
}

fn link_random(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    for (interface, bytes, number) in [
        ("wasi:random/random@0.2.12", "get-random-bytes", "get-random-u64"),
        ("wasi:random/insecure@0.2.12", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        let mut random = linker.instance(interface)?;
        random.func_wrap(bytes, |mut store: Store, (len,): (u64,)| {
            if len > RANDOM_BYTES_MAX {
                return Err(
                    Misuse(format!("asked for {len} random bytes at once, the most is {RANDOM_BYTES_MAX}")).into()
                );
            }
            let len = usize::try_from(len).expect("small");
            charge(&mut store, len)?;
            let mut bytes = vec![0; len];
            store.data_mut().random.fill(&mut bytes);
            Ok((bytes,))
        })?;
        random.func_wrap(number, |mut store: Store, (): ()| {
            charge(&mut store, 0)?;
            Ok((store.data_mut().random.next_u64(),))
        })?;
    }
    linker.instance("wasi:random/insecure-seed@0.2.12")?.func_wrap("insecure-seed", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((store.data().random.insecure_seed(),))
    })
}

fn link_cli(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.12")?;
    environment.func_wrap("get-environment", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<(String, String)>::new(),))
    })?;
    environment.func_wrap("get-arguments", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<String>::new(),))
    })?;
    environment.func_wrap("initial-cwd", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((None::<String>,))
    })?;

    let mut exit = linker.instance("wasi:cli/exit@0.2.12")?;
    exit.func_wrap("exit", |_: Store, (status,): (Result<(), ()>,)| -> wasmtime::Result<()> {
        Err(Exit { code: i32::from(status.is_err()) }.into())
    })?;
    exit.func_wrap("exit-with-code", |_: Store, (code,): (u8,)| -> wasmtime::Result<()> {
        Err(Exit { code: i32::from(code) }.into())
    })?;

    linker.instance("wasi:cli/stdin@0.2.12")?.func_wrap("get-stdin", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((streams::stdin_handle(),))
    })?;
    linker.instance("wasi:cli/stdout@0.2.12")?.func_wrap("get-stdout", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((streams::output_handle(StandardStream::Out),))
    })?;
    linker.instance("wasi:cli/stderr@0.2.12")?.func_wrap("get-stderr", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((streams::output_handle(StandardStream::Err),))
    })
}

fn link_terminals(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let input = ResourceType::host::<TerminalInput>();
    let output = ResourceType::host::<TerminalOutput>();
    linker.instance("wasi:cli/terminal-input@0.2.12")?.resource("terminal-input", input, |_, _| Ok(()))?;
    linker.instance("wasi:cli/terminal-output@0.2.12")?.resource("terminal-output", output, |_, _| Ok(()))?;
    linker.instance("wasi:cli/terminal-stdin@0.2.12")?.func_wrap(
        "get-terminal-stdin",
        |mut store: Store, (): ()| {
            charge(&mut store, 0)?;
            Ok((None::<Resource<TerminalInput>>,))
        },
    )?;
    for stream in ["stdout", "stderr"] {
        let mut terminal = linker.instance(&format!("wasi:cli/terminal-{stream}@0.2.12"))?;
        terminal.func_wrap(&format!("get-terminal-{stream}"), |mut store: Store, (): ()| {
            charge(&mut store, 0)?;
            Ok((None::<Resource<TerminalOutput>>,))
        })?;
    }
    Ok(())
}

/// A file system without a single directory. Its functions take a handle that nobody has, so none of them can be called.
fn link_filesystem(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    const UNREACHABLE: [&str; 29] = [
        "[method]descriptor.read-via-stream",
        "[method]descriptor.write-via-stream",
        "[method]descriptor.append-via-stream",
        "[method]descriptor.advise",
        "[method]descriptor.sync-data",
        "[method]descriptor.get-flags",
        "[method]descriptor.get-type",
        "[method]descriptor.set-size",
        "[method]descriptor.set-times",
        "[method]descriptor.read",
        "[method]descriptor.write",
        "[method]descriptor.read-directory",
        "[method]descriptor.sync",
        "[method]descriptor.create-directory-at",
        "[method]descriptor.stat",
        "[method]descriptor.stat-at",
        "[method]descriptor.set-times-at",
        "[method]descriptor.link-at",
        "[method]descriptor.open-at",
        "[method]descriptor.readlink-at",
        "[method]descriptor.remove-directory-at",
        "[method]descriptor.rename-at",
        "[method]descriptor.symlink-at",
        "[method]descriptor.unlink-file-at",
        "[method]descriptor.is-same-object",
        "[method]descriptor.metadata-hash",
        "[method]descriptor.metadata-hash-at",
        "[method]directory-entry-stream.read-directory-entry",
        "filesystem-error-code",
    ];
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.resource("descriptor", ResourceType::host::<Descriptor>(), |_, _| Ok(()))?;
    types.resource("directory-entry-stream", ResourceType::host::<DirectoryEntryStream>(), |_, _| Ok(()))?;
    for name in UNREACHABLE {
        types.func_new(name, move |_, _, _, _| {
            Err(Misuse(format!("called {name}, though there are no files")).into())
        })?;
    }
    linker.instance("wasi:filesystem/preopens@0.2.12")?.func_wrap("get-directories", |mut store: Store, (): ()| {
        charge(&mut store, 0)?;
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })
}
