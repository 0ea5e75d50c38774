//! Scenarios that a person can read: `*.txt` in this directory, each a few steps and what the cores do in each.
//!
//! A step is some lines of script, then `----`, then the transcript up to the next empty line. The cluster is real but for the
//! outside: the same cores, channels and encoding, the reference market, virtual time, and a network that loses what the script
//! says. `DSMS_REWRITE=1 cargo test --test transcripts` writes the transcripts anew; review the difference as code.
//!
//! | Line of script | What it does |
//! |---|---|
//! | `mode NAME [spares]` | begins with a cluster in this mode (first line), each replica with a spare if that is said |
//! | `client CALLER OPERATION …` | a client sends its next request |
//! | `retry N` | a client sends its Nth request again, under the same number |
//! | `drop FROM -> TO` | the network loses the next datagram of this link that carries messages |
//! | `cut NODE`, `heal NODE` | the network loses everything from and to a node, until it does not |
//! | `wrong REPLICA [N]` | the replica's next outcome is altered, or the next N |
//! | `trap REPLICA [PLACE]` | the replica's module traps at its next request, once, or at this place of the order, every time |
//! | `corrupt REPLICA` | the replica's state is altered |
//! | `garble NODE` | the next piece of a state that a node serves is altered |
//! | `swap REPLICA MODULE N` | an operator has a module take over after N right outcomes: `right`, `wrong`, `trap`, `missing`, `previous`, … |
//! | `restart NODE` | the node's process ends, and a new one begins that knows nothing |
//! | `reboot NODE …` | the processes of these nodes end together, or of all; new ones begin with what is on their disks |
//! | `barrier` | a client has every replica digest its state |
//! | `pass MS` | that much time passes |
//! | `settle` | time passes until nothing happens any more but heartbeats |

use std::fs;
use std::path::Path;

mod script;

#[test]
fn every_transcript_is_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/transcripts");
    let rewrite = std::env::var_os("DSMS_REWRITE").is_some();
    let mut transcripts: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    transcripts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    transcripts.sort();
    assert!(transcripts.len() >= 6, "only {transcripts:?} were found");
    for path in transcripts {
        let written = fs::read_to_string(&path).unwrap();
        let happened = replay(&written);
        if rewrite {
            fs::write(&path, happened).unwrap();
        } else {
            let difference = written.lines().zip(happened.lines()).find(|(written, happened)| written != happened);
            assert!(written == happened, "{} differs first at {difference:?}; happened:\n{happened}", path.display());
        }
    }
}

/// The file as it would be if its transcripts were what happens.
fn replay(written: &str) -> String {
    let mut world: Option<script::Script> = None;
    let mut out = String::new();
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line == "----" {
            let world = world.as_mut().expect("a transcript begins with `mode`");
            for happening in world.take_transcript() {
                out.push_str(&happening);
                out.push('\n');
            }
            while lines.next_if(|line| !line.is_empty()).is_some() {}
        } else if let Some(mode) = line.strip_prefix("mode ") {
            world = Some(script::Script::new(mode));
        } else if !line.is_empty() && !line.starts_with('#') {
            world.as_mut().expect("a transcript begins with `mode`").play(line);
        }
    }
    out
}
