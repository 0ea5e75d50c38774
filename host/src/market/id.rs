//! Identifiers: markets, shares, admins, buyers and numbers of units.
//!
//! Each is read in any letter case and printed in the one canonical form of the market specification, section 1.
//! The order of every type is that of its canonical text, which is why variants and fields stand as they do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Date;

/// One of the three markets. The variants stand in the order of their codes as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MarketCode {
    /// London, `LON`.
    London,
    /// New York, `NYK`.
    NewYork,
    /// Tokyo, `TOK`.
    Tokyo,
}

impl MarketCode {
    /// All markets, in canonical order.
    pub const ALL: [MarketCode; 3] = [MarketCode::London, MarketCode::NewYork, MarketCode::Tokyo];

    /// The three letters that begin every identifier of this market.
    pub fn code(self) -> &'static str {
        match self {
            MarketCode::London => "LON",
            MarketCode::NewYork => "NYK",
            MarketCode::Tokyo => "TOK",
        }
    }
}

/// The part of the day in which a share is traded. The variants stand in the order of their letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// `A`.
    Afternoon,
    /// `E`.
    Evening,
    /// `M`.
    Morning,
}

impl Slot {
    /// All slots, in canonical order.
    pub const ALL: [Slot; 3] = [Slot::Afternoon, Slot::Evening, Slot::Morning];

    /// The letter that stands for this slot in a share id.
    pub fn letter(self) -> char {
        match self {
            Slot::Afternoon => 'A',
            Slot::Evening => 'E',
            Slot::Morning => 'M',
        }
    }
}

/// The type of a share, in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ShareType {
    /// `Equity`.
    Equity,
    /// `Bonus`.
    Bonus,
    /// `Dividend`.
    Dividend,
}

impl ShareType {
    /// All types, in canonical order.
    pub const ALL: [ShareType; 3] = [ShareType::Equity, ShareType::Bonus, ShareType::Dividend];

    /// The canonical spelling.
    pub fn name(self) -> &'static str {
        match self {
            ShareType::Equity => "Equity",
            ShareType::Bonus => "Bonus",
            ShareType::Dividend => "Dividend",
        }
    }
}

/// A share id such as `NYKM100925`. It names a share only together with a [`ShareType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShareId {
    /// The market that lists the share.
    pub market: MarketCode,
    /// When in the day it is traded.
    pub slot: Slot,
    /// The day on which it is traded.
    pub date: Date,
}

/// A share: the pair of share id and type. Ordered by id, then by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share {
    /// The share id.
    pub id: ShareId,
    /// The type; the same id under another type is another share.
    pub share_type: ShareType,
}

/// The four digits that end the id of an admin or a buyer, 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct PersonNumber(u16);

impl PersonNumber {
    /// The number behind the digits.
    pub fn value(self) -> u16 {
        self.0
    }
}

impl From<PersonNumber> for u16 {
    fn from(number: PersonNumber) -> u16 {
        number.0
    }
}

impl TryFrom<u16> for PersonNumber {
    type Error = &'static str;

    fn try_from(value: u16) -> Result<PersonNumber, Self::Error> {
        (value <= 9999).then_some(PersonNumber(value)).ok_or("a person's number has four digits")
    }
}

/// An administrator of one market, such as `NYKA1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AdminId {
    /// The market this admin administers.
    pub market: MarketCode,
    /// The four digits.
    pub number: PersonNumber,
}

/// A buyer, such as `TOKB5678`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuyerId {
    /// The buyer's home market.
    pub market: MarketCode,
    /// The four digits.
    pub number: PersonNumber,
}

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Caller {
    /// An administrator.
    Admin(AdminId),
    /// A buyer.
    Buyer(BuyerId),
}

/// A number of units in a request: 1 to 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Units(u32);

impl Units {
    /// The largest capacity, and the largest count of one request (market specification, section 1).
    pub const MAX: u32 = 1_000_000;

    /// The number of units.
    pub fn value(self) -> u32 {
        self.0
    }
}

impl From<Units> for u32 {
    fn from(units: Units) -> u32 {
        units.0
    }
}

impl TryFrom<u32> for Units {
    type Error = &'static str;

    fn try_from(value: u32) -> Result<Units, Self::Error> {
        (1..=Units::MAX).contains(&value).then_some(Units(value)).ok_or("units go from 1 to 1000000")
    }
}

/// What a text should have been; the complete sentence is made by the caller, who knows the name of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected(pub &'static str);

const SHARE_ID_FORM: Expected =
    Expected("a share id such as NYKM100925: NYK, LON or TOK, then M, A or E, then a date as ddmmyy");
const SHARE_ID_DATE: Expected = Expected("a share id whose last six digits, ddmmyy, are a date of the calendar");
const SHARE_TYPE: Expected = Expected("Equity, Bonus or Dividend");
const ADMIN_ID: Expected = Expected("an admin id such as NYKA1001: NYK, LON or TOK, then A, then four digits");
const BUYER_ID: Expected = Expected("a buyer id such as NYKB1001: NYK, LON or TOK, then B, then four digits");
const CALLER: Expected = Expected("an admin id such as NYKA1001 or a buyer id such as NYKB1001");
const UNITS: Expected = Expected("a whole number from 1 to 1000000");

/// Splits off the market code; `None` unless the text is ASCII and begins with one.
fn split_market(text: &str) -> Option<(MarketCode, &str)> {
    if !text.is_ascii() || text.len() < 3 {
        return None;
    }
    let (code, rest) = text.split_at(3);
    let market = MarketCode::ALL.into_iter().find(|market| market.code().eq_ignore_ascii_case(code))?;
    Some((market, rest))
}

/// Reads exactly `len` ASCII digits.
fn digits(text: &str, len: usize) -> Option<u32> {
    let all_digits = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok())?
}

fn person(text: &str, letter: char) -> Option<(MarketCode, PersonNumber)> {
    let (market, rest) = split_market(text)?;
    let number = rest.strip_prefix([letter, letter.to_ascii_lowercase()])?;
    let number = u16::try_from(digits(number, 4)?).ok()?;
    Some((market, PersonNumber::try_from(number).ok()?))
}

impl FromStr for ShareId {
    type Err = Expected;

    fn from_str(text: &str) -> Result<ShareId, Expected> {
        let (market, rest) = split_market(text).ok_or(SHARE_ID_FORM)?;
        let letter = rest.chars().next().ok_or(SHARE_ID_FORM)?.to_ascii_uppercase();
        let slot = Slot::ALL.into_iter().find(|slot| slot.letter() == letter).ok_or(SHARE_ID_FORM)?;
        let ddmmyy = digits(&rest[1..], 6).ok_or(SHARE_ID_FORM)?;
        let part = |divisor: u32| u8::try_from(ddmmyy / divisor % 100).expect("two digits fit a byte");
        let date = Date::new(part(10_000), part(100), part(1)).ok_or(SHARE_ID_DATE)?;
        Ok(ShareId { market, slot, date })
    }
}

impl FromStr for ShareType {
    type Err = Expected;

    fn from_str(text: &str) -> Result<ShareType, Expected> {
        ShareType::ALL.into_iter().find(|share_type| share_type.name().eq_ignore_ascii_case(text)).ok_or(SHARE_TYPE)
    }
}

impl FromStr for AdminId {
    type Err = Expected;

    fn from_str(text: &str) -> Result<AdminId, Expected> {
        person(text, 'A').map(|(market, number)| AdminId { market, number }).ok_or(ADMIN_ID)
    }
}

impl FromStr for BuyerId {
    type Err = Expected;

    fn from_str(text: &str) -> Result<BuyerId, Expected> {
        person(text, 'B').map(|(market, number)| BuyerId { market, number }).ok_or(BUYER_ID)
    }
}

impl FromStr for Caller {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Caller, Expected> {
        let admin = text.parse().map(Caller::Admin);
        admin.or_else(|_| text.parse().map(Caller::Buyer)).map_err(|_| CALLER)
    }
}

impl FromStr for Units {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Units, Expected> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = plain.then(|| text.parse::<u32>().ok()).flatten().ok_or(UNITS)?;
        Units::try_from(value).map_err(|_| UNITS)
    }
}

impl fmt::Display for MarketCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for ShareType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.market, self.slot.letter(), self.date)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.share_type)
    }
}

impl fmt::Display for AdminId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}A{:04}", self.market, self.number.0)
    }
}

impl fmt::Display for BuyerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B{:04}", self.market, self.number.0)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Admin(admin) => admin.fmt(f),
            Caller::Buyer(buyer) => buyer.fmt(f),
        }
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = Expected> + fmt::Display>(given: &str, expected: Result<&str, Expected>) {
        let read = given.parse::<T>().map(|value| value.to_string());
        assert_eq!(read, expected.map(str::to_owned), "{given:?}");
    }

    #[test]
    fn share_ids_are_read_in_any_case_and_printed_in_one() {
        check::<ShareId>("NYKM100925", Ok("NYKM100925"));
        check::<ShareId>("tokE010203", Ok("TOKE010203"));
        check::<ShareId>("LONA290224", Ok("LONA290224"));
        for given in
            ["", "TOK", "TOKE925", "TOKS120925", "NYKM1009255", "NYKM10O925", "PARM100925", "NYKM+10925", "NYKé10092"]
        {
            check::<ShareId>(given, Err(SHARE_ID_FORM));
        }
        for given in ["TOKE122225", "NYKM310225", "NYKM290225", "NYKM000125"] {
            check::<ShareId>(given, Err(SHARE_ID_DATE));
        }
    }

    #[test]
    fn people_are_read_in_any_case_and_printed_in_one() {
        check::<AdminId>("nyka1001", Ok("NYKA1001"));
        check::<BuyerId>("TokB0007", Ok("TOKB0007"));
        check::<Caller>("lonb1234", Ok("LONB1234"));
        check::<AdminId>("NYKB1001", Err(ADMIN_ID));
        check::<BuyerId>("NYKB101", Err(BUYER_ID));
        check::<BuyerId>("NYKB+101", Err(BUYER_ID));
        check::<Caller>("NYKC1001", Err(CALLER));
    }

    #[test]
    fn units_go_from_one_to_a_million() {
        check::<Units>("1", Ok("1"));
        check::<Units>("1000000", Ok("1000000"));
        for given in ["0", "1000001", "-1", "+1", "1.0", "", "99999999999999999999"] {
            check::<Units>(given, Err(UNITS));
        }
    }

    #[test]
    fn the_order_of_shares_is_that_of_their_text() {
        let texts = ["NYKM100925", "LONM311226", "TOKA010101", "NYKA311226", "NYKE020125", "NYKM100125"];
        let mut ids: Vec<ShareId> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let mut sorted = texts;
        ids.sort();
        sorted.sort();
        assert_eq!(ids.iter().map(ShareId::to_string).collect::<Vec<_>>(), sorted);
    }
}
