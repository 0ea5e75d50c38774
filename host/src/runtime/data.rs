//! What a process has of a disk: a replica manager's records, a front end's ledger. Opens the files, tells what was wrong with them, and
//! says so if it cannot.

use std::path::Path;
use std::time::Duration;

use crate::config::ClusterConfig;
use crate::market::Digest;
use crate::protocol::event::Event;
use crate::protocol::id::ReplicaId;
use crate::protocol::ledger::{Entry, LedgerNews};
use crate::protocol::message::Message;
use crate::protocol::recipients::Recipients;
use crate::protocol::record::Recovered;
use crate::storage::Opened;
use crate::storage::files::identity::{ClusterId, Identity};
use crate::storage::files::{FileStorage, OpenError, Owner, directory_of};
use crate::storage::ledger::{self, Directory, LedgerFiles};

use super::kept_modules::KeptModules;
use super::ledger::LedgerWriter;
use super::network::Network;
use super::node::{NodeError, log};
use super::writer::Writer;

/// How long it is waited for a process to end that has the same directory. That of a `dsms up` that was killed takes a moment to see
/// that it is an orphan.
const HELD_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is looked whether it has ended.
const HELD_INTERVAL: Duration = Duration::from_millis(50);

/// How long a process that is about to end waits for the front end to hear why.
const TELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Draws the number of a cluster.
pub fn draw_cluster_id() -> std::io::Result<ClusterId> {
    let mut drawn = [0; 16];
    getrandom::fill(&mut drawn).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(ClusterId(drawn))
}

/// Has a data directory be this cluster's, or says why it cannot be.
pub fn claim(config: &ClusterConfig, directory: &Path) -> Result<Identity, OpenError> {
    let no_random = |error| OpenError::Io { path: directory.display().to_string(), error };
    let cluster = draw_cluster_id().map_err(no_random)?;
    let wanted = Identity { cluster, tolerance: config.tolerance, replicas_len: config.replicas.len() };
    Identity::claim(directory, wanted)
}

/// Where the manager of a replica keeps a module that a swap brings, if it is to keep anything. The configuration names this one first.
pub(super) fn modules_of(config: &ClusterConfig, replica: ReplicaId, configured: Digest) -> Option<KeptModules> {
    let data = config.data.as_ref()?;
    Some(KeptModules::within(&directory_of(replica, &data.directory), configured))
}

/// What the manager of a replica writes to, if it is to write anything, and what an earlier process has written.
pub(super) async fn open(
    network: &mut Network,
    config: &ClusterConfig,
    replica: ReplicaId,
) -> Result<(Writer, Recovered), NodeError> {
    let Some(data) = &config.data else { return Ok((Writer::Nowhere, Recovered::default())) };
    let opened = match claim(config, &data.directory) {
        Err(error) => Err(error),
        Ok(identity) => {
            let owner = Owner { cluster: identity.cluster, replica };
            let directory = directory_of(replica, &data.directory);
            open_when_free(network, || FileStorage::open(&directory, owner, data.durability)).await
        }
    };
    let (storage, Opened { recovered, damage }) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tell(network, Event::KeepingFailed { replica, reason: error.to_string() }).await;
            return Err(error.into());
        }
    };
    for what in damage {
        say(network, Event::KeptDamaged { replica, what });
    }
    Ok((Writer::to(storage, data.durability), recovered))
}

/// A ledger that outlives its process.
pub struct KeptLedger {
    /// Who writes it.
    pub writer: LedgerWriter,
    /// The index of the last event in it.
    pub last_event: u64,
}

/// Where a front end writes its ledger, if it is to write one. One that cannot be opened is told, and done without: what clients are
/// answered does not depend on it.
pub(super) async fn open_ledger(network: &mut Network, config: &ClusterConfig) -> Option<KeptLedger> {
    let data = config.data.as_ref()?;
    let node = network.node();
    let opened = match claim(config, &data.directory) {
        Err(error) => Err(error),
        Ok(identity) => {
            let owner = ledger::Owner { cluster: identity.cluster, node };
            let directory = ledger::directory_of(node, &data.directory);
            let open = || {
                LedgerFiles::open(Directory::hold(&directory, data.durability)?, owner, config.ledger.size_bytes_max)
            };
            open_when_free(network, open).await
        }
    };
    let (news, kept) = match opened {
        Err(error) => (vec![LedgerNews::Failed { reason: error.to_string() }], None),
        Ok((files, ledger::Opened { last_event, damage })) => {
            let mut writer = LedgerWriter::start(files);
            writer.append(Entry::Began { at: network.now(), process: std::process::id() }, network.now());
            let news = damage.into_iter().map(|what| LedgerNews::Damaged { what }).collect();
            (news, Some(KeptLedger { writer, last_event }))
        }
    };
    for event in news.into_iter().map(Event::Ledger) {
        log(&mut network.log, &event);
        network.tell(event, network.now());
    }
    kept
}

/// Opens, and if another process has the directory, again until it has ended or it takes too long.
async fn open_when_free<T>(network: &Network, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let began_at = network.now();
    loop {
        match open() {
            Err(error) if error.is_held() && network.now().since(began_at) < HELD_TIMEOUT => {
                let _over = tokio::time::timeout(HELD_INTERVAL, std::future::pending::<()>()).await;
            }
            opened => return opened,
        }
    }
}

/// Logs an event, and queues it for the front end.
fn say(network: &mut Network, event: Event) {
    log(&mut network.log, &event);
    let message = Message::Event { at: network.now(), event: Box::new(event) };
    network.send(Recipients::FrontEnds, &message);
}

/// Says an event, and waits until the front end has it, for a while.
async fn tell(network: &mut Network, event: Event) {
    let began_at = network.now();
    say(network, event);
    while network.owes_front_ends() && network.now().since(began_at) < TELL_TIMEOUT {
        network.flush();
        network.wait(Some((began_at + TELL_TIMEOUT, "told"))).await;
        network.receive();
    }
}
