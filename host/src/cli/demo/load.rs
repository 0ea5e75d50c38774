//! The clients of the demo: they ask all the while, and keep what they were told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::market::{Answer, Context, Module, Outcome, Request, request_words};
use crate::native::NativeMarket;
use crate::protocol::client_message::{ClientMessage, ServerBody};
use crate::runtime::client::Client;
use crate::workload::{Mix, listings};

/// How many clients there are.
pub(super) const CLIENTS_LEN: u64 = 4;

/// A client's pause between two requests. They are many, and leave the machine time for what is to be seen.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a client waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Requests and their answers.
pub(super) type Answered = Vec<(Request, Answer)>;

/// Clients that ask until they are told to end.
pub(super) struct Load {
    ends: Arc<AtomicBool>,
    answered_len: Arc<AtomicUsize>,
    clients: JoinSet<anyhow::Result<Answered>>,
    /// What those were told that have ended.
    answered: Answered,
}

impl Load {
    /// Lists the shares, and starts the clients.
    pub(super) async fn start(address: SocketAddr, seed: u64) -> anyhow::Result<Load> {
        let (ends, answered_len) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        let answered = ask(address, listings(), Arc::default(), Arc::clone(&answered_len)).await?;
        for client in 0..CLIENTS_LEN {
            clients.spawn(ask(address, Mix::new(seed, client), Arc::clone(&ends), Arc::clone(&answered_len)));
        }
        Ok(Load { ends, answered_len, clients, answered })
    }

    /// Waits until so many more requests are answered. Fails if a client does, or if it takes too long.
    pub(super) async fn answers(&mut self, len: usize) -> anyhow::Result<()> {
        let target = self.answered_len.load(Ordering::Relaxed) + len;
        let all_answered = async {
            let mut again = tokio::time::interval(PAUSE);
            while self.answered_len.load(Ordering::Relaxed) < target {
                again.tick().await;
                while let Some(answered) = self.clients.try_join_next() {
                    self.answered.extend(answered??);
                }
            }
            Ok(())
        };
        tokio::time::timeout(4 * PATIENCE, all_answered)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("{len} requests were not answered within {:?}", 4 * PATIENCE)))
    }

    /// Ends the clients. Returns all that they were told.
    pub(super) async fn end(mut self) -> anyhow::Result<Answered> {
        self.ends.store(true, Ordering::Relaxed);
        let mut all = std::mem::take(&mut self.answered);
        while let Some(answered) = self.clients.join_next().await {
            all.extend(answered??);
        }
        Ok(all)
    }
}

/// One client: asks one request after the other.
async fn ask(
    address: SocketAddr,
    requests: impl Iterator<Item = Request>,
    ends: Arc<AtomicBool>,
    answered_len: Arc<AtomicUsize>,
) -> anyhow::Result<Answered> {
    let mut client = Client::connect(address, Client::draw_id(), PATIENCE).await?;
    let mut answered = Vec::new();
    let mut pause = tokio::time::interval(PAUSE);
    for request in requests {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let words = request_words(&request);
        match client.call(|number| ClientMessage::Request { number, words }).await? {
            ServerBody::Answer(answer) => answered.push((request, answer)),
            other => anyhow::bail!("unexpected answer {other:?}"),
        }
        answered_len.fetch_add(1, Ordering::Relaxed);
        pause.tick().await;
    }
    Ok(answered)
}

/// How many answers are those of the reference market, when it is asked the same in the same order.
pub(super) fn right_len(answered: &Answered) -> usize {
    let mut in_order: Vec<_> = answered
        .iter()
        .filter_map(|(request, answer)| match answer {
            Answer::Released { sequence, outcome } => Some((*sequence, request, outcome)),
            _ => None,
        })
        .collect();
    in_order.sort_unstable_by_key(|(sequence, ..)| *sequence);
    let mut market = NativeMarket::new();
    let is_right = |(sequence, request, outcome): &(u64, &Request, &Outcome)| {
        let context = Context { sequence_number: *sequence, time_ms: 0 };
        market.execute(context, request).is_ok_and(|expected| expected == **outcome)
    };
    in_order.iter().map(is_right).filter(|right| *right).count()
}
