//! The yardstick: what one datagram costs there and back between two processes on the loopback interface.
//!
//! Nothing of dsms is in its way: no seal, no channel, no core. The other process is this program again, which sends back
//! whatever comes. Both sides block in the system by plain sockets, which is the least that a round trip costs here; the
//! same with tokio's sockets shows how much of a difference to the cluster is the waiting for readiness alone.
#![expect(
    clippy::disallowed_methods,
    reason = "a bare round trip is measured in nanoseconds, and no core sees the time"
)]

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;

/// Bytes of the datagram, about those of one short message with header and seal.
const DATAGRAM_LEN: usize = 64;

/// Pairs of processes whose round trips are taken together.
///
/// A pair costs half as much when the scheduler keeps it on one processor as when it spreads it over two, and it tends to
/// leave a pair as it is. The median of one pair would say little but how that choice fell.
const PAIRS_LEN: usize = 8;

/// Round trips of a pair that only warm up.
const WARM_UP_LEN: usize = 200;

/// Round trips of a pair that count.
const SAMPLES_LEN: usize = 1_000;

/// How long an echo, or with tokio's sockets all echoes of a pair, may take. The loopback interface loses nothing when one
/// datagram at a time is under way.
const ECHO_TIMEOUT: Duration = Duration::from_secs(5);

/// The sockets on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sockets {
    /// Plain sockets that block.
    Blocking,
    /// tokio's, on one thread.
    Tokio,
}

/// Medians of bare round trips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yardstick {
    /// With plain sockets that block: the floor.
    pub blocking: Duration,
    /// With tokio's sockets.
    pub tokio: Duration,
}

impl Yardstick {
    /// Measures both; takes about half a second.
    pub fn measure() -> anyhow::Result<Yardstick> {
        let median = |sockets| median_of(sockets).context("cannot measure a bare round trip on the loopback interface");
        Ok(Yardstick { blocking: median(Sockets::Blocking)?, tokio: median(Sockets::Tokio)? })
    }
}

fn median_of(sockets: Sockets) -> io::Result<Duration> {
    let mut samples = Vec::with_capacity(PAIRS_LEN * SAMPLES_LEN);
    for _ in 0..PAIRS_LEN {
        samples.extend(sample_pair(sockets)?);
    }
    samples.sort_unstable();
    Ok(samples[samples.len() / 2])
}

fn sample_pair(sockets: Sockets) -> io::Result<Vec<Duration>> {
    let mut child = EchoChild::start(sockets)?;
    let peer = child.address()?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(peer)?;
    match sockets {
        Sockets::Blocking => sample_blocking(&socket),
        Sockets::Tokio => runtime()?.block_on(async {
            let round_trips = tokio::time::timeout(ECHO_TIMEOUT, sample_tokio(socket)).await;
            round_trips.map_err(io::Error::other)?
        }),
    }
}

fn sample_blocking(socket: &UdpSocket) -> io::Result<Vec<Duration>> {
    socket.set_read_timeout(Some(ECHO_TIMEOUT))?;
    let mut datagram = [0; DATAGRAM_LEN];
    let mut samples = Vec::with_capacity(SAMPLES_LEN);
    for round in 0..WARM_UP_LEN + SAMPLES_LEN {
        let started = Instant::now();
        socket.send(&datagram)?;
        socket.recv(&mut datagram)?;
        if round >= WARM_UP_LEN {
            samples.push(started.elapsed());
        }
    }
    Ok(samples)
}

async fn sample_tokio(socket: UdpSocket) -> io::Result<Vec<Duration>> {
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    let mut datagram = [0; DATAGRAM_LEN];
    let mut samples = Vec::with_capacity(SAMPLES_LEN);
    for round in 0..WARM_UP_LEN + SAMPLES_LEN {
        let started = Instant::now();
        socket.send(&datagram).await?;
        socket.recv(&mut datagram).await?;
        if round >= WARM_UP_LEN {
            samples.push(started.elapsed());
        }
    }
    Ok(samples)
}

/// The other process. Dropping it ends it.
struct EchoChild {
    child: Child,
}

impl EchoChild {
    fn start(sockets: Sockets) -> io::Result<EchoChild> {
        let name = sockets.to_possible_value().expect("no kind of sockets is skipped");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--echo", name.get_name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(EchoChild { child: command.spawn()? })
    }

    /// Where the child listens; it says so in its first line.
    fn address(&mut self) -> io::Result<SocketAddr> {
        let out = self.child.stdout.as_mut().expect("the child was started with a pipe");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        line.trim_end().parse().map_err(|_| io::Error::other(format!("the echo said {line:?} in place of its address")))
    }
}

impl Drop for EchoChild {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

/// Sends back every datagram, until standard input closes: then whoever wanted the echo is done, or gone.
pub fn echo(sockets: Sockets) -> anyhow::Result<ExitCode> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", socket.local_addr()?);
    std::thread::spawn(|| {
        let _closed = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    match sockets {
        Sockets::Blocking => echo_blocking(&socket)?,
        Sockets::Tokio => runtime()?.block_on(echo_tokio(socket))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn echo_blocking(socket: &UdpSocket) -> io::Result<()> {
    let mut datagram = [0; DATAGRAM_LEN];
    loop {
        let (len, peer) = socket.recv_from(&mut datagram)?;
        socket.send_to(&datagram[..len], peer)?;
    }
}

async fn echo_tokio(socket: UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    let mut datagram = [0; DATAGRAM_LEN];
    loop {
        let (len, peer) = socket.recv_from(&mut datagram).await?;
        socket.send_to(&datagram[..len], peer).await?;
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
