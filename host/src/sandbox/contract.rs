//! Whether a component meets the contract, in words, before any of its code runs.
//!
//! The check names everything that is wrong, not only the first thing: a module author fixes a list in one go.

use std::fmt;

use wasmtime::component::Component;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};

use super::bindings::dsms::replica::types as wit;
use super::bindings::{CONTRACT_VERSION, MARKET_INTERFACE};
use super::engine::Engine;
use super::error::LoadError;
use super::{foreign, signature};

/// What a component offers and asks for, held against the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContractReport {
    /// The functions of the contract that the component exports as it should.
    pub exports: Vec<String>,
    /// Exports that the contract does not know. They are ignored.
    pub foreign_exports: Vec<String>,
    /// Everything the component imports, in its own order.
    pub imports: Vec<Import>,
    /// What is wrong with the exports.
    pub violations: Vec<Violation>,
}

/// One import of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name, such as `wasi:cli/environment@0.2.6`.
    pub name: String,
    /// Why a replica may not have it; `None` when it may.
    pub refused: Option<String>,
}

/// One way in which a component's exports differ from the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// It does not export this.
    Missing {
        /// An interface and a function of it.
        name: String,
    },
    /// It does not export the contract's interface at all.
    OtherWorld {
        /// What it exports instead; of many, the first few.
        exports: Vec<String>,
    },
    /// It exports the contract of another version.
    OtherVersion {
        /// What it exports.
        name: String,
    },
    /// It exports this, but as something else than a function, or with other types.
    OtherType {
        /// The interface and the function.
        name: String,
        /// The signature in the contract.
        expected: &'static str,
        /// The signature of the component.
        given: String,
        /// The first difference.
        difference: String,
    },
}

/// Exports that are named of a component of another world; it controls how many there are.
const EXPORTS_TOLD_MAX: usize = 5;

/// Checks a component against the contract. An error says that the bytes are no component at all; whether a component meets
/// the contract is in the report.
pub fn check_contract(engine: &Engine, bytes: &[u8]) -> Result<ContractReport, LoadError> {
    let (component, _, _) = engine.compile(bytes)?;
    Ok(report_on(engine.inner(), &component))
}

impl ContractReport {
    /// Whether the component may run as a replica.
    pub fn is_met(&self) -> bool {
        self.violations.is_empty() && !self.has_foreign_imports()
    }

    /// Whether the component asks for something that a replica may not have.
    pub fn has_foreign_imports(&self) -> bool {
        self.imports.iter().any(|import| import.refused.is_some())
    }

    /// All that is wrong, one line each; empty when the contract is met.
    pub fn complaint(&self) -> impl fmt::Display {
        let violations = self.violations.iter().map(|violation| format!("- {violation}"));
        let refused =
            |import: &Import| import.refused.as_ref().map(|reason| format!("- imports {}: {reason}", import.name));
        violations.chain(self.imports.iter().filter_map(refused)).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Missing { name } => write!(f, "does not export {name}"),
            Violation::OtherWorld { exports } => {
                write!(f, "does not export the interface {MARKET_INTERFACE}: ")?;
                let build = "build it for the world `replica` of wit/replica.wit";
                match exports.as_slice() {
                    [] => write!(f, "it exports nothing; {build}, and export what implements it (in Rust, `export!`)"),
                    [one] if one.starts_with("wasi:cli/run@") => {
                        write!(f, "it is a program with a `main`, of the world wasi:cli/command; {build}, as a library")
                    }
                    [one] if one.starts_with("wasi:http/incoming-handler@") => {
                        write!(f, "it is an HTTP service, of the world wasi:http/proxy; {build}")
                    }
                    many => write!(f, "it was built for another world, and exports {}; {build}", many.join(", ")),
                }
            }
            Violation::OtherVersion { name } => {
                write!(f, "exports {name}; this host speaks {CONTRACT_VERSION}: build against its wit/replica.wit")
            }
            Violation::OtherType { name, expected, given, difference } => {
                write!(f, "exports {name} with another type: {difference}\n  expected {expected}\n  given    {given}")
            }
        }
    }
}

/// What the first bytes of a file say it is; only a component passes.
pub(super) fn recognise(bytes: &[u8]) -> Result<(), LoadError> {
    const REBUILD: &str = "give a component, as built for the target wasm32-wasip2";
    let not_wasm = |found, next| Err(LoadError::NotWasm { found, next });
    match bytes {
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', _, _, _, _, ..] => not_wasm("it is of another version of the format", REBUILD),
        [] => not_wasm("it is empty", "build it again"),
        [0x7f, b'E', b'L', b'F', ..] => not_wasm("it is native or precompiled code", REBUILD),
        _ if b"\0asm".starts_with(&bytes[..bytes.len().min(4)]) => {
            not_wasm("it ends within its first eight bytes", "build it again")
        }
        _ if bytes.trim_ascii_start().starts_with(b"(") => {
            not_wasm("it looks like WebAssembly text", "make it binary with `wasm-tools parse -o module.wasm`")
        }
        _ => not_wasm("it does not begin with the bytes 00 61 73 6d", REBUILD),
    }
}

/// The contract's functions, with their types twice: for people, and as a check of a function of the component.
struct Expected {
    name: &'static str,
    signature: &'static str,
    check: fn(&ComponentFunc, &Component) -> wasmtime::Result<()>,
}

const EXPECTED: [Expected; 3] = [
    Expected {
        name: "execute",
        signature: "func(context: context, request: request) -> outcome",
        check: |function, component| {
            let of = component.component_type();
            function.typecheck::<(wit::Context, wit::Request), (wit::Outcome,)>(&of.instance_type())
        },
    },
    Expected {
        name: "export-state",
        signature: "func() -> market-state",
        check: |function, component| {
            function.typecheck::<(), (wit::MarketState,)>(&component.component_type().instance_type())
        },
    },
    Expected {
        name: "import-state",
        signature: "func(state: market-state) -> result<_, string>",
        check: |function, component| {
            let of = component.component_type();
            function.typecheck::<(&wit::MarketState,), (Result<(), String>,)>(&of.instance_type())
        },
    },
];

pub(super) fn report_on(engine: &wasmtime::Engine, component: &Component) -> ContractReport {
    let component_type = component.component_type();
    let mut report = ContractReport::default();
    for (name, _) in component_type.imports(engine) {
        report.imports.push(Import { name: name.to_owned(), refused: foreign::reason_against(name) });
    }
    let mut found = false;
    for (name, export) in component_type.exports(engine) {
        match export.ty {
            ComponentItem::ComponentInstance(market) if name == MARKET_INTERFACE => {
                found = true;
                report.hold_market_against_contract(engine, component, &market);
            }
            _ if name.starts_with("dsms:replica/market") => {
                found = true;
                report.violations.push(Violation::OtherVersion { name: name.to_owned() });
            }
            _ => report.foreign_exports.push(name.to_owned()),
        }
    }
    if !found {
        let exports = report.foreign_exports.iter().take(EXPORTS_TOLD_MAX).cloned().collect();
        report.violations.push(Violation::OtherWorld { exports });
    }
    report
}

impl ContractReport {
    fn hold_market_against_contract(
        &mut self,
        engine: &wasmtime::Engine,
        component: &Component,
        market: &ComponentInstance,
    ) {
        for Expected { name, signature: expected, check } in &EXPECTED {
            let full_name = format!("{MARKET_INTERFACE}#{name}");
            let other_type = |given: String, difference: String| Violation::OtherType {
                name: full_name.clone(),
                expected,
                given,
                difference,
            };
            match market.get_export(engine, name).map(|export| export.ty) {
                None => self.violations.push(Violation::Missing { name: full_name }),
                Some(ComponentItem::ComponentFunc(function)) => match check(&function, component) {
                    Ok(()) => self.exports.push(full_name),
                    Err(difference) => {
                        let difference = format!("{difference:#}");
                        self.violations.push(other_type(signature::function(&function), difference));
                    }
                },
                Some(_) => {
                    let difference = "expected a function".to_owned();
                    self.violations.push(other_type("something else than a function".to_owned(), difference));
                }
            }
        }
        for (name, export) in market.exports(engine) {
            let known = EXPECTED.iter().any(|expected| expected.name == name);
            if !known && !matches!(export.ty, ComponentItem::Type(_)) {
                self.foreign_exports.push(format!("{MARKET_INTERFACE}#{name}"));
            }
        }
    }
}
