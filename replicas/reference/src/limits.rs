//! What a buyer may take into a portfolio: `already-owned`, `daily-limit`, `weekly-limit`.
//!
//! The limits are derived from what is held and from nothing else, so selling frees them. The number of units never
//! matters, and neither does the order in which holdings came about.

use crate::calendar::Day;
use crate::portfolio::Portfolio;
use crate::types::{BuyerId, Refusal, Share};

/// How many shares of one ISO week a buyer may hold outside the home market.
const FOREIGN_SHARES_PER_WEEK_MAX: usize = 3;

/// Refuse a share that the buyer may not take into the portfolio.
///
/// In an exchange the old share is `given_up`, and the portfolio is judged as if it were gone.
///
/// # Errors
///
/// [`Refusal::AlreadyOwned`], [`Refusal::DailyLimit`], [`Refusal::WeeklyLimit`], in this order.
pub(crate) fn check(
    buyer: BuyerId,
    portfolio: &Portfolio,
    given_up: Option<Share>,
    share: Share,
) -> Result<(), Refusal> {
    // An exchange of a share for itself is refused before it comes here; otherwise it would count as owned.
    if portfolio.units_of(share) > 0 {
        return Err(Refusal::AlreadyOwned);
    }
    let day = Day::of(share.id.date);
    let is_kept = |held: &Share| Some(*held) != given_up;

    let mut held_that_day = portfolio.shares_within(day..=day).filter(is_kept);
    if held_that_day.any(|held| held.share_type == share.share_type) {
        return Err(Refusal::DailyLimit);
    }

    let is_foreign = |share: &Share| share.id.market != buyer.market;
    if is_foreign(&share) {
        let held_that_week = portfolio.shares_within(day.week()).filter(is_kept);
        if held_that_week.filter(is_foreign).count() >= FOREIGN_SHARES_PER_WEEK_MAX {
            return Err(Refusal::WeeklyLimit);
        }
    }
    Ok(())
}
