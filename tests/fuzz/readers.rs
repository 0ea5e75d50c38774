//! Everything that reads bytes from outside, as one function each: whatever the bytes, it comes back.
//!
//! The property tests beside this file and the targets in `fuzz/` call these.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use dsms::access::{PublicKey, SigningKey, Subject, Token, TokenKeys};
use dsms::config::{self, ClusterConfig};
use dsms::market::{self, Answer, Caller, Digest, parse_request};
use dsms::protocol::channel::limits::DATAGRAM_LEN_MAX;
use dsms::protocol::channel::{Address, Datagram, ENVELOPE_LEN, Envelope, enclose};
use dsms::protocol::checkpoint::{Checkpoint, ClientTables};
use dsms::protocol::client_message::{ClientMessage, ServerMessage, WhyAnswer};
use dsms::protocol::id::{ClientId, Membership, NodeId, RequestId, RequestNumber, SequenceNumber};
use dsms::protocol::keyring::{ClusterId, Generation};
use dsms::protocol::ledger::Entry;
use dsms::protocol::message::{Certificate, Message};
use dsms::protocol::quorum::Tolerance;
use dsms::protocol::record::{Record, Recovered};
use dsms::protocol::secret::{SECRET_LEN, Secret};
use dsms::protocol::time::Instant;
use dsms::protocol::wire;
use dsms::runtime::directory::{ClusterDirectory, read_key};
use dsms::runtime::frames::{CLIENT_FRAME_LEN_MAX, FrameReader};
use dsms::runtime::keys::{key_file, read_keyring};
use dsms::simulation::draw::{DrawOptions, draw as draw_scenario};
use dsms::simulation::history::{FORMAT, PastModule, PastReply, PastRequest, abridged};
use dsms::simulation::saved::Saved;
use dsms::simulation::{History, Scenario};
use dsms::storage::ledger::{self, Directory, LedgerFiles};
use dsms::storage::{Durability, files, frame};

use crate::draw::Draw;
use crate::messages;

/// A datagram as it comes from the socket.
pub fn datagram(bytes: &[u8]) {
    let key = Secret::new([7; SECRET_LEN]);
    let is_sealed = Envelope::read(bytes).is_ok_and(|envelope| envelope.is_sealed_with(&key));
    assert!(!is_sealed, "nobody else has the key");
    if bytes.len() <= DATAGRAM_LEN_MAX - ENVELOPE_LEN {
        let (from, to) = (NodeId::FRONT_END, NodeId::Sequencer);
        let address =
            Address { from, to, cluster: ClusterId(1), generation: Generation::FIRST, newest: Generation::FIRST };
        let mut sealed = Vec::new();
        enclose(&address, &key, &mut sealed, |sealed| sealed.extend_from_slice(bytes));
        let envelope = Envelope::read(&sealed).expect("what was written is read");
        assert!(envelope.is_sealed_with(&key) && envelope.content() == bytes && envelope.address == address);
    }
    if let Ok(datagram) = Datagram::decode(bytes) {
        let mut again = Vec::new();
        datagram.encode(&mut again);
        assert_eq!(Datagram::decode(&again), Ok(datagram));
    }
}

/// What a channel delivers, and what a client or a front end sends. What was read can be written and said in words.
pub fn message(bytes: &[u8]) {
    let mut again = Vec::new();
    if let Ok(message) = wire::decode::<Message>(bytes) {
        wire::encode(&message, &mut again).expect("what was short enough still is");
        assert_eq!(wire::decode(&again), Ok(message));
    }
    if let Ok(message) = wire::decode::<ClientMessage>(bytes) {
        again.clear();
        wire::encode(&message, &mut again).expect("what was short enough still is");
        assert_eq!(wire::decode(&again), Ok(message));
    }
    if let Ok(message) = wire::decode::<ServerMessage>(bytes) {
        let _words = format!("{message:?}");
    }
}

/// What a disk holds, and the same damaged. What was read can be written again.
pub fn frames(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut framed = Vec::new();
    for _ in 0..draw.below(5) {
        let place = messages::sequence(&mut draw);
        let record = match draw.below(3) {
            0 => Record::Order(messages::order(&mut draw, place)),
            1 => Record::Void(place),
            _ => Record::Begin(place),
        };
        frame::encode(&record, &mut framed);
    }
    draw.damage(&mut framed);
    for bytes in [&framed, bytes] {
        let (mut rest, mut recovered) = (bytes, Recovered::default());
        while let Ok((record, len)) = frame::decode(rest) {
            let mut again = Vec::new();
            frame::encode(&record, &mut again);
            assert_eq!(again, rest[..len]);
            let _words = recovered.apply(record);
            rest = &rest[len..];
        }
        recovered.finish();
    }
}

/// The entries of a ledger as bytes, and its files, damaged. What was read can be written again, and the ledger goes on.
pub fn ledger(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }
    let mut draw = Draw::new(bytes);
    let directory = tempfile::tempdir().unwrap();
    let owner = ledger::Owner { cluster: files::identity::ClusterId([7; 16]), node: NodeId::FRONT_END };
    let open = || {
        let disk = Directory::hold(directory.path(), Durability::Os).expect("nobody else has it");
        LedgerFiles::open(disk, owner, ledger::SIZE_BYTES_MAX)
    };
    let drawn = (0..draw.below(5)).map(|_| messages::entry(&mut draw));
    // A core has only what could be decoded when it came.
    let entries: Vec<Entry> = drawn.filter_map(|entry| Entry::decode(&entry.encode()).ok()).collect();
    open().expect("it is empty").0.write(&entries, Instant(1));
    let path = directory.path().join("00000001.ledger");
    if !entries.is_empty() {
        let mut read = Vec::new();
        let verified = ledger::read_entries(directory.path(), |entry| read.push(entry)).expect("it is there");
        assert!(verified.broken.is_none() && read == entries);
        let mut file = fs::read(&path).expect("it was written");
        draw.damage(&mut file);
        fs::write(&path, file).expect("the directory is ours");
    }
    for more in [None, Some(bytes)] {
        if let Some(bytes) = more {
            fs::write(&path, bytes).expect("the directory is ours");
        }
        let _in_words = ledger::verify(directory.path(), None).expect("it is there");
        let place = SequenceNumber(messages::sequence(&mut draw).0.min(SequenceNumber::RECEIVED_MAX));
        match open() {
            Err(refused) => assert!(!refused.to_string().is_empty()),
            Ok((mut files, _)) => {
                let (recollection, _) = files.recollect(place);
                drop(recollection.complete(WhyAnswer::NotRecorded { first: 0, last: 0 }, files.range()));
                assert!(files.latest_events(3).len() <= 3);
                assert_eq!(files.write(&[Entry::GivenAnew { after: place }], Instant(2)), None);
                let verified = ledger::verify(directory.path(), None).expect("it is there");
                assert_eq!(verified.broken, None, "what is wrong was set aside");
            }
        }
    }
}

/// A valid message of any kind, and damaged.
pub fn damaged_message(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut encoded = Vec::new();
    let is_encoded = match draw.flag() {
        true => wire::encode(&messages::message(&mut draw), &mut encoded),
        false => wire::encode(&messages::client_message(&mut draw), &mut encoded),
    };
    is_encoded.expect("the messages drawn are short");
    message(&encoded);
    draw.damage(&mut encoded);
    message(&encoded);
}

/// A checkpoint that another manager sent, with a certificate that it has made up to fit.
pub fn checkpoint(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let (encoded, certificate) = forged_checkpoint(&mut draw);
    for bytes in [&encoded, bytes] {
        if let Ok(checkpoint) = Checkpoint::decode(bytes, &certificate) {
            let mut tables = checkpoint.tables();
            // Whoever begins with it goes on from its place.
            for place in 1..200 {
                let sequence = SequenceNumber(certificate.sequence.0 + place);
                let id = RequestId { client: ClientId(draw.number()), number: RequestNumber(draw.number()) };
                if tables.admissions.admit(id, sequence) {
                    tables.sessions.record(id, sequence, messages::outcome(&mut draw));
                }
            }
            let again = Checkpoint::decode(&checkpoint.encode(), &certificate);
            assert_eq!(again.map(|again| again.digest), Ok(certificate.digest));
        }
    }
    let _tables = wire::decode_state::<ClientTables>(bytes);
}

/// The encoding of a checkpoint with damaged client tables, and a certificate for exactly that.
pub fn forged_checkpoint(draw: &mut Draw<'_>) -> (Vec<u8>, Certificate) {
    let sequence = SequenceNumber(u64::from(draw.byte()));
    let mut tables = ClientTables::default();
    for place in 1..=draw.below(30) as u64 {
        let place = SequenceNumber(if draw.below(9) == 0 { u64::from(draw.byte()) } else { place });
        let id = RequestId { client: ClientId(u64::from(draw.byte() % 5)), number: RequestNumber(draw.number()) };
        tables.admissions.admit(id, place);
        tables.sessions.record(id, place, messages::outcome(draw));
    }
    let mut clients = wire::encode_state(&tables);
    if draw.flag() {
        draw.damage(&mut clients);
    }
    let state = messages::state(draw);
    let (state_digest, clients_digest) = (state.digest(), Digest::of_bytes(&clients));
    let digest = Digest::of_text(|text| writeln!(text, "checkpoint {sequence} {state_digest} {clients_digest}"));
    let voters = draw.some_of(3, messages::replica);
    (wire::encode_state(&(state, clients)), Certificate { sequence, digest, voters })
}

/// What comes over a client's connection, from its first byte to its end.
pub fn client_frames(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without sockets");
    runtime.block_on(async {
        let mut frames = FrameReader::new(bytes, CLIENT_FRAME_LEN_MAX);
        while frames.next::<ClientMessage>().await.is_ok() {}
    });
}

/// What a client shows for a token, and what stands in the files of keys.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(token) = Token::read(&text) {
        assert_eq!(token.to_text(), text, "a token has one text");
    }
    for refused in [SigningKey::read(&text).map(drop), PublicKey::read(&text).map(drop)] {
        assert!(refused.err().is_none_or(|refused| !refused.to_string().is_empty()));
    }
}

/// A token that is good, with some of its text altered: it is none, or not good any more.
pub fn damaged_token(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let key = SigningKey::from_seed([draw.byte(); 32]);
    let good = key.issue(Subject::Operator, 1_000_000).to_text();
    let mut text = good.clone().into_bytes();
    damage_text(&mut draw, &mut text);
    let text = String::from_utf8_lossy(&text);
    token(text.as_bytes());
    let keys = TokenKeys::from_iter([key.public()]);
    let is_good = Token::read(&text).is_ok_and(|token| keys.verify(&token, Instant(0)).is_ok());
    assert_eq!(is_good, text == good, "{text}");
}

/// The text of a `dsms.toml`, or of the `cluster.toml` that a cluster has left.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match config::parse(&text, Path::new("/nowhere")) {
        Ok(config) => {
            let written = config.to_toml().expect("what was read from a text is text");
            assert_eq!(config::parse(&written, Path::new("/elsewhere")), Ok(config), "{written}");
        }
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= config::PROBLEMS_LEN_MAX);
            for problem in problems {
                let words = problem.to_string();
                assert!(!words.contains('\n'), "{words}");
            }
        }
    }
}

/// A request in words, and everything that is read from one word.
pub fn request_words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split(' ').collect();
    match parse_request(&words) {
        Ok(request) => {
            let again = parse_request(&market::request_words(&request));
            assert_eq!(again, Ok(request));
        }
        Err(refused) => {
            assert!(refused.given.chars().count() <= 81 && refused.message.len() <= 2000, "{refused}");
            let _json = Answer::BadRequest(refused).to_json();
        }
    }
    for word in words {
        let _node = word.parse::<NodeId>();
        let _key = Secret::from_hex(word);
        if let Ok(caller) = word.parse::<Caller>() {
            assert_eq!(caller.to_string().parse(), Ok(caller));
        }
    }
}

/// A complete `dsms.toml`, damaged.
pub fn damaged_config(bytes: &[u8]) {
    const PIECES: [&str; 14] = [
        "[cluster]\n",
        "[[replica]]\n",
        "mode = \"crash\"\n",
        "= ",
        "\n",
        "\"",
        "\"\"\"",
        "0x7fffffffffffffff",
        "-1",
        "1e999",
        "[::1]:1",
        "{ wrong = 18446744073709551615, crashed = 1 }",
        "\u{a0}",
        "é",
    ];
    let mut draw = Draw::new(bytes);
    let tolerance = draw.pick(&Tolerance::NAMED).1;
    let config = ClusterConfig::for_mode(tolerance, None, Vec::new()).expect("a named mode is possible");
    let mut text = config.to_toml().expect("the working directory has a name").into_bytes();
    for _ in 0..draw.below(4) {
        let at = draw.below(text.len() + 1);
        text.splice(at..at, draw.pick(&PIECES).bytes());
    }
    if draw.flag() {
        draw.damage(&mut text);
    }
    self::config(&text);
}

/// The text of a plan of the simulator.
pub fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    saved(&text);
    if let Ok(plan) = Scenario::from_text(&text) {
        assert_eq!(Scenario::from_text(&plan.to_text()), Ok(plan));
    }
}

/// A complete plan, damaged.
pub fn damaged_scenario(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let options = DrawOptions { requests_len: 5, ..DrawOptions::default() };
    let mut text = draw_scenario(u64::from(draw.byte()), &options).to_text().into_bytes();
    damage_text(&mut draw, &mut text);
    scenario(&text);
}

/// The text of an incident's history.
pub fn history(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    saved(&text);
    if let Ok(history) = History::from_text(&text) {
        let written = history.to_text().expect("what was read can be written");
        assert_eq!(History::from_text(&written), Ok(history), "{written}");
    }
}

/// A complete history with anything in it that a cluster may tell, and damaged. What became of it.
pub fn damaged_history(bytes: &[u8]) -> &'static str {
    let mut draw = Draw::new(bytes);
    let requests = (1..=1 + draw.below(5) as u64).map(|place| PastRequest {
        sequence: SequenceNumber(place * 3),
        time_ms: draw.option(Draw::number),
        request: messages::request(&mut draw),
    });
    let requests = requests.collect();
    let modules = vec![PastModule {
        name: messages::words(&mut draw).join(" "),
        digest: messages::digest(&mut draw).to_string(),
        replicas: draw.some_of(3, messages::replica),
    }];
    let response = abridged(&messages::outcome(&mut draw).to_string());
    let complete = History {
        format: FORMAT.to_owned(),
        wrong: draw.below(2),
        crashed: draw.below(2),
        replicas: 3 + draw.below(2),
        unknown: draw.number(),
        released: draw.option(|draw| abridged(&messages::words(draw).join("\n"))),
        fuel_per_call: draw.number(),
        memory_bytes_max: draw.number(),
        replies: vec![PastReply { replica: messages::replica(&mut draw), response }],
        modules,
        requests,
    };
    let Ok(text) = complete.to_text() else { return "not written" };
    assert_eq!(History::from_text(&text), Ok(complete), "{text}");
    let mut text = text.into_bytes();
    damage_text(&mut draw, &mut text);
    history(&text);
    if History::from_text(&String::from_utf8_lossy(&text)).is_ok() { "read" } else { "refused" }
}

/// Whatever `dsms replay` is given.
fn saved(text: &str) {
    if let Err(refused) = Saved::from_text(text) {
        assert!(!refused.to_string().is_empty());
    }
}

/// Puts in what TOML gives a meaning, and damages the rest now and then.
fn damage_text(draw: &mut Draw<'_>, text: &mut Vec<u8>) {
    const PIECES: [&str; 8] =
        ["[[request]]\n", "= ", "\n", "\"", "\"\"\"", "-1", "18446744073709551615", "format = \"dsms-history 1\"\n"];
    for _ in 0..draw.below(4) {
        let at = draw.below(text.len() + 1);
        text.splice(at..at, draw.pick(&PIECES).bytes());
    }
    if draw.flag() {
        draw.damage(text);
    }
}

/// What stands in a cluster's directory: its key and its configuration. And a node's key file.
pub fn cluster_files(bytes: &[u8]) {
    let scratch = tempfile::tempdir().expect("there is room for a directory");
    let directory = ClusterDirectory::within(scratch.path());
    drop(directory.lock().expect("nobody else is here"));
    fs::write(directory.config_file(), bytes).expect("there is room for a file");
    let mut key = OpenOptions::new();
    let key = key.write(true).create(true).truncate(true).mode(0o600).open(directory.key_file());
    key.and_then(|mut file| file.write_all(bytes)).expect("there is room for a file");
    let keys = scratch.path().join("keys");
    fs::create_dir(&keys).expect("there is room for a directory");
    let path = key_file(&keys, NodeId::FRONT_END);
    fs::rename(directory.key_file(), &path).expect("a file can be moved");
    let read = read_keyring(&path, NodeId::FRONT_END, &Membership::of(3).nodes());
    assert!(read.err().is_none_or(|refused| !refused.to_string().is_empty()));
    fs::rename(&path, directory.key_file()).expect("a file can be moved back");
    for read in [directory.running().map(drop), read_key(&directory.key_file()).map(drop)] {
        assert!(read.err().is_none_or(|refused| !refused.to_string().is_empty()));
    }
}
