//! The reference module, carried inside the host, so that a cluster starts with nothing else at hand.

/// The bytes of the component that `build.rs` made of `replicas/reference`.
pub fn reference_module() -> &'static [u8] {
    include_bytes!(env!("DSMS_REFERENCE_WASM"))
}
