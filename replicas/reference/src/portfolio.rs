//! What one buyer holds, in the order of the dates.
//!
//! The limits ask what a buyer holds on a day or in a week, so the day leads the key and both are a short range
//! however much the buyer holds. A portfolio knows no rule of the market: see `limits`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::calendar::Day;
use crate::types::{Share, ShareId, ShareType, Units};

/// The holdings of one buyer. None has 0 units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Portfolio {
    holdings: BTreeMap<Key, Units>,
}

/// A share with its day in front. The fields are in the order in which they sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    day: Day,
    share: Share,
}

impl Key {
    fn of(share: Share) -> Key {
        Key { day: Day::of(share.id.date), share }
    }

    /// No key of this day or a later one precedes it.
    fn lowest_on(day: Day) -> Key {
        Key { day, share: Share { share_type: ShareType::Equity, id: ShareId::LOWEST } }
    }
}

impl Portfolio {
    pub(crate) fn is_empty(&self) -> bool {
        self.holdings.is_empty()
    }

    /// Units held of a share; 0 when it is not held.
    pub(crate) fn units_of(&self, share: Share) -> Units {
        self.holdings.get(&Key::of(share)).copied().unwrap_or(0)
    }

    /// Every holding, by date.
    pub(crate) fn holdings(&self) -> impl Iterator<Item = (Share, Units)> {
        self.holdings.iter().map(|(key, units)| (key.share, *units))
    }

    /// The shares held whose dates lie within the given days.
    pub(crate) fn shares_within(&self, days: RangeInclusive<Day>) -> impl Iterator<Item = Share> {
        let range = Key::lowest_on(*days.start())..Key::lowest_on(days.end().next());
        self.holdings.range(range).map(|(key, _)| key.share)
    }

    /// Add a holding of a share that is not held yet, or answer `false` and change nothing.
    pub(crate) fn insert(&mut self, share: Share, units: Units) -> bool {
        let key = Key::of(share);
        let is_new = !self.holdings.contains_key(&key);
        if is_new {
            self.holdings.insert(key, units);
        }
        is_new
    }

    /// Take units out of a holding that has at least as many, and answer how many remain in it.
    pub(crate) fn withdraw(&mut self, share: Share, units: Units) -> Units {
        let key = Key::of(share);
        let held = self.holdings.get_mut(&key).expect("only a share that is held is withdrawn");
        assert!(units <= *held, "{units} units of {share} withdrawn, {held} held");
        *held -= units;
        let remaining = *held;
        if remaining == 0 {
            self.holdings.remove(&key);
        }
        remaining
    }
}
