//! Drives a front end: its core, its network, and the connections of its clients. It ends in order: what it has taken in is answered.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::ClusterConfig;
use crate::protocol::client_message::{ServerBody, ServerMessage};
use crate::protocol::event::Event;
use crate::protocol::front_end::{FrontEnd, FrontEndConfig, Output};
use crate::protocol::time::{Instant, earliest};

use super::client_files::ClientFiles;
use super::connections::{Connections, MESSAGES_PER_TURN_MAX, Polled};
use super::data::KeptLedger;
use super::ledger::{LedgerWriter, Question, Told};
use super::network::Network;
use super::node::{CRASHED_LINE, READY_LINE, log};
use super::stop::Stop;

/// How long a front end that is to end waits for what is under way. Most requests take some milliseconds; clients send the others again. It
/// is less than an orphaned process has left.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1500);

/// A front end with all that it needs.
pub struct FrontEndDriver {
    core: FrontEnd,
    network: Network,
    connections: Connections,
    files: ClientFiles,
    /// Where the ledger is written, if it is.
    ledger: Option<LedgerWriter>,
    client_address: SocketAddr,
}

impl FrontEndDriver {
    /// A front end of this cluster, whose clients find it at this address.
    pub fn new(
        network: Network,
        connections: Connections,
        files: ClientFiles,
        ledger: Option<KeptLedger>,
        config: &ClusterConfig,
        client_address: SocketAddr,
    ) -> FrontEndDriver {
        let mut core = FrontEnd::new(FrontEndConfig {
            me: network.node(),
            process: std::process::id(),
            membership: config.membership(),
            tolerance: config.tolerance,
            request_timeout: config.request_timeout,
            suspicion: config.suspicion,
            allow_faults: config.allow_faults,
            in_flight_len_max: config.clients.in_flight_max,
        });
        let ledger = ledger.map(|KeptLedger { writer, last_event }| {
            core.keep_entries(last_event);
            writer
        });
        FrontEndDriver { core, network, connections, files, ledger, client_address }
    }

    /// Turns until it is told to stop, and then until what was under way is answered, or it takes too long.
    pub async fn run(mut self, stop: &mut Stop) {
        loop {
            tokio::select! {
                () = self.network.wait(earliest(self.core.poll_timeout(), self.ledger_timeout())) => {}
                () = self.connections.wait() => {}
                () = self.files.asked_for_again() => self.read_again(),
                told = LedgerWriter::told(&mut self.ledger) => self.on_told(told),
                () = stop.requested() => return self.drain().await,
            }
            self.turn();
        }
    }

    fn read_again(&mut self) {
        match self.files.read() {
            Ok(credentials) => {
                let words = ClientFiles::words(&credentials);
                self.connections.change_credentials(credentials);
                self.network.log.info(format_args!("read the files for clients again: {words}"));
            }
            Err(error) => self.network.log.warn(format_args!("nothing changes for clients: {error}")),
        }
    }

    /// Nothing more is read from clients. What was read is answered, and the answers are written.
    async fn drain(mut self) {
        let until = self.network.now() + DRAIN_TIMEOUT;
        self.connections.stop_reading();
        self.turn();
        while self.core.waiting_len() > 0 && self.network.now() < until {
            self.network.wait(earliest(self.core.poll_timeout(), Some((until, "end")))).await;
            self.turn();
        }
        let left_len = self.core.waiting_len();
        let all_written = self.connections.all_written();
        let is_written = tokio::time::timeout(until.since(self.network.now()), all_written).await.is_ok();
        if left_len > 0 || !is_written {
            self.network
                .log
                .warn(format_args!("ends while {left_len} requests are not answered; their clients send them again"));
        }
        self.core.write_down_all();
        self.write_entries();
        if let Some(ledger) = self.ledger.take()
            && !ledger.end(self.network.now()).await
        {
            self.network.log.warn("ends while not all of the ledger is written");
        }
    }

    fn ledger_timeout(&self) -> Option<(Instant, &'static str)> {
        self.ledger.as_ref().and_then(LedgerWriter::poll_timeout)
    }

    /// What earlier processes have written was found, or something is wrong with the files.
    fn on_told(&mut self, told: Told) {
        match told {
            Told::EarlierEvents(events) => self.core.handle_earlier_events(events),
            Told::Recollected(Question { connection, number, .. }, answer) => {
                self.connections.answer(connection, ServerMessage { number, body: ServerBody::Why(answer) });
            }
            Told::News(news) => {
                let event = Event::Ledger(news);
                log(&mut self.network.log, &event);
                self.network.tell(event, self.network.now());
            }
            Told::Ended => {}
        }
    }

    /// Has what has come to its end in this turn be written soon.
    fn write_entries(&mut self) {
        let Some(ledger) = &mut self.ledger else { return };
        let now = self.network.now();
        while let Some(entry) = self.core.poll_entry() {
            ledger.append(entry, now);
        }
        ledger.handle_timeout(now);
    }

    fn turn(&mut self) {
        let now = self.network.receive();
        for _ in 0..MESSAGES_PER_TURN_MAX {
            let Some((connection, polled)) = self.connections.poll(now) else { break };
            match polled {
                Polled::Message(message) => self.core.handle_client(connection, message, now),
                Polled::Gone => self.core.handle_disconnected(connection),
                Polled::Refused => {}
            }
            self.do_what_is_asked();
        }
        while let Some((from, message)) = self.network.poll_message(None) {
            self.core.handle_message(from, message, now);
            self.do_what_is_asked();
        }
        self.core.handle_timeout(now);
        self.do_what_is_asked();
        self.write_entries();
        while let Some(notice) = self.connections.poll_notice() {
            self.network.log.warn(notice);
        }
        self.network.flush();
    }

    fn do_what_is_asked(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Transmit { to, message } => self.network.send(to, &message),
                Output::Answer { connection, message } => self.connections.answer(connection, message),
                Output::Inject(message) => self.network.inject(message),
                Output::Recollect { connection, number, sequence, answer } => {
                    let (question, now) = (Question { connection, number, sequence }, self.network.now());
                    match &mut self.ledger {
                        Some(ledger) => ledger.recollect(question, answer, now),
                        None => {
                            self.connections.answer(connection, ServerMessage { number, body: ServerBody::Why(answer) })
                        }
                    }
                }
                Output::Event(event) => {
                    tell_supervisor(&event, self.client_address);
                    log(&mut self.network.log, &event);
                }
            }
        }
    }
}

/// Prints what the process that started this one acts upon.
fn tell_supervisor(event: &Event, client_address: SocketAddr) {
    let mut out = std::io::stdout();
    let _nobody_reads = match event {
        Event::Ready => writeln!(out, "{READY_LINE} {client_address}"),
        Event::CrashAgreed { charge, process, is_silent: true, .. } => {
            writeln!(out, "{CRASHED_LINE} {} process {process}", charge.replica)
        }
        _ => Ok(()),
    };
}
