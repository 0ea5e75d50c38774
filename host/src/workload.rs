//! A seeded load on the market: what a busy day of many buyers and a few admins sends, in a universe of bounded size.
//!
//! It feeds the benchmark and the tests. Whoever draws it twice from one seed gets the same requests twice. It sees no
//! answers: what it takes for held may have been refused, and its sales and exchanges are then refused as well, as they are
//! where people act on what they believe. A small part of it is plainly wrong, so that every refusal of the specification
//! occurs.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::market::{
    AdminId, BuyerId, Caller, Date, MarketCode, Operation, Request, Share, ShareId, ShareType, Slot, Units,
};

/// Shares that each of the three markets lists.
const SHARES_PER_MARKET: u8 = 20;

/// Days over which they are spread: the two ISO weeks that begin on Monday 1 September 2025.
const DAYS: u8 = 14;

/// Buyers whose home each market is.
const BUYERS_PER_MARKET: u32 = 100;

/// Buyers who make a third of a client's requests, as a broker's regular customers do. They run into the daily and the weekly
/// limits; the others hardly do.
const REGULARS_LEN: usize = 8;

/// Most units of one purchase.
const COUNT_MAX: u32 = 50;

/// Most purchases that a client leaves unsold. At the bound it sells, so that the market does not fill up with time and a
/// long run measures the same thing as a short one.
const HELD_LEN_MAX: usize = 12;

/// A capacity that hardly ever runs out.
const CAPACITY: u32 = 5_000;

/// The capacity of a Sunday's shares, which runs out now and then.
const CAPACITY_SCARCE: u32 = 40;

/// The endless requests of one client.
///
/// Mostly purchases, sales and looks at one's own shares; some exchanges, lists and removals; a few mistakes.
#[derive(Clone, Debug)]
pub struct Mix {
    random: Pcg32,
    regulars: Vec<BuyerId>,
    /// Purchases that were not sold again.
    held: Vec<Holding>,
    /// A share that was taken off the market, to be put back by the next request.
    removed: Option<Share>,
}

/// What the mix believes that a buyer holds.
#[derive(Clone, Copy, Debug)]
struct Holding {
    buyer: BuyerId,
    share: Share,
    count: u32,
}

/// The requests that list every share of the universe. They come before those of any [`Mix`]; on a market that has the
/// shares already they are refused, which does no harm.
pub fn listings() -> impl Iterator<Item = Request> {
    universe().map(listing)
}

fn universe() -> impl Iterator<Item = Share> {
    let places = |market| (0..SHARES_PER_MARKET).map(move |place| share_at(market, place));
    MarketCode::ALL.into_iter().flat_map(places)
}

/// Every market lists the same days and types, so that buyers meet the daily limit across markets. Places that are a whole
/// period of days apart share an id and differ in their type.
fn share_at(market: MarketCode, place: u8) -> Share {
    let day = place % DAYS;
    let date = Date::new(1 + day, 9, 25).expect("September has that many days");
    let id = ShareId { market, slot: Slot::ALL[usize::from(day) % Slot::ALL.len()], date };
    Share { id, share_type: ShareType::ALL[usize::from(place) % ShareType::ALL.len()] }
}

/// A share that is never listed.
fn unlisted(market: MarketCode) -> Share {
    let date = Date::new(31, 12, 25).expect("December has that many days");
    Share { id: ShareId { market, slot: Slot::Morning, date }, share_type: ShareType::Equity }
}

fn listing(share: Share) -> Request {
    let is_scarce = share.id.date.day().is_multiple_of(7);
    let capacity = if is_scarce { CAPACITY_SCARCE } else { CAPACITY };
    by_admin(share.id.market, Operation::AddShare { share, capacity: units(capacity) })
}

fn by_admin(market: MarketCode, operation: Operation) -> Request {
    let number = 1001.try_into().expect("an admin's number has four digits");
    Request { caller: Caller::Admin(AdminId { market, number }), operation }
}

fn units(count: u32) -> Units {
    count.try_into().expect("the mix asks for one unit at least and a million at most")
}

impl Mix {
    /// The requests of one client. Different seeds and different clients have unrelated ones.
    pub fn new(seed: u64, client: u64) -> Mix {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&client.to_le_bytes());
        let start = *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer than the generator's state");
        let random = Pcg32::from_seed(start);
        let mut mix = Mix { random, regulars: Vec::new(), held: Vec::new(), removed: None };
        mix.regulars = (0..REGULARS_LEN).map(|_| mix.any_buyer()).collect();
        mix
    }

    fn draw(&mut self) -> Request {
        if let Some(share) = self.removed.take() {
            return listing(share);
        }
        match self.below(1000) {
            0..400 if self.held.len() < HELD_LEN_MAX => self.purchase(),
            0..620 => self.sell(),
            620..825 => {
                let buyer = self.buyer();
                self.by_buyer(buyer, Operation::GetShares { buyer })
            }
            825..890 => by_admin(self.market(), Operation::ListShareAvailability { share_type: self.share_type() }),
            890..978 => self.swap(),
            978..980 => self.remove(),
            _ => self.mistake(),
        }
    }

    fn purchase(&mut self) -> Request {
        let (buyer, share, count) = (self.buyer(), self.share(), 1 + self.below(COUNT_MAX));
        self.held.push(Holding { buyer, share, count });
        self.by_buyer(buyer, Operation::PurchaseShare { buyer, share, count: units(count) })
    }

    /// Sells a holding, or part of it.
    fn sell(&mut self) -> Request {
        let Some(place) = self.place_held() else { return self.purchase() };
        let Holding { buyer, share, count } = self.held[place];
        let sold = if self.below(4) == 0 { 1 + self.below(count) } else { count };
        if sold == count {
            self.held.swap_remove(place);
        } else {
            self.held[place].count -= sold;
        }
        self.by_buyer(buyer, Operation::SellShare { buyer, id: share.id, count: units(sold) })
    }

    fn swap(&mut self) -> Request {
        let Some(place) = self.place_held() else { return self.purchase() };
        let new = self.share();
        let Holding { buyer, share: old, .. } = self.held[place];
        self.held[place].share = new;
        self.by_buyer(buyer, Operation::SwapShares { buyer, old, new })
    }

    /// Takes a share off the market, with all that is held of it. It is rare, since it undoes what many have bought.
    fn remove(&mut self) -> Request {
        let share = self.share();
        self.removed = Some(share);
        by_admin(share.id.market, Operation::RemoveShare { share })
    }

    /// A request that is refused, whatever the state of the market; almost always.
    fn mistake(&mut self) -> Request {
        let (buyer, share) = (self.buyer(), self.share());
        let foreign = MarketCode::ALL[(share.id.market as usize + 1) % MarketCode::ALL.len()];
        let held = self.place_held().map_or(Holding { buyer, share, count: 1 }, |place| self.held[place]);
        match self.below(8) {
            0 => by_admin(foreign, Operation::RemoveShare { share }),
            1 => by_admin(foreign, Operation::GetShares { buyer: BuyerId { market: share.id.market, ..buyer } }),
            2 => {
                let operation = Operation::ListShareAvailability { share_type: share.share_type };
                Request { caller: Caller::Buyer(buyer), operation }
            }
            3 => listing(share),
            4 => self.by_buyer(buyer, Operation::PurchaseShare { buyer, share: unlisted(foreign), count: units(1) }),
            5 => {
                let Holding { buyer, share: old, .. } = held;
                self.by_buyer(buyer, Operation::SwapShares { buyer, old, new: unlisted(foreign) })
            }
            6 => {
                let Holding { buyer, share, .. } = held;
                self.by_buyer(buyer, Operation::SwapShares { buyer, old: share, new: share })
            }
            _ => {
                let Holding { buyer, share, .. } = held;
                self.by_buyer(buyer, Operation::SellShare { buyer, id: share.id, count: units(Units::MAX) })
            }
        }
    }

    /// A buyer's request, made by the buyer; now and then by an admin on the buyer's behalf.
    fn by_buyer(&mut self, buyer: BuyerId, operation: Operation) -> Request {
        match self.below(20) {
            0 => by_admin(buyer.market, operation),
            _ => Request { caller: Caller::Buyer(buyer), operation },
        }
    }

    fn place_held(&mut self) -> Option<usize> {
        self.place_in(self.held.len())
    }

    fn buyer(&mut self) -> BuyerId {
        match self.below(3) {
            0 => self.place_in(self.regulars.len()).map(|place| self.regulars[place]).expect("a client has regulars"),
            _ => self.any_buyer(),
        }
    }

    fn any_buyer(&mut self) -> BuyerId {
        let number = u16::try_from(1000 + self.below(BUYERS_PER_MARKET)).ok().and_then(|number| number.try_into().ok());
        BuyerId { market: self.market(), number: number.expect("a buyer's number has four digits") }
    }

    fn share(&mut self) -> Share {
        let place = u8::try_from(self.below(SHARES_PER_MARKET.into())).expect("places are counted in a byte");
        share_at(self.market(), place)
    }

    fn market(&mut self) -> MarketCode {
        MarketCode::ALL[self.below(3) as usize]
    }

    fn share_type(&mut self) -> ShareType {
        ShareType::ALL[self.below(3) as usize]
    }

    /// A place in a list of this length; `None` if it is empty.
    fn place_in(&mut self, len: usize) -> Option<usize> {
        let len = u32::try_from(len).expect("the lists here are short");
        (len > 0).then(|| self.below(len) as usize)
    }

    /// A number from 0 to `bound`, which is excluded. The bounds here are so small that no number is noticeably likelier.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.random.next_u32()) * u64::from(bound)) >> 32) as u32
    }
}

impl Iterator for Mix {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        Some(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::market::{Context, Module, Outcome, parse_request, request_words};
    use crate::native::NativeMarket;

    #[test]
    fn equal_seeds_give_equal_requests_and_others_do_not() {
        let requests = |seed, client| Mix::new(seed, client).take(1000).collect::<Vec<_>>();
        assert_eq!(requests(1, 0), requests(1, 0));
        assert_ne!(requests(1, 0), requests(2, 0));
        assert_ne!(requests(1, 0), requests(1, 1));
    }

    #[test]
    fn every_share_is_listed_once() {
        let shares: BTreeSet<Share> = universe().collect();
        assert_eq!(shares.len(), universe().count());
        assert!(shares.iter().all(|share| *share != unlisted(share.id.market)));
    }

    #[test]
    fn the_front_end_understands_every_request() {
        for request in listings().chain(Mix::new(7, 0).take(10_000)) {
            assert_eq!(parse_request(&request_words(&request)), Ok(request));
        }
    }

    #[test]
    fn every_outcome_and_every_refusal_occurs_and_most_requests_succeed() {
        let mut market = NativeMarket::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (request, number) in listings().chain(Mix::new(1, 0).take(20_000)).zip(1..) {
            let outcome = market.execute(Context { sequence_number: number, time_ms: 0 }, &request).unwrap();
            let name = match outcome {
                Outcome::Refused(refusal) => refusal.name().to_owned(),
                _ => request.operation.name().to_owned(),
            };
            *seen.entry(name).or_default() += 1;
        }
        let names = [
            "add-share",
            "remove-share",
            "list-share-availability",
            "purchase-share",
            "get-shares",
            "sell-share",
            "swap-shares",
            "forbidden",
            "wrong-market",
            "already-exists",
            "not-found",
            "already-owned",
            "daily-limit",
            "weekly-limit",
            "sold-out",
            "not-owned",
            "insufficient-owned",
            "same-share",
            "new-not-found",
            "insufficient-new",
        ];
        assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(names), "{seen:?}");
        let succeeded: usize = names[..7].iter().map(|name| seen[*name]).sum();
        assert!(succeeded > 14_000, "{succeeded} of 20000: {seen:?}");
    }
}
