//! The configuration of a cluster: what a `dsms.toml` says, or the defaults for a mode where there is no file.
//!
//! Everything in the file is optional, so an empty one is a cluster in mode `byzantine`. Reading it reports every problem at
//! once, each with its line and column. All paths are absolute once read: every process of a cluster then means the same
//! file, whatever its working directory.
//!
//! | File | Its part |
//! |---|---|
//! | `document.rs` | TOML with places: tables, keys and types, with near misses |
//! | `cluster.rs` | what the values mean together |
//! | `ledger.rs` | what `[ledger]` says |
//! | `clients.rs` | what `[clients]` says: who may ask, TLS, limits |
//! | `write.rs` | the way back, to a complete file |
//! | `error.rs` | what can be wrong, in words |
//! | `key_file.rs` | the text of a node's key file |
//!
//! What is deliberately absent: reading of environment variables, and reloading of a changed configuration.

mod clients;
mod cluster;
mod document;
mod error;
mod key_file;
mod ledger;
mod near_miss;
mod write;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::protocol::id::{Membership, NodeId};
use crate::protocol::limits::REQUEST_TIMEOUT;
use crate::protocol::policy::{RecoveryPolicy, SuspicionPolicy};
use crate::protocol::quorum::Tolerance;
use crate::storage::Durability;

pub use clients::{Auth, ClientsConfig, TlsConfig};
pub use cluster::parse;
pub use error::{ConfigError, MissingPorts, ModeError, PathNotUtf8, Place, Problem};
pub use key_file::{KEY_FILE_LEN_MAX, KeyFileError, key_file_text, parse_key_file};
pub use ledger::LedgerConfig;

/// Largest configuration file, in bytes. The operator controls it; a complete one has about 1 KiB, so whatever is larger is
/// another file by mistake, and is refused before it is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most problems that are reported at once. The file controls the number; beyond it the last one says how many more.
pub const PROBLEMS_LEN_MAX: usize = 100;

/// Where the cluster's key is kept when nothing else is said, relative to the directory of the file.
pub const KEY_FILE: &str = ".dsms/cluster.key";

/// Where replica managers keep what outlives them when nothing else is said, relative to the directory of the file.
pub const DATA_DIRECTORY: &str = ".dsms/data";

/// What that outlives when nothing else is said.
pub const DURABILITY: Durability = Durability::Fsync;

/// The durability of a cluster that keeps nothing.
pub(crate) const NO_DURABILITY: &str = "none";

/// The mode when nothing else is said.
pub const MODE: Tolerance = Tolerance::BYZANTINE;

/// An address when nothing else is said: loopback, on any free port.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a cluster consists of, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// How many replicas may be wrong and how many crashed, as it holds for this number of replicas: mode `crash` with five
    /// of them is four crashed.
    pub tolerance: Tolerance,
    /// The keys that authenticate datagrams between nodes.
    pub keys: Keys,
    /// Where what is ordered outlives the processes, and what it outlives; if nowhere, it ends with them.
    pub data: Option<DataConfig>,
    /// How long a front end waits for enough replies, in whole milliseconds.
    pub request_timeout: Duration,
    /// Whether faults may be injected while the cluster runs.
    pub allow_faults: bool,
    /// The front ends, at least one.
    pub front_ends: Vec<FrontEndConfig>,
    /// The sequencer.
    pub sequencer: SequencerConfig,
    /// The replicas, replica-1 first.
    pub replicas: Vec<ReplicaConfig>,
    /// When replicas are suspected, and taken for crashed.
    pub suspicion: SuspicionPolicy,
    /// How replicas are brought back.
    pub recovery: RecoveryPolicy,
    /// What a module may use. One set for all replicas: a limit that one runs into and another does not is a difference
    /// between them.
    pub module_limits: ModuleLimits,
    /// What clients have to show, and how much they may ask for.
    pub clients: ClientsConfig,
    /// How much the front end keeps of what it has seen.
    pub ledger: LedgerConfig,
}

/// Where replica managers keep what outlives their processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConfig {
    /// The directory, with one in it for each replica; it may not exist yet.
    pub directory: PathBuf,
    /// What is outlived.
    pub durability: Durability,
}

/// Where the keys of nodes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// One key for all nodes, in this file, which may not exist yet. Whoever has it can speak for every node, so all of them are on one
    /// machine: their addresses are loopback addresses.
    Shared(PathBuf),
    /// A file `NAME.key` for each node in this directory, with a secret for each other node.
    OfNodes(PathBuf),
}

/// Where a front end listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontEndConfig {
    /// UDP, for the other nodes. Port 0 stands for any free one.
    pub address: SocketAddr,
    /// TCP, for clients. Port 0 stands for any free one.
    pub client_address: SocketAddr,
}

/// Where the sequencer listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencerConfig {
    /// UDP. Port 0 stands for any free one.
    pub address: SocketAddr,
}

/// One replica: where its manager listens, and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// UDP. Port 0 stands for any free one.
    pub address: SocketAddr,
    /// The module at the start.
    pub module: ModuleSource,
    /// What takes its place, one after the other, when it cannot be brought back.
    pub spares: Vec<ModuleSource>,
}

/// Where the bytes of a module come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ModuleSource {
    /// The module that is embedded in the binary.
    #[default]
    Reference,
    /// A WebAssembly component in a file.
    File(PathBuf),
}

/// The name that stands for the embedded module wherever a file could be named.
pub const REFERENCE: &str = "reference";

impl ModuleSource {
    /// The module of this name, as on a command line.
    pub fn named(name: impl Into<PathBuf>) -> ModuleSource {
        let path = name.into();
        if path.as_os_str() == REFERENCE { ModuleSource::Reference } else { ModuleSource::File(path) }
    }
}

impl fmt::Display for ModuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleSource::Reference => f.write_str(REFERENCE),
            ModuleSource::File(path) => path.display().fmt(f),
        }
    }
}

/// What one call of a module may use. The operator controls these numbers, and the module, which is not trusted, consumes
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Budget of one call, in units of fuel: about one for each WebAssembly instruction.
    pub fuel_per_call: u64,
    /// Cap on the linear memory of an instance, in bytes.
    pub memory_bytes_max: u64,
    /// What one call may write to its log, in bytes; the rest is dropped.
    pub log_bytes_per_call_max: u64,
}

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        ModuleLimits { fuel_per_call: 200_000_000, memory_bytes_max: 128 << 20, log_bytes_per_call_max: 16 << 10 }
    }
}

impl Default for FrontEndConfig {
    fn default() -> FrontEndConfig {
        FrontEndConfig { address: ANY_PORT, client_address: ANY_PORT }
    }
}

impl Default for SequencerConfig {
    fn default() -> SequencerConfig {
        SequencerConfig { address: ANY_PORT }
    }
}

impl Default for ReplicaConfig {
    fn default() -> ReplicaConfig {
        ReplicaConfig { address: ANY_PORT, module: ModuleSource::Reference, spares: Vec::new() }
    }
}

impl ClusterConfig {
    /// A cluster without a file: every address on any free port, and the other values at their defaults.
    ///
    /// `replicas_len` is the number of replicas; without it there are as many as the mode needs, or as there are modules
    /// where those are more. The modules go to the replicas in order, and the replicas that remain run the reference module.
    /// Relative paths count from the working directory.
    pub fn for_mode(
        tolerance: Tolerance,
        replicas_len: Option<usize>,
        modules: Vec<ModuleSource>,
    ) -> Result<ClusterConfig, ModeError> {
        let modules_len = modules.len();
        let replicas_len = replicas_len.unwrap_or(tolerance.replicas_len_min().max(modules_len));
        let tolerance = tolerance.check(replicas_len)?;
        if modules_len > replicas_len {
            return Err(ModeError::Modules { modules_len, replicas_len });
        }
        let modules = modules.into_iter().map(|module| match module {
            ModuleSource::Reference => Ok(ModuleSource::Reference),
            ModuleSource::File(path) => module_file(Path::new(""), &path).map_err(ModeError::NoSuchModule),
        });
        let mut replicas = modules
            .map(|module| Ok(ReplicaConfig { module: module?, ..ReplicaConfig::default() }))
            .collect::<Result<Vec<ReplicaConfig>, ModeError>>()?;
        replicas.resize(replicas_len, ReplicaConfig::default());
        Ok(ClusterConfig {
            tolerance,
            keys: Keys::Shared(absolute(Path::new(""), Path::new(KEY_FILE))),
            data: Some(DataConfig {
                directory: absolute(Path::new(""), Path::new(DATA_DIRECTORY)),
                durability: DURABILITY,
            }),
            request_timeout: REQUEST_TIMEOUT,
            allow_faults: false,
            front_ends: vec![FrontEndConfig::default()],
            sequencer: SequencerConfig::default(),
            replicas,
            suspicion: SuspicionPolicy::default(),
            recovery: RecoveryPolicy::default(),
            module_limits: ModuleLimits::default(),
            clients: ClientsConfig::default(),
            ledger: LedgerConfig::default(),
        })
    }

    /// Gives every replica these spares. Relative paths count from the working directory.
    pub fn with_spares(mut self, spares: &[ModuleSource]) -> Result<ClusterConfig, ModeError> {
        let absolute = |spare: &ModuleSource| match spare {
            ModuleSource::Reference => Ok(ModuleSource::Reference),
            ModuleSource::File(path) => module_file(Path::new(""), path).map_err(ModeError::NoSuchModule),
        };
        let spares = spares.iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        for replica in &mut self.replicas {
            replica.spares.clone_from(&spares);
        }
        Ok(self)
    }

    /// The same cluster with so many front ends, the further ones on any free ports.
    pub fn with_front_ends(mut self, len: usize) -> ClusterConfig {
        self.front_ends.resize(len, FrontEndConfig::default());
        self
    }

    /// The same cluster with its data in this directory. A relative path counts from the working directory.
    pub fn with_data(mut self, directory: &Path) -> ClusterConfig {
        let durability = self.data.map_or(DURABILITY, |data| data.durability);
        self.data = Some(DataConfig { directory: absolute(Path::new(""), directory), durability });
        self
    }

    /// The same cluster, whose data outlives this.
    pub fn with_durability(mut self, durability: Durability) -> ClusterConfig {
        let default = || absolute(Path::new(""), Path::new(DATA_DIRECTORY));
        let directory = self.data.map_or_else(default, |data| data.directory);
        self.data = Some(DataConfig { directory, durability });
        self
    }

    /// The cluster that a file describes.
    pub fn load(path: &Path) -> Result<ClusterConfig, ConfigError> {
        let unreadable = |source| ConfigError::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        let parsed = match std::str::from_utf8(&bytes) {
            Ok(text) => parse(text, directory),
            Err(error) => Err(vec![error::not_utf8(&bytes, error)]),
        };
        parsed.map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
    }

    /// Every node of this cluster, in the order in which they are listed to people.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.membership().nodes()
    }

    /// How many nodes of each role there are.
    pub fn membership(&self) -> Membership {
        Membership { front_ends_len: self.front_ends.len(), replicas_len: self.replicas.len() }
    }

    /// The UDP address of a node. The node has to be one of [`ClusterConfig::nodes`].
    pub fn address_of(&self, node: NodeId) -> SocketAddr {
        match node {
            NodeId::FrontEnd(front_end) => self.front_ends[front_end.index()].address,
            NodeId::Sequencer => self.sequencer.address,
            NodeId::ReplicaManager(replica) => self.replicas[replica.index()].address,
        }
    }

    /// Checks that every address has a port of its own, which nodes need that are started one by one: no node could tell
    /// the others which free port it has got.
    pub fn require_ports(&self) -> Result<(), MissingPorts> {
        let of_nodes = self.nodes().into_iter().map(|node| (node, "address", self.address_of(node)));
        let front_ends = self.membership().front_ends().zip(&self.front_ends);
        let of_clients = front_ends.map(|(node, front_end)| (node, "client_address", front_end.client_address));
        let without: Vec<_> = of_nodes
            .chain(of_clients)
            .filter(|(_, _, address)| address.port() == 0)
            .map(|(node, key, _)| (node, key))
            .collect();
        if without.is_empty() { Ok(()) } else { Err(MissingPorts { without }) }
    }
}

/// A path of the file, counted from `directory`, itself counted from the working directory.
///
/// A process whose working directory is gone keeps the path as it is; opening it will then say what is wrong.
fn absolute(directory: &Path, path: &Path) -> PathBuf {
    let joined = directory.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// A module's file, which has to exist; otherwise the path at which there is none.
fn module_file(directory: &Path, path: &Path) -> Result<ModuleSource, PathBuf> {
    let path = absolute(directory, path);
    if path.is_file() { Ok(ModuleSource::File(path)) } else { Err(path) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_mode_alone_makes_a_cluster_of_its_default_size() {
        for (tolerance, expected) in [(Tolerance::BYZANTINE, 3), (Tolerance::CRASH, 3), (Tolerance::BOTH, 4)] {
            let config = ClusterConfig::for_mode(tolerance, None, Vec::new()).unwrap();
            assert_eq!(config.replicas, vec![ReplicaConfig::default(); expected]);
            assert_eq!(config.tolerance, tolerance);
            assert!(matches!(&config.keys, Keys::Shared(path) if path.is_absolute()));
            let everywhere = config.nodes().into_iter().map(|node| config.address_of(node));
            assert!(everywhere.eq(std::iter::repeat_n(ANY_PORT, expected + 2)));
        }
    }

    #[test]
    fn modules_go_to_the_first_replicas() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("module.wasm");
        fs::write(&path, b"").unwrap();
        let modules = vec![ModuleSource::Reference, ModuleSource::File(path.clone())];
        let config = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, modules.clone()).unwrap();
        let got: Vec<_> = config.replicas.into_iter().map(|replica| replica.module).collect();
        assert_eq!(got, [ModuleSource::Reference, ModuleSource::File(path.clone()), ModuleSource::Reference]);

        let four = ClusterConfig::for_mode(Tolerance::CRASH, None, [&modules[..], &modules[..]].concat()).unwrap();
        assert_eq!((four.replicas.len(), four.tolerance), (4, Tolerance { wrong: 0, crashed: 3 }));

        let error =
            ClusterConfig::for_mode(Tolerance::BYZANTINE, Some(3), vec![ModuleSource::Reference; 4]).unwrap_err();
        assert_eq!(error.to_string(), "there are 4 modules for 3 replicas; name at most one module for each replica");
        let error = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, vec![ModuleSource::Reference; 9]).unwrap_err();
        assert_eq!(error.to_string(), "9 replicas are more than the 7 that a cluster may have");
        let error = ClusterConfig::for_mode(Tolerance::BOTH, Some(3), Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "1 wrong and 1 crashed need 2 x 1 + 1 + 1 = 4 replicas, there are 3");
        fs::remove_file(&path).unwrap();
        let error = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, modules).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no module file {}", path.display()));
    }

    #[test]
    fn nodes_that_are_started_one_by_one_need_ports() {
        let mut config = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, Vec::new()).unwrap();
        config.front_ends[0].address.set_port(7400);
        config.front_ends[0].client_address.set_port(7401);
        config.sequencer.address.set_port(7401);
        for (port, replica) in (7402..).zip(&mut config.replicas) {
            replica.address.set_port(port);
        }
        let ports = config.nodes().into_iter().map(|node| config.address_of(node).port());
        assert!(ports.eq(7400..7405));
        assert_eq!(config.require_ports(), Ok(()));

        config.front_ends[0].client_address.set_port(0);
        config.replicas[1].address = ANY_PORT;
        assert_eq!(
            config.require_ports().unwrap_err().to_string(),
            "no port is given for replica-2 (address), front-end (client_address): nodes that are started one by one need \
             the ports of all in the configuration file; `dsms up` chooses them itself"
        );
    }

    #[test]
    fn paths_of_a_file_count_from_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("module.wasm"), b"").unwrap();
        let path = directory.path().join("dsms.toml");
        let replica = "[[replica]]\nmodule = 'module.wasm'\n";
        fs::write(&path, format!("{replica}[[replica]]\n[[replica]]\n[cluster]\nkey_file = 'key'")).unwrap();
        let config = ClusterConfig::load(&path).unwrap();
        assert_eq!(config.replicas[0].module, ModuleSource::File(directory.path().join("module.wasm")));
        assert_eq!(config.keys, Keys::Shared(directory.path().join("key")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dsms.toml");
        let shown = path.display().to_string();
        let load = || ClusterConfig::load(&path).unwrap_err().to_string();
        assert!(load().starts_with(&format!("cannot read the configuration file {shown}")));

        fs::write(&path, vec![b'#'; 1 << 20]).unwrap();
        assert!(ClusterConfig::load(&path).is_ok());
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert_eq!(load(), format!("{shown} is larger than the 1048576 bytes that a configuration file may have"));

        fs::write(&path, b"[cluster]\nkey_file = 'a\xff'").unwrap();
        assert_eq!(load(), format!("{shown}:2:14: this byte is not UTF-8, expected text"));

        fs::write(&path, b"mode = 'crash'\n[sequencer]\nadress = ''").unwrap();
        let expected = [
            "1:1: `mode` is outside its table, expected it in [cluster]",
            "3:1: unknown key `adress` in [sequencer], did you mean `address`?",
        ];
        assert_eq!(load(), expected.map(|problem| format!("{shown}:{problem}")).join("\n"));
    }
}
