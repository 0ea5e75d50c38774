//! Writes the entries of a front end's ledger, on a thread of its own: no turn waits for a file, and no answer for an entry.
//!
//! Entries are handed over some at a time. If more come than the thread can write, they are dropped and counted, like those for which the
//! disk has no room. The same thread reads what earlier processes have written, when somebody asks.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc as answers;

use crate::protocol::client_message::WhyAnswer;
use crate::protocol::event_log::EventRecord;
use crate::protocol::front_end::ConnectionId;
use crate::protocol::id::{RequestNumber, SequenceNumber};
use crate::protocol::ledger::{Entry, LedgerNews};
use crate::protocol::limits::EVENTS_LEN_MAX;
use crate::protocol::time::Instant;
use crate::storage::ledger::{Disk, LedgerFiles};

/// So long an entry waits for others, so that a thread is not woken for each. It is what the end of a process by force may cost.
const HAND_OVER_AFTER: Duration = Duration::from_millis(20);

/// So many entries are not waited with any longer. The rate of requests controls how soon they are there.
const BATCH_LEN: usize = 512;

/// Most bytes of memory that the entries take which are handed over and not written, estimated; the modules control how long one is. Those
/// beyond it are lost.
const QUEUED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long the end of a process waits for the disk.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Most places of damage that are told, each once. Whoever damages files controls how many there are.
const DAMAGE_TOLD_MAX: usize = 64;

/// What the thread is to do.
#[derive(Debug)]
enum Job {
    Write { entries: Vec<Entry>, size_bytes: usize, lost_len: u64, now: Instant },
    Recollect { question: Question, answer: WhyAnswer },
}

/// A question of a client about one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// On which connection.
    pub connection: ConnectionId,
    /// The client's number for it.
    pub number: RequestNumber,
    /// About which place.
    pub sequence: SequenceNumber,
}

/// What the thread has found.
#[derive(Debug)]
pub enum Told {
    /// Events that earlier processes have written, the latest ones.
    EarlierEvents(Vec<EventRecord>),
    /// The complete answer to a question.
    Recollected(Question, WhyAnswer),
    /// Something that people may want to know.
    News(LedgerNews),
    /// All is written, and the disk has it as far as it has to.
    Ended,
}

/// The ledger of a process, from the side of the network thread.
#[derive(Debug)]
pub struct LedgerWriter {
    /// What waits to be handed over, how much that is, and since when.
    waiting: Vec<Entry>,
    waiting_bytes: usize,
    waiting_since: Option<Instant>,
    /// Entries that were dropped since the last that was handed over.
    lost_len: u64,
    /// How many bytes are handed over and not written.
    queued_bytes: Arc<AtomicUsize>,
    jobs: mpsc::Sender<Job>,
    told: answers::UnboundedReceiver<Told>,
}

impl LedgerWriter {
    /// Writes to these files, and begins with reading the events that are there.
    pub fn start(files: LedgerFiles<impl Disk + Send + 'static>) -> LedgerWriter {
        let (jobs, to_do) = mpsc::channel();
        let (tell, told) = answers::unbounded_channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let queued = Arc::clone(&queued_bytes);
        std::thread::spawn(move || Worker { files, tell, queued, damage_told: Vec::new() }.run(to_do));
        LedgerWriter {
            waiting: Vec::new(),
            waiting_bytes: 0,
            waiting_since: None,
            lost_len: 0,
            queued_bytes,
            jobs,
            told,
        }
    }

    /// Has an entry be written soon.
    pub fn append(&mut self, entry: Entry, now: Instant) {
        let size_bytes = entry.size_bytes();
        if self.queued_bytes.load(Ordering::Relaxed) + self.waiting_bytes + size_bytes > QUEUED_BYTES_MAX {
            self.lost_len += 1;
        } else {
            self.waiting.push(entry);
            self.waiting_bytes += size_bytes;
        }
        self.waiting_since.get_or_insert(now);
        if self.waiting.len() >= BATCH_LEN {
            self.hand_over(now);
        }
    }

    /// When entries have waited long enough.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.waiting_since.map(|since| (since + HAND_OVER_AFTER, "ledger"))
    }

    /// Hands over what has waited long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.hand_over(now);
        }
    }

    /// Completes an answer with what was written before, that of this process included.
    pub fn recollect(&mut self, question: Question, answer: WhyAnswer, now: Instant) {
        self.hand_over(now);
        self.send(Job::Recollect { question, answer });
    }

    /// What the thread has found next; never anything where there is no ledger. Cancel-safe.
    pub async fn told(ledger: &mut Option<LedgerWriter>) -> Told {
        let told = match ledger {
            Some(ledger) => ledger.told.recv().await,
            None => None,
        };
        match told {
            Some(told) => told,
            None => pending().await,
        }
    }

    /// Writes what is left, and waits for the disk, for a while. Whether all is written.
    pub async fn end(mut self, now: Instant) -> bool {
        self.hand_over(now);
        let LedgerWriter { jobs, mut told, .. } = self;
        drop(jobs);
        let ended = async { while !matches!(told.recv().await, None | Some(Told::Ended)) {} };
        tokio::time::timeout(END_TIMEOUT, ended).await.is_ok()
    }

    fn hand_over(&mut self, now: Instant) {
        if self.waiting_since.take().is_none() {
            return;
        }
        let (entries, size_bytes) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.waiting_bytes));
        self.queued_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        let lost_len = std::mem::take(&mut self.lost_len);
        self.send(Job::Write { entries, size_bytes, lost_len, now });
    }

    fn send(&self, job: Job) {
        // A thread that is gone has panicked; the front end goes on without a ledger.
        let _gone = self.jobs.send(job);
    }
}

/// The thread's side.
struct Worker<D> {
    files: LedgerFiles<D>,
    tell: answers::UnboundedSender<Told>,
    queued: Arc<AtomicUsize>,
    damage_told: Vec<String>,
}

impl<D: Disk> Worker<D> {
    fn run(mut self, to_do: mpsc::Receiver<Job>) {
        self.tell(Told::EarlierEvents(self.files.latest_events(EVENTS_LEN_MAX)));
        for job in to_do {
            match job {
                Job::Write { entries, size_bytes, lost_len, now } => {
                    // Those that were dropped came before.
                    let dropped = (lost_len > 0).then(|| self.files.lose(lost_len, now)).flatten();
                    let news = self.files.write(&entries, now);
                    self.queued.fetch_sub(size_bytes, Ordering::Relaxed);
                    dropped.into_iter().chain(news).for_each(|news| self.tell(Told::News(news)));
                }
                Job::Recollect { question, answer } => {
                    let (recollection, damage) = self.files.recollect(question.sequence);
                    let answer = recollection.complete(answer, self.files.range());
                    self.tell(Told::Recollected(question, answer));
                    damage.into_iter().for_each(|what| self.tell_damage(what));
                }
            }
        }
        if let Err(error) = self.files.sync() {
            self.tell(Told::News(LedgerNews::Failed { reason: error.to_string() }));
        }
        self.tell(Told::Ended);
    }

    fn tell_damage(&mut self, what: String) {
        if !self.damage_told.contains(&what) && self.damage_told.len() < DAMAGE_TOLD_MAX {
            self.damage_told.push(what.clone());
            self.tell(Told::News(LedgerNews::Damaged { what }));
        }
    }

    fn tell(&self, told: Told) {
        // The network thread ends first only with the process.
        let _ended = self.tell.send(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::id::{ClientId, NodeId, RequestId};
    use crate::protocol::ledger::{Asked, Record};
    use crate::protocol::message::Command;
    use crate::storage::Durability;
    use crate::storage::files::identity::ClusterId;
    use crate::storage::ledger::{Directory, Owner, SIZE_BYTES_MAX, read_entries};

    const NOW: Instant = Instant(5_000_000);

    fn start(path: &std::path::Path) -> LedgerWriter {
        let owner = Owner { cluster: ClusterId([7; 16]), node: NodeId::FRONT_END };
        let directory = Directory::hold(path, Durability::Os).unwrap();
        LedgerWriter::start(LedgerFiles::open(directory, owner, SIZE_BYTES_MAX).unwrap().0)
    }

    fn record(sequence: u64) -> Entry {
        let asked = Asked {
            id: RequestId { client: ClientId(1), number: RequestNumber(1) },
            command: Command::Barrier,
            submitted_at: NOW,
            sequenced_at: NOW,
        };
        let sequence = SequenceNumber(sequence);
        Entry::Record(Record { sequence, asked: Some(asked), replies: vec![None; 3], conclusion: None, judged: true })
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// What is told next, the events of earlier processes left out.
    fn told(ledger: &mut Option<LedgerWriter>) -> Told {
        block_on(async {
            loop {
                match LedgerWriter::told(ledger).await {
                    Told::EarlierEvents(_) => {}
                    told => return told,
                }
            }
        })
    }

    #[test]
    fn entries_are_handed_over_after_a_while_or_when_there_are_many() {
        let scratch = tempfile::tempdir().unwrap();
        let mut ledger = start(scratch.path());
        assert_eq!(ledger.poll_timeout(), None);
        ledger.append(record(1), NOW);
        ledger.append(record(2), NOW + HAND_OVER_AFTER / 2);
        let (at, _) = ledger.poll_timeout().unwrap();
        assert_eq!(at, NOW + HAND_OVER_AFTER, "it counts from the first");
        ledger.handle_timeout(NOW + HAND_OVER_AFTER / 2);
        assert_eq!(ledger.waiting.len(), 2);
        ledger.handle_timeout(at);
        assert_eq!((ledger.waiting.len(), ledger.poll_timeout()), (0, None));
        (0..BATCH_LEN as u64).for_each(|more| ledger.append(record(3 + more), at));
        assert_eq!((ledger.waiting.len(), ledger.poll_timeout()), (0, None));
        ledger.append(record(3 + BATCH_LEN as u64), at);
        assert!(block_on(ledger.end(at)), "the end writes what is left");
        let mut places = Vec::new();
        read_entries(scratch.path(), |entry| places.extend(entry.sequence().map(|sequence| sequence.0))).unwrap();
        assert!(places.into_iter().eq(1..=3 + BATCH_LEN as u64));
    }

    #[test]
    fn a_question_is_answered_with_what_was_written_before_it() {
        let scratch = tempfile::tempdir().unwrap();
        let mut ledger = start(scratch.path());
        ledger.append(record(7), NOW);
        let question = Question { connection: ConnectionId(1), number: RequestNumber(9), sequence: SequenceNumber(7) };
        ledger.recollect(question, WhyAnswer::NotRecorded { first: 0, last: 0 }, NOW);
        let told = told(&mut Some(ledger));
        let Told::Recollected(asked, WhyAnswer::Recorded { record, .. }) = told else { panic!("{told:?}") };
        assert_eq!((asked, record.sequence), (question, question.sequence));
    }

    #[test]
    fn entries_for_which_there_is_no_memory_are_dropped_told_and_counted() {
        let scratch = tempfile::tempdir().unwrap();
        let mut ledger = Some(start(scratch.path()));
        let writer = ledger.as_mut().unwrap();
        writer.append(Entry::Lost { at: NOW, len: 1, reason: "x".repeat(QUEUED_BYTES_MAX) }, NOW);
        writer.append(record(1), NOW);
        writer.handle_timeout(NOW + HAND_OVER_AFTER);
        assert!(matches!(told(&mut ledger), Told::News(LedgerNews::Failed { reason }) if reason.contains("more came")));
        assert!(matches!(told(&mut ledger), Told::News(LedgerNews::Resumed { lost_len: 1 })));
        let mut lost = Vec::new();
        read_entries(scratch.path(), |entry| match entry {
            Entry::Lost { len, .. } => lost.push(len),
            entry => assert_eq!(entry, record(1)),
        })
        .unwrap();
        assert_eq!(lost, [1]);
    }

    #[test]
    fn where_there_is_no_ledger_nothing_is_ever_told() {
        block_on(async {
            let mut none = None;
            let told = tokio::time::timeout(Duration::ZERO, LedgerWriter::told(&mut none)).await;
            assert!(told.is_err());
        });
    }
}
