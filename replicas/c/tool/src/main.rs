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
    let component = ComponentEncoder::default()
        .module(&module)?
        .adapter(preview1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, preview1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .encode()
        .with_context(|| format!("{} does not become a component", core.display()))?;
    write(out, &component)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
