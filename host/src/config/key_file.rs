//! The text of a node's key file: its secrets with every other node, in one or two generations.
//!
//! ```text
//! dsms-keys 1
//! cluster 5f0c61b27f3d9a04
//! node replica-1
//! generation 1
//! front-end 64 hexadecimal digits
//! sequencer 64 hexadecimal digits
//! replica-2 64 hexadecimal digits
//! ```
//!
//! Empty lines and lines that begin with `#` mean nothing. What is wrong is told by its line, and nothing of the line is repeated: it may
//! be a secret. Where the file is, and who may read it, is not decided here.

use std::fmt::Write;

use crate::protocol::id::NodeId;
use crate::protocol::keyring::{ClusterId, GENERATIONS_LEN_MAX, Generation, Keyring};
use crate::protocol::secret::Secret;

/// The first word of every key file.
const FORMAT: &str = "dsms-keys";

/// The version of this form, the second word.
const VERSION: &str = "1";

/// Longest key file in bytes; with all nodes and two generations one has some 1,500.
pub const KEY_FILE_LEN_MAX: u64 = 64 << 10;

/// Why a text is no key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// It does not begin as one.
    #[error("it is no key file: the first line has to be `{FORMAT} {VERSION}`")]
    Format,
    /// It begins as one of another version.
    #[error(
        "it is of version {found}, and this dsms reads version {VERSION}: use the dsms that wrote it, or write new keys"
    )]
    Version {
        /// Which.
        found: u32,
    },
    /// A line is not as it should be.
    #[error("line {line}: expected {expected}")]
    Line {
        /// Which, from 1; the one after the last if something is missing.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

/// The keyring in a key file with this text.
pub fn parse_key_file(text: &str) -> Result<Keyring, KeyFileError> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let mut lines = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let end = text.lines().count() + 1;
    let (_, first) = lines.next().ok_or(KeyFileError::Format)?;
    match first.split_once(' ') {
        Some((FORMAT, VERSION)) => {}
        Some((FORMAT, version)) => {
            let found = version.parse().map_err(|_| KeyFileError::Format)?;
            return Err(KeyFileError::Version { found });
        }
        _ => return Err(KeyFileError::Format),
    }
    let mut field = |key, expected| {
        let (line, text) = lines.next().unwrap_or((end, ""));
        let value = text.strip_prefix(key).and_then(|rest| rest.strip_prefix(' '));
        value.ok_or(KeyFileError::Line { line, expected }).map(|value| (line, value))
    };
    let expected = "`cluster` and 16 hexadecimal digits";
    let (line, cluster) = field("cluster", expected)?;
    let cluster: ClusterId = cluster.parse().map_err(|_| KeyFileError::Line { line, expected })?;
    let expected = "`node` and the name of a node";
    let (line, local) = field("node", expected)?;
    let local: NodeId = local.parse().map_err(|_| KeyFileError::Line { line, expected })?;

    let mut keyring = Keyring::new(cluster, local);
    let mut current = None;
    for (line, text) in lines {
        let wrong = |expected| KeyFileError::Line { line, expected };
        let (key, value) = text.split_once(' ').ok_or(wrong("two words"))?;
        if key == "generation" {
            let expected = "`generation` and its number, larger than the one before";
            let generation = value.parse().ok().filter(|number| *number > 0).map(Generation).ok_or(wrong(expected))?;
            if current.replace(generation) >= Some(generation) {
                return Err(wrong(expected));
            }
            if keyring.generations().len() == GENERATIONS_LEN_MAX {
                return Err(wrong("two generations at most"));
            }
            continue;
        }
        let generation = current.ok_or(wrong("`generation` and its number before any secret"))?;
        let peer: NodeId = key.parse().map_err(|_| wrong("the name of a node and 64 hexadecimal digits"))?;
        let secret = Secret::from_hex(value).ok_or(wrong("the name of a node and 64 hexadecimal digits"))?;
        if peer == local || keyring.secrets(generation).any(|(known, _)| known == peer) {
            return Err(wrong("one secret with each other node"));
        }
        keyring.insert(generation, peer, secret);
    }
    if keyring.generations().len() == 0 {
        return Err(KeyFileError::Line { line: end, expected: "`generation` and its number, and secrets" });
    }
    Ok(keyring)
}

/// The text of the key file with this keyring; it reads back as the same.
pub fn key_file_text(keyring: &Keyring) -> String {
    let local = keyring.local();
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        writeln!(text, "{arguments}").expect("a string takes all that is written to it");
    };
    line(format_args!("{FORMAT} {VERSION}"));
    line(format_args!(
        "# The secrets of {local} with each other node: for its own machine, and for nobody else to read."
    ));
    line(format_args!("cluster {}", keyring.cluster()));
    line(format_args!("node {local}"));
    for generation in keyring.generations() {
        line(format_args!("\ngeneration {generation}"));
        for (peer, secret) in keyring.secrets(generation) {
            line(format_args!("{peer} {}", secret.to_hex()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::id::Membership;
    use crate::protocol::secret::SECRET_LEN;

    const HEAD: &str = "dsms-keys 1\ncluster 00000000000000ff\nnode sequencer\n";

    fn keyring() -> Keyring {
        let mut keyring = Keyring::new(ClusterId(255), NodeId::Sequencer);
        for (generation, peer) in [(1, NodeId::FRONT_END), (2, NodeId::FRONT_END), (2, Membership::of(1).nodes()[2])] {
            keyring.insert(Generation(generation), peer, Secret::new([generation as u8; SECRET_LEN]));
        }
        keyring
    }

    #[test]
    fn a_keyring_is_read_back_as_it_was_written() {
        let text = key_file_text(&keyring());
        assert!(text.starts_with("dsms-keys 1\n# "), "{text}");
        assert_eq!(parse_key_file(&text), Ok(keyring()));
        assert_eq!(parse_key_file(&text.replace('\n', "\r\n")), Ok(keyring()));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_nothing_of_it_is_repeated() {
        let secret = "ab".repeat(SECRET_LEN);
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = parse_key_file(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("abab"), "{error}");
        }
        check("", "no key file");
        check(&secret, "no key file");
        check("dsms-keys 2\n", "it is of version 2, and this dsms reads version 1");
        check("dsms-keys one\n", "no key file");
        check("dsms-keys 1\n", "line 2: expected `cluster`");
        check("dsms-keys 1\n# of what?\ncluster 12\n", "line 3: expected `cluster` and 16");
        check("dsms-keys 1\ncluster 00000000000000ff\nnode replica-0", "line 3: expected `node`");
        check(HEAD, "line 4: expected `generation`");
        check(&format!("{HEAD}generation 1\n"), "line 5: expected `generation` and its number, and secrets");
        check(&format!("{HEAD}front-end {secret}\n"), "line 4: expected `generation` and its number before");
        check(&format!("{HEAD}generation 0"), "line 4: expected `generation` and its number, larger");
        check(&format!("{HEAD}generation 2\ngeneration 2"), "line 5: expected `generation` and its number, larger");
        check(&format!("{HEAD}generation 1\nfront-end {secret}ab"), "line 5: expected the name of a node and 64");
        check(&format!("{HEAD}generation 1\n{secret}"), "line 5: expected two words");
        check(&format!("{HEAD}generation 1\nsequencer {secret}"), "line 5: expected one secret with each other node");
        check(&format!("{HEAD}generation 1\nfront-end {secret}\nfront-end {secret}"), "line 6: expected one secret");
        let three = (1..4).map(|number| format!("generation {number}\nfront-end {secret}\n")).collect::<String>();
        check(&format!("{HEAD}{three}"), "line 8: expected two generations at most");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_text_is_a_panic(lines in prop::collection::vec(prop_oneof![
            prop::sample::select(vec!["generation 1", "generation 2", "front-end", "node front-end", "#", ""]).prop_map(str::to_owned),
            r"\PC{0,20}",
            "replica-[0-9] [0-9a-f]{64}",
        ], 0..20)) {
            let _ = parse_key_file(&lines.join("\n"));
            if let Ok(keyring) = parse_key_file(&format!("{HEAD}{}", lines.join("\n"))) {
                prop_assert_eq!(parse_key_file(&key_file_text(&keyring)), Ok(keyring));
            }
        }
    }
}
