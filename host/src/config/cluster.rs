//! What the values of a `dsms.toml` mean: from the document to a [`ClusterConfig`], with every problem noted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::document::{Entry, Findings, Section, quote, read_document};
use super::near_miss::near_miss;
use super::{
    ANY_PORT, ClusterConfig, DATA_DIRECTORY, DURABILITY, DataConfig, FrontEndConfig, KEY_FILE, Keys, MODE,
    ModuleLimits, ModuleSource, NO_DURABILITY, Problem, REFERENCE, ReplicaConfig, SequencerConfig, absolute,
    module_file,
};
use crate::protocol::limits::{
    FRONT_ENDS_LEN_MAX, LOG_INTERVALS_LEN, LOG_LEN_MAX, PROGRESS_INTERVAL, REPLICAS_LEN_MAX, REQUEST_TIMEOUT,
};
use crate::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
use crate::protocol::quorum::Tolerance;
use crate::storage::Durability;

/// The tables of the file, each with its keys. A table or key that is not here is refused.
const SCHEMA: &[(&str, &[&str])] = &[
    ("cluster", &["mode", "key_file", "keys", "data", "durability", "request_timeout_ms", "allow_faults"]),
    ("front_end", &["address", "client_address"]),
    ("sequencer", &["address"]),
    ("replica", &["address", "module", "spares"]),
    (
        "suspicion",
        &["deadline_start_ms", "deadline_floor_ms", "deadline_ceiling_ms", "silent_after_ms", "stuck_after_ms"],
    ),
    (
        "recovery",
        &[
            "reinstantiations_max",
            "probation_ms",
            "backoff_ms",
            "backoff_max_ms",
            "checkpoint_every",
            "tentative_every",
        ],
    ),
    ("module_limits", &["fuel_per_call", "memory_bytes_max", "log_bytes_per_call_max"]),
    ("clients", super::clients::KEYS),
    ("ledger", super::ledger::KEYS),
];

/// A request that waits for less is lost to a single datagram that has to be repeated; one that waits for more than ten
/// minutes holds one of the front end's places for somebody who has left.
const REQUEST_TIMEOUT_MS: RangeInclusive<u64> = 10..=600_000;

/// A deadline or pause. Below a millisecond nothing can be told apart; beyond an hour nobody waits.
const PAUSE_MS: RangeInclusive<u64> = 1..=3_600_000;

/// At least two heartbeats have to be missing, or a single late one would make a crash.
const SILENT_AFTER_MS: RangeInclusive<u64> = 2 * PROGRESS_INTERVAL.as_millis() as u64..=3_600_000;

/// Zero means that the first failure within a probation calls for a spare.
const REINSTANTIATIONS: RangeInclusive<u64> = 0..=1_000_000;

/// The longest log has room for the intervals that one has to hold.
const CHECKPOINT_EVERY: RangeInclusive<u64> = 1..=(LOG_LEN_MAX / LOG_INTERVALS_LEN) as u64;

/// Zero means never.
const TENTATIVE_EVERY: RangeInclusive<u64> = 0..=LOG_LEN_MAX as u64;

/// Most spares of one replica; each is compiled at the start.
const SPARES_LEN_MAX: usize = 8;

/// Every whole number that TOML promises to carry from 1 on; the metering itself knows no other bound.
const FUEL: RangeInclusive<u64> = 1..=i64::MAX as u64;

/// Up to all that 32-bit pointers can reach.
const MEMORY_BYTES: RangeInclusive<u64> = 1..=4 << 30;

/// The host keeps what a call logs in its own memory, so one call may not take more than this.
const LOG_BYTES: RangeInclusive<u64> = 1..=16 << 20;

/// The cluster that a configuration file with this text describes, or everything that is wrong with it.
///
/// Relative paths count from `directory`, the one that the file is in. After an error of TOML's syntax only what precedes it
/// is judged, and the other problems show up once it is corrected.
pub fn parse(text: &str, directory: &Path) -> Result<ClusterConfig, Vec<Problem>> {
    read_document(text, SCHEMA, |root, complete, findings| {
        Reader { directory, complete, has_keys: false, findings }.cluster(root)
    })
}

/// Reads tables in turn, and notes what is wrong; a value that is wrong is replaced by its default, which nobody gets to see.
struct Reader<'a> {
    directory: &'a Path,
    /// Whether the whole document parsed; otherwise tables may be missing, and values are not judged against each other.
    complete: bool,
    /// Whether each node has keys of its own.
    has_keys: bool,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn cluster(mut self, root: &Section<'_>) -> ClusterConfig {
        let cluster = root.table("cluster", self.findings);
        let front_ends = root.one_or_more_tables("front_end", self.findings);
        let sequencer = root.table("sequencer", self.findings);
        let replicas = root.tables("replica", self.findings);
        let suspicion = root.table("suspicion", self.findings);
        let recovery = root.table("recovery", self.findings);
        let limits = root.table("module_limits", self.findings);
        let clients = root.table("clients", self.findings);
        let ledger = root.table("ledger", self.findings);

        self.has_keys = cluster.entry("keys").is_some();
        let mode = cluster.entry("mode");
        let wanted = mode.map_or(Some(MODE), |mode| self.mode(&mode));
        let tolerance = wanted.zip(replicas.as_deref()).and_then(|(tolerance, replicas)| {
            let table_at = replicas.get(REPLICAS_LEN_MAX).or(replicas.first()).map(|(at, _)| *at);
            let excess = replicas.len() > REPLICAS_LEN_MAX;
            let at = if excess { table_at } else { mode.map(|mode| mode.at).or(table_at) };
            self.tolerance(tolerance, replicas.len(), at.unwrap_or(0))
        });

        let (front_end_configs, mut listeners) = self.front_ends(front_ends.as_deref().unwrap_or(&[]));
        let client_address = front_end_configs.iter().map(|front_end| front_end.client_address);
        let exposed = client_address.clone().find(|address| !address.ip().is_loopback());
        let client_address = exposed.or(client_address.clone().next()).unwrap_or(ANY_PORT);
        let sequencer = self.listener("the sequencer", &sequencer, "address");
        let sequencer_address = sequencer.address();
        listeners.push(sequencer);
        let mut replica_configs = Vec::new();
        for (index, (_, table)) in replicas.iter().flatten().enumerate() {
            let listener = self.listener(&format!("replica-{}", index + 1), table, "address");
            let (module, spares) = (self.module(table), self.spares(table));
            replica_configs.push(ReplicaConfig { address: listener.address(), module, spares });
            listeners.push(listener);
        }
        if replica_configs.is_empty() {
            let replicas_len = tolerance.unwrap_or(MODE).replicas_len_min();
            replica_configs.resize(replicas_len, ReplicaConfig::default());
            let by_default = |index| Listener { node: format!("replica-{}", index + 1), given: None };
            listeners.extend((0..replicas_len).map(by_default));
        }
        if self.complete {
            self.compare_addresses(&listeners);
        }

        let timeout_ms =
            cluster.entry("request_timeout_ms").and_then(|entry| entry.number(REQUEST_TIMEOUT_MS, self.findings));
        ClusterConfig {
            tolerance: tolerance.unwrap_or(MODE),
            keys: self.keys(&cluster),
            data: self.data(&cluster),
            request_timeout: timeout_ms.map_or(REQUEST_TIMEOUT, Duration::from_millis),
            front_ends: front_end_configs,
            sequencer: SequencerConfig { address: sequencer_address },
            replicas: replica_configs,
            allow_faults: cluster.entry("allow_faults").and_then(|entry| entry.boolean(self.findings)).unwrap_or(false),
            suspicion: self.suspicion(&suspicion),
            recovery: self.recovery(&recovery),
            module_limits: self.module_limits(&limits),
            clients: super::clients::read(&clients, self.directory, client_address, self.findings),
            ledger: super::ledger::read(&ledger, self.findings),
        }
    }

    fn mode(&mut self, mode: &Entry<'_>) -> Option<Tolerance> {
        const EXPECTED: &str = "\"byzantine\", \"crash\", \"both\" or { wrong = <number>, crashed = <number> }";
        if let Some(table) = mode.inline_table(&["wrong", "crashed"], self.findings) {
            let mut number = |key| match table.entry(key) {
                Some(entry) => entry.number(0..=REPLICAS_LEN_MAX as u64, self.findings).map(|number| number as usize),
                None => {
                    self.findings
                        .add(mode.at, format!("`mode`: expected both `wrong` and `crashed`, found no `{key}`"));
                    None
                }
            };
            let (wrong, crashed) = (number("wrong"), number("crashed"));
            return Some(Tolerance { wrong: wrong?, crashed: crashed? });
        }
        let name = mode.string(EXPECTED, self.findings)?;
        let named = Tolerance::NAMED.iter().find(|(known, _)| *known == name);
        if named.is_none() {
            let advice = meant(name, Tolerance::NAMED.iter().map(|(known, _)| *known));
            mode.expected(EXPECTED, &advice, self.findings);
        }
        named.map(|(_, tolerance)| *tolerance)
    }

    /// The tolerance as it holds for this number of `[[replica]]` tables, or for the mode's own number where there are none.
    fn tolerance(&mut self, tolerance: Tolerance, tables_len: usize, at: usize) -> Option<Tolerance> {
        if !self.complete {
            return None;
        }
        let replicas_len = if tables_len == 0 { tolerance.replicas_len_min() } else { tables_len };
        let checked = tolerance.check(replicas_len);
        if let Err(impossible) = &checked {
            self.findings.add(at, impossible.to_string());
        }
        checked.ok()
    }

    fn keys(&mut self, table: &Section<'_>) -> Keys {
        const EXPECTED_FILE: &str = "the path of a file";
        const EXPECTED_DIRECTORY: &str = "the path of a directory with a key file for each node";
        let mut path = |key, expected| {
            let entry = table.entry(key)?;
            let text = entry.string(expected, self.findings)?;
            Some((entry, text, absolute(self.directory, Path::new(text))))
        };
        let (shared, of_nodes) = (path("key_file", EXPECTED_FILE), path("keys", EXPECTED_DIRECTORY));
        if let (Some((entry, ..)), true) = (&shared, self.has_keys) {
            let what =
                "`key_file`: expected it or `keys`, found both: with keys for each pair of nodes there is none for all";
            self.findings.add(entry.at, what.to_owned());
        }
        if let Some((entry, text, path)) = &shared
            && (path.is_dir() || text.ends_with('/'))
        {
            entry.expected(EXPECTED_FILE, ", which is a directory", self.findings);
        }
        if let Some((entry, _, path)) = &of_nodes
            && path.is_file()
        {
            entry.expected(EXPECTED_DIRECTORY, ", which is a file", self.findings);
        }
        match (of_nodes, shared) {
            (Some((_, _, directory)), _) => Keys::OfNodes(directory),
            (None, Some((_, _, file))) => Keys::Shared(file),
            (None, None) => Keys::Shared(absolute(self.directory, Path::new(KEY_FILE))),
        }
    }

    fn data(&mut self, cluster: &Section<'_>) -> Option<DataConfig> {
        let directory = cluster.entry("data").and_then(|entry| {
            const EXPECTED: &str = "the path of a directory";
            let path = absolute(self.directory, Path::new(entry.string(EXPECTED, self.findings)?));
            if path.is_file() {
                entry.expected(EXPECTED, ", which is a file", self.findings);
            }
            Some(path)
        });
        let directory = directory.unwrap_or_else(|| absolute(self.directory, Path::new(DATA_DIRECTORY)));
        let durability = match cluster.entry("durability") {
            None => Some(DURABILITY),
            Some(entry) => self.durability(&entry),
        };
        durability.map(|durability| DataConfig { directory, durability })
    }

    /// What is outlived; `None` if nothing is to be.
    fn durability(&mut self, entry: &Entry<'_>) -> Option<Durability> {
        const EXPECTED: &str = "\"fsync\", \"os\" or \"none\"";
        let name = entry.string(EXPECTED, self.findings)?;
        let named = Durability::NAMED.iter().find(|(known, _)| *known == name);
        if named.is_none() && name != NO_DURABILITY {
            let known = Durability::NAMED.iter().map(|(known, _)| *known).chain([NO_DURABILITY]);
            entry.expected(EXPECTED, &meant(name, known), self.findings);
        }
        named.map(|(_, durability)| *durability)
    }

    fn module(&mut self, table: &Section<'_>) -> ModuleSource {
        table.entry("module").map_or(ModuleSource::Reference, |entry| self.module_source(&entry))
    }

    fn spares(&mut self, table: &Section<'_>) -> Vec<ModuleSource> {
        let Some(entry) = table.entry("spares") else { return Vec::new() };
        let Some(entries) = entry.list("a list of modules, such as [\"reference\"]", self.findings) else {
            return Vec::new();
        };
        if entries.len() > SPARES_LEN_MAX {
            entry.expected(&format!("at most {SPARES_LEN_MAX} spares"), "", self.findings);
        }
        entries.iter().map(|entry| self.module_source(entry)).collect()
    }

    fn module_source(&mut self, entry: &Entry<'_>) -> ModuleSource {
        const EXPECTED: &str = "\"reference\" or the path of a WebAssembly component";
        let Some(text) = entry.string(EXPECTED, self.findings) else { return ModuleSource::Reference };
        if text == REFERENCE {
            return ModuleSource::Reference;
        }
        module_file(self.directory, Path::new(text)).unwrap_or_else(|path| {
            let reference = meant(text, [REFERENCE]);
            if self.has_keys && !path.exists() && reference.is_empty() {
                // It is on the machine of its replica, which may be another one. The node that loads it says so if not.
                return ModuleSource::File(path);
            }
            let what = if path.is_dir() { "is a directory" } else { "does not exist" };
            let nowhere = format!(", but the file {} {what}{reference}", quote(&path.to_string_lossy()));
            entry.expected(EXPECTED, &nowhere, self.findings);
            ModuleSource::Reference
        })
    }

    fn suspicion(&mut self, table: &Section<'_>) -> SuspicionPolicy {
        let default = SuspicionPolicy::default();
        let policy = SuspicionPolicy {
            deadline_start: self.duration(table, "deadline_start_ms", PAUSE_MS, default.deadline_start),
            deadline_floor: self.duration(table, "deadline_floor_ms", PAUSE_MS, default.deadline_floor),
            deadline_ceiling: self.duration(table, "deadline_ceiling_ms", PAUSE_MS, default.deadline_ceiling),
            silent_after: self.duration(table, "silent_after_ms", SILENT_AFTER_MS, default.silent_after),
            stuck_after: self.duration(table, "stuck_after_ms", PAUSE_MS, default.stuck_after),
        };
        let SuspicionPolicy { deadline_start: start, deadline_floor: floor, deadline_ceiling: ceiling, .. } = policy;
        if floor > start || start > ceiling {
            let keys = ["deadline_start_ms", "deadline_floor_ms", "deadline_ceiling_ms"];
            let at = keys.iter().find_map(|key| table.entry(key)).map_or(0, |entry| entry.at);
            let [floor, start, ceiling] = [floor, start, ceiling].map(|deadline| deadline.as_millis());
            let what = format!(
                "`deadline_floor_ms` = {floor}, `deadline_start_ms` = {start}, `deadline_ceiling_ms` = {ceiling}: \
                 expected them in this order, none smaller than the one before"
            );
            self.findings.add(at, what);
        }
        policy
    }

    fn recovery(&mut self, table: &Section<'_>) -> RecoveryPolicy {
        let default = RecoveryPolicy::default();
        let mut number = |key, range, default| {
            table.entry(key).and_then(|entry| entry.number(range, self.findings)).unwrap_or(default)
        };
        let reinstantiations_max =
            number("reinstantiations_max", REINSTANTIATIONS, u64::from(default.reinstantiations_max));
        let checkpoint_every = number("checkpoint_every", CHECKPOINT_EVERY, default.checkpoint_every);
        let tentative_every = number("tentative_every", TENTATIVE_EVERY, default.tentative_every);
        let policy = RecoveryPolicy {
            reinstantiations_max: u32::try_from(reinstantiations_max).expect("the range is within"),
            probation: self.duration(table, "probation_ms", PAUSE_MS, default.probation),
            backoff: self.duration(table, "backoff_ms", PAUSE_MS, default.backoff),
            backoff_max: self.duration(table, "backoff_max_ms", PAUSE_MS, default.backoff_max),
            checkpoint_every,
            tentative_every,
        };
        if policy.backoff > policy.backoff_max {
            let entry = table.entry("backoff_ms").or_else(|| table.entry("backoff_max_ms"));
            let (backoff, max) = (policy.backoff.as_millis(), policy.backoff_max.as_millis());
            let what = format!("`backoff_ms` = {backoff}: expected at most `backoff_max_ms` = {max}");
            self.findings.add(entry.map_or(0, |entry| entry.at), what);
        }
        policy
    }

    /// A time in whole milliseconds.
    fn duration(
        &mut self,
        table: &Section<'_>,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        let given = table.entry(key).and_then(|entry| entry.number(range, self.findings));
        given.map_or(default, Duration::from_millis)
    }

    fn module_limits(&mut self, limits: &Section<'_>) -> ModuleLimits {
        let mut number = |key, range, default| {
            limits.entry(key).and_then(|entry| entry.number(range, self.findings)).unwrap_or(default)
        };
        let default = ModuleLimits::default();
        ModuleLimits {
            fuel_per_call: number("fuel_per_call", FUEL, default.fuel_per_call),
            memory_bytes_max: number("memory_bytes_max", MEMORY_BYTES, default.memory_bytes_max),
            log_bytes_per_call_max: number("log_bytes_per_call_max", LOG_BYTES, default.log_bytes_per_call_max),
        }
    }

    /// The front ends, one where no table names any, and where they listen for the other nodes.
    fn front_ends(&mut self, tables: &[(usize, Section<'_>)]) -> (Vec<FrontEndConfig>, Vec<Listener>) {
        let (mut configs, mut listeners) = (Vec::new(), Vec::new());
        if let Some((at, _)) = tables.get(FRONT_ENDS_LEN_MAX) {
            let len = tables.len();
            let what = format!("{len} front ends are more than the {FRONT_ENDS_LEN_MAX} that a cluster may have");
            self.findings.add(*at, what);
        }
        for (number, (_, table)) in (1..).zip(&tables[..tables.len().min(FRONT_ENDS_LEN_MAX)]) {
            let node = if number == 1 { "the front end".to_owned() } else { format!("front-end-{number}") };
            let for_clients = self.listener(&node, table, "client_address");
            let listener = self.listener(&node, table, "address");
            let config = FrontEndConfig { address: listener.address(), client_address: for_clients.address() };
            let is_same = |other: &FrontEndConfig| {
                other.client_address == config.client_address && other.address.ip() == config.address.ip()
            };
            if let Some((at, Some(address))) = for_clients.given
                && address.port() != 0
                && configs.iter().any(is_same)
            {
                let what = format!("`client_address`: {address} is already that of another front end on this machine");
                self.findings.add(at, what);
            }
            configs.push(config);
            listeners.push(listener);
        }
        if configs.is_empty() {
            configs.push(FrontEndConfig::default());
            listeners.push(Listener { node: "the front end".to_owned(), given: None });
        }
        (configs, listeners)
    }

    /// Where a node listens, by a key of its table.
    fn listener(&mut self, node: &str, table: &Section<'_>, key: &'static str) -> Listener {
        let given = table.entry(key).map(|entry| (entry.at, self.address(&entry)));
        if let Some((at, Some(address))) = given
            && key == "address"
            && address.ip().is_unspecified()
        {
            let what = format!("`address`: expected one at which the other nodes reach {node}, found {address}");
            self.findings.add(at, what);
        }
        Listener { node: node.to_owned(), given }
    }

    fn address(&mut self, entry: &Entry<'_>) -> Option<SocketAddr> {
        const EXPECTED: &str = "an IP address and a port, such as \"127.0.0.1:7400\"";
        let text = entry.string(EXPECTED, self.findings)?;
        let Ok(address) = text.parse::<SocketAddr>() else {
            entry.expected(EXPECTED, "", self.findings);
            return None;
        };
        if !address.ip().is_loopback() && !self.has_keys {
            let refusal = "; any other needs keys for each pair of nodes, which `dsms init` writes";
            entry.expected("a loopback address, such as \"127.0.0.1:7400\"", refusal, self.findings);
            return None;
        }
        Some(address)
    }

    /// The UDP addresses of all nodes against each other.
    fn compare_addresses(&mut self, listeners: &[Listener]) {
        let mut owners: BTreeMap<SocketAddr, &str> = BTreeMap::new();
        for Listener { node, given } in listeners {
            let Some((at, Some(address))) = *given else { continue };
            match owners.get(&address).filter(|_| address.port() != 0) {
                Some(owner) => {
                    let taken = format!("`address`: {address} is already that of {owner}, expected one of its own");
                    self.findings.add(at, taken);
                }
                None => _ = owners.insert(address, node),
            }
        }
        // An address that is not given is one of IPv4, so a single one of IPv6 needs the others spelled out. One that could
        // not be read might be either.
        let readable = || listeners.iter().filter(|listener| !matches!(listener.given, Some((_, None))));
        let v4 = readable().find(|listener| listener.address().is_ipv4());
        let v6 = readable().find(|listener| listener.address().is_ipv6());
        if let (Some(v4), Some(Listener { node, given: Some((at, _)) })) = (v4, v6) {
            let difference = format!("{node} is on IPv6 and {} on IPv4 ({})", v4.node, v4.address());
            let expected = "so they cannot reach each other; expected all on one of the two";
            self.findings.add(*at, format!("`address`: {difference}, {expected}"));
        }
    }
}

/// The address of a node, as the file gives it.
struct Listener {
    /// The node, as messages call it.
    node: String,
    /// The byte of the text at which the address is, and the address if it can be used; `None` where the file gives none.
    given: Option<(usize, Option<SocketAddr>)>,
}

impl Listener {
    /// The address, or the default for one that is not given or cannot be used.
    fn address(&self) -> SocketAddr {
        self.given.and_then(|(_, address)| address).unwrap_or(ANY_PORT)
    }
}

/// Advice after a word that is near to one of these, else nothing.
fn meant(word: &str, candidates: impl IntoIterator<Item = &'static str>) -> String {
    near_miss(word, candidates).map_or(String::new(), |meant| format!("; did you mean \"{meant}\"?"))
}

#[cfg(test)]
mod tests;
