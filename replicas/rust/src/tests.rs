//! The rules, as a person would try them: lines of requests, and what has to come back.
//!
//! A line is `CALLER OPERATION ARGUMENTS -> OUTCOME`, in the words of the command line of dsms.

use crate::calendar::week;
use crate::execute::execute;
use crate::market::Market;
use crate::state;
use crate::types::*;

#[test]
fn shares_are_added_listed_and_removed() {
    run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKA1001 add NYKM100925 Equity 5 -> already-exists
        NYKA1001 add NYKM100925 Bonus 5 -> added 5
        NYKB1001 buy NYKM100925 Equity 10 -> bought 10, 0 available
        LONA1001 list Equity -> NYKM100925 0
        LONA1001 list Dividend ->
        NYKA1001 remove NYKM100925 Equity -> removed 0 available, 1 holders, 10 units
        NYKA1001 remove NYKM100925 Equity -> not-found
        NYKB1001 get ->
    ");
}

#[test]
fn only_admins_of_the_right_market_and_the_buyer_may_ask() {
    run("
        NYKB1001 add NYKM100925 Equity 10 -> forbidden
        NYKB1001 add LONM100925 Equity 10 -> forbidden
        NYKA1001 add LONM100925 Equity 10 -> wrong-market
        NYKA1001 remove LONM100925 Equity -> wrong-market
        NYKB1001 list Equity -> forbidden
        NYKA1001 get for NYKB1001 ->
        LONA1001 get for NYKB1001 -> forbidden
        NYKB1002 get for NYKB1001 -> forbidden
    ");
}

#[test]
fn a_purchase_is_filled_in_part_and_refused_in_order() {
    run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKB1001 buy NYKA100925 Equity 1 -> not-found
        NYKB1001 buy NYKM100925 Equity 4 -> bought 4, 6 available
        NYKB1001 buy NYKM100925 Equity 4 -> already-owned
        NYKB1002 buy NYKM100925 Equity 7 -> bought 6, 0 available
        NYKB1003 buy NYKM100925 Equity 1 -> sold-out
    ");
}

#[test]
fn the_daily_limit_holds_for_one_type_and_date_in_all_markets() {
    run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        LONA1001 add LONE100925 Equity 10 -> added 10
        LONA1001 add LONE100925 Bonus 10 -> added 10
        NYKB1001 buy NYKM100925 Equity 1 -> bought 1, 9 available
        NYKB1001 buy LONE100925 Equity 1 -> daily-limit
        NYKB1001 buy LONE100925 Bonus 1 -> bought 1, 9 available
        NYKB1001 sell NYKM100925 1 -> sold 1 Equity, 0 remain, 10 available
        NYKB1001 buy LONE100925 Equity 1 -> bought 1, 9 available
    ");
}

#[test]
fn the_weekly_limit_holds_for_foreign_shares_across_new_year() {
    run("
        LONA1001 add LONM281226 Equity 10 -> added 10
        LONA1001 add LONM311226 Equity 10 -> added 10
        TOKA1001 add TOKM010127 Equity 10 -> added 10
        TOKA1001 add TOKM030127 Equity 10 -> added 10
        TOKA1001 add TOKM040127 Equity 10 -> added 10
        NYKA1001 add NYKM020127 Equity 10 -> added 10
        NYKB1001 buy LONM281226 Equity 1 -> bought 1, 9 available
        NYKB1001 buy LONM311226 Equity 1 -> bought 1, 9 available
        NYKB1001 buy TOKM010127 Equity 1 -> bought 1, 9 available
        NYKB1001 buy TOKM030127 Equity 1 -> weekly-limit
        NYKB1001 buy TOKM040127 Equity 1 -> bought 1, 9 available
        NYKB1001 buy NYKM020127 Equity 1 -> bought 1, 9 available
        NYKB1001 swap TOKM010127 Equity TOKM030127 Equity -> swapped 1
    ");
}

#[test]
fn weeks_begin_on_mondays() {
    let same = |one: &str, other: &str| week(date(one)) == week(date(other));
    assert!(same("010100", "020100") && !same("020100", "030100"));
    assert!(same("280226", "010326") && !same("010326", "020326"));
    assert!(same("290228", "050328") && !same("270228", "280228"));
    assert!(same("291225", "040126") && !same("040126", "050126"));
    assert!(same("281299", "311299"));
}

#[test]
fn a_sale_takes_the_first_type_with_enough_units() {
    run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKA1001 add NYKM100925 Dividend 10 -> added 10
        NYKB1001 sell NYKM100925 1 -> not-owned
        NYKB1001 buy NYKM100925 Equity 3 -> bought 3, 7 available
        NYKB1001 buy NYKM100925 Dividend 5 -> bought 5, 5 available
        NYKB1001 sell NYKM100925 6 -> insufficient-owned 5
        NYKB1001 sell NYKM100925 4 -> sold 4 Dividend, 1 remain, 9 available
        NYKB1001 sell NYKM100925 1 -> sold 1 Equity, 2 remain, 8 available
        NYKB1001 get -> NYKM100925 Equity 2, NYKM100925 Dividend 1
    ");
}

#[test]
fn a_swap_happens_as_a_whole_or_not_at_all() {
    run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKA1001 add NYKE100925 Equity 3 -> added 3
        NYKA1001 add NYKA110925 Bonus 2 -> added 2
        NYKB1001 swap NYKM100925 Equity NYKM100925 Equity -> same-share
        NYKB1001 swap NYKM100925 Equity NYKE100925 Equity -> not-owned
        NYKB1001 buy NYKM100925 Equity 3 -> bought 3, 7 available
        NYKB1001 swap NYKM100925 Equity LONM100925 Equity -> new-not-found
        NYKB1001 swap NYKM100925 Equity NYKA110925 Bonus -> insufficient-new 2 of 3
        NYKB1001 swap NYKM100925 Equity NYKE100925 Equity -> swapped 3
        NYKB1001 get -> NYKE100925 Equity 3
        NYKA1001 list Equity -> NYKM100925 10, NYKE100925 0
    ");
}

#[test]
fn a_market_goes_on_from_its_exported_state() {
    let market = run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKB1001 buy NYKM100925 Equity 4 -> bought 4, 6 available
        NYKB1002 buy NYKM100925 Equity 1 -> bought 1, 5 available
    ");
    assert_eq!(state::import(state::export(&market)), Ok(market));
}

#[test]
fn a_broken_state_is_refused_in_words() {
    let market = run("
        NYKA1001 add NYKM100925 Equity 10 -> added 10
        NYKB1001 buy NYKM100925 Equity 4 -> bought 4, 6 available
    ");
    let refused = |words: &str, break_it: fn(&mut MarketState)| {
        let mut state = state::export(&market);
        break_it(&mut state);
        let error = state::import(state).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    refused("capacity", |state| state.shares[0].capacity = 0);
    refused("listed twice", |state| state.shares.push(state.shares[0]));
    refused("said to be available", |state| state.shares[0].available = 7);
    refused("not listed", |state| state.holdings[0].share.share_type = ShareType::Bonus);
    refused("holds 0 units", |state| state.holdings[0].units = 0);
    refused("two holdings", |state| state.holdings.push(state.holdings[0]));
    refused("more units", |state| state.holdings[0].units = u32::MAX);
}

/// Executes each line on a market that is empty at first, compares the outcomes, and returns the market.
fn run(script: &str) -> Market {
    let mut market = Market::default();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (request, expected) = line.split_once(" ->").unwrap();
        let words: Vec<&str> = request.split(' ').collect();
        let outcome = execute(&mut market, request_of(&words));
        assert_eq!(words_of(&outcome), expected.trim(), "{request}");
    }
    market
}

fn request_of(words: &[&str]) -> Request {
    let market = market(words[0]);
    let number = words[0][4..].parse().unwrap();
    let caller = match &words[0][3..4] {
        "A" => Caller::Admin(AdminId { market, number }),
        _ => Caller::Buyer(BuyerId { market, number }),
    };
    let buyer = BuyerId { market, number };
    let operation = match words[1..] {
        ["add", id, of, capacity] => {
            Operation::AddShare(AddShare { share: share(id, of), capacity: capacity.parse().unwrap() })
        }
        ["remove", id, of] => Operation::RemoveShare(share(id, of)),
        ["list", of] => Operation::ListShareAvailability(share_type(of)),
        ["buy", id, of, count] => {
            Operation::PurchaseShare(PurchaseShare { buyer, share: share(id, of), count: count.parse().unwrap() })
        }
        ["get"] => Operation::GetShares(buyer),
        ["get", "for", other] => {
            Operation::GetShares(BuyerId { market: self::market(other), number: other[4..].parse().unwrap() })
        }
        ["sell", id, count] => {
            Operation::SellShare(SellShare { buyer, id: share(id, "Equity").id, count: count.parse().unwrap() })
        }
        ["swap", old, old_type, new, new_type] => {
            Operation::SwapShares(SwapShares { buyer, old: share(old, old_type), new: share(new, new_type) })
        }
        _ => panic!("{words:?}"),
    };
    Request { caller, operation }
}

fn market(id: &str) -> crate::types::Market {
    use crate::types::Market::*;
    match &id[..3] {
        "NYK" => Nyk,
        "LON" => Lon,
        _ => Tok,
    }
}

fn share(id: &str, of: &str) -> Share {
    let slot = match &id[3..4] {
        "M" => Slot::Morning,
        "A" => Slot::Afternoon,
        _ => Slot::Evening,
    };
    Share { share_type: share_type(of), id: ShareId { market: market(id), slot, date: date(&id[4..]) } }
}

fn share_type(word: &str) -> ShareType {
    match word {
        "Equity" => ShareType::Equity,
        "Bonus" => ShareType::Bonus,
        _ => ShareType::Dividend,
    }
}

/// Written `ddmmyy`.
fn date(digits: &str) -> Date {
    let number = |from: usize| digits[from..from + 2].parse::<u8>().unwrap();
    Date { year: 2000 + u16::from(number(4)), month: number(2), day: number(0) }
}

fn words_of(outcome: &Outcome) -> String {
    let id = |id: &ShareId| {
        let market = format!("{:?}", id.market).replace("Market::", "").to_uppercase();
        let slot = format!("{:?}", id.slot).replace("Slot::", "");
        format!("{market}{}{:02}{:02}{:02}", &slot[..1], id.date.day, id.date.month, id.date.year - 2000)
    };
    let of = |share_type: &ShareType| format!("{share_type:?}").replace("ShareType::", "");
    match outcome {
        Outcome::Added(done) => format!("added {}", done.capacity),
        Outcome::Removed(done) => {
            format!("removed {} available, {} holders, {} units", done.available, done.holders, done.units)
        }
        Outcome::Availability(listed) => {
            let shares = listed.shares.iter().map(|share| format!("{} {}", id(&share.id), share.available));
            shares.collect::<Vec<_>>().join(", ")
        }
        Outcome::Purchased(done) => format!("bought {}, {} available", done.bought, done.available),
        Outcome::Holdings(owned) => {
            let owned =
                owned.iter().map(|it| format!("{} {} {}", id(&it.share.id), of(&it.share.share_type), it.units));
            owned.collect::<Vec<_>>().join(", ")
        }
        Outcome::Sold(done) => format!(
            "sold {} {}, {} remain, {} available",
            done.sold,
            of(&done.share_type),
            done.remaining,
            done.available
        ),
        Outcome::Swapped(done) => format!("swapped {}", done.units),
        Outcome::Refused(Refusal::InsufficientOwned(why)) => format!("insufficient-owned {}", why.owned),
        Outcome::Refused(Refusal::InsufficientNew(why)) => {
            format!("insufficient-new {} of {}", why.available, why.needed)
        }
        Outcome::Refused(Refusal::Forbidden) => "forbidden".to_owned(),
        Outcome::Refused(Refusal::WrongMarket) => "wrong-market".to_owned(),
        Outcome::Refused(Refusal::AlreadyExists) => "already-exists".to_owned(),
        Outcome::Refused(Refusal::NotFound) => "not-found".to_owned(),
        Outcome::Refused(Refusal::AlreadyOwned) => "already-owned".to_owned(),
        Outcome::Refused(Refusal::DailyLimit) => "daily-limit".to_owned(),
        Outcome::Refused(Refusal::WeeklyLimit) => "weekly-limit".to_owned(),
        Outcome::Refused(Refusal::SoldOut) => "sold-out".to_owned(),
        Outcome::Refused(Refusal::NotOwned) => "not-owned".to_owned(),
        Outcome::Refused(Refusal::SameShare) => "same-share".to_owned(),
        Outcome::Refused(Refusal::NewNotFound) => "new-not-found".to_owned(),
    }
}
