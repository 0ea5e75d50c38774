//! What the host keeps for one instance while its guest runs, and the fuel a guest pays for calling the host.

use wasmtime::{StoreContextMut, Trap};

use super::limits::Meter;
use super::log::GuestLog;
use super::random::VirtualRandom;
use crate::market::Context;

/// Fuel for one call from the guest to the host. Such a call costs as much time as some hundred instructions; without a
/// price, a guest could keep the host busy for minutes within a budget of instructions.
const FUEL_PER_HOST_CALL: u64 = 500;

/// Fuel for each byte that such a call moves.
const FUEL_PER_HOST_BYTE: u64 = 1;

/// The data of an instance's store.
#[derive(Debug)]
pub(super) struct HostState {
    /// Of the current call; between two ordered requests, of the one before.
    pub(super) context: Context,
    pub(super) random: VirtualRandom,
    pub(super) log: GuestLog,
    pub(super) meter: Meter,
}

impl HostState {
    pub(super) fn begin_call(&mut self, context: Context) {
        self.context = context;
        self.random.begin_call(context.sequence_number);
        self.log.begin_call();
    }
}

/// Takes the price of a host call that moves `bytes` bytes; ends the guest's call when the budget does not cover it.
pub(super) fn charge(store: &mut StoreContextMut<'_, HostState>, bytes: usize) -> wasmtime::Result<()> {
    let price = (bytes as u64).saturating_mul(FUEL_PER_HOST_BYTE).saturating_add(FUEL_PER_HOST_CALL);
    let left = store.get_fuel()?.checked_sub(price).ok_or(Trap::OutOfFuel)?;
    store.set_fuel(left)
}
