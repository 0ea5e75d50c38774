//! Histories: read, written, refused; executed again and shrunk on modules that are wrong under conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::execution::{Ending, Given, Shrunk, StartModule, execute, execute_to_end, last_step, shrink};
use super::*;
use crate::market::{Digest, GuestFault, MarketState, Module, Operation, Outcome, parse_request};
use crate::native::NativeMarket;
use crate::protocol::id::{ClientId, RequestId, RequestNumber};
use crate::workload::Mix;

fn request(words: &str) -> Request {
    parse_request(&words.split(' ').collect::<Vec<_>>()).unwrap()
}

fn past(requests: impl IntoIterator<Item = Request>) -> Vec<PastRequest> {
    let numbered = requests.into_iter().zip(1..);
    numbered.map(|(request, place)| PastRequest { sequence: SequenceNumber(place), time_ms: None, request }).collect()
}

fn replica(number: u8) -> ReplicaId {
    ReplicaId::new(number).unwrap()
}

fn history() -> History {
    let mut requests = past(Mix::new(1, 0).take(20));
    requests[3].time_ms = Some(1_790_000_000_000);
    requests.remove(2);
    let module = |name: &str, replicas: &[u8]| PastModule {
        name: name.to_owned(),
        digest: Digest::of_bytes(name.as_bytes()).to_string(),
        replicas: replicas.iter().copied().map(replica).collect(),
    };
    History {
        format: FORMAT.to_owned(),
        wrong: 1,
        crashed: 0,
        replicas: 3,
        unknown: 0,
        released: Some("1 holdings:\n  NYKM100925 Equity  \"4\"".to_owned()),
        fuel_per_call: 200_000_000,
        memory_bytes_max: 64 << 20,
        replies: vec![PastReply { replica: replica(2), response: "no holdings".to_owned() }],
        modules: vec![module("reference", &[1, 3]), module("/some/où.wasm", &[2]), module("other.wasm", &[])],
        requests,
    }
}

#[test]
fn a_history_is_read_back_from_its_text() {
    let history = history();
    let text = history.to_text().unwrap();
    assert!(text.starts_with("format = \"dsms-history 1\"\n"), "{text}");
    assert_eq!(History::from_text(&text), Ok(history));
}

#[test]
fn a_history_that_cannot_be_executed_is_refused_with_the_place_and_the_reason() {
    #[track_caller]
    fn check(change: impl Fn(&mut History), expected: &str) {
        let mut bad = history();
        change(&mut bad);
        let not_written = bad.to_text().unwrap_err().to_string();
        assert!(not_written.contains(expected), "{not_written}");
        let Ok(text) = toml::to_string(&bad) else { return };
        let words = History::from_text(&text).unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    }
    let long = || "é".repeat(WORDS_LEN_MAX + 1);
    check(|bad| bad.format = "dsms-history 9".to_owned(), "this dsms reads \"dsms-history 1\"");
    check(|bad| bad.replicas = 0, "0 replicas: expected 1 to 7");
    check(|bad| bad.replicas = 8, "8 replicas: expected 1 to 7");
    check(|bad| bad.replicas = 2, "there are 2");
    check(|bad| bad.fuel_per_call = 0, "fuel_per_call is 0");
    check(|bad| bad.memory_bytes_max = u64::MAX, "memory_bytes_max is");
    check(|bad| bad.unknown = u64::MAX, "unknown places");
    check(|bad| bad.released = Some(long()), "released: expected at most");
    check(|bad| bad.replies[0].response = long(), "reply of replica-2: expected at most");
    check(|bad| bad.replies[0].replica = replica(4), "reply of replica-4: there are 3 replicas");
    check(|bad| bad.replies.push(bad.replies[0].clone()), "reply of replica-2: expected one of each");
    check(|bad| bad.modules.clear(), "0 modules: expected 1 to");
    check(|bad| bad.modules = vec![bad.modules[0].clone(); MODULES_LEN_MAX + 1], "101 modules");
    check(|bad| bad.modules[1].name.clear(), "module 2: expected a name");
    check(|bad| bad.modules[1].name = "x".repeat(NAME_LEN_MAX + 1), "module 2: expected a name");
    check(|bad| bad.modules[0].digest.make_ascii_uppercase(), "module 1: expected a digest");
    check(|bad| bad.modules[0].replicas = vec![replica(4)], "module 1: there are 3 replicas");
    check(|bad| bad.modules[0].replicas = vec![replica(1); 4], "module 1: there are 3 replicas");
    check(|bad| bad.requests.clear(), "0 requests: expected 1 to");
    check(|bad| bad.requests[1].sequence = SequenceNumber(1), "request #1");
    check(|bad| bad.requests[0].sequence = SequenceNumber(0), "expected a place after #0");
    check(|bad| bad.requests[0].time_ms = Some(u64::MAX), "request #1");
    let requests = past(Mix::new(1, 0).take(REQUESTS_LEN_MAX + 1));
    let words = History { requests, ..history() }.to_text().unwrap_err().to_string();
    assert!(words.contains("100001 requests"), "{words}");
}

#[test]
fn a_text_that_is_no_history_is_refused_with_the_line() {
    let good = history().to_text().unwrap();
    let words = |text: &str| History::from_text(text).unwrap_err().to_string();
    let first = history().requests[0].request.to_string();
    let bad = words(&good.replacen(&first, "NYKB1001 fly", 1));
    assert!(bad.contains("line") && bad.contains("operation \"fly\""), "{bad}");
    assert!(words(&good.replacen("replica = 2", "replica = 9", 1)).contains("no cluster has a replica"));
    assert!(words(&good.replacen("sequence = 1\n", "sequence = -1\n", 1)).contains("line"));
    assert!(words(&good.replacen("unknown = 0", "unkown = 0", 1)).contains("unkown"));
    assert!(words("format = ").contains("line 1"));
}

#[test]
fn long_words_are_cut_off_so_that_they_can_be_saved() {
    let mut long = history();
    long.released = Some(abridged(&"é".repeat(1_000_000)));
    long.replies[0].response = abridged(&"x".repeat(WORDS_LEN_MAX));
    assert_eq!(History::from_text(&long.to_text().unwrap()), Ok(long));
    assert_eq!(abridged("short"), "short");
}

#[test]
fn void_places_repeated_requests_and_barriers_are_left_out_and_unknown_places_counted() {
    let get = request("NYKB1001 get-shares");
    let order = |sequence, number, is_void| PastOrder {
        sequence: SequenceNumber(sequence),
        asked: Some((RequestId { client: ClientId(1), number: RequestNumber(number) }, Command::Request(get))),
        is_void,
    };
    let barrier = PastOrder {
        asked: Some((RequestId { client: ClientId(2), number: RequestNumber(1) }, Command::Barrier)),
        ..order(4, 0, false)
    };
    let unasked = |sequence, is_void| PastOrder { asked: None, ..order(sequence, 0, is_void) };
    let orders = [
        order(1, 1, false),
        order(2, 2, true),
        order(3, 1, false),
        barrier,
        order(5, 2, false),
        unasked(6, true),
        order(7, 3, true),
    ];
    let places = |executed: &Executed| executed.requests.iter().map(|past| past.sequence.0).collect::<Vec<_>>();
    let whole = executed(&orders, SequenceNumber(7));
    assert_eq!((places(&whole), whole.unknown, whole.repeats), (vec![1, 5, 7], 0, None));
    let repeated = executed(&orders, SequenceNumber(3));
    assert_eq!((places(&repeated), repeated.repeats), (vec![1], Some(SequenceNumber(1))));
    let incomplete = executed(&[&orders[2..], &[unasked(8, false), order(9, 9, false)]].concat(), SequenceNumber(9));
    assert_eq!((places(&incomplete), incomplete.unknown), (vec![3, 5, 9], 3));
}

/// The reference market, but for a bug.
struct Buggy {
    market: NativeMarket,
    bug: fn(&mut NativeMarket, Context, &Request) -> Option<Given>,
}

impl Module for Buggy {
    fn execute(&mut self, context: Context, request: &Request) -> Result<Outcome, GuestFault> {
        let wrong = (self.bug)(&mut self.market, context, request);
        let right = self.market.execute(context, request)?;
        wrong.unwrap_or(Ok(right))
    }

    fn export_state(&mut self) -> Result<MarketState, GuestFault> {
        self.market.export_state()
    }

    fn import_state(&mut self, state: &MarketState) -> Result<Result<(), String>, GuestFault> {
        self.market.import_state(state)
    }
}

fn start(bug: fn(&mut NativeMarket, Context, &Request) -> Option<Given>) -> StartModule {
    Box::new(move || Ok(Box::new(Buggy { market: NativeMarket::new(), bug })))
}

fn right() -> StartModule {
    start(|_, _, _| None)
}

/// Wrong when somebody sells who holds two shares of one type.
fn two_of_a_type(market: &mut NativeMarket, _: Context, request: &Request) -> Option<Given> {
    let Operation::SellShare { buyer, .. } = request.operation else { return None };
    let state = market.export_state().unwrap();
    let held: Vec<_> = state.holdings.iter().filter(|held| held.buyer == buyer).collect();
    let is_wrong = held.iter().any(|one| {
        held.iter().any(|other| one.share.share_type == other.share.share_type && one.share.id != other.share.id)
    });
    is_wrong.then_some(Ok(Outcome::Swapped { units: 77 }))
}

fn trap_at_9999(_: &mut NativeMarket, _: Context, request: &Request) -> Option<Given> {
    let Operation::GetShares { buyer } = request.operation else { return None };
    buyer.to_string().ends_with("9999").then(|| Err(GuestFault::Trap("not this one".to_owned())))
}

/// A long history that ends with what is needed and some more in between.
fn long_history(needed: &[&str]) -> Vec<PastRequest> {
    let mut noise = Mix::new(3, 0);
    let mut requests: Vec<Request> = noise.by_ref().take(200).collect();
    for words in needed {
        requests.push(request(words));
        if Some(words) != needed.last() {
            requests.extend(noise.by_ref().take(30));
        }
    }
    past(requests)
}

const TWO_OF_A_TYPE: [&str; 5] = [
    "TOKA9001 add-share TOKM010130 Bonus 5",
    "TOKA9001 add-share TOKM020130 Bonus 5",
    "TOKB9001 purchase-share TOKM010130 Bonus 3",
    "TOKB9001 purchase-share TOKM020130 Bonus 3",
    "TOKB9001 sell-share TOKM010130 1",
];

#[track_caller]
fn shrunk_words(requests: &[PastRequest], modules: &[StartModule]) -> Vec<String> {
    let Shrunk { requests: kept, is_minimal } = shrink(requests, modules, &mut |_| ());
    assert!(is_minimal);
    assert_eq!(kept.last(), requests.last());
    assert_eq!(last_step(&kept, modules).differing().count(), modules.len());
    for left_out in 0..kept.len() - 1 {
        let mut fewer = kept.clone();
        fewer.remove(left_out);
        assert!(last_step(&fewer, modules).differing().count() < modules.len(), "#{left_out} is not needed");
    }
    kept.iter().map(|past| past.request.to_string()).collect()
}

#[test]
fn a_bug_that_needs_five_requests_is_shrunk_to_these_five() {
    let whole = long_history(&TWO_OF_A_TYPE);
    assert!(whole.len() > 300);
    assert_eq!(shrunk_words(&whole, &[start(two_of_a_type)]), TWO_OF_A_TYPE);
}

#[test]
fn requests_keep_their_places_when_others_are_left_out() {
    let at_even_places = |_: &mut NativeMarket, context: Context, _: &Request| {
        context.sequence_number.is_multiple_of(2).then_some(Ok(Outcome::Swapped { units: 77 }))
    };
    let whole = past(Mix::new(3, 0).take(100));
    let Shrunk { requests, .. } = shrink(&whole, &[start(at_even_places)], &mut |_| ());
    assert_eq!(requests, whole[99..]);
}

#[test]
fn a_fault_is_a_difference_and_is_not_taken_for_a_wrong_outcome() {
    let both = |market: &mut NativeMarket, context: Context, request: &Request| {
        trap_at_9999(market, context, request).filter(|_| market.export_state().unwrap().shares.is_empty()).or_else(
            || {
                let asks = matches!(request.operation, Operation::GetShares { .. });
                asks.then_some(Ok(Outcome::Swapped { units: 77 }))
            },
        )
    };
    let whole = long_history(&["TOKB9999 get-shares"]);
    assert_eq!(shrunk_words(&whole, &[start(trap_at_9999)]), ["TOKB9999 get-shares"]);
    let kept = shrink(&whole, &[start(both)], &mut |_| ()).requests;
    assert_eq!(kept.len(), 2, "with an empty market it would trap: {kept:?}");
}

#[test]
fn what_tells_every_one_of_several_modules_from_the_reference_is_kept() {
    let on_sale = |market: &mut NativeMarket, _: Context, request: &Request| {
        let is_sale = matches!(request.operation, Operation::SellShare { .. });
        let is_known = market.export_state().unwrap().shares.len() > 2;
        (is_sale && is_known).then_some(Ok(Outcome::Swapped { units: 77 }))
    };
    let third = "TOKA9001 add-share TOKM030130 Equity 5";
    let needed = [&[third], &TWO_OF_A_TYPE[..]].concat();
    let words = shrunk_words(&long_history(&needed), &[start(two_of_a_type), start(on_sale)]);
    assert_eq!(words.len(), 6, "a third share is needed: {words:?}");
}

#[test]
fn a_module_that_fails_goes_on_with_the_state_after_the_request() {
    let needed =
        ["TOKB9999 get-shares", "TOKA9001 add-share TOKM010130 Bonus 5", "TOKA9001 list-share-availability Bonus"];
    let whole = long_history(&needed);
    let mut differing = Vec::new();
    execute(&whole, &[right(), start(trap_at_9999)], &mut |step| {
        differing.extend(step.differing().map(|module| (step.past.request.to_string(), module)));
    });
    assert_eq!(differing, [(needed[0].to_owned(), 1)]);
}

#[test]
fn a_state_that_no_answer_shows_is_seen_in_the_end() {
    let hoards = |market: &mut NativeMarket, context: Context, asked: &Request| {
        if matches!(asked.operation, Operation::AddShare { .. }) {
            market.execute(context, &request("NYKA1001 add-share NYKM010130 Bonus 1")).unwrap();
        }
        None
    };
    let add = past([request("LONA1001 add-share LONM010130 Equity 5")]);
    let mut differing = 0;
    let modules = [right(), start(hoards)];
    let Ending { expected, given } = execute_to_end(&add, &modules, &mut |step| differing += step.differing().count());
    assert_eq!((differing, expected.shares.len()), (0, 1));
    assert_eq!(given[0], Ok(expected));
    assert_eq!(given[1].as_ref().unwrap().shares.len(), 2);
}

#[test]
fn a_module_that_does_not_start_differs_everywhere() {
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&starts);
    let broken: StartModule = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(GuestFault::BadExport("none".to_owned()))
    });
    let mut steps = 0;
    execute(&past(Mix::new(3, 0).take(10)), &[broken], &mut |step| steps += step.differing().count());
    assert_eq!((steps, starts.load(Ordering::Relaxed)), (10, 1));
}
