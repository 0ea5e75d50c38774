//! `dsms fault`: have something go wrong in a running cluster, and see how often it did.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::market::OPERATION_FORMS;
use crate::protocol::client_message::{ClientMessage, FaultAsk, FaultState, FaultStatus, ServerBody};
use crate::protocol::fault::{ALWAYS_PPM, Fault, FaultId, FaultKind};
use crate::protocol::id::NodeId;
use crate::runtime::client::{Client, ClientError};

use super::connect::{ConnectArgs, block_on, status_of, tell_whose, unexpected};
use super::output::say;

/// How long a module is slow, a process paused or a datagram late, where nothing is said.
const SLOW_BY: Duration = Duration::from_millis(300);
const PAUSE_FOR: Duration = Duration::from_secs(2);
const DELAY_BY: Duration = Duration::from_millis(20);

/// Inject faults into a running cluster that was started with --allow-faults.
#[derive(Debug, Args)]
pub struct FaultArgs {
    #[command(subcommand)]
    command: FaultCommand,
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// Have a fault strike.
    ///
    /// Of a replica's module: wrong (answers otherwise), mute (does not come back from a call), slow, trap, corrupt-state. Of its
    /// manager: wrong-snapshot (serves a garbled state to others), kill, pause. Of what any node sends: loss, delay, duplicate,
    /// reorder; cut lets nothing through either way.
    ///
    /// trap, mute, corrupt-state and wrong-snapshot strike once, the others until they are removed, unless --count or --for says
    /// otherwise. What is executed again while a replica is brought back is left alone.
    Add(AddArgs),
    /// List all faults: what was asked for, and how often each has struck.
    Ls(ListArgs),
    /// Let a fault strike no more.
    Rm(RemoveArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Where: front-end, sequencer, replica-1 and so on; all for every node, if it is a fault of links.
    node: String,
    /// What goes wrong.
    #[arg(value_enum)]
    kind: Kind,
    /// Only on the link to this node.
    #[arg(long, value_name = "NODE")]
    peer: Option<NodeId>,
    /// Only at this operation, such as get-shares.
    #[arg(long, value_name = "NAME", value_parser = operation)]
    operation: Option<String>,
    /// How often at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// With which probability each time, such as 5%.
    #[arg(long, value_name = "PERCENT", value_parser = rate_ppm)]
    rate: Option<u32>,
    /// For how long, such as 500ms or 5s.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<Duration>,
    /// By how much a module is slow (300ms) or a datagram late (20ms).
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    by: Option<Duration>,
    /// By how much more a datagram may be late, at random.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    jitter: Option<Duration>,
    /// Print JSON: one object a fault.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print JSON: one object a fault.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The fault's number, or all.
    id: String,
    /// Print JSON: one object a fault.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Wrong,
    Mute,
    Slow,
    Trap,
    CorruptState,
    WrongSnapshot,
    Kill,
    Pause,
    Loss,
    Delay,
    Duplicate,
    Reorder,
    Cut,
}

/// Runs the command.
pub fn run(args: FaultArgs) -> anyhow::Result<ExitCode> {
    let (faults, json) = match args.command {
        FaultCommand::Add(args) => {
            let fault = args.fault()?;
            let faults = block_on(async {
                let mut client = args.connect.client().await?;
                let mut added = Vec::new();
                let mut nodes = nodes(&args.node, &mut client).await?;
                if nodes.len() > 1 {
                    nodes.retain(|node| Some(*node) != fault.peer);
                }
                // All or none of them, as far as can be seen here; which front end is asked, that one knows.
                for node in &nodes {
                    fault.check(*node, NodeId::FRONT_END).map_err(anyhow::Error::msg)?;
                }
                tell_whose(&client);
                for node in nodes {
                    added.extend(ask(&mut client, FaultAsk::Add { node, fault: fault.clone() }).await?);
                }
                Ok(added)
            })?;
            (faults, args.json)
        }
        FaultCommand::Ls(args) => (ask_once(&args.connect, FaultAsk::List)?, args.json),
        FaultCommand::Rm(args) => {
            let id = match &*args.id {
                "all" => None,
                number => Some(FaultId(number.parse().map_err(|_| {
                    anyhow::anyhow!("{number:?} is no fault: give its number, which `dsms fault ls` shows, or all")
                })?)),
            };
            let removed = ask_once(&args.connect, FaultAsk::Remove(id))?;
            if removed.is_empty() && !args.json {
                say!("{}", already_over_words(id));
                return Ok(ExitCode::SUCCESS);
            }
            (removed, args.json)
        }
    };
    if json {
        faults.iter().for_each(|status| say!("{}", to_json(status)));
    } else if faults.is_empty() {
        say!("no faults");
    } else {
        print_table(&faults);
    }
    Ok(ExitCode::SUCCESS)
}

impl AddArgs {
    fn fault(&self) -> anyhow::Result<Fault> {
        let takes = |given: bool, kinds: &[Kind], option: &str| {
            anyhow::ensure!(!given || kinds.contains(&self.kind), "{:?} takes no {option}", self.kind);
            Ok(())
        };
        takes(self.by.is_some(), &[Kind::Slow, Kind::Delay], "--by")?;
        takes(self.jitter.is_some(), &[Kind::Delay], "--jitter")?;
        let kind = match self.kind {
            Kind::Wrong => FaultKind::Wrong,
            Kind::Mute => FaultKind::Mute,
            Kind::Slow => FaultKind::Slow(self.by.unwrap_or(SLOW_BY)),
            Kind::Trap => FaultKind::Trap,
            Kind::CorruptState => FaultKind::CorruptState,
            Kind::WrongSnapshot => FaultKind::WrongSnapshot,
            Kind::Kill => FaultKind::Kill,
            Kind::Pause => FaultKind::Pause(self.lasts.unwrap_or(PAUSE_FOR)),
            Kind::Loss => FaultKind::Loss,
            Kind::Delay => FaultKind::Delay(self.by.unwrap_or(DELAY_BY), self.jitter.unwrap_or_default()),
            Kind::Duplicate => FaultKind::Duplicate,
            Kind::Reorder => FaultKind::Reorder,
            Kind::Cut => FaultKind::Cut,
        };
        if kind.is_of_process() {
            anyhow::ensure!(
                self.count.is_none() && self.rate.is_none(),
                "{} strikes once, so it takes neither --count nor --rate",
                kind.name()
            );
        }
        let is_once = matches!(self.kind, Kind::Trap | Kind::Mute | Kind::CorruptState | Kind::WrongSnapshot);
        let count = self.count.or((is_once && self.lasts.is_none()).then_some(1));
        // A process is paused for so long; that is not how long the fault waits for it.
        let lasts = if kind.is_of_process() { None } else { self.lasts };
        let rate_ppm = self.rate.unwrap_or(ALWAYS_PPM);
        Ok(Fault { kind, peer: self.peer, operation: self.operation.clone(), count, rate_ppm, lasts })
    }
}

/// The nodes of a name: one, or all of the cluster.
async fn nodes(name: &str, client: &mut Client) -> anyhow::Result<Vec<NodeId>> {
    if name != "all" {
        let node = name.parse().map_err(|_| anyhow::anyhow!("{name:?} is no node: `dsms ps` lists them"))?;
        return Ok(vec![node]);
    }
    Ok(status_of(client).await?.nodes.iter().map(|node| node.node).collect())
}

fn ask_once(connect: &ConnectArgs, what: FaultAsk) -> anyhow::Result<Vec<FaultStatus>> {
    block_on(async {
        let mut client = connect.client().await?;
        let faults = ask(&mut client, what).await?;
        tell_whose(&client);
        Ok(faults)
    })
}

/// Asks the front end about faults.
pub(super) async fn ask(client: &mut Client, ask: FaultAsk) -> anyhow::Result<Vec<FaultStatus>> {
    let answered = client.call(|number| ClientMessage::Faults { number, ask }).await.map_err(|error| match error {
        ClientError::Unsure(_) => anyhow::Error::new(error).context("look with `dsms fault ls`"),
        _ => error.into(),
    });
    match answered? {
        ServerBody::Faults(faults) => Ok(faults),
        ServerBody::FaultRefused(words) => anyhow::bail!(words),
        other => Err(unexpected(&other)),
    }
}

/// Why there was nothing to remove.
fn already_over_words(id: Option<FaultId>) -> String {
    match id {
        Some(id) => format!("fault {id} is over already, it strikes no more; `dsms fault ls` shows how often it did"),
        None => "no fault can strike any more; `dsms fault ls` shows those that are over".to_owned(),
    }
}

fn state(status: &FaultStatus) -> &str {
    match &status.state {
        FaultState::Active => "active",
        FaultState::Over => "over",
        FaultState::Refused(_) => "refused",
    }
}

fn to_json(status: &FaultStatus) -> Value {
    let refused = match &status.state {
        FaultState::Refused(words) => Some(words),
        _ => None,
    };
    json!({
        "id": status.id.0,
        "node": status.node.to_string(),
        "kind": status.fault.kind.name(),
        "asked": status.fault.to_string(),
        "fired": status.fired,
        "state": state(status),
        "refused": refused,
    })
}

fn print_table(faults: &[FaultStatus]) {
    let width = faults.iter().map(|status| status.fault.to_string().chars().count()).max().unwrap_or(0).max(5);
    say!("{:>4}  {:<12}  {:<width$}  {:>8}  STATE", "ID", "NODE", "ASKED", "FIRED");
    for status in faults {
        let (id, node, asked) = (status.id.0, status.node.to_string(), status.fault.to_string());
        let state = match &status.state {
            FaultState::Refused(words) => format!("refused: {words}"),
            _ => state(status).to_owned(),
        };
        say!("{id:>4}  {node:<12}  {asked:<width$}  {:>8}  {state}", status.fired);
    }
}

fn operation(name: &str) -> Result<String, String> {
    let known: Vec<&str> = OPERATION_FORMS.iter().map(|(form, _)| *form).collect();
    if known.contains(&name) { Ok(name.to_owned()) } else { Err(format!("expected one of {}", known.join(", "))) }
}

fn rate_ppm(text: &str) -> Result<u32, String> {
    let percent: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "expected a number, such as 5%")?;
    if !(percent > 0.0 && percent <= 100.0) {
        return Err("expected more than 0% and at most 100%".to_owned());
    }
    Ok(((percent * 10_000.0).round() as u32).max(1))
}

fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a time with its unit, such as 300ms or 2s, of at most an hour";
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).ok_or(EXPECTED)?;
    let number: f64 = text[..split].parse().map_err(|_| EXPECTED)?;
    let seconds = match &text[split..] {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "min" => number * 60.0,
        _ => return Err(EXPECTED.to_owned()),
    };
    if !(seconds > 0.0 && seconds <= 3600.0) {
        return Err(EXPECTED.to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_and_rates_are_read_with_their_units() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        for wrong in ["5", "s", "-1s", "2h", "1e9s", "", "NaNs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!((rate_ppm("5%"), rate_ppm("0.5")), (Ok(50_000), Ok(5_000)));
        assert!(rate_ppm("0%").is_err() && rate_ppm("101%").is_err() && rate_ppm("often").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_text_is_a_time_and_a_rate_within_bounds_or_refused(
            text in prop_oneof!["[0-9.+eE-]{0,20}(us|ms|s|min|%|inf|nan|é)?", r"\PC{0,20}"],
        ) {
            prop_assert!(duration(&text).map_or(true, |duration| duration <= Duration::from_secs(3600)));
            prop_assert!(rate_ppm(&text).map_or(true, |rate| (1..=ALWAYS_PPM).contains(&rate)));
            let _known = operation(&text);
        }
    }
}
