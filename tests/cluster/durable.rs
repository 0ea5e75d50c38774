//! What outlives processes: clusters that are killed, wholly or in part, and started again over what they have kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::id::{ClientId, Membership, NodeId, ReplicaId};
use dsms::runtime::client::Client;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Cluster, DEADLINE, Stopwatch, block_on, dsms, requests_as};

/// All that the one share of these tests has.
const CAPACITY: usize = 1_000_000;

/// The requests of one client identity: fewer than the outcomes that a session keeps.
const PER_CLIENT_LEN: usize = 20;

/// Buyers, each of whom asks once, so that a request that were executed twice would be refused the second time.
const BUYERS_LEN: usize = 9_999;

/// A file that fixes the ports, so that clients find the cluster again after it was started anew.
fn configure(directory: &Path, port: u32, durability: &str) {
    let at = |offset: u32| format!("\"127.0.0.1:{}\"", port + offset);
    let mut text = format!(
        "[cluster]\ndurability = \"{durability}\"\n[front_end]\naddress = {}\nclient_address = {}\n[sequencer]\naddress = {}\n\
         [recovery]\ncheckpoint_every = 50\n",
        at(0),
        at(1),
        at(2)
    );
    (3..6).for_each(|offset| text.push_str(&format!("[[replica]]\naddress = {}\n", at(offset))));
    fs::write(directory.join("dsms.toml"), text).unwrap();
}

/// Ports below those that the system hands out, of this process alone.
fn ports(offset: u32) -> u32 {
    30_000 + std::process::id() % 130 * 20 + offset
}

/// Buyers who each purchase one unit, sent again until they are answered, whatever becomes of the cluster meanwhile.
struct Buyers {
    ends: Arc<AtomicBool>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    next_buyer: AtomicUsize,
    next_client: AtomicUsize,
    /// For each client that is done: what it asked, and what was answered.
    done: Mutex<BTreeMap<u64, Vec<(String, Value)>>>,
    acknowledged_len: Mutex<usize>,
    acknowledged: Condvar,
}

impl Buyers {
    fn start(cluster: &Cluster, threads_len: usize) -> Buyers {
        let address = cluster.client_address();
        let (ends, shared) = (Arc::new(AtomicBool::new(false)), Arc::new(Shared::default()));
        let threads = (0..threads_len).map(|_| {
            let (ends, shared) = (Arc::clone(&ends), Arc::clone(&shared));
            std::thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    let client = 1 + shared.next_client.fetch_add(1, Ordering::Relaxed) as u64;
                    let asked = block_on(shared.ask(address, client));
                    shared.done.lock().unwrap().insert(client, asked);
                }
            })
        });
        let threads = threads.collect();
        Buyers { ends, shared, threads }
    }

    /// Waits until so many more requests are acknowledged.
    fn wait_for(&self, more_len: usize) {
        let mut len = self.shared.acknowledged_len.lock().unwrap();
        let target = *len + more_len;
        while *len < target {
            let (woken, waited) = self.shared.acknowledged.wait_timeout(len, DEADLINE).unwrap();
            assert!(!waited.timed_out(), "nothing is answered any more: {} of {target}", *woken);
            len = woken;
        }
    }

    /// What was asked by clients that are done, and answered.
    fn done(&self) -> BTreeMap<u64, Vec<(String, Value)>> {
        self.shared.done.lock().unwrap().clone()
    }

    /// No more clients begin, and those that have are waited for.
    fn end(self) -> BTreeMap<u64, Vec<(String, Value)>> {
        self.ends.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.shared.done.lock().unwrap().clone()
    }
}

impl Shared {
    async fn ask(&self, address: std::net::SocketAddr, client: u64) -> Vec<(String, Value)> {
        let watch = Stopwatch::start();
        let mut connected = loop {
            match Client::connect(address, ClientId(client), DEADLINE).await {
                Ok(connected) => break connected,
                Err(error) => {
                    assert!(watch.elapsed() < DEADLINE, "{error}");
                    tokio::task::yield_now().await;
                }
            }
        };
        let mut asked = Vec::new();
        for _ in 0..PER_CLIENT_LEN {
            let buyer = self.next_buyer.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(buyer <= BUYERS_LEN, "there are no more buyers");
            let line = format!("NYKB{buyer:04} purchase-share NYKM100925 Equity 1");
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let body = connected.call(|number| ClientMessage::Request { number, words }).await.unwrap();
            let ServerBody::Answer(answer) = body else { panic!("{body:?}") };
            asked.push((line, answer.to_json()));
            *self.acknowledged_len.lock().unwrap() += 1;
            self.acknowledged.notify_all();
        }
        asked
    }
}

/// Which processes a round kills.
fn draw_victims(draw: &mut Pcg64Mcg) -> Vec<NodeId> {
    let nodes = Membership::of(3).nodes();
    let mut victims: Vec<NodeId> = nodes.into_iter().filter(|_| draw.next_u32().is_multiple_of(2)).collect();
    if victims.is_empty() {
        victims.push(NodeId::ReplicaManager(ReplicaId::new(1).unwrap()));
    }
    victims
}

/// Clusters that are killed so many times, the instant being a number of answers, compared in the end with what was acknowledged.
fn rounds(durability: &str, seed: u64, rounds_len: usize, port: u32) {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), port, durability);
    let arguments = ["--config", "dsms.toml"];
    let mut draw = Pcg64Mcg::seed_from_u64(seed);
    let mut cluster = Cluster::start_durable(directory, &arguments);
    let (added, _) = cluster.request("NYKA1001", &format!("add-share NYKM100925 Equity {CAPACITY}"));
    assert_eq!(added["result"], "added");
    let buyers = Buyers::start(&cluster, 4);
    let mut retried_len = 0;
    for round in 0..rounds_len {
        buyers.wait_for(20 + (draw.next_u32() % 60) as usize);
        if round % 2 == 0 {
            cluster.kill_all_and_start_again(&arguments);
            // Whoever was answered before asks again, and is answered the same.
            if let Some((client, asked)) = buyers.done().last_key_value() {
                let lines: Vec<&str> = asked.iter().map(|(line, _)| line.as_str()).collect();
                let answers = requests_as(cluster.client_address(), *client, &lines);
                let before: Vec<Value> = asked.iter().map(|(_, answer)| answer.clone()).collect();
                assert_eq!(answers, before, "seed {seed}, round {round}, client {client}");
                retried_len += answers.len();
            }
        } else {
            for victim in draw_victims(&mut draw) {
                // One that a round before has killed may not be back yet.
                let _ended = cluster.find_node_pid(victim).map(|pid| kill_process(pid, Signal::KILL));
            }
        }
    }
    buyers.wait_for(20);
    let done = buyers.end();
    assert!(retried_len > 0);
    let answers: Vec<&Value> = done.values().flatten().map(|(_, answer)| answer).collect();
    let places: BTreeSet<u64> = answers.iter().map(|answer| answer["sequence"].as_u64().unwrap()).collect();
    assert_eq!(places.len(), answers.len(), "each has a place of its own");
    // Each was executed once, and nothing else was: the units that are left have gone down by one each time.
    let left: BTreeSet<u64> = answers.iter().map(|answer| answer["available"].as_u64().unwrap()).collect();
    let expected: BTreeSet<u64> = (CAPACITY - answers.len()..CAPACITY).map(|units| units as u64).collect();
    assert_eq!(left, expected, "seed {seed}");
    cluster.equal_digest();
    let (availability, _) = cluster.request("NYKA1001", "list-share-availability Equity");
    assert_eq!(availability["shares"][0]["available"], CAPACITY - answers.len(), "{availability}");
    for replica in ReplicaId::first(3) {
        let kept = cluster.directory().join(format!(".dsms/data/{replica}"));
        let files = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        let bytes: u64 = files.sum();
        assert!(bytes < 1_000_000, "{} bytes in {}", bytes, kept.display());
    }
}

#[test]
fn every_acknowledged_request_is_there_once_however_often_processes_are_killed() {
    rounds("os", 1, 14, ports(0));
}

#[test]
fn the_same_where_each_commit_waits_for_the_disk() {
    rounds("fsync", 2, 6, ports(10));
}

#[test]
fn where_checkpoints_are_rare_a_start_begins_with_what_each_replica_has_written_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let config = "[cluster]\ndurability = \"os\"\n[recovery]\ncheckpoint_every = 1000000\ntentative_every = 100\n";
    fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let arguments = ["--config", "dsms.toml"];
    let mut cluster = Cluster::start_durable(directory, &arguments);
    let shares = (0..150)
        .map(|share| format!("NYKA{share:04} add-share NYKM{:02}{:02}25 Equity 5\n", 1 + share % 28, 1 + share / 28));
    assert_eq!(cluster.script(&shares.collect::<String>()).len(), 150);
    cluster.kill_all_and_start_again(&arguments);
    for _ in 0..3 {
        let voting = cluster.wait_for_log(&["votes again", "checkpoint=100"]);
        assert!(voting.contains("incarnation=2"), "{voting}");
    }
    cluster.equal_digest();
    let (availability, _) = cluster.request("NYKA0000", "list-share-availability Equity");
    assert_eq!(availability["shares"].as_array().unwrap().len(), 150);
}

fn up_refused(directory: &TempDir, arguments: &[&str]) -> String {
    let output = dsms(directory.path()).arg("up").args(arguments).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    words
}

#[test]
fn data_of_a_cluster_of_another_kind_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let at = data.path().join("market");
    let arguments = ["--data", at.to_str().unwrap(), "--durability", "os"];
    let mut cluster = Cluster::start_durable(directory, &arguments);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 5").1, 0);
    let elsewhere = tempfile::tempdir().unwrap();
    let words = up_refused(&elsewhere, &arguments);
    let holder = format!("is in use by process {}", cluster.up_pid().as_raw_nonzero());
    assert!(words.contains(&holder) && words.contains("--data DIR"), "{words}");
    assert!(cluster.end_by(Signal::TERM).success());
    assert!(!cluster.directory().join(".dsms/data").exists(), "it is elsewhere");
    let words = up_refused(&elsewhere, &["--mode", "both", "--data", at.to_str().unwrap()]);
    for told in ["a cluster of 3 replicas in mode byzantine", "of 4 replicas in mode both", "--data DIR"] {
        assert!(words.contains(told), "{told} in {words}");
    }
    let again = Cluster::start_durable(elsewhere, &arguments);
    let (refused, _) = again.request("NYKA1001", "add-share NYKM100925 Equity 5");
    assert_eq!(refused["refused"], "already-exists", "what was ordered there is still known: {refused}");
}

#[test]
fn damaged_files_are_told_set_aside_and_healed_by_the_others() {
    let mut cluster = Cluster::start_durable(tempfile::tempdir().unwrap(), &["--durability", "os"]);
    for share in 0..20 {
        let words = format!("add-share NYKM{:02}0925 Equity 5", share + 1);
        assert_eq!(cluster.request("NYKA1001", &words).1, 0);
    }
    let before = cluster.equal_digest();
    let file = cluster.directory().join(".dsms/data/replica-2/00000001.log");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&file, bytes).unwrap();
    cluster.kill_all_and_start_again(&["--durability", "os"]);
    cluster.wait_for_log(&["replica-2", "kept data is damaged", "00000001.log, byte", "set aside"]);
    assert!(file.with_extension("log.damaged").exists());
    assert_eq!(cluster.equal_digest(), before);
    let told = cluster.run(&["log", "--json"]);
    assert!(String::from_utf8(told.stdout).unwrap().contains("kept-damaged"));
}

/// A small file system in memory, which ends with this value.
struct SmallDisk<'a> {
    at: &'a Path,
}

impl SmallDisk<'_> {
    /// Mounts it there, if this user may.
    fn mount(at: &Path) -> Option<SmallDisk<'_>> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m,mode=700", "dsms-test"]).arg(at).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(SmallDisk { at })
    }

    /// Writes a file until there is no room.
    fn fill(&self) {
        let mut filler = fs::File::create(self.at.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.at).status().unwrap();
        assert!(unmounted.success() || std::thread::panicking(), "{} stays mounted", self.at.display());
    }
}

#[test]
fn a_replica_whose_disk_is_full_does_not_vote_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join(".dsms/data/replica-2");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&data).unwrap();
    let Some(disk) = SmallDisk::mount(&data) else {
        eprintln!("SKIPPED: this user may not mount a small file system, so no disk is full here");
        return;
    };
    let cluster = Cluster::start_durable(directory, &["--durability", "os"]);
    disk.fill();
    // Some records fit into what is left of the last page.
    for share in 0..200 {
        let words =
            format!("add-share NYKM{:02}{:02}{:02} Equity 5", share % 28 + 1, share / 28 % 12 + 1, 25 + share / 336);
        assert_eq!(cluster.request("NYKA1001", &words).1, 0, "the others go on");
    }
    cluster.wait_for_log(&["replica-2", "cannot write", "bytes to", "replica-2, where 0 are available: No space left"]);
    let alarm = cluster.wait_for_log(&["replica-2", "ALARM", "1048576 bytes are needed", "No space left"]);
    assert!(alarm.contains(".dsms/data/replica-2"), "{alarm}");
    cluster.wait_for_log(&["replica-2 is started again"]);
    let told = cluster.run(&["log", "--json"]);
    assert!(String::from_utf8(told.stdout).unwrap().contains("keeping-failed"), "the front end knows");
    disk.make_room();
    cluster.wait_for_log(&["votes again", "replica-2"]);
    cluster.equal_digest();
}

#[test]
fn a_start_from_what_was_kept_is_no_failure_and_no_restart() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--durability", "os"];
    let mut cluster = Cluster::start_durable(directory, &arguments);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    cluster.kill_all_and_start_again(&arguments);
    let ps: Value = serde_json::from_slice(&cluster.run(&["ps", "--json"]).stdout).unwrap();
    for replica in &ps["nodes"].as_array().unwrap()[2..] {
        assert_eq!((&replica["restarts"], &replica["incarnation"]), (&json!(0), &json!(2)), "{replica}");
    }
    let log = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(log.contains("begins replica=replica-1") && log.contains("its process is new, and "), "{log}");
    let warned: Vec<String> = cluster.log_so_far().into_iter().filter(|line| line.contains("| warn")).collect();
    assert!(warned.is_empty(), "{warned:?}");
}
