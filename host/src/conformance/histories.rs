//! Histories that are drawn: a busy day as `workload` has it, at other times of other years.

use std::collections::BTreeSet;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::market::{
    AdminId, BuyerId, Caller, Date, HoldingState, MarketCode, MarketState, Operation, Request, Share, ShareId,
    ShareType, Slot, Units,
};
use crate::protocol::id::SequenceNumber;
use crate::simulation::history::PastRequest;
use crate::workload::{Mix, listings};

/// The first day of the fortnight in which all shares of the workload are, and how long it is.
const FORTNIGHT: (u8, u8, u8) = (1, 9, 25);
const FORTNIGHT_DAYS: usize = 14;

/// The only buyers of each market in a crowded history, who meet every limit.
const CROWD: [u16; 3] = [0, 9999, 1001];

/// Days over which the shares of a crowded history are spread, so that the same id is there under several types.
const CROWDED_DAYS: usize = 5;

/// Every New Year, from 1 January 2000 to 31 December 2099: eight days around each, which lie in two weeks and two
/// years, foreign shares on all of them, and a buyer who wants one of each.
pub(super) fn every_new_year() -> impl Iterator<Item = PastRequest> {
    let days = |year: u8| {
        let old = (28..=31).filter_map(move |day| Date::new(day, 12, year.checked_sub(1)?));
        old.chain((1..=4).filter_map(move |day| Date::new(day, 1, year)))
    };
    let requests = (0..=100_u8).flat_map(move |year| {
        let share = move |date: Date| {
            let share_type = ShareType::ALL[usize::from(date.day() % 3)];
            Share { id: ShareId { market: MarketCode::London, slot: Slot::Evening, date }, share_type }
        };
        let buyer = BuyerId { market: MarketCode::Tokyo, number: number(2000 + u16::from(year)) };
        let capacity = Units::try_from(1000).expect("a capacity");
        let admin = Caller::Admin(AdminId { market: MarketCode::London, number: number(1001) });
        let list =
            move |date| Request { caller: admin, operation: Operation::AddShare { share: share(date), capacity } };
        let buy = move |date| {
            let count = Units::try_from(1 + u32::from(year)).expect("a count");
            let operation = Operation::PurchaseShare { buyer, share: share(date), count };
            Request { caller: Caller::Buyer(buyer), operation }
        };
        days(year).map(list).chain(days(year).map(buy)).collect::<Vec<_>>()
    });
    past(requests, 1)
}

fn number<N: TryFrom<u16, Error: std::fmt::Debug>>(number: u16) -> N {
    number.try_into().expect("four digits")
}

/// The history of this number: it lists shares, and then people trade, without end.
///
/// In two of three histories there are only a few buyers, who reach their limits; in the others three hundred, whom
/// hardly anything is refused. Of four histories one is in September 2025, one around a New Year, one around the end of
/// a February, and one anywhere, so that all kinds of weeks occur.
pub(super) fn drawn(seed: u64, number: u64) -> impl Iterator<Item = PastRequest> {
    let mut random = Pcg32::from_seed(seed_of(seed, number));
    let mut below = |bound: u32| ((u64::from(random.next_u32()) * u64::from(bound)) >> 32) as u8;
    let date = |day, month, year| Date::new(day, month, year).expect("these are dates of every year");
    let first = match number % 4 {
        0 => date(FORTNIGHT.0, FORTNIGHT.1, FORTNIGHT.2),
        1 => date(25, 12, below(99)),
        2 => date(22, 2, below(100)),
        _ => date(1 + below(28), 1 + below(11), below(100)),
    };
    let is_crowded = number % 3 != 2;
    let days_len = if is_crowded { CROWDED_DAYS } else { FORTNIGHT_DAYS };
    let days: Vec<Date> =
        std::iter::successors(Some(first), |day| Some(day_after(*day))).take(FORTNIGHT_DAYS).collect();
    let moved = move |date: Date| match (date.month(), date.year()) {
        (9, 2025) => days[usize::from(date.day() - FORTNIGHT.0) % days_len],
        _ => date,
    };
    past(listings().chain(Mix::new(seed, number)).map(move |request| told_otherwise(request, &moved, is_crowded)), 1)
}

fn seed_of(seed: u64, number: u64) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"dsms check").update(&seed.to_le_bytes()).update(&number.to_le_bytes());
    *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer than the generator's state")
}

/// Requests as they stand in an order, from this place on.
pub(super) fn past(requests: impl Iterator<Item = Request>, first: u64) -> impl Iterator<Item = PastRequest> {
    let at = |(request, place)| PastRequest { sequence: SequenceNumber(place), time_ms: None, request };
    requests.zip(first..).map(at)
}

fn day_after(date: Date) -> Date {
    let (day, month, year) = date.into();
    let next =
        Date::new(day + 1, month, year).or_else(|| Date::new(1, month + 1, year)).or_else(|| Date::new(1, 1, year + 1));
    next.expect("no history goes beyond 2099")
}

/// The same request about other dates, by one of fewer buyers.
fn told_otherwise(request: Request, moved: &impl Fn(Date) -> Date, is_crowded: bool) -> Request {
    let by = |buyer: BuyerId| match is_crowded {
        true => BuyerId { number: number(CROWD[usize::from(buyer.number.value()) % CROWD.len()]), ..buyer },
        false => buyer,
    };
    let id = |id: ShareId| ShareId { date: moved(id.date), ..id };
    let share = |share: Share| Share { id: id(share.id), ..share };
    let operation = match request.operation {
        Operation::AddShare { share: added, capacity } => Operation::AddShare { share: share(added), capacity },
        Operation::RemoveShare { share: removed } => Operation::RemoveShare { share: share(removed) },
        Operation::PurchaseShare { buyer, share: bought, count } => {
            Operation::PurchaseShare { buyer: by(buyer), share: share(bought), count }
        }
        Operation::GetShares { buyer } => Operation::GetShares { buyer: by(buyer) },
        Operation::SellShare { buyer, id: sold, count } => {
            Operation::SellShare { buyer: by(buyer), id: id(sold), count }
        }
        Operation::SwapShares { buyer, old, new } => {
            Operation::SwapShares { buyer: by(buyer), old: share(old), new: share(new) }
        }
        list @ Operation::ListShareAvailability { .. } => list,
    };
    let caller = match request.caller {
        Caller::Buyer(buyer) => Caller::Buyer(by(buyer)),
        admin @ Caller::Admin(_) => admin,
    };
    Request { caller, operation }
}

/// Requests that read the whole of a market, and then sell all that is held and read it again.
pub(super) fn probes(state: &MarketState) -> impl Iterator<Item = Request> {
    let admin = AdminId { market: MarketCode::London, number: number(1) };
    let list = move |share_type| Request {
        caller: Caller::Admin(admin),
        operation: Operation::ListShareAvailability { share_type },
    };
    let buyers: BTreeSet<BuyerId> = state.holdings.iter().map(|holding| holding.buyer).collect();
    let look = |buyer| Request { caller: Caller::Buyer(buyer), operation: Operation::GetShares { buyer } };
    let looks: Vec<Request> = buyers.into_iter().map(look).collect();
    let sale = |holding: &HoldingState| {
        let (buyer, id) = (holding.buyer, holding.share.id);
        let count = Units::try_from(holding.units).expect("a holding of a market has 1 to 1,000,000 units");
        Request { caller: Caller::Buyer(buyer), operation: Operation::SellShare { buyer, id, count } }
    };
    let sales: Vec<Request> = state.holdings.iter().map(sale).collect();
    let lists = ShareType::ALL.map(list);
    lists.into_iter().chain(looks.clone()).chain(sales).chain(looks).chain(lists)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::subject::{expected, reference_after};
    use crate::market::{Module, Outcome, Refusal, parse_request, request_words};

    #[test]
    fn equal_seeds_draw_equal_histories_and_others_do_not() {
        let history = |seed, number| drawn(seed, number).take(200).collect::<Vec<_>>();
        assert_eq!(history(1, 1), history(1, 1));
        assert_ne!(history(1, 1), history(2, 1));
        assert_ne!(history(1, 1), history(1, 5));
    }

    #[test]
    fn drawn_requests_are_valid_and_their_weeks_and_years_differ() {
        let mut years = BTreeSet::new();
        let mut first_days = BTreeSet::new();
        for number in 0..200 {
            for past in drawn(7, number).take(100) {
                assert_eq!(parse_request(&request_words(&past.request)), Ok(past.request));
                if let Operation::AddShare { share, .. } = past.request.operation {
                    years.insert(share.id.date.year());
                    first_days.insert((share.id.date.month(), share.id.date.day()));
                }
            }
        }
        assert!(years.len() > 60, "{years:?}");
        assert!([(12, 31), (1, 1), (2, 29), (3, 1)].iter().all(|day| first_days.contains(day)));
    }

    #[test]
    fn in_each_history_most_requests_succeed_and_in_a_few_every_refusal_occurs() {
        let mut names = BTreeSet::new();
        for number in 0..12 {
            let mut market = reference_after(&[]);
            let refusals: Vec<&str> = drawn(1, number)
                .take(500)
                .filter_map(|past| match expected(&mut market, &past) {
                    Outcome::Refused(refusal) => Some(refusal.name()),
                    _ => None,
                })
                .collect();
            assert!((5..300).contains(&refusals.len()), "{} of 500 are refused in history {number}", refusals.len());
            names.extend(refusals);
        }
        assert_eq!(names.len(), 13, "{names:?}");
    }

    #[test]
    fn around_every_new_year_a_buyer_is_kept_to_three_shares_a_week() {
        let mut market = reference_after(&[]);
        let outcomes: Vec<Outcome> = every_new_year().map(|past| expected(&mut market, &past)).collect();
        let refused =
            outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused(Refusal::WeeklyLimit))).count();
        // Eight days in two weeks have two to five too many.
        assert!((200..500).contains(&refused), "{refused}");
        assert!(outcomes.len() > 1500);
        let share: ShareId = "LONE311229".parse().unwrap();
        assert!(market.export_state().unwrap().shares.iter().any(|listed| listed.share.id == share));
    }

    #[test]
    fn probes_leave_a_market_in_which_nothing_is_held() {
        let mut market = reference_after(&drawn(1, 0).take(300).collect::<Vec<_>>());
        let state = market.export_state().unwrap();
        assert!(state.holdings.len() > 10);
        past(probes(&state), 1000).for_each(|past| drop(expected(&mut market, &past)));
        let left = market.export_state().unwrap().holdings.len();
        assert!(left * 4 < state.holdings.len(), "{left} of {} are left", state.holdings.len());
    }
}
