//! A configuration as a complete `dsms.toml`, which reads back as the same configuration.

use std::fmt::Write;
use std::path::Path;

use super::{ClusterConfig, DataConfig, Keys, ModuleSource, PathNotUtf8, TlsConfig};
use super::{NO_DURABILITY, REFERENCE};
use crate::protocol::quorum::Tolerance;

impl ClusterConfig {
    /// The text of a file that says every value, the defaults as well, with absolute paths, so that it means the same in
    /// whatever directory it is put.
    ///
    /// What [`ClusterConfig::load`], [`parse`](super::parse) or [`ClusterConfig::for_mode`] gave reads back equal, also after
    /// its ports were filled in. A path that is not UTF-8 has no place in a file that is.
    pub fn to_toml(&self) -> Result<String, PathNotUtf8> {
        let ClusterConfig {
            tolerance,
            keys,
            data,
            request_timeout,
            allow_faults,
            front_ends,
            sequencer,
            replicas,
            suspicion,
            recovery,
            module_limits,
            clients,
            ledger,
        } = self;
        let mut text = String::new();
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            writeln!(text, "{arguments}").expect("a string takes all that is written to it");
        };
        line(format_args!("[cluster]"));
        line(format_args!("mode = {}", mode(*tolerance)));
        match keys {
            Keys::Shared(file) => line(format_args!("key_file = {}", path(file)?)),
            Keys::OfNodes(directory) => line(format_args!("keys = {}", path(directory)?)),
        }
        match data {
            Some(DataConfig { directory, durability }) => {
                line(format_args!("data = {}", path(directory)?));
                line(format_args!("durability = {}", string(durability.name())));
            }
            None => line(format_args!("durability = {}", string(NO_DURABILITY))),
        }
        line(format_args!("request_timeout_ms = {}", request_timeout.as_millis()));
        line(format_args!("allow_faults = {allow_faults}"));
        for (node, front_end) in self.membership().front_ends().zip(front_ends) {
            line(format_args!("\n# {node}"));
            line(format_args!("[[front_end]]"));
            line(format_args!("address = \"{}\"", front_end.address));
            line(format_args!("client_address = \"{}\"", front_end.client_address));
        }
        line(format_args!("\n[sequencer]"));
        line(format_args!("address = \"{}\"", sequencer.address));
        for (index, replica) in replicas.iter().enumerate() {
            let spares = replica.spares.iter().map(module).collect::<Result<Vec<_>, _>>()?;
            let module = module(&replica.module)?;
            line(format_args!("\n# replica-{}", index + 1));
            line(format_args!("[[replica]]"));
            line(format_args!("address = \"{}\"", replica.address));
            line(format_args!("module = {module}"));
            line(format_args!("spares = [{}]", spares.join(", ")));
        }
        line(format_args!("\n[suspicion]"));
        line(format_args!("deadline_start_ms = {}", suspicion.deadline_start.as_millis()));
        line(format_args!("deadline_floor_ms = {}", suspicion.deadline_floor.as_millis()));
        line(format_args!("deadline_ceiling_ms = {}", suspicion.deadline_ceiling.as_millis()));
        line(format_args!("silent_after_ms = {}", suspicion.silent_after.as_millis()));
        line(format_args!("stuck_after_ms = {}", suspicion.stuck_after.as_millis()));
        line(format_args!("\n[recovery]"));
        line(format_args!("reinstantiations_max = {}", recovery.reinstantiations_max));
        line(format_args!("probation_ms = {}", recovery.probation.as_millis()));
        line(format_args!("backoff_ms = {}", recovery.backoff.as_millis()));
        line(format_args!("backoff_max_ms = {}", recovery.backoff_max.as_millis()));
        line(format_args!("checkpoint_every = {}", recovery.checkpoint_every));
        line(format_args!("tentative_every = {}", recovery.tentative_every));
        line(format_args!("\n[module_limits]"));
        line(format_args!("fuel_per_call = {}", module_limits.fuel_per_call));
        line(format_args!("memory_bytes_max = {}", module_limits.memory_bytes_max));
        line(format_args!("log_bytes_per_call_max = {}", module_limits.log_bytes_per_call_max));
        line(format_args!("\n[clients]"));
        line(format_args!("auth = \"{}\"", clients.auth.name()));
        let token_keys = clients.token_keys.iter().map(|file| path(file)).collect::<Result<Vec<_>, _>>()?;
        line(format_args!("token_keys = [{}]", token_keys.join(", ")));
        if let Some(TlsConfig { cert, key, ca }) = &clients.tls {
            let ca = ca.as_ref().map(|ca| Ok(format!(", ca = {}", path(ca)?))).transpose()?.unwrap_or_default();
            line(format_args!("tls = {{ cert = {}, key = {}{ca} }}", path(cert)?, path(key)?));
        }
        line(format_args!("connections_max = {}", clients.connections_max));
        line(format_args!("in_flight_max = {}", clients.in_flight_max));
        line(format_args!("idle_timeout_ms = {}", clients.idle_timeout.as_millis()));
        line(format_args!("\n[ledger]"));
        line(format_args!("size_bytes_max = {}", ledger.size_bytes_max));
        Ok(text)
    }
}

fn module(source: &ModuleSource) -> Result<String, PathNotUtf8> {
    match source {
        ModuleSource::Reference => Ok(string(REFERENCE)),
        ModuleSource::File(file) => path(file),
    }
}

/// The mode by its name where it has one.
fn mode(tolerance: Tolerance) -> String {
    match Tolerance::NAMED.iter().find(|(_, named)| *named == tolerance) {
        Some((name, _)) => string(name),
        None => format!("{{ wrong = {}, crashed = {} }}", tolerance.wrong, tolerance.crashed),
    }
}

fn path(path: &Path) -> Result<String, PathNotUtf8> {
    path.to_str().map(string).ok_or_else(|| PathNotUtf8(path.to_owned()))
}

/// A string with quotes and escapes on one line, whatever is in it.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(letter))),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::{
        Auth, ClientsConfig, FrontEndConfig, LedgerConfig, ModuleLimits, ReplicaConfig, SequencerConfig, parse,
    };
    use super::*;
    use crate::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
    use crate::storage::Durability;

    /// File names that need every kind of escape, and one that is also a word of the file.
    const NAMES: [&str; 5] =
        ["a.wasm", "reference", "with \"quotes\" and \\.wasm", "line\nbreak\u{7f}\u{85}", "größe 模块"];

    /// Any cluster that can be written down; the modules are files of this directory.
    fn any_config(directory: &Path) -> impl Strategy<Value = ClusterConfig> + use<> {
        let directory = directory.to_owned();
        let tolerances = prop::sample::select(vec![(1, 0), (0, 2), (1, 1), (0, 0), (2, 0), (2, 1), (0, 1)]);
        let names = prop::sample::select(NAMES.to_vec());
        let module = {
            let directory = directory.clone();
            prop::option::of(names).prop_map(move |name| match name {
                Some(name) => ModuleSource::File(directory.join(name)),
                None => ModuleSource::Reference,
            })
        };
        let modules = prop::collection::vec(module, 0..3);
        let limits = (1..=i64::MAX as u64, 1..=4u64 << 30, 1..=16u64 << 20);
        (tolerances, modules, 0..3usize, limits, "[^/\0]{1,12}", 10..=600_000u64, any::<bool>(), 0..60_000u16).prop_map(
            move |((wrong, crashed), modules, extra, limits, key, timeout_ms, ipv6, port)| {
                let tolerance = Tolerance { wrong, crashed };
                let len = (tolerance.replicas_len_min().max(modules.len()) + extra).min(7);
                let mut config = ClusterConfig::for_mode(tolerance, Some(len), modules).unwrap();
                let host = if ipv6 { "[::1]" } else { "127.0.0.1" };
                let address = |offset: u16| {
                    let port = if port == 0 { 0 } else { port + offset };
                    format!("{host}:{port}").parse::<SocketAddr>().unwrap()
                };
                config = config.with_front_ends(1 + extra);
                for (offset, front_end) in (20..).zip(&mut config.front_ends) {
                    front_end.address = address(offset);
                    front_end.client_address = address(offset);
                }
                config.sequencer.address = address(2);
                for (offset, replica) in (3..).zip(&mut config.replicas) {
                    replica.address = address(offset);
                }
                let path = directory.join(format!("{key}.key"));
                config.keys = if extra == 0 { Keys::OfNodes(path) } else { Keys::Shared(path) };
                let data =
                    DataConfig { directory: directory.join(&key), durability: Durability::NAMED[usize::from(ipv6)].1 };
                config.data = (port % 3 > 0).then_some(data);
                config.request_timeout = Duration::from_millis(timeout_ms);
                let (fuel_per_call, memory_bytes_max, log_bytes_per_call_max) = limits;
                config.allow_faults = ipv6;
                config.replicas[0].spares =
                    config.replicas.iter().rev().map(|replica| replica.module.clone()).collect();
                config.suspicion.stuck_after = Duration::from_millis(timeout_ms);
                config.recovery.checkpoint_every = timeout_ms.min(50_000);
                config.recovery.tentative_every = timeout_ms;
                config.clients.connections_max = 1 + usize::from(port) % 512;
                config.clients.in_flight_max = 1 + usize::from(port) % 1000;
                config.clients.idle_timeout = Duration::from_millis(1000 + timeout_ms);
                if port % 2 == 0 {
                    config.clients.auth = Auth::Required;
                    config.clients.token_keys = vec![directory.join("b.pub"), directory.join("a.pub")];
                    let ca = ipv6.then(|| directory.join("ca.pem"));
                    config.clients.tls =
                        Some(TlsConfig { cert: directory.join("tls.pem"), key: directory.join("tls.key"), ca });
                }
                config.ledger.size_bytes_max = (timeout_ms << 20).min(64 << 30);
                config.module_limits = ModuleLimits { fuel_per_call, memory_bytes_max, log_bytes_per_call_max };
                config
            },
        )
    }

    #[test]
    fn every_configuration_reads_back_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        for name in NAMES {
            fs::write(directory.path().join(name), b"").unwrap();
        }
        proptest!(|(config in any_config(directory.path()))| {
            let text = config.to_toml().unwrap();
            prop_assert_eq!(parse(&text, Path::new("elsewhere")), Ok(config), "{}", text);
        });
    }

    #[test]
    fn a_complete_file_says_every_value() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let replica = |port, module: ModuleSource| ReplicaConfig {
            address: address(port),
            spares: vec![module.clone(), ModuleSource::Reference],
            module,
        };
        let config = ClusterConfig {
            tolerance: Tolerance { wrong: 0, crashed: 1 },
            keys: Keys::Shared("/home/key".into()),
            data: Some(DataConfig { directory: "/home/data".into(), durability: Durability::Fsync }),
            request_timeout: Duration::from_secs(1),
            front_ends: vec![FrontEndConfig { address: address(1), client_address: address(2) }],
            sequencer: SequencerConfig { address: address(3) },
            replicas: vec![replica(4, ModuleSource::Reference), replica(5, ModuleSource::File("/m.wasm".into()))],
            allow_faults: false,
            suspicion: SuspicionPolicy::default(),
            recovery: RecoveryPolicy::default(),
            module_limits: ModuleLimits { fuel_per_call: 6, memory_bytes_max: 7, log_bytes_per_call_max: 8 },
            clients: ClientsConfig {
                auth: Auth::Required,
                token_keys: vec!["/a.pub".into(), "/b.pub".into()],
                tls: Some(TlsConfig { cert: "/c.pem".into(), key: "/c.key".into(), ca: Some("/ca.pem".into()) }),
                connections_max: 9,
                in_flight_max: 10,
                idle_timeout: Duration::from_secs(11),
            },
            ledger: LedgerConfig { size_bytes_max: 12 << 20 },
        };
        let expected = r#"[cluster]
mode = { wrong = 0, crashed = 1 }
key_file = "/home/key"
data = "/home/data"
durability = "fsync"
request_timeout_ms = 1000
allow_faults = false

# front-end
[[front_end]]
address = "127.0.0.1:1"
client_address = "127.0.0.1:2"

[sequencer]
address = "127.0.0.1:3"

# replica-1
[[replica]]
address = "127.0.0.1:4"
module = "reference"
spares = ["reference", "reference"]

# replica-2
[[replica]]
address = "127.0.0.1:5"
module = "/m.wasm"
spares = ["/m.wasm", "reference"]

[suspicion]
deadline_start_ms = 500
deadline_floor_ms = 200
deadline_ceiling_ms = 10000
silent_after_ms = 1500
stuck_after_ms = 3000

[recovery]
reinstantiations_max = 3
probation_ms = 10000
backoff_ms = 100
backoff_max_ms = 5000
checkpoint_every = 10000
tentative_every = 131072

[module_limits]
fuel_per_call = 6
memory_bytes_max = 7
log_bytes_per_call_max = 8

[clients]
auth = "required"
token_keys = ["/a.pub", "/b.pub"]
tls = { cert = "/c.pem", key = "/c.key", ca = "/ca.pem" }
connections_max = 9
in_flight_max = 10
idle_timeout_ms = 11000

[ledger]
size_bytes_max = 12582912
"#;
        assert_eq!(config.to_toml().unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        use std::path::PathBuf;

        let mut config = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, Vec::new()).unwrap();
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xff]));
        config.keys = Keys::Shared(path.clone());
        assert_eq!(config.to_toml(), Err(PathNotUtf8(path)));
    }
}
