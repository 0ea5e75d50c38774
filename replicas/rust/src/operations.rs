//! One file for each operation. The caller's permission has been checked before.

mod add_share;
mod get_shares;
mod list_share_availability;
mod purchase_share;
mod remove_share;
mod sell_share;
mod swap_shares;

pub use add_share::add_share;
pub use get_shares::get_shares;
pub use list_share_availability::list_share_availability;
pub use purchase_share::purchase_share;
pub use remove_share::remove_share;
pub use sell_share::sell_share;
pub use swap_shares::swap_shares;
