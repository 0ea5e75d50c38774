//! Scripts: one request a line in the command line's form, then `->` and the outcome in words.
//!
//! `NYKB1234 purchase-share NYKM100925 Equity 10 -> purchased 4 of 10, 0 available`. A line without an arrow sets the
//! stage: it must succeed, however. After each line the invariants must hold, and a refusal must have changed nothing.
//! The parser panics on whatever it does not understand; it is for tests only.

use dsms_reference::ReferenceMarket;
use dsms_reference::types::*;

/// Run a script on an empty market, and return what has become of it.
pub fn check(script: &str) -> ReferenceMarket {
    let mut market = ReferenceMarket::new();
    check_on(&mut market, script);
    market
}

/// Run a script on a given market.
pub fn check_on(market: &mut ReferenceMarket, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (asked, expected) = match line.split_once("->") {
            Some((asked, expected)) => (asked, Some(expected.trim())),
            None => (line, None),
        };
        let before = market.clone();
        let outcome = market.execute(&request(asked));
        let refused = matches!(outcome, Outcome::Refused(_));
        match expected {
            Some(expected) => assert_eq!(words(&outcome), expected, "the outcome of: {asked}"),
            None => assert!(!refused, "{} was the outcome of: {asked}", words(&outcome)),
        }
        if refused {
            assert_eq!(*market, before, "a refusal changed something: {line}");
        }
        if let Err(why) = market.check_invariants() {
            panic!("{why}, after: {line}");
        }
    }
}

/// `NYKB1234 sell-share NYKM100925 5`, with `--buyer LONB0001` at the end where the caller is not the buyer.
pub fn request(line: &str) -> Request {
    let (asked, on_behalf_of) = match line.split_once("--buyer") {
        Some((asked, buyer_text)) => (asked, Some(buyer(buyer_text.trim()))),
        None => (line, None),
    };
    let words: Vec<&str> = asked.split_whitespace().collect();
    let caller = caller(words[0]);
    let the_buyer = || match (on_behalf_of, caller) {
        (Some(buyer), _) | (None, Caller::Buyer(buyer)) => buyer,
        (None, Caller::Admin(_)) => panic!("an admin has to name a buyer: {line}"),
    };
    let operation = match words[1..] {
        ["add-share", id, share_type, capacity] => {
            Operation::AddShare(AddShare { share: share(id, share_type), capacity: number(capacity) })
        }
        ["remove-share", id, share_type] => Operation::RemoveShare(share(id, share_type)),
        ["list-share-availability", name] => Operation::ListShareAvailability(share_type(name)),
        ["purchase-share", id, share_type, count] => {
            let share = share(id, share_type);
            Operation::PurchaseShare(PurchaseShare { buyer: the_buyer(), share, count: number(count) })
        }
        ["get-shares"] => Operation::GetShares(the_buyer()),
        ["sell-share", id, count] => {
            Operation::SellShare(SellShare { buyer: the_buyer(), id: share_id(id), count: number(count) })
        }
        ["swap-shares", old_id, old_type, new_id, new_type] => {
            let (old, new) = (share(old_id, old_type), share(new_id, new_type));
            Operation::SwapShares(SwapShares { buyer: the_buyer(), old, new })
        }
        _ => panic!("not a request: {line}"),
    };
    Request { caller, operation }
}

/// An outcome in words. Lists are in the order of the share ids as text, then of the types.
pub fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Added(Added { capacity }) => format!("added {capacity}"),
        Outcome::Removed(Removed { available, holders, units }) => {
            format!("removed: {available} available, {units} held by {holders}")
        }
        Outcome::Availability(Availability { share_type, shares }) => {
            let mut items: Vec<String> =
                shares.iter().map(|share| format!("{} {}", share.id, share.available)).collect();
            items.sort();
            format!("{share_type}: {}", listed(&items))
        }
        Outcome::Purchased(Purchased { requested, bought, available }) => {
            format!("purchased {bought} of {requested}, {available} available")
        }
        Outcome::Holdings(holdings) => {
            let mut holdings = holdings.clone();
            holdings.sort_by_key(|owned| (owned.share.id.to_string(), owned.share.share_type));
            let items: Vec<String> = holdings.iter().map(|owned| format!("{} {}", owned.share, owned.units)).collect();
            format!("holdings: {}", listed(&items))
        }
        Outcome::Sold(Sold { share_type, sold, remaining, available }) => {
            format!("sold {sold} {share_type}, {remaining} remaining, {available} available")
        }
        Outcome::Swapped(Swapped { units }) => format!("swapped {units}"),
        Outcome::Refused(Refusal::Forbidden) => "forbidden".into(),
        Outcome::Refused(Refusal::WrongMarket) => "wrong-market".into(),
        Outcome::Refused(Refusal::AlreadyExists) => "already-exists".into(),
        Outcome::Refused(Refusal::NotFound) => "not-found".into(),
        Outcome::Refused(Refusal::AlreadyOwned) => "already-owned".into(),
        Outcome::Refused(Refusal::DailyLimit) => "daily-limit".into(),
        Outcome::Refused(Refusal::WeeklyLimit) => "weekly-limit".into(),
        Outcome::Refused(Refusal::SoldOut) => "sold-out".into(),
        Outcome::Refused(Refusal::NotOwned) => "not-owned".into(),
        Outcome::Refused(Refusal::InsufficientOwned(InsufficientOwned { owned })) => {
            format!("insufficient-owned: {owned}")
        }
        Outcome::Refused(Refusal::SameShare) => "same-share".into(),
        Outcome::Refused(Refusal::NewNotFound) => "new-not-found".into(),
        Outcome::Refused(Refusal::InsufficientNew(InsufficientNew { available, needed })) => {
            format!("insufficient-new: {available} of {needed}")
        }
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

/// `NYKA1001` or `NYKB1234`.
fn caller(text: &str) -> Caller {
    match &text[3..4] {
        "A" => Caller::Admin(AdminId { market: market(&text[..3]), number: number(&text[4..]) }),
        _ => Caller::Buyer(buyer(text)),
    }
}

/// `NYKB1234`.
pub fn buyer(text: &str) -> BuyerId {
    assert_eq!(&text[3..4], "B", "not a buyer: {text}");
    BuyerId { market: market(&text[..3]), number: number(&text[4..]) }
}

/// `NYKM100925` and `Equity`.
pub fn share(id: &str, type_name: &str) -> Share {
    Share { share_type: share_type(type_name), id: share_id(id) }
}

/// `NYKM100925`; the date need not be real.
pub fn share_id(text: &str) -> ShareId {
    let slot = match &text[3..4] {
        "M" => Slot::Morning,
        "A" => Slot::Afternoon,
        "E" => Slot::Evening,
        _ => panic!("not a share id: {text}"),
    };
    let date = Date { year: 2000 + number::<u16>(&text[8..]), month: number(&text[6..8]), day: number(&text[4..6]) };
    ShareId { market: market(&text[..3]), slot, date }
}

fn share_type(name: &str) -> ShareType {
    match name {
        "Equity" => ShareType::Equity,
        "Bonus" => ShareType::Bonus,
        "Dividend" => ShareType::Dividend,
        _ => panic!("not a share type: {name}"),
    }
}

fn market(code: &str) -> Market {
    match code {
        "NYK" => Market::Nyk,
        "LON" => Market::Lon,
        "TOK" => Market::Tok,
        _ => panic!("not a market: {code}"),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("not a number that fits: {text}"))
}

#[test]
fn identifiers_are_printed_as_they_are_read() {
    for text in ["NYKM100925", "LONA290224", "TOKE311226", "NYKM010100"] {
        assert_eq!(share_id(text).to_string(), text);
    }
    for text in ["NYKB1234", "LONB0001", "TOKB9999"] {
        assert_eq!(buyer(text).to_string(), text);
    }
    assert_eq!(share("NYKM100925", "Dividend").to_string(), "NYKM100925 Dividend");
}
