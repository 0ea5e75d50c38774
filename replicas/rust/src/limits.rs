//! What a buyer may come to hold: the rules that purchases and swaps share.

use crate::calendar::week;
use crate::market::Market;
use crate::types::{BuyerId, Refusal, Share};

/// So many distinct foreign shares of one week may be held before another is refused.
const FOREIGN_SHARES_PER_WEEK: usize = 3;

/// Whether the buyer may come to hold a share, judged as if `given_up` were not held.
pub fn check(market: &Market, buyer: BuyerId, wanted: Share, given_up: Option<Share>) -> Result<(), Refusal> {
    let held = || market.shares_of(buyer).filter(|held| Some(*held) != given_up);
    let same_day = |held: &Share| held.share_type == wanted.share_type && held.id.date == wanted.id.date;
    let foreign = |held: &Share| held.id.market != buyer.market;
    let same_week = |held: &Share| week(held.id.date) == week(wanted.id.date);

    if held().any(|held| held == wanted) {
        return Err(Refusal::AlreadyOwned);
    }
    if held().any(|held| same_day(&held)) {
        return Err(Refusal::DailyLimit);
    }
    let foreign_len = || held().filter(foreign).filter(same_week).count();
    if foreign(&wanted) && foreign_len() >= FOREIGN_SHARES_PER_WEEK {
        return Err(Refusal::WeeklyLimit);
    }
    Ok(())
}
