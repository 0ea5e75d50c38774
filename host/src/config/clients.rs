//! What `[clients]` says: what clients have to show, TLS on their port, and how much they may ask for.
//!
//! The files that it names are read by the front end alone, when it starts.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::absolute;
use super::document::{Entry, Findings, Section};
use super::near_miss::near_miss;
use crate::protocol::limits::{CONNECTIONS_LEN_MAX, IN_FLIGHT_LEN_MAX};

/// The keys of the table.
pub(super) const KEYS: &[&str] = &["auth", "token_keys", "tls", "connections_max", "in_flight_max", "idle_timeout_ms"];

/// Below a second a person would be cut off while typing; beyond a day nobody comes back.
const IDLE_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=86_400_000;

/// How long a client may ask nothing when nothing else is said.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Most keys that a front end accepts tokens of. Two are enough to change from one to the next.
const TOKEN_KEYS_LEN_MAX: usize = 16;

/// What clients have to show, and how much they may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsConfig {
    /// Whether they have to show that they may speak for whom they speak.
    pub auth: Auth,
    /// The files of the public keys whose tokens are accepted.
    pub token_keys: Vec<PathBuf>,
    /// What the front end shows; without it, it does not speak TLS.
    pub tls: Option<TlsConfig>,
    /// Most connections, [`CONNECTIONS_LEN_MAX`] at most.
    pub connections_max: usize,
    /// Most requests of all clients that wait for their answer, [`IN_FLIGHT_LEN_MAX`] at most.
    pub in_flight_max: usize,
    /// A connection on which nothing is asked and nothing waits for so long is closed.
    pub idle_timeout: Duration,
}

/// Whether clients have to show tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// No: whoever reaches the client port may speak for anybody.
    #[default]
    None,
    /// Yes, one of each id that they speak for.
    Required,
}

impl Auth {
    const ALL: [Auth; 2] = [Auth::None, Auth::Required];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Auth::None => "none",
            Auth::Required => "required",
        }
    }
}

/// The files of TLS on the client port, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The chain of certificates, the front end's own first.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority, for the commands that find the cluster by its directory.
    pub ca: Option<PathBuf>,
}

impl Default for ClientsConfig {
    fn default() -> ClientsConfig {
        ClientsConfig {
            auth: Auth::None,
            token_keys: Vec::new(),
            tls: None,
            connections_max: CONNECTIONS_LEN_MAX,
            in_flight_max: IN_FLIGHT_LEN_MAX,
            idle_timeout: IDLE_TIMEOUT,
        }
    }
}

/// Reads the table. Relative paths count from `directory`.
pub(super) fn read(
    table: &Section<'_>,
    directory: &Path,
    client_address: SocketAddr,
    findings: &mut Findings,
) -> ClientsConfig {
    let default = ClientsConfig::default();
    let auth = table.entry("auth").and_then(|entry| auth(&entry, findings)).unwrap_or_default();
    let keys = table.entry("token_keys");
    let token_keys = keys.and_then(|entry| token_keys(&entry, directory, findings)).unwrap_or_default();
    let tls = table.entry("tls").and_then(|entry| tls(&entry, directory, findings));
    if let (Auth::Required, Some(at)) = (auth, table.entry("auth").map(|entry| entry.at)) {
        if token_keys.is_empty() {
            let advice = "expected `token_keys` with the .pub file of at least one key; `dsms token init` makes one";
            findings.add(at, format!("`auth` = \"required\", but no token could be good: {advice}"));
        }
        if table.entry("tls").is_none() && !client_address.ip().is_loopback() {
            let advice = "expected `tls`, whose files `dsms tls init` makes, or a loopback `client_address`";
            findings.add(
                at,
                format!("`auth` = \"required\", but tokens would cross the network for anybody to read: {advice}"),
            );
        }
    }
    let mut number =
        |key, range, default| table.entry(key).and_then(|entry| entry.number(range, findings)).unwrap_or(default);
    let len = |number| usize::try_from(number).expect("the range is within");
    ClientsConfig {
        auth,
        token_keys,
        tls,
        connections_max: len(number("connections_max", 1..=CONNECTIONS_LEN_MAX as u64, default.connections_max as u64)),
        in_flight_max: len(number("in_flight_max", 1..=IN_FLIGHT_LEN_MAX as u64, default.in_flight_max as u64)),
        idle_timeout: Duration::from_millis(number(
            "idle_timeout_ms",
            IDLE_TIMEOUT_MS,
            IDLE_TIMEOUT.as_millis() as u64,
        )),
    }
}

fn auth(entry: &Entry<'_>, findings: &mut Findings) -> Option<Auth> {
    const EXPECTED: &str = "\"none\" or \"required\"";
    let name = entry.string(EXPECTED, findings)?;
    let named = Auth::ALL.into_iter().find(|auth| auth.name() == name);
    if named.is_none() {
        let meant = near_miss(name, Auth::ALL.map(Auth::name));
        let advice = meant.map_or(String::new(), |meant| format!("; did you mean \"{meant}\"?"));
        entry.expected(EXPECTED, &advice, findings);
    }
    named
}

fn token_keys(entry: &Entry<'_>, directory: &Path, findings: &mut Findings) -> Option<Vec<PathBuf>> {
    let entries = entry.list("a list of files, such as [\"keys/tokens/3f2a91c05e7d8b14.pub\"]", findings)?;
    if entries.len() > TOKEN_KEYS_LEN_MAX {
        entry.expected(&format!("at most {TOKEN_KEYS_LEN_MAX} keys"), "", findings);
    }
    Some(entries.iter().filter_map(|entry| file(entry, directory, findings)).collect())
}

fn tls(entry: &Entry<'_>, directory: &Path, findings: &mut Findings) -> Option<TlsConfig> {
    const EXPECTED: &str = "{ cert = <file>, key = <file> }, and ca = <file> if need be";
    let Some(table) = entry.inline_table(&["cert", "key", "ca"], findings) else {
        entry.expected(EXPECTED, "", findings);
        return None;
    };
    let mut path = |key| table.entry(key).and_then(|entry| file(&entry, directory, findings));
    let (cert, key, ca) = (path("cert"), path("key"), path("ca"));
    for key in ["cert", "key"] {
        if table.entry(key).is_none() {
            findings.add(entry.at, format!("`tls`: expected {EXPECTED}, found no `{key}`"));
        }
    }
    Some(TlsConfig { cert: cert?, key: key?, ca })
}

fn file(entry: &Entry<'_>, directory: &Path, findings: &mut Findings) -> Option<PathBuf> {
    entry.string("the path of a file", findings).map(|text| absolute(directory, Path::new(text)))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[track_caller]
    fn problems(table: &str) -> String {
        let problems = parse(&format!("[clients]\n{table}"), Path::new("/etc/dsms")).unwrap_err();
        problems.into_iter().map(|problem| problem.what).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn nothing_is_required_unless_it_is_said() {
        assert_eq!(parse("", Path::new("/etc/dsms")).unwrap().clients, ClientsConfig::default());
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let text = r#"[clients]
            auth = "required"
            token_keys = ["keys/a.pub", "/b.pub"]
            tls = { cert = "tls/cert.pem", key = "tls/cert.key" }
            connections_max = 1
            in_flight_max = 2
            idle_timeout_ms = 3000"#;
        let expected = ClientsConfig {
            auth: Auth::Required,
            token_keys: vec!["/etc/dsms/keys/a.pub".into(), "/b.pub".into()],
            tls: Some(TlsConfig {
                cert: "/etc/dsms/tls/cert.pem".into(),
                key: "/etc/dsms/tls/cert.key".into(),
                ca: None,
            }),
            connections_max: 1,
            in_flight_max: 2,
            idle_timeout: Duration::from_secs(3),
        };
        assert_eq!(parse(text, Path::new("/etc/dsms")).unwrap().clients, expected);
    }

    #[test]
    fn tokens_are_not_sent_over_a_network_for_anybody_to_read() {
        let read_for = |address: &str, tls: &str| {
            let text = format!("[clients]\nauth = \"required\"\ntoken_keys = [\"a.pub\"]\n{tls}");
            let read_document =
                crate::config::document::read_document(&text, &[("clients", KEYS)], |root, _, findings| {
                    let table = root.table("clients", findings);
                    read(&table, Path::new("/"), address.parse().unwrap(), findings)
                });
            read_document.map_err(|problems| problems[0].what.clone())
        };
        assert!(read_for("127.0.0.1:7401", "").is_ok());
        assert!(read_for("192.0.2.1:7401", "tls = { cert = \"a\", key = \"b\" }").is_ok());
        assert!(read_for("192.0.2.1:7401", "").unwrap_err().contains("dsms tls init"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        for (table, expected) in [
            ("auth = \"require\"", "did you mean \"required\"?"),
            ("auth = \"required\"", "`dsms token init` makes one"),
            ("token_keys = \"a.pub\"", "a list of files"),
            ("tls = \"cert.pem\"", "{ cert = <file>, key = <file> }"),
            ("tls = { cert = \"cert.pem\" }", "found no `key`"),
            ("tls = { cert = \"a\", key = \"b\", chain = \"c\" }", "unknown key `chain`"),
            ("connections_max = 513", "from 1 to 512"),
            ("in_flight_max = 0", "from 1 to 32767"),
            ("idle_timeout_ms = 1", "from 1000"),
            ("idle_timout_ms = 1", "did you mean `idle_timeout_ms`?"),
        ] {
            assert!(problems(table).contains(expected), "{table}: {}", problems(table));
        }
    }
}
