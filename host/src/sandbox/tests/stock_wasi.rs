//! The virtual world against the stock one: what a well-behaved module answers must not depend on which it lives in.

use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::conformance::{Examination, Examined, Options, Scope, Subject, golden, round_trip};
use crate::market::{Context, GuestFault, MarketState, Module, Outcome, Request};
use crate::sandbox::bindings::Replica;
use crate::sandbox::bindings::dsms::replica::{log, types};
use crate::sandbox::{convert, reference_module};

/// The world that wasmtime-wasi gives to real programs, with nothing allowed in it, and a log that nobody reads.
struct StockWorld {
    context: WasiCtx,
    table: ResourceTable,
}

impl WasiView for StockWorld {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }
}

impl log::Host for StockWorld {
    fn write(&mut self, _level: log::Level, _message: String) {}
}

impl types::Host for StockWorld {}

/// The reference module in the stock world.
struct StockInstance {
    store: Store<StockWorld>,
    replica: Replica,
}

impl StockInstance {
    fn new(component: &Component) -> StockInstance {
        let mut linker = Linker::new(component.engine());
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        Replica::add_to_linker::<_, HasSelf<_>>(&mut linker, |world: &mut StockWorld| world).unwrap();
        let world = StockWorld { context: WasiCtxBuilder::new().build(), table: ResourceTable::new() };
        let mut store = Store::new(component.engine(), world);
        let replica = Replica::instantiate(&mut store, component, &linker).unwrap();
        StockInstance { store, replica }
    }
}

impl Module for StockInstance {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        let (context, request) = (convert::context_to_guest(context), convert::request_to_guest(request));
        let outcome = self.replica.dsms_replica_market().call_execute(&mut self.store, context, request).unwrap();
        Ok(convert::outcome_from_guest(outcome).unwrap().into_canonical())
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        let state = self.replica.dsms_replica_market().call_export_state(&mut self.store).unwrap();
        Ok(convert::state_from_guest(&state).unwrap().into_canonical())
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        let state = convert::state_to_guest(state);
        Ok(self.replica.dsms_replica_market().call_import_state(&mut self.store, &state).unwrap())
    }
}

#[test]
fn the_reference_module_answers_the_same_in_the_world_of_wasmtime_wasi() {
    let engine = wasmtime::Engine::default();
    let component = Component::from_binary(&engine, reference_module()).unwrap();
    let subject = Subject::new(|_| Ok(Box::new(StockInstance::new(&component))));
    for (examination, examine) in
        [(Examination::Golden, golden as fn(&mut Scope) -> _), (Examination::RoundTrip, round_trip)]
    {
        let options = Options { time: Duration::from_secs(60), ..Options::default() };
        let examined: Examined = examine(&mut Scope::alone(&subject, examination, &options, &mut |_| {}));
        assert!(examined.requests > 400 && examined.is_complete, "{examined:?}");
        assert_eq!(examined.findings, []);
    }
}
