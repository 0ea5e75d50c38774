//! What a node tells the service manager that has started it, in the protocol of systemd's `sd_notify(3)`: that it has begun, and again and
//! again that it is not stuck.
//!
//! `dsms up` hears of a process that hangs from the other nodes. A service manager knows its process alone: it ends and starts again one that
//! was silent for longer than its `WatchdogSec=`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::protocol::time::Instant;

/// Where the service manager listens.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// After how many microseconds of silence it takes this process to hang.
const PATIENCE_VARIABLE: &str = "WATCHDOG_USEC";

/// Of which process that is said; of any, if it is not set.
const PROCESS_VARIABLE: &str = "WATCHDOG_PID";

/// How often a node says that it is not stuck while the service manager's patience lasts once.
const SIGNS_OF_LIFE: u32 = 3;

/// The service manager of this process, if there is one that listens.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear of this process.
    interval: Option<Duration>,
    /// When the next sign of life is due; `None` before the first one.
    next_at: Option<Instant>,
    is_told_of_start: bool,
}

impl ServiceManager {
    /// The one that the environment of this process names. One that cannot be reached is none, as for a process that was started by hand from
    /// a service that has ended.
    pub fn of_environment() -> ServiceManager {
        let Some(socket) = std::env::var_os(SOCKET_VARIABLE).filter(|name| !name.is_empty()) else {
            return ServiceManager::default();
        };
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_meant = number(PROCESS_VARIABLE).is_none_or(|process| process == u64::from(std::process::id()));
        let patience = number(PATIENCE_VARIABLE).filter(|_| is_meant).map(Duration::from_micros);
        ServiceManager::at(&socket, patience).unwrap_or_default()
    }

    /// One that listens on this socket, a path or `@` with an abstract name, and takes a process for hung that is silent for so long.
    fn at(socket: &OsStr, patience: Option<Duration>) -> io::Result<ServiceManager> {
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        let interval = patience.map(|patience| patience / SIGNS_OF_LIFE);
        Ok(ServiceManager { socket: Some(socket), interval, next_at: None, is_told_of_start: false })
    }

    /// When it wants to hear of this process again.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.next_at?, "sign of life"))
    }

    /// Tells it that a turn of the node's loop has come.
    pub fn on_turn(&mut self, now: Instant) {
        if !self.is_told_of_start {
            self.is_told_of_start = true;
            self.tell("READY=1");
        }
        if let Some(interval) = self.interval
            && self.next_at.is_none_or(|next_at| next_at <= now)
        {
            self.next_at = Some(now + interval);
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, words: &str) {
        // One that is not there any more, or does not read, starts this process again if it likes.
        let _heard = self.socket.as_ref().map(|socket| socket.send(words.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_told_once_and_signs_of_life_with_each_turn_that_is_late_enough() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("dsms-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        for (name, heard) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (format!("@{abstract_name}").into(), UnixDatagram::bind_addr(&abstract_address).unwrap()),
        ] {
            heard.set_nonblocking(true).unwrap();
            let said = || {
                let mut bytes = [0; 64];
                heard.recv(&mut bytes).ok().map(|len| String::from_utf8(bytes[..len].to_vec()).unwrap())
            };
            let mut manager = ServiceManager::at(&name, Some(Duration::from_secs(3))).unwrap();
            assert_eq!(manager.poll_timeout(), None);
            let start = Instant(1_000_000_000);
            manager.on_turn(start);
            assert_eq!((said().as_deref(), said().as_deref(), said()), (Some("READY=1"), Some("WATCHDOG=1"), None));
            let (next_at, _) = manager.poll_timeout().unwrap();
            assert_eq!(next_at.since(start), Duration::from_secs(1));
            manager.on_turn(start + Duration::from_millis(999));
            assert_eq!(said(), None);
            manager.on_turn(next_at);
            assert_eq!((said().as_deref(), said()), (Some("WATCHDOG=1"), None));

            let mut without_watchdog = ServiceManager::at(&name, None).unwrap();
            without_watchdog.on_turn(start);
            without_watchdog.on_turn(start + Duration::from_secs(100));
            assert_eq!((said().as_deref(), said()), (Some("READY=1"), None));
            assert_eq!(without_watchdog.poll_timeout(), None);
        }
    }

    #[test]
    fn one_that_has_ended_harms_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let mut manager = ServiceManager::at(path.as_os_str(), Some(Duration::from_secs(3))).unwrap();
        drop(heard);
        manager.on_turn(Instant(7));
        assert!(ServiceManager::at(directory.path().join("none").as_os_str(), None).is_err());
        ServiceManager::default().on_turn(Instant(7));
    }
}
