//! One role in one process: binds its sockets and drives its core until it is told to stop.
//!
//! Each loop turns the same way: wait for a datagram, a deadline, or what else the role listens to; take in all that is there;
//! then send all that came of it, so that what arose in one turn shares datagrams.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::net::{TcpListener, UdpSocket};

use crate::config::{ClusterConfig, ModuleSource};
use crate::protocol::event::Event;
use crate::protocol::id::{Membership, NodeId, ReplicaId};
use crate::protocol::replica_manager::ReplicaManagerConfig;
use crate::protocol::sequencer::{self, Sequencer};
use crate::sandbox::{Engine, LoadError, LoadedModule, SandboxError, SandboxLimits, reference_module};
use crate::storage::CommitError;
use crate::storage::files::OpenError;

use super::client_files::ClientFiles;
use super::clock::Clock;
use super::connections::{ConnectionRules, Connections};
use super::data;
use super::front_end::FrontEndDriver;
use super::injection::Injection;
use super::kept_modules::Beginning;
use super::keys::{KeysError, NodeKeys};
use super::log::Log;
use super::network::Network;
use super::private_file::FileError;
use super::replica::{Kept, ReplicaDriver};
use super::service_manager::ServiceManager;
use super::stop::Stop;

/// What a front end prints on standard output when every node has been heard of, followed by its client address.
pub const READY_LINE: &str = "ready";

/// What a front end prints on standard output when the managers have agreed that a replica has crashed and its own manager is not heard
/// of, followed by the replica, and by the number of the process that hosted it when it was last heard of.
pub const CRASHED_LINE: &str = "crashed";

/// The exit code of a node whose address is taken; `dsms up` then draws other ports, if it was free to choose them.
pub const ADDRESS_IN_USE_EXIT: u8 = 3;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration has no such node.
    #[error("{node} is not a node of this cluster; its nodes are {}", .known.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The node asked for.
        node: NodeId,
        /// The nodes there are.
        known: Vec<NodeId>,
    },
    /// The address is taken or not this machine's.
    #[error("cannot listen on {transport} {address}: {error}; {}", advice(error, *.node))]
    Bind {
        /// For which node.
        node: NodeId,
        /// `udp` or `tcp`.
        transport: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A file that clients' connections need cannot be used.
    #[error(transparent)]
    Clients(#[from] FileError),
    /// The sandbox does not start.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The module cannot be used.
    #[error(transparent)]
    Module(#[from] LoadError),
    /// What a replica manager has to keep has no place.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// What a replica manager has to keep could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The system refused something else.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl NodeError {
    /// Whether an address is taken by somebody else.
    pub fn is_address_in_use(&self) -> bool {
        matches!(self, NodeError::Bind { error, .. } if error.kind() == std::io::ErrorKind::AddrInUse)
    }
}

/// What to do about an address that a node cannot have.
fn advice(error: &std::io::Error, node: NodeId) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => format!(
            "this machine has no such address: start {node} on the one that has it, or give its own in the configuration"
        ),
        _ => format!("choose another address for {node} in the configuration"),
    }
}

/// Runs one node until a signal, or, if `supervised`, until the process that started it is gone.
pub async fn run(node: NodeId, config: ClusterConfig, supervised: bool) -> Result<(), NodeError> {
    let known = config.nodes();
    if !known.contains(&node) {
        return Err(NodeError::Unknown { node, known });
    }
    let keys = NodeKeys::read(&config, node)?;
    let stop = Stop::on_signals()?;
    let has_client_files = node.is_front_end() && ClientFiles::are_named(&config.clients);
    let stop = if keys.reload_on_hang_up()? || has_client_files { stop.but_hang_up() } else { stop };
    let mut stop = if supervised { stop.on_orphaned() } else { stop };
    let clock = Clock::start();
    let address = config.address_of(node);
    let bind_error = |transport, address| move |error| NodeError::Bind { node, transport, address, error };
    let socket = UdpSocket::bind(address).await.map_err(bind_error("udp", address))?;
    let addresses: BTreeMap<NodeId, SocketAddr> = known.iter().map(|node| (*node, config.address_of(*node))).collect();
    let injection = Injection::new(config.allow_faults, supervised, clock);
    // `dsms up` has means of its own.
    let service_manager = if supervised { ServiceManager::default() } else { ServiceManager::of_environment() };
    let mut network = Network::new(node, socket, addresses, keys, clock, injection, service_manager)?;
    match node {
        NodeId::FrontEnd(front_end) => {
            let client_address = config.front_ends[front_end.index()].client_address;
            let listener = TcpListener::bind(client_address).await.map_err(bind_error("tcp", client_address))?;
            let files = ClientFiles::new(&config.clients)?;
            let credentials = files.read()?;
            let (auth, tls) = (config.clients.auth.name(), if credentials.tls.is_some() { "yes" } else { "no" });
            let (connections_len_max, idle_timeout) = (config.clients.connections_max, config.clients.idle_timeout);
            let rules = ConnectionRules { credentials, connections_len_max, idle_timeout };
            network.log.info(format_args!("listening udp={address} clients={client_address} auth={auth} tls={tls}"));
            // It alone has something to bring to an end.
            let ledger = data::open_ledger(&mut network, &config).await;
            let connections = Connections::start(listener, rules);
            let driver = FrontEndDriver::new(network, connections, files, ledger, &config, client_address);
            driver.run(&mut stop).await;
            Ok(())
        }
        NodeId::Sequencer => {
            network.log.info(format_args!("listening udp={address}"));
            until(&mut stop, run_sequencer(network, config.membership())).await
        }
        NodeId::ReplicaManager(replica) => until(&mut stop, run_replica_manager(network, &config, replica)).await,
    }
}

/// Lets a node run until it ends by itself, or has to.
async fn until(stop: &mut Stop, running: impl Future<Output = Result<(), NodeError>>) -> Result<(), NodeError> {
    tokio::select! {
        ended = running => ended,
        () = stop.requested() => Ok(()),
    }
}

async fn run_replica_manager(
    mut network: Network,
    config: &ClusterConfig,
    replica: ReplicaId,
) -> Result<(), NodeError> {
    let address = config.address_of(NodeId::ReplicaManager(replica));
    let engine = Engine::new(sandbox_limits(config))?;
    let configured = load_modules(&engine, config, replica)?;
    let (writer, recovered) = data::open(&mut network, config, replica).await?;
    let kept = data::modules_of(config, replica, configured[0].digest());
    let Beginning { modules, previous, lost } = match &kept {
        Some(kept) => kept.begin_with(&engine, configured),
        None => Beginning { modules: configured, previous: None, lost: None },
    };
    if let Some(words) = lost {
        network
            .log
            .warn(format_args!("the module that a swap has brought is lost, begins with the configured one: {words}"));
    }
    network.log.info(format_args!("listening udp={address} module={}", modules[0].digest().short()));
    let core_config = ReplicaManagerConfig {
        replica,
        membership: config.membership(),
        tolerance: config.tolerance,
        modules: modules.iter().map(LoadedModule::digest).collect(),
        previous,
        suspicion: config.suspicion,
        recovery: config.recovery,
        process: std::process::id(),
    };
    let kept = Kept { writer, recovered, modules: kept };
    let driver = ReplicaDriver::new(network, core_config, engine, modules, kept);
    driver.run().await
}

/// The sandbox limits that a configuration asks for.
pub fn sandbox_limits(config: &ClusterConfig) -> SandboxLimits {
    SandboxLimits {
        fuel_per_call: config.module_limits.fuel_per_call,
        memory_bytes_max: config.module_limits.memory_bytes_max,
        log_bytes_per_call_max: usize::try_from(config.module_limits.log_bytes_per_call_max).unwrap_or(usize::MAX),
        ..SandboxLimits::default()
    }
}

/// Loads a module from where the configuration says.
pub fn load(engine: &Engine, source: &ModuleSource) -> Result<LoadedModule, LoadError> {
    engine.load(&bytes_of(engine, source)?)
}

/// The bytes of a module.
pub(super) fn bytes_of(engine: &Engine, source: &ModuleSource) -> Result<Cow<'static, [u8]>, LoadError> {
    match source {
        ModuleSource::Reference => Ok(Cow::Borrowed(reference_module())),
        ModuleSource::File(path) => engine.read_module(path).map(Cow::Owned),
    }
}

/// The module of a replica, and its spares.
fn load_modules(engine: &Engine, config: &ClusterConfig, replica: ReplicaId) -> Result<Vec<LoadedModule>, NodeError> {
    let replica = &config.replicas[replica.index()];
    let loaded = std::iter::once(&replica.module).chain(&replica.spares).map(|source| load(engine, source));
    Ok(loaded.collect::<Result<_, _>>()?)
}

async fn run_sequencer(mut network: Network, membership: Membership) -> Result<(), NodeError> {
    let mut core = Sequencer::new(std::process::id(), membership, network.now());
    loop {
        network.wait(core.poll_timeout()).await;
        let now = network.receive();
        while let Some((from, message)) = network.poll_message(None) {
            core.handle_message(from, message, now);
            drain_sequencer(&mut core, &mut network);
        }
        core.handle_timeout(now);
        drain_sequencer(&mut core, &mut network);
        network.flush();
    }
}

fn drain_sequencer(core: &mut Sequencer, network: &mut Network) {
    while let Some(output) = core.poll_output() {
        match output {
            sequencer::Output::Transmit { to, message } => network.send(to, &message),
            sequencer::Output::Event(event) => log(&mut network.log, &event),
        }
    }
}

/// Logs an event, louder if somebody may want to look into it.
pub(super) fn log(log: &mut Log, event: &Event) {
    if event.is_warning() { log.warn(event) } else { log.info(event) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::quorum::Tolerance;

    #[test]
    fn the_limits_of_a_configuration_that_says_nothing_are_those_of_the_sandbox() {
        let config = ClusterConfig::for_mode(Tolerance::BYZANTINE, None, Vec::new()).unwrap();
        assert_eq!(sandbox_limits(&config), SandboxLimits::default());
    }
}
