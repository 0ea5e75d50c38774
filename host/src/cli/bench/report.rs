//! What a run of the load amounts to, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::{Plan, Tally};
use super::yardstick::Yardstick;

/// The quantiles that are told, in thousandths, with their names.
const QUANTILES: [(usize, &str); 5] = [(500, "p50"), (900, "p90"), (990, "p99"), (999, "p99.9"), (1000, "max")];

/// The result of one run.
#[derive(Debug)]
pub struct Report {
    plan: Plan,
    /// With its latencies sorted.
    tally: Tally,
    took: Duration,
    /// Before and after the load.
    yardsticks: [Yardstick; 2],
}

impl Report {
    /// The report of a load that took so long, with the yardsticks of before and after it.
    pub fn new(plan: Plan, mut tally: Tally, took: Duration, yardsticks: [Yardstick; 2]) -> Report {
        tally.latencies_us.sort_unstable();
        Report { plan, tally, took, yardsticks }
    }

    /// Whether every request was answered with a released outcome.
    pub fn is_complete(&self) -> bool {
        self.tally.succeeded + self.tally.refused == self.plan.requests_len
    }

    fn requests_per_second(&self) -> f64 {
        self.tally.latencies_us.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// The median latency as a multiple of a bare round trip, by the faster of the two measurements, which is the stricter.
    fn ratio(&self, round_trip: impl Fn(&Yardstick) -> Duration) -> Option<f64> {
        let median_us = f64::from(quantile(&self.tally.latencies_us, 500)?);
        let fastest = self.yardsticks.iter().map(round_trip).min().expect("there are two of them");
        Some(median_us / micros(fastest))
    }

    /// The report as one object.
    pub fn to_json(&self) -> Value {
        let Report { plan, tally, took, yardsticks: [before, after] } = self;
        let latencies: serde_json::Map<String, Value> = QUANTILES
            .into_iter()
            .map(|(thousandths, name)| (name.to_owned(), quantile(&tally.latencies_us, thousandths).into()))
            .collect();
        json!({
            "clients": plan.clients_len,
            "in_flight": plan.in_flight_len,
            "requests": plan.requests_len,
            "seed": plan.seed,
            "seconds": took.as_secs_f64(),
            "requests_per_second": tenths(self.requests_per_second()),
            "latency_us": latencies,
            "outcomes": {
                "succeeded": tally.succeeded,
                "refused": tally.refused,
                "no_agreement": tally.no_agreement,
                "timed_out": tally.timed_out,
                "busy": tally.busy,
                "unauthorized": tally.unauthorized,
                "bad_requests": tally.bad_requests,
            },
            "busy_retries": tally.busy_retries,
            "moves": tally.moves,
            "lost": tally.lost,
            "failure": tally.failure,
            "udp_round_trip_us": {
                "blocking": {"before": micros(before.blocking), "after": micros(after.blocking)},
                "tokio": {"before": micros(before.tokio), "after": micros(after.tokio)},
            },
            "p50_in_udp_round_trips": {
                "blocking": self.ratio(|yardstick| yardstick.blocking).map(tenths),
                "tokio": self.ratio(|yardstick| yardstick.tokio).map(tenths),
            },
        })
    }
}

/// The smallest latency that so many thousandths of all do not exceed (nearest rank); `None` without any.
fn quantile(sorted_us: &[u32], thousandths: usize) -> Option<u32> {
    let rank = (sorted_us.len() * thousandths).div_ceil(1000);
    sorted_us.get(rank.checked_sub(1)?).copied()
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { plan, tally, took, yardsticks: [before, after] } = self;
        let Plan { clients_len, in_flight_len, requests_len, seed } = plan;
        writeln!(
            f,
            "load         {clients_len} clients x {in_flight_len} in flight, {requests_len} requests, seed {seed}, closed loop"
        )?;
        writeln!(f, "throughput   {:.0} requests/s ({:.2} s)", self.requests_per_second(), took.as_secs_f64())?;
        write!(f, "latency     ")?;
        for (thousandths, name) in QUANTILES {
            match quantile(&tally.latencies_us, thousandths) {
                Some(latency_us) => write!(f, " {name} {latency_us} us  ")?,
                None => write!(f, " {name} -  ")?,
            }
        }
        writeln!(f)?;
        let Tally { succeeded, refused, no_agreement, timed_out, busy, unauthorized, bad_requests, lost, .. } = tally;
        writeln!(f, "released     {succeeded} succeeded, {refused} refused by the market")?;
        writeln!(
            f,
            "unreleased   {no_agreement} no agreement, {timed_out} timed out, {busy} busy, {unauthorized} not authorized, \
             {bad_requests} bad requests, {lost} lost"
        )?;
        if tally.busy_retries > 0 {
            writeln!(f, "overload     {} times answered busy and sent again", tally.busy_retries)?;
        }
        if tally.moves > 0 {
            writeln!(f, "moved on     {} times to another connection, for want of the one before", tally.moves)?;
        }
        if let Some(failure) = &tally.failure {
            writeln!(f, "gave up      {failure}")?;
        }
        let mut round_trip = |name: &str, of: fn(&Yardstick) -> Duration| {
            let (before, after) = (micros(of(before)), micros(of(after)));
            write!(f, "round trip   one UDP datagram, {name}: {before:.1} us before, {after:.1} us after")?;
            match self.ratio(of) {
                Some(ratio) => writeln!(f, "; p50 is {ratio:.1} of them"),
                None => writeln!(f),
            }
        };
        round_trip("blocking sockets", |yardstick| yardstick.blocking)?;
        round_trip("tokio sockets", |yardstick| yardstick.tokio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(latencies_us: Vec<u32>, succeeded: usize) -> Report {
        let plan = Plan { clients_len: 1, in_flight_len: 1, requests_len: 4, seed: 1 };
        let yardstick = |us| Yardstick { blocking: Duration::from_micros(us), tokio: Duration::from_micros(2 * us) };
        let lost = 4 - latencies_us.len();
        let tally = Tally { latencies_us, succeeded, lost, ..Tally::default() };
        Report::new(plan, tally, Duration::from_secs(2), [yardstick(20), yardstick(10)])
    }

    #[test]
    fn quantiles_are_latencies_that_occurred() {
        #[track_caller]
        fn check(len: u32, thousandths: usize, expected: Option<u32>) {
            let sorted: Vec<u32> = (1..=len).collect();
            assert_eq!(quantile(&sorted, thousandths), expected, "{thousandths} of {len}");
        }
        check(0, 500, None);
        check(1, 500, Some(1));
        check(1, 1000, Some(1));
        check(2, 500, Some(1));
        check(3, 500, Some(2));
        check(1000, 999, Some(999));
        check(1000, 1000, Some(1000));
        check(1001, 999, Some(1000));
    }

    #[test]
    fn a_report_tells_rate_latencies_and_their_ratio_to_the_faster_round_trip() {
        let json = report(vec![400, 100, 200, 300], 4).to_json();
        assert_eq!(json["requests_per_second"], 2.0);
        assert_eq!(json["latency_us"], json!({"p50": 200, "p90": 400, "p99": 400, "p99.9": 400, "max": 400}));
        assert_eq!(json["p50_in_udp_round_trips"], json!({"blocking": 20.0, "tokio": 10.0}));
    }

    #[test]
    fn only_released_outcomes_make_a_report_complete() {
        assert!(report(vec![1; 4], 4).is_complete());
        assert!(!report(vec![1; 4], 3).is_complete());
        let lost_all = report(Vec::new(), 0);
        assert!(!lost_all.is_complete());
        assert_eq!(lost_all.to_json()["latency_us"]["p50"], Value::Null);
        assert!(lost_all.to_string().contains("4 lost"), "{lost_all}");
    }
}
