//! Requests on a market so small that every limit of it matters: a few shares, scarce, on days of one week, and a few buyers.

use super::random::Random;

/// The shares that are ever listed, by id and type. Three days of one ISO week in two slots and all markets, and one of the next
/// week; one id under two types.
const SHARES: [(&str, &str); 10] = [
    ("NYKM100925", "Equity"),
    ("NYKM100925", "Bonus"),
    ("NYKE110925", "Equity"),
    ("LONM100925", "Equity"),
    ("LONA110925", "Dividend"),
    ("LONM120925", "Equity"),
    ("TOKE110925", "Bonus"),
    ("TOKM120925", "Equity"),
    ("TOKA100925", "Dividend"),
    ("TOKM170925", "Equity"),
];

const BUYERS: [&str; 6] = ["NYKB1001", "NYKB1002", "LONB1001", "LONB1002", "TOKB1001", "TOKB1002"];

/// Requests at the beginning that mostly list shares, so that there is something to buy.
const LISTINGS_LEN: usize = 12;

/// The endless requests of one run, in the words of a command line.
#[derive(Clone, Debug)]
pub struct Workload {
    random: Random,
    drawn_len: usize,
}

impl Workload {
    /// The requests of this seed.
    pub fn new(seed: u64) -> Workload {
        Workload { random: Random::of(seed, "workload"), drawn_len: 0 }
    }

    /// The next request.
    pub fn next_words(&mut self) -> String {
        self.drawn_len += 1;
        let (id, share_type) = *self.random.pick(&SHARES);
        let buyer = *self.random.pick(&BUYERS);
        let count = self.random.between(1, 6);
        let as_admin = self.random.per_mille(80);
        let caller = if as_admin { admin_of(buyer) } else { buyer.to_owned() };
        let on_behalf = if as_admin { format!(" --buyer {buyer}") } else { String::new() };
        let chance = if self.drawn_len <= LISTINGS_LEN { 900 } else { self.random.below(1000) };
        match chance {
            0..330 => format!("{caller} purchase-share {id} {share_type} {count}{on_behalf}"),
            330..520 => format!("{caller} sell-share {id} {count}{on_behalf}"),
            520..680 => {
                let (new_id, new_type) = *self.random.pick(&SHARES);
                format!("{caller} swap-shares {id} {share_type} {new_id} {new_type}{on_behalf}")
            }
            680..800 => format!("{caller} get-shares{on_behalf}"),
            800..870 => format!("{} list-share-availability {share_type}", admin_of(buyer)),
            870..950 => format!("{} add-share {id} {share_type} {}", admin_of(id), self.random.between(3, 20)),
            950..980 => format!("{} remove-share {id} {share_type}", admin_of(id)),
            // By an admin of some market, mostly another one, or by one who is none.
            980..990 => format!("{} remove-share {id} {share_type}", admin_of(buyer)),
            _ => format!("{buyer} add-share {id} {share_type} 5"),
        }
    }
}

/// The admin of the market that a share or a buyer is of.
fn admin_of(id: &str) -> String {
    format!("{}A1001", &id[..3])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::market::{Context, Module, Outcome, parse_request};
    use crate::native::NativeMarket;

    #[test]
    fn every_outcome_and_every_refusal_occurs() {
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let (mut market, mut workload) = (NativeMarket::new(), Workload::new(seed));
            for sequence_number in 1..=200 {
                let words = workload.next_words();
                let request = parse_request(&words.split(' ').collect::<Vec<_>>()).expect(&words);
                let outcome = market.execute(Context { sequence_number, time_ms: 0 }, &request).unwrap();
                seen.insert(match outcome {
                    Outcome::Refused(refusal) => refusal.name().to_owned(),
                    _ => request.operation.name().to_owned(),
                });
            }
        }
        // The seven operations, and all refusals of the specification.
        assert_eq!(seen.len(), 7 + 13, "{seen:?}");
    }
}
