//! What a module answers to a request, and the canonical form in which answers are compared.

use serde::{Deserialize, Serialize};

use super::{Share, ShareId, ShareType};

/// The answer of a replica module. Two outcomes are the same when they are equal after [`Outcome::into_canonical`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A share was added.
    Added {
        /// Its capacity.
        capacity: u32,
    },
    /// A share was removed.
    Removed {
        /// Units nobody held.
        available: u32,
        /// Buyers who held some.
        holders: u32,
        /// The sum of what they held.
        units: u32,
    },
    /// Every share of one type.
    Availability {
        /// The type asked for.
        share_type: ShareType,
        /// Share ids with their available units.
        shares: Vec<(ShareId, u32)>,
    },
    /// Units were bought.
    Purchased {
        /// Units asked for.
        requested: u32,
        /// Units bought.
        bought: u32,
        /// Units available afterwards.
        available: u32,
    },
    /// Every holding of one buyer.
    Holdings {
        /// Shares with the units held.
        holdings: Vec<(Share, u32)>,
    },
    /// Units were sold.
    Sold {
        /// The type they were sold from.
        share_type: ShareType,
        /// Units sold.
        sold: u32,
        /// Units still held of that share.
        remaining: u32,
        /// Units available afterwards.
        available: u32,
    },
    /// A holding was exchanged.
    Swapped {
        /// Units exchanged.
        units: u32,
    },
    /// The request was refused and changed nothing.
    Refused(Refusal),
}

/// Why a request was refused (market specification, sections 3 and 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The caller may not ask this.
    Forbidden,
    /// The share is of another market than the admin's.
    WrongMarket,
    /// The share is listed already.
    AlreadyExists,
    /// There is no such share.
    NotFound,
    /// The buyer holds this share already.
    AlreadyOwned,
    /// The buyer holds another share of that type and day.
    DailyLimit,
    /// The buyer holds three foreign shares of that week.
    WeeklyLimit,
    /// No units are available.
    SoldOut,
    /// Nothing is held.
    NotOwned,
    /// No type is held with enough units.
    InsufficientOwned {
        /// The most held under one type.
        owned: u32,
    },
    /// Old and new are one share.
    SameShare,
    /// There is no such new share.
    NewNotFound,
    /// Too few units of the new share are available.
    InsufficientNew {
        /// Units available.
        available: u32,
        /// Units needed.
        needed: u32,
    },
}

impl Outcome {
    /// Puts the lists in canonical order, so that modules may answer in any.
    pub fn into_canonical(mut self) -> Outcome {
        match &mut self {
            Outcome::Availability { shares, .. } => shares.sort_unstable(),
            Outcome::Holdings { holdings } => holdings.sort_unstable(),
            _ => {}
        }
        self
    }

    /// Bytes that the outcome takes in memory, its lists included. Bounds on stored outcomes count these.
    pub fn size_bytes(&self) -> usize {
        let listed = match self {
            Outcome::Availability { shares, .. } => size_of_val(shares.as_slice()),
            Outcome::Holdings { holdings } => size_of_val(holdings.as_slice()),
            _ => 0,
        };
        size_of::<Outcome>() + listed
    }
}

impl Refusal {
    /// The refusal's name in JSON and in the market specification.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::Forbidden => "forbidden",
            Refusal::WrongMarket => "wrong-market",
            Refusal::AlreadyExists => "already-exists",
            Refusal::NotFound => "not-found",
            Refusal::AlreadyOwned => "already-owned",
            Refusal::DailyLimit => "daily-limit",
            Refusal::WeeklyLimit => "weekly-limit",
            Refusal::SoldOut => "sold-out",
            Refusal::NotOwned => "not-owned",
            Refusal::InsufficientOwned { .. } => "insufficient-owned",
            Refusal::SameShare => "same-share",
            Refusal::NewNotFound => "new-not-found",
            Refusal::InsufficientNew { .. } => "insufficient-new",
        }
    }
}
