//! A second market, as plain as can be: two lists, searched from end to end, and no index of any kind.
//!
//! It shares no code with the market under test, only the types. Weeks are those of the textbook, by number and
//! week-year, and what is available is never stored.

use dsms_reference::types::*;

/// The state of the market specification, word for word.
#[derive(Default)]
pub struct NaiveMarket {
    /// Each share and its capacity.
    shares: Vec<(Share, Units)>,
    /// Each holding: who, what, how many.
    holdings: Vec<(BuyerId, Share, Units)>,
}

impl NaiveMarket {
    pub fn execute(&mut self, request: &Request) -> Outcome {
        self.outcome_of(request).unwrap_or_else(Outcome::Refused)
    }

    fn outcome_of(&mut self, Request { caller, operation }: &Request) -> Result<Outcome, Refusal> {
        let refuse_if = |broken: bool, refusal| if broken { Err(refusal) } else { Ok(()) };
        match (operation, caller) {
            (Operation::AddShare(_) | Operation::RemoveShare(_) | Operation::ListShareAvailability(_), _) => {
                refuse_if(matches!(caller, Caller::Buyer(_)), Refusal::Forbidden)?;
            }
            (
                Operation::PurchaseShare(PurchaseShare { buyer, .. })
                | Operation::GetShares(buyer)
                | Operation::SellShare(SellShare { buyer, .. })
                | Operation::SwapShares(SwapShares { buyer, .. }),
                caller,
            ) => {
                let own_admin = matches!(caller, Caller::Admin(admin) if admin.market == buyer.market);
                refuse_if(!own_admin && *caller != Caller::Buyer(*buyer), Refusal::Forbidden)?;
            }
        }
        if let (Operation::AddShare(AddShare { share, .. }) | Operation::RemoveShare(share), Caller::Admin(admin)) =
            (operation, caller)
        {
            refuse_if(share.id.market != admin.market, Refusal::WrongMarket)?;
        }
        match *operation {
            Operation::AddShare(AddShare { share, capacity }) => {
                refuse_if(self.exists(share), Refusal::AlreadyExists)?;
                self.shares.push((share, capacity));
                Ok(Outcome::Added(Added { capacity }))
            }
            Operation::RemoveShare(share) => {
                refuse_if(!self.exists(share), Refusal::NotFound)?;
                let available = self.available(share);
                let held: Vec<Units> = self.holdings.iter().filter(|h| h.1 == share).map(|h| h.2).collect();
                self.shares.retain(|listed| listed.0 != share);
                self.holdings.retain(|holding| holding.1 != share);
                let holders = u32::try_from(held.len()).unwrap();
                Ok(Outcome::Removed(Removed { available, holders, units: held.iter().sum() }))
            }
            Operation::ListShareAvailability(share_type) => {
                let of_that_type = self.shares.iter().filter(|listed| listed.0.share_type == share_type);
                let shares =
                    of_that_type.map(|listed| AvailableShare { id: listed.0.id, available: self.available(listed.0) });
                Ok(Outcome::Availability(Availability { share_type, shares: shares.collect() }))
            }
            Operation::PurchaseShare(PurchaseShare { buyer, share, count }) => {
                refuse_if(!self.exists(share), Refusal::NotFound)?;
                self.refuse_purchase(buyer, share)?;
                refuse_if(self.available(share) == 0, Refusal::SoldOut)?;
                let bought = count.min(self.available(share));
                self.holdings.push((buyer, share, bought));
                Ok(Outcome::Purchased(Purchased { requested: count, bought, available: self.available(share) }))
            }
            Operation::GetShares(buyer) => {
                let own = self.holdings.iter().filter(|holding| holding.0 == buyer);
                Ok(Outcome::Holdings(own.map(|holding| Owned { share: holding.1, units: holding.2 }).collect()))
            }
            Operation::SellShare(SellShare { buyer, id, count }) => {
                let [equity, bonus, dividend] = [ShareType::Equity, ShareType::Bonus, ShareType::Dividend]
                    .map(|share_type| (share_type, self.held(buyer, Share { share_type, id })));
                let owned = equity.1.max(bonus.1).max(dividend.1);
                refuse_if(owned == 0, Refusal::NotOwned)?;
                refuse_if(owned < count, Refusal::InsufficientOwned(InsufficientOwned { owned }))?;
                let (share_type, held) =
                    [equity, bonus, dividend].into_iter().find(|(_, held)| *held >= count).unwrap();
                let share = Share { share_type, id };
                self.set_held(buyer, share, held - count);
                let (remaining, available) = (held - count, self.available(share));
                Ok(Outcome::Sold(Sold { share_type, sold: count, remaining, available }))
            }
            Operation::SwapShares(SwapShares { buyer, old, new }) => {
                refuse_if(old == new, Refusal::SameShare)?;
                let needed = self.held(buyer, old);
                refuse_if(needed == 0, Refusal::NotOwned)?;
                refuse_if(!self.exists(new), Refusal::NewNotFound)?;
                let mut without_old = NaiveMarket { shares: self.shares.clone(), holdings: self.holdings.clone() };
                without_old.set_held(buyer, old, 0);
                without_old.refuse_purchase(buyer, new)?;
                let available = without_old.available(new);
                refuse_if(available < needed, Refusal::InsufficientNew(InsufficientNew { available, needed }))?;
                without_old.holdings.push((buyer, new, needed));
                *self = without_old;
                Ok(Outcome::Swapped(Swapped { units: needed }))
            }
        }
    }

    fn refuse_purchase(&self, buyer: BuyerId, share: Share) -> Result<(), Refusal> {
        let own: Vec<Share> = self.holdings.iter().filter(|h| h.0 == buyer).map(|h| h.1).collect();
        let same_day = |s: &&Share| s.share_type == share.share_type && s.id.date == share.id.date;
        let foreign = |s: &&Share| s.id.market != buyer.market;
        let same_week = |s: &&Share| iso_week(s.id.date) == iso_week(share.id.date);
        if own.contains(&share) {
            Err(Refusal::AlreadyOwned)
        } else if own.iter().any(|s| same_day(&s)) {
            Err(Refusal::DailyLimit)
        } else if foreign(&&share) && own.iter().filter(foreign).filter(same_week).count() >= 3 {
            Err(Refusal::WeeklyLimit)
        } else {
            Ok(())
        }
    }

    fn exists(&self, share: Share) -> bool {
        self.shares.iter().any(|listed| listed.0 == share)
    }

    fn available(&self, share: Share) -> Units {
        let capacity = self.shares.iter().find(|listed| listed.0 == share).unwrap().1;
        capacity - self.holdings.iter().filter(|h| h.1 == share).map(|h| h.2).sum::<Units>()
    }

    fn held(&self, buyer: BuyerId, share: Share) -> Units {
        self.holdings.iter().find(|h| h.0 == buyer && h.1 == share).map_or(0, |h| h.2)
    }

    fn set_held(&mut self, buyer: BuyerId, share: Share, units: Units) {
        self.holdings.retain(|h| h.0 != buyer || h.1 != share);
        if units > 0 {
            self.holdings.push((buyer, share, units));
        }
    }
}

/// Week-year and week number by the rule of ISO 8601: week 1 is the one with the year's first Thursday.
fn iso_week(Date { year, month, day }: Date) -> (u16, u16) {
    // No year from 2001 to 2099 ends a century, and 2000 was a leap year.
    let is_leap = |year: u16| year.is_multiple_of(4);
    let february = if is_leap(year) { 29 } else { 28 };
    let month_lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let day_of_year = month_lengths[..usize::from(month) - 1].iter().sum::<u16>() + u16::from(day);
    // 1 January 2000 was a Saturday, which is 6 when Monday is 1. A year moves it on by one day, a leap year by two.
    let new_years_day = |year: u16| (2000..year).fold(6, |weekday, y| (weekday + u16::from(is_leap(y))) % 7 + 1);
    let weekday = (new_years_day(year) + day_of_year - 2) % 7 + 1;
    // A year has 53 weeks when it begins on a Thursday, or on a Wednesday and is a leap year.
    let weeks_in = |year: u16| match new_years_day(year) {
        4 => 53,
        3 if is_leap(year) => 53,
        _ => 52,
    };
    match (day_of_year + 10 - weekday) / 7 {
        // 1999 lies outside the counting above; it had 52 weeks.
        0 if year == 2000 => (1999, 52),
        0 => (year - 1, weeks_in(year - 1)),
        week if week > weeks_in(year) => (year + 1, 1),
        week => (year, week),
    }
}

#[test]
fn the_textbook_weeks_are_those_of_the_textbook() {
    for ((day, month, year), week) in [
        ((1, 1, 2000), (1999, 52)),
        ((3, 1, 2000), (2000, 1)),
        ((29, 2, 2024), (2024, 9)),
        ((10, 9, 2025), (2025, 37)),
        ((28, 12, 2025), (2025, 52)),
        ((29, 12, 2025), (2026, 1)),
        ((31, 12, 2026), (2026, 53)),
        ((1, 1, 2027), (2026, 53)),
        ((3, 1, 2027), (2026, 53)),
        ((4, 1, 2027), (2027, 1)),
        ((31, 12, 2099), (2099, 53)),
    ] {
        assert_eq!(iso_week(Date { year, month, day }), week, "{day} {month} {year}");
    }
}
