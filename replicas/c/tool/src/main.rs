//! The two steps of building a replica in C that are not the work of a C compiler.
//!
//! ```text
//! component-tool bindings WIT_DIR OUT_DIR        the contract as C: replica.h, replica.c and replica_component_type.o
//! component-tool component CORE.wasm OUT.wasm    a component, made from the module that the C compiler linked
//! ```
//!
//! It calls the libraries behind the programs `wit-bindgen` and `wasm-tools`, and so needs a small part of their
//! dependencies, and of the time it takes to build them.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider as preview1;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;
use wit_component::ComponentEncoder;

const USAGE: &str =
    "usage: component-tool bindings WIT_DIR OUT_DIR\n       component-tool component CORE.wasm OUT.wasm";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bindings", wit, out] => write_bindings(wit.as_ref(), out.as_ref()),
        ["component", core, out] => write_component(core.as_ref(), out.as_ref()),
        _ => bail!(USAGE),
    }
}

/// Generates the bindings of the one world in `wit`.
fn write_bindings(wit: &Path, out: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], None)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(out).with_context(|| format!("cannot make the directory {}", out.display()))?;
    for (name, bytes) in files.iter() {
        write(&out.join(name), bytes)?;
    }
    Ok(())
}

/// Wraps a core module, which says in a section of its own which world it implements. The C library writes to standard
/// error by way of preview 1 of WASI; the adapter translates that into preview 2, which components speak.
fn write_component(core: &Path, out: &Path) -> Result<()> {
    let module = fs::read(core).with_context(|| format!("cannot read {}", core.display()))?;
    let module = without_debug_sections(&module).with_context(|| format!("{} is damaged", core.display()))?;
    let component = ComponentEncoder::default()
        .module(&module)?
        .adapter(preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, preview1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .encode()
        .with_context(|| format!("{} does not become a component", core.display()))?;
    write(out, &component)
}

/// Leaves out what debuggers read, which is larger than all the rest. The names of functions stay: with them the host
/// says where a call has ended that had no words for it.
fn without_debug_sections(module: &[u8]) -> Option<Vec<u8>> {
    const HEADER_LEN: usize = 8;
    const CUSTOM: u8 = 0;
    let (mut kept, mut rest) = (module.get(..HEADER_LEN)?.to_vec(), &module[HEADER_LEN..]);
    while let Some((&id, after)) = rest.split_first() {
        let (len, contents) = split_number(after)?;
        let (contents, next) = contents.split_at_checked(len)?;
        let is_for_debuggers = id == CUSTOM && {
            let (name_len, name) = split_number(contents)?;
            name.get(..name_len)?.starts_with(b".debug")
        };
        if !is_for_debuggers {
            kept.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some(kept)
}

/// A number in LEB128, and the bytes after it.
fn split_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?;
    let number = bytes[..=end].iter().rev().fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f));
    Some((number, &bytes[end + 1..]))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
