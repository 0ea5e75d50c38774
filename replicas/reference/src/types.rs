//! Identifiers, requests, outcomes and state: the interface `types` of the contract, as plain Rust.
//!
//! Each name is the contract's own in Rust's spelling, so that `wit/replica.wit` documents them too. The derived order
//! is that of declaration; it is not the canonical order of the market specification, into which the host sorts.

/// The largest capacity of a share, and the largest number of units in a request.
pub const UNITS_MAX: Units = 1_000_000;

/// The largest number in an admin or buyer id, which has four digits.
pub const ID_NUMBER_MAX: u16 = 9_999;

/// The first year that a share id can name: `yy` means `20yy`.
pub const YEAR_MIN: u16 = 2_000;

/// The last year that a share id can name.
pub const YEAR_MAX: u16 = 2_099;

/// A number of units of a share. In a request it is 1 to [`UNITS_MAX`]; in state and outcomes it may be 0.
pub type Units = u32;

/// One of the three markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Market {
    /// New York, `NYK`.
    Nyk,
    /// London, `LON`.
    Lon,
    /// Tokyo, `TOK`.
    Tok,
}

/// The part of the day in which a share is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// `M` in a share id.
    Morning,
    /// `A` in a share id.
    Afternoon,
    /// `E` in a share id.
    Evening,
}

/// The type of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShareType {
    /// `Equity`.
    Equity,
    /// `Bonus`.
    Bonus,
    /// `Dividend`.
    Dividend,
}

impl ShareType {
    /// Every type, in the order in which `sell-share` tries them.
    pub const ALL: [ShareType; 3] = [ShareType::Equity, ShareType::Bonus, ShareType::Dividend];
}

/// A date of the Gregorian calendar. Its fields can spell a date that does not exist: see [`Date::is_real`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The full year, [`YEAR_MIN`] to [`YEAR_MAX`].
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A share id such as `NYKM100925`. It does not name one share by itself: see [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId {
    /// The market in which the share is traded.
    pub market: Market,
    /// The part of the day.
    pub slot: Slot,
    /// The date from which the day and the week of every limit come.
    pub date: Date,
}

impl ShareId {
    /// No share id precedes this one in the derived order. It names no real date, and serves to begin a range.
    pub(crate) const LOWEST: ShareId =
        ShareId { market: Market::Nyk, slot: Slot::Morning, date: Date { year: 0, month: 0, day: 0 } };
}

/// A share: the pair of type and share id. The same share id under two types is two shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    /// The type; first in the derived order, so that the shares of one type lie together.
    pub share_type: ShareType,
    /// The share id.
    pub id: ShareId,
}

/// An administrator of one market, such as `NYKA1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdminId {
    /// The market whose shares the admin adds and removes, and for whose buyers the admin may act.
    pub market: Market,
    /// The four digits, 0 to [`ID_NUMBER_MAX`].
    pub number: u16,
}

/// A buyer, such as `TOKB5678`. Buyers are not registered: one exists by being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuyerId {
    /// The buyer's home market.
    pub market: Market,
    /// The four digits, 0 to [`ID_NUMBER_MAX`].
    pub number: u16,
}

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// An administrator.
    Admin(AdminId),
    /// A buyer.
    Buyer(BuyerId),
}

/// One request: who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What is asked for.
    pub operation: Operation,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Put a new share on the market, all of it available.
    AddShare(AddShare),
    /// Take a share off the market, together with every holding of it.
    RemoveShare(Share),
    /// List every share of one type in all three markets.
    ListShareAvailability(ShareType),
    /// Buy units of a share, as many as asked for or as many as there are.
    PurchaseShare(PurchaseShare),
    /// List every holding of the buyer.
    GetShares(BuyerId),
    /// Sell units held under a share id.
    SellShare(SellShare),
    /// Exchange all units of one share for as many of another.
    SwapShares(SwapShares),
}

/// Arguments of [`Operation::AddShare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddShare {
    /// The share to add.
    pub share: Share,
    /// 1 to [`UNITS_MAX`].
    pub capacity: Units,
}

/// Arguments of [`Operation::PurchaseShare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PurchaseShare {
    /// Who buys.
    pub buyer: BuyerId,
    /// The share to buy.
    pub share: Share,
    /// 1 to [`UNITS_MAX`].
    pub count: Units,
}

/// Arguments of [`Operation::SellShare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SellShare {
    /// Who sells.
    pub buyer: BuyerId,
    /// The share id to sell under. No type is named.
    pub id: ShareId,
    /// 1 to [`UNITS_MAX`].
    pub count: Units,
}

/// Arguments of [`Operation::SwapShares`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SwapShares {
    /// Whose holding is exchanged.
    pub buyer: BuyerId,
    /// The share to give up.
    pub old: Share,
    /// The share to receive.
    pub new: Share,
}

/// The answer to a request: a success of the requested operation, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Of `add-share`.
    Added(Added),
    /// Of `remove-share`.
    Removed(Removed),
    /// Of `list-share-availability`.
    Availability(Availability),
    /// Of `purchase-share`.
    Purchased(Purchased),
    /// Of `get-shares`: every holding of the buyer; may be empty.
    Holdings(Vec<Owned>),
    /// Of `sell-share`.
    Sold(Sold),
    /// Of `swap-shares`.
    Swapped(Swapped),
    /// Of any operation; nothing has changed.
    Refused(Refusal),
}

/// A share was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Added {
    /// Its capacity, all of it available.
    pub capacity: Units,
}

/// A share was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Removed {
    /// Units that nobody held.
    pub available: Units,
    /// How many buyers held units of it.
    pub holders: u32,
    /// The sum of the units they held.
    pub units: Units,
}

/// The answer to `list-share-availability`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Availability {
    /// The type asked for.
    pub share_type: ShareType,
    /// Every share of that type, sold-out ones included; may be empty.
    pub shares: Vec<AvailableShare>,
}

/// One share of an [`Availability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AvailableShare {
    /// The share id, of the type asked for.
    pub id: ShareId,
    /// 0 when sold out.
    pub available: Units,
}

/// Units were bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purchased {
    /// The count asked for.
    pub requested: Units,
    /// The smaller of that and the units that were available.
    pub bought: Units,
    /// Units available afterwards.
    pub available: Units,
}

/// One holding of the buyer asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owned {
    /// The share held.
    pub share: Share,
    /// At least 1.
    pub units: Units,
}

/// Units were sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sold {
    /// The type they were sold from.
    pub share_type: ShareType,
    /// The count asked for.
    pub sold: Units,
    /// Units of that share the buyer still holds.
    pub remaining: Units,
    /// Units of that share available afterwards.
    pub available: Units,
}

/// A holding was exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Swapped {
    /// The units exchanged.
    pub units: Units,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The caller may not ask for this.
    Forbidden,
    /// An admin named a share of another market than the admin's own.
    WrongMarket,
    /// The share to add is on the market already.
    AlreadyExists,
    /// There is no such share.
    NotFound,
    /// The buyer holds units of exactly this share.
    AlreadyOwned,
    /// The buyer holds another share of the same type and date.
    DailyLimit,
    /// The buyer holds as many foreign shares of that week as are allowed.
    WeeklyLimit,
    /// No units are available.
    SoldOut,
    /// The buyer holds nothing of what is to be given up.
    NotOwned,
    /// No type is held with as many units as are to be sold.
    InsufficientOwned(InsufficientOwned),
    /// Old and new are the same share.
    SameShare,
    /// There is no such new share.
    NewNotFound,
    /// Fewer units of the new share are available than are held of the old one.
    InsufficientNew(InsufficientNew),
}

/// Why a sale was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InsufficientOwned {
    /// The largest number of units held under one type of the share id.
    pub owned: Units,
}

/// Why an exchange was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InsufficientNew {
    /// Units of the new share that are available.
    pub available: Units,
    /// Units that would be needed.
    pub needed: Units,
}

/// The whole market, in terms that do not depend on how a module stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketState {
    /// Every share once, in any order.
    pub shares: Vec<ShareState>,
    /// Every holding once, in any order.
    pub holdings: Vec<HoldingState>,
}

/// One share of a [`MarketState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareState {
    /// The share.
    pub share: Share,
    /// 1 to [`UNITS_MAX`].
    pub capacity: Units,
    /// Units that nobody holds.
    pub available: Units,
}

/// One holding of a [`MarketState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldingState {
    /// Who holds.
    pub buyer: BuyerId,
    /// What is held.
    pub share: Share,
    /// At least 1.
    pub units: Units,
}
