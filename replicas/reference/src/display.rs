//! Identifiers in the canonical text form of the market specification, for messages that people read.
//!
//! There is no parsing here: text becomes an identifier in the front end, and nowhere else.

use std::fmt;

use crate::types::{BuyerId, Date, Market, Share, ShareId, ShareType, Slot};

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Market::Nyk => "NYK",
            Market::Lon => "LON",
            Market::Tok => "TOK",
        })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::Morning => "M",
            Slot::Afternoon => "A",
            Slot::Evening => "E",
        })
    }
}

impl fmt::Display for ShareType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ShareType::Equity => "Equity",
            ShareType::Bonus => "Bonus",
            ShareType::Dividend => "Dividend",
        })
    }
}

impl fmt::Display for ShareId {
    /// A year outside 2000 to 2099 is printed whole: it is the very thing a message about it has to show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = self.date;
        write!(f, "{}{}{day:02}{month:02}", self.market, self.slot)?;
        match year {
            2000..=2099 => write!(f, "{:02}", year % 100),
            _ => write!(f, "{year}"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.share_type)
    }
}

impl fmt::Display for BuyerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B{:04}", self.market, self.number)
    }
}
