//! Reads a request from the words of a command line, as the front end does for every client.
//!
//! The grammar is that of the market specification, section 6: `CALLER OPERATION ARGS… [--buyer ID]`. What is refused here
//! is a [`BadRequest`]; it never reaches the sequencer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::Expected;
use super::{BuyerId, Caller, Operation, Request, Share};

/// Longest piece of a client's own words that a refusal repeats, in characters.
///
/// Clients control it; without a bound a refusal would be as long as the frame that caused it.
const GIVEN_LEN_MAX: usize = 80;

/// The part of a request that a refusal is about, as the specification names it: `share-id`, `type`, `count`, …
pub type FieldName = &'static str;

/// Every operation with the names of its arguments, in the order of the specification.
pub const OPERATION_FORMS: [(&str, &[FieldName]); 7] = [
    ("add-share", &["share-id", "type", "capacity"]),
    ("remove-share", &["share-id", "type"]),
    ("list-share-availability", &["type"]),
    ("purchase-share", &["share-id", "type", "count"]),
    ("get-shares", &[]),
    ("sell-share", &["share-id", "count"]),
    ("swap-shares", &["old-id", "old-type", "new-id", "new-type"]),
];

/// A request that could not be understood: which field, what was given, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRequest {
    /// The field, as the specification names it.
    pub field: String,
    /// The client's own word; empty when it gave none.
    pub given: String,
    /// A sentence for a person: what is wrong and what is expected.
    pub message: String,
}

impl BadRequest {
    fn new(field: FieldName, given: &str, message: impl Into<String>) -> BadRequest {
        BadRequest { field: field.to_owned(), given: abridged(given), message: message.into() }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadRequest {}

/// Reads one request from its words.
pub fn parse_request<W: AsRef<str>>(words: &[W]) -> Result<Request, BadRequest> {
    let (positional, buyer) = split_buyer(words)?;
    let mut positional = positional.into_iter();
    let caller: Caller = field("caller", positional.next().unwrap_or(""))?;
    let name = positional.next().unwrap_or("");
    let Some((name, fields)) = OPERATION_FORMS.into_iter().find(|(form, _)| form.eq_ignore_ascii_case(name)) else {
        let known: Vec<&str> = OPERATION_FORMS.iter().map(|(form, _)| *form).collect();
        let message = format!("operation {}: expected one of {}", quoted(name), known.join(", "));
        return Err(BadRequest::new("operation", name, message));
    };
    let mut arguments = Arguments { operation: name, fields: fields.iter(), words: positional };
    let operation = match name {
        "add-share" => {
            refuse_buyer(name, buyer)?;
            Operation::AddShare { share: arguments.share()?, capacity: arguments.next()? }
        }
        "remove-share" => {
            refuse_buyer(name, buyer)?;
            Operation::RemoveShare { share: arguments.share()? }
        }
        "list-share-availability" => {
            refuse_buyer(name, buyer)?;
            Operation::ListShareAvailability { share_type: arguments.next()? }
        }
        "purchase-share" => {
            let (share, count) = (arguments.share()?, arguments.next()?);
            Operation::PurchaseShare { buyer: on_behalf_of(caller, buyer)?, share, count }
        }
        "get-shares" => Operation::GetShares { buyer: on_behalf_of(caller, buyer)? },
        "sell-share" => {
            let (id, count) = (arguments.next()?, arguments.next()?);
            Operation::SellShare { buyer: on_behalf_of(caller, buyer)?, id, count }
        }
        "swap-shares" => {
            let (old, new) = (arguments.share()?, arguments.share()?);
            Operation::SwapShares { buyer: on_behalf_of(caller, buyer)?, old, new }
        }
        _ => unreachable!("every form of OPERATION_FORMS is matched above, got {name}"),
    };
    arguments.end()?;
    Ok(Request { caller, operation })
}

/// The words of a request in canonical form; [`parse_request`] reads them back.
pub fn request_words(request: &Request) -> Vec<String> {
    let mut words = vec![request.caller.to_string(), request.operation.name().to_owned()];
    let mut push_share = |share: &Share| words.extend([share.id.to_string(), share.share_type.to_string()]);
    let buyer = match &request.operation {
        Operation::AddShare { share, capacity } => {
            push_share(share);
            words.push(capacity.to_string());
            None
        }
        Operation::RemoveShare { share } => {
            push_share(share);
            None
        }
        Operation::ListShareAvailability { share_type } => {
            words.push(share_type.to_string());
            None
        }
        Operation::PurchaseShare { buyer, share, count } => {
            push_share(share);
            words.push(count.to_string());
            Some(buyer)
        }
        Operation::GetShares { buyer } => Some(buyer),
        Operation::SellShare { buyer, id, count } => {
            words.extend([id.to_string(), count.to_string()]);
            Some(buyer)
        }
        Operation::SwapShares { buyer, old, new } => {
            push_share(old);
            push_share(new);
            Some(buyer)
        }
    };
    if let Some(buyer) = buyer.filter(|buyer| Caller::Buyer(**buyer) != request.caller) {
        words.extend(["--buyer".to_owned(), buyer.to_string()]);
    }
    words
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&request_words(self).join(" "))
    }
}

/// The arguments of one operation, taken one field at a time.
struct Arguments<W> {
    operation: &'static str,
    fields: std::slice::Iter<'static, FieldName>,
    words: W,
}

impl<'a, W: Iterator<Item = &'a str>> Arguments<W> {
    fn next<T: FromStr<Err = Expected>>(&mut self) -> Result<T, BadRequest> {
        let name = self.fields.next().expect("an operation takes as many arguments as its form names");
        field(name, self.words.next().unwrap_or(""))
    }

    fn share(&mut self) -> Result<Share, BadRequest> {
        Ok(Share { id: self.next()?, share_type: self.next()? })
    }

    fn end(mut self) -> Result<(), BadRequest> {
        let Some(extra) = self.words.next() else { return Ok(()) };
        let message = format!("argument {}: {} takes no further argument", quoted(extra), self.operation);
        Err(BadRequest::new("arguments", extra, message))
    }
}

/// Takes `--buyer ID` or `--buyer=ID` out of the words, wherever it stands.
fn split_buyer<W: AsRef<str>>(words: &[W]) -> Result<(Vec<&str>, Option<&str>), BadRequest> {
    let mut positional = Vec::with_capacity(words.len());
    let mut buyer = None;
    let mut words = words.iter().map(AsRef::as_ref);
    while let Some(word) = words.next() {
        let id = match word.strip_prefix("--buyer") {
            Some("") => words.next().unwrap_or(""),
            Some(rest) if rest.starts_with('=') => &rest[1..],
            _ => {
                positional.push(word);
                continue;
            }
        };
        if buyer.replace(id).is_some() {
            return Err(BadRequest::new("buyer", id, "buyer: --buyer is given twice"));
        }
    }
    Ok((positional, buyer))
}

/// For whom a buyer's operation is: the buyer named, or else the caller.
fn on_behalf_of(caller: Caller, buyer: Option<&str>) -> Result<BuyerId, BadRequest> {
    match (caller, buyer) {
        (_, Some(given)) => field("buyer", given),
        (Caller::Buyer(buyer), None) => Ok(buyer),
        (Caller::Admin(_), None) => {
            Err(BadRequest::new("buyer", "", "buyer: an admin has to name one, with --buyer followed by a buyer id"))
        }
    }
}

fn refuse_buyer(operation: &str, buyer: Option<&str>) -> Result<(), BadRequest> {
    match buyer {
        None => Ok(()),
        Some(given) => {
            Err(BadRequest::new("buyer", given, format!("buyer: {operation} is not for a buyer, leave --buyer out")))
        }
    }
}

fn field<T: FromStr<Err = Expected>>(name: FieldName, given: &str) -> Result<T, BadRequest> {
    given.parse().map_err(|Expected(expected)| {
        let what = if given.is_empty() { "missing".to_owned() } else { quoted(given) };
        BadRequest::new(name, given, format!("{name} {what}: expected {expected}"))
    })
}

fn quoted(given: &str) -> String {
    format!("{:?}", abridged(given))
}

fn abridged(given: &str) -> String {
    match given.char_indices().nth(GIVEN_LEN_MAX) {
        None => given.to_owned(),
        Some((end, _)) => format!("{}…", &given[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn canonical_words_are_read_back_as_the_same_request() {
        for line in [
            "NYKA1001 add-share NYKM100925 Equity 100",
            "NYKA1001 remove-share NYKM100925 Equity",
            "TOKA0001 list-share-availability Dividend",
            "NYKB1001 purchase-share LONE290224 Bonus 5",
            "NYKA1001 purchase-share LONE290224 Bonus 5 --buyer NYKB1001",
            "NYKB1001 get-shares",
            "LONB1001 get-shares --buyer NYKB1001",
            "NYKB1001 sell-share LONE290224 1000000",
            "NYKB1001 swap-shares LONE290224 Bonus TOKA010125 Equity",
        ] {
            let request = parse_request(&words(line)).unwrap();
            assert_eq!(request.to_string(), line);
        }
    }

    #[test]
    fn any_letter_case_is_read() {
        let request = parse_request(&words("nykb1001 PURCHASE-share lone290224 bOnUs 5 --buyer=nykb1001")).unwrap();
        assert_eq!(request.to_string(), "NYKB1001 purchase-share LONE290224 Bonus 5");
    }

    #[test]
    fn a_bad_request_names_the_field_and_repeats_what_was_given() {
        #[track_caller]
        fn check(line: &str, field: &str, given: &str) {
            let refused = parse_request(&words(line)).unwrap_err();
            assert_eq!((refused.field.as_str(), refused.given.as_str()), (field, given), "{line:?}: {refused}");
        }
        check("", "caller", "");
        check("NYKC1001 get-shares", "caller", "NYKC1001");
        check("NYKB1001", "operation", "");
        check("NYKB1001 steal-share", "operation", "steal-share");
        check("NYKA1001 add-share TOKE925 Equity 5", "share-id", "TOKE925");
        check("NYKA1001 add-share NYKM310225 Equity 5", "share-id", "NYKM310225");
        check("NYKA1001 add-share NYKM100925 Preferred 5", "type", "Preferred");
        check("NYKA1001 add-share NYKM100925 Equity 0", "capacity", "0");
        check("NYKA1001 add-share NYKM100925 Equity", "capacity", "");
        check("NYKA1001 add-share NYKM100925 Equity 5 6", "arguments", "6");
        check("NYKA1001 add-share NYKM100925 Equity 5 --buyer NYKB1001", "buyer", "NYKB1001");
        check("NYKB1001 purchase-share NYKM100925 Equity 1000001", "count", "1000001");
        check("NYKA1001 get-shares", "buyer", "");
        check("NYKA1001 get-shares --buyer", "buyer", "");
        check("NYKA1001 get-shares --buyer NYKA1001", "buyer", "NYKA1001");
        check("NYKA1001 get-shares --buyer NYKB1001 --buyer NYKB1002", "buyer", "NYKB1002");
        check("NYKB1001 swap-shares NYKM100925 Equity TOKS120925 Equity", "new-id", "TOKS120925");
    }

    #[test]
    fn a_refusal_is_short_however_long_the_word() {
        let long = "é".repeat(100_000);
        let refused = parse_request(&[long.as_str()]).unwrap_err();
        assert!(refused.given.chars().count() <= GIVEN_LEN_MAX + 1 && refused.message.len() < 1000);
    }
}
