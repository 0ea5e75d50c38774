//! When a process is to end: on a signal, or when the process that started it is gone.

use std::io::Read;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How long an orphaned process may take to end in order.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// Requests to end this process.
#[derive(Debug)]
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
    orphaned: Option<oneshot::Receiver<()>>,
}

impl Stop {
    /// Listens for SIGINT, SIGTERM and SIGHUP. Must be called within a runtime.
    pub fn on_signals() -> std::io::Result<Stop> {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Stop { interrupt: interrupt?, terminate: terminate?, hang_up: Some(hang_up?), orphaned: None })
    }

    /// Does not end on SIGHUP, which means something else to this process.
    pub fn but_hang_up(mut self) -> Stop {
        self.hang_up = None;
        self
    }

    /// Listens for the end of standard input as well. The process that started this one holds its other end and never writes,
    /// so it ends when that process does, even by SIGKILL.
    pub fn on_orphaned(mut self) -> Stop {
        let (gone, orphaned) = oneshot::channel();
        self.orphaned = Some(orphaned);
        std::thread::spawn(move || {
            let mut ignored = [0; 64];
            while std::io::stdin().lock().read(&mut ignored).is_ok_and(|len| len > 0) {}
            let _ending_already = gone.send(());
            // Should the other threads be busy, with compiling a module, say, this one ends the process.
            std::thread::park_timeout(ORPHAN_GRACE);
            std::process::exit(0);
        });
        self
    }

    /// Waits until the process is to end. Cancel-safe.
    pub async fn requested(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => drop(hang_up.recv().await),
                None => std::future::pending().await,
            }
        };
        let orphaned = async {
            match &mut self.orphaned {
                Some(orphaned) => drop(orphaned.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hang_up => {}
            () = orphaned => {}
        }
    }
}
