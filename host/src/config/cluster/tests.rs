//! What is refused in a `dsms.toml`, and in which words.

use std::fs;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::{ClientsConfig, LedgerConfig};
use super::*;

/// The problems of this text in a directory with a `module.wasm` and a directory `keys`.
fn problems(text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("module.wasm"), b"").unwrap();
    fs::create_dir(directory.path().join("keys")).unwrap();
    let problems = parse(text, directory.path()).err().unwrap_or_default();
    let shown = format!("{}/", directory.path().display());
    problems.into_iter().map(|problem| problem.to_string().replace(&shown, "")).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(problems(text), expected, "{text}");
}

#[test]
fn an_empty_file_is_the_default_cluster() {
    let config = parse("", Path::new("")).unwrap();
    assert_eq!(config, ClusterConfig::for_mode(MODE, None, Vec::new()).unwrap());
    for text in ["[cluster]", "replica = []", "[cluster]\nmode = 'byzantine'", "[cluster.mode]\nwrong = 1\ncrashed = 0"]
    {
        assert_eq!(parse(text, Path::new("")), Ok(config.clone()), "{text}");
    }
}

#[test]
fn every_value_of_a_file_is_taken() {
    let text = r#"
        [cluster]
        mode = { wrong = 0, crashed = 1 }
        key_file = "a key"
        data = "kept here"
        durability = "os"
        request_timeout_ms = 2_500
        allow_faults = true
        [front_end]
        address = "127.0.0.1:7400"
        client_address = "[::1]:7400"
        [sequencer]
        address = "127.0.0.2:7400"
        [[replica]]
        address = "127.0.0.1:7403"
        module = "reference"
        spares = ["reference", "reference"]
        [[replica]]
        address = "127.0.0.1:7404"
        [suspicion]
        deadline_start_ms = 3
        deadline_floor_ms = 2
        deadline_ceiling_ms = 4
        silent_after_ms = 1000
        stuck_after_ms = 5
        [recovery]
        reinstantiations_max = 0
        probation_ms = 6
        backoff_ms = 7
        backoff_max_ms = 8
        checkpoint_every = 9
        tentative_every = 10
        [module_limits]
        fuel_per_call = 0x10
        memory_bytes_max = 65536
        log_bytes_per_call_max = 1
        [ledger]
        size_bytes_max = 1048576
    "#;
    let config = parse(text, Path::new("/directory")).unwrap();
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let replica = |text, spares_len| ReplicaConfig {
        address: address(text),
        module: ModuleSource::Reference,
        spares: vec![ModuleSource::Reference; spares_len],
    };
    let expected = ClusterConfig {
        tolerance: Tolerance { wrong: 0, crashed: 1 },
        keys: Keys::Shared("/directory/a key".into()),
        data: Some(DataConfig { directory: "/directory/kept here".into(), durability: Durability::Os }),
        request_timeout: Duration::from_millis(2500),
        front_ends: vec![FrontEndConfig { address: address("127.0.0.1:7400"), client_address: address("[::1]:7400") }],
        sequencer: SequencerConfig { address: address("127.0.0.2:7400") },
        replicas: vec![replica("127.0.0.1:7403", 2), replica("127.0.0.1:7404", 0)],
        allow_faults: true,
        suspicion: SuspicionPolicy {
            deadline_start: Duration::from_millis(3),
            deadline_floor: Duration::from_millis(2),
            deadline_ceiling: Duration::from_millis(4),
            silent_after: Duration::from_secs(1),
            stuck_after: Duration::from_millis(5),
        },
        recovery: RecoveryPolicy {
            reinstantiations_max: 0,
            probation: Duration::from_millis(6),
            backoff: Duration::from_millis(7),
            backoff_max: Duration::from_millis(8),
            checkpoint_every: 9,
            tentative_every: 10,
        },
        module_limits: ModuleLimits { fuel_per_call: 16, memory_bytes_max: 65536, log_bytes_per_call_max: 1 },
        clients: ClientsConfig::default(),
        ledger: LedgerConfig { size_bytes_max: 1 << 20 },
    };
    assert_eq!(config, expected);
}

#[test]
fn a_durability_is_one_of_three() {
    let config = parse("[cluster]\ndata = 'd'\ndurability = 'none'", Path::new("")).unwrap();
    assert_eq!(config.data, None, "what is kept nowhere is kept in no directory");
    check(
        "[cluster]\ndurability = 'fsink'",
        &["2:14: `durability`: expected \"fsync\", \"os\" or \"none\", found \"fsink\"; did you mean \"fsync\"?"],
    );
}

#[test]
fn the_size_of_the_ledger_is_bounded() {
    let of = |value: &str| format!("[ledger]\nsize_bytes_max = {value}");
    for (value, found) in [("1048575", "1048575"), ("68719476737", "68719476737"), ("'1GB'", "\"1GB\"")] {
        let expected =
            format!("2:18: `size_bytes_max`: expected a whole number from 1048576 to 68719476736, found {found}");
        check(&of(value), &[&expected]);
    }
}

#[test]
fn unknown_tables_and_keys_are_refused_with_what_was_meant() {
    check("[clutser]\nmode = 1", &["1:2: unknown table `clutser`, did you mean `cluster`?"]);
    check("[[replicas]]", &["1:3: unknown table `replicas`, did you mean `replica`?"]);
    check("mode = 'crash'", &["1:1: `mode` is outside its table, expected it in [cluster]"]);
    check(
        "[network]",
        &[
            "1:2: unknown table `network`, expected `cluster`, `front_end`, `sequencer`, `replica`, `suspicion`, `recovery`, \
             `module_limits`, `clients` or `ledger`",
        ],
    );
    check("[sequencer]\nadress = ''", &["2:1: unknown key `adress` in [sequencer], did you mean `address`?"]);
    check("[sequencer]\n\"\\u001b[1m\" = 1", &["2:1: unknown key `\\u{1b}[1m` in [sequencer], expected `address`"]);
    check(
        "[[replica]]\n[[replica]]\n[[replica]]\nmodul = 1",
        &["4:1: unknown key `modul` in [[replica]], did you mean `module`?"],
    );
    check(
        "[cluster]\nmode = { wrong = 1, crash = 0 }",
        &[
            "2:8: `mode`: expected both `wrong` and `crashed`, found no `crashed`",
            "2:21: unknown key `crash` in `mode`, did you mean `crashed`?",
        ],
    );
}

#[test]
fn a_policy_that_contradicts_itself_is_refused() {
    check(
        "[suspicion]\ndeadline_floor_ms = 600",
        &[
            "2:21: `deadline_floor_ms` = 600, `deadline_start_ms` = 500, `deadline_ceiling_ms` = 10000: expected them in this \
             order, none smaller than the one before",
        ],
    );
    check("[recovery]\nbackoff_ms = 6000", &["2:14: `backoff_ms` = 6000: expected at most `backoff_max_ms` = 5000"]);
    check(
        "[suspicion]\nsilent_after_ms = 10",
        &["2:19: `silent_after_ms`: expected a whole number from 1000 to 3600000, found 10"],
    );
    check("[cluster]\nallow_faults = 1", &["2:16: `allow_faults`: expected true or false, found 1"]);
    check(
        "[cluster]\nmode = { wrong = 0, crashed = 0 }\n[[replica]]\nspares = 'reference'",
        &["4:10: `spares`: expected a list of modules, such as [\"reference\"], found \"reference\""],
    );
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    check("cluster = 1", &["1:11: `cluster`: expected a table, found 1"]);
    check("[[cluster]]", &["1:1: `cluster`: expected a table, found an array"]);
    check("[replica]", &["1:1: `replica`: expected [[replica]], one such table for each replica, found a table"]);
    check(
        "replica = [true, { modul = 1 }, {}]",
        &[
            "1:12: `replica`: expected a table, found true",
            "1:20: unknown key `modul` in [[replica]], did you mean `module`?",
        ],
    );
    check("[cluster]\nkey_file = 3.5", &["2:12: `key_file`: expected the path of a file, found 3.5"]);
    check("[cluster]\nkey_file = ''", &["2:12: `key_file`: expected the path of a file, found \"\""]);
    check(
        "[cluster]\nmode = 1979-05-27",
        &[
            "2:8: `mode`: expected \"byzantine\", \"crash\", \"both\" or { wrong = <number>, crashed = <number> }, found a date or a time",
        ],
    );
    check(
        "[module_limits]\nfuel_per_call = '1'\nmemory_bytes_max = -1",
        &[
            "2:17: `fuel_per_call`: expected a whole number from 1 to 9223372036854775807, found \"1\"",
            "3:20: `memory_bytes_max`: expected a whole number from 1 to 4294967296, found -1",
        ],
    );
}

#[test]
fn a_mode_that_the_replicas_cannot_carry_is_refused_with_the_arithmetic() {
    let replicas = |len| "[[replica]]\n".repeat(len);
    check(&replicas(2), &["1:1: 1 wrong and 0 crashed need 2 x 1 + 0 + 1 = 3 replicas, there are 2"]);
    check(
        &format!("[cluster]\nmode = 'both'\n{}", replicas(3)),
        &["2:8: 1 wrong and 1 crashed need 2 x 1 + 1 + 1 = 4 replicas, there are 3"],
    );
    check(
        &format!("[cluster]\nmode = 'crash'\n{}", replicas(1)),
        &["2:8: mode crash needs at least 2 replicas, so that one can crash; there are 1"],
    );
    check(&replicas(9), &["8:1: 9 replicas are more than the 7 that a cluster may have"]);
    check(
        "[cluster]\nmode = { wrong = 3, crashed = 1 }",
        &["2:8: 8 replicas are more than the 7 that a cluster may have"],
    );
    check(
        "[cluster]\nmode = { wrong = -1, crashed = 99 }",
        &[
            "2:18: `wrong`: expected a whole number from 0 to 7, found -1",
            "2:32: `crashed`: expected a whole number from 0 to 7, found 99",
        ],
    );
    check(
        "[cluster]\nmode = 'bytzantine'",
        &["2:8: `mode`: expected \"byzantine\", \"crash\", \"both\" or { wrong = <number>, crashed = <number> }, \
           found \"bytzantine\"; did you mean \"byzantine\"?"],
    );
}

#[test]
fn addresses_that_cannot_be_used_are_refused() {
    check(
        "[sequencer]\naddress = 'localhost:7402'",
        &["2:11: `address`: expected an IP address and a port, such as \"127.0.0.1:7400\", found \"localhost:7402\""],
    );
    check(
        "[front_end]\nclient_address = '0.0.0.0:7401'",
        &["2:18: `client_address`: expected a loopback address, such as \"127.0.0.1:7400\", found \"0.0.0.0:7401\"; \
           any other needs keys for each pair of nodes, which `dsms init` writes"],
    );
    check(
        "[front_end]\naddress = '127.0.0.1:1'\nclient_address = '127.0.0.1:1'\n[sequencer]\naddress = '127.0.0.1:2'\n\
         [[replica]]\naddress = '127.0.0.1:1'\n[[replica]]\naddress = '127.0.0.1:2'\n[[replica]]\naddress = '127.0.0.1:0'",
        &[
            "7:11: `address`: 127.0.0.1:1 is already that of the front end, expected one of its own",
            "9:11: `address`: 127.0.0.1:2 is already that of the sequencer, expected one of its own",
        ],
    );
    check(
        "[front_end]\naddress = '[::1]:1'\n[sequencer]\naddress = '[::1]:2'",
        &[
            "2:11: `address`: the front end is on IPv6 and replica-1 on IPv4 (127.0.0.1:0), so they cannot reach each other; \
           expected all on one of the two",
        ],
    );
    check(
        "replica = [{ address = '[::1]:3' }, { address = '[::1]:4' }, { address = '[::2]:5' }]\n\
         [front_end]\naddress = '[::1]:1'\n[sequencer]\naddress = '[::1]:2'",
        &["1:74: `address`: expected a loopback address, such as \"127.0.0.1:7400\", found \"[::2]:5\"; \
           any other needs keys for each pair of nodes, which `dsms init` writes"],
    );
    check(
        "[sequencer]\naddress = '[::1]:2'",
        &[
            "2:11: `address`: the sequencer is on IPv6 and the front end on IPv4 (127.0.0.1:0), so they cannot reach each \
           other; expected all on one of the two",
        ],
    );
}

#[test]
fn nodes_with_keys_for_each_pair_may_be_on_any_machine() {
    let text = "[cluster]\nkeys = 'keys'\n[front_end]\naddress = '10.0.0.1:7400'\nclient_address = '0.0.0.0:7401'\n\
                [sequencer]\naddress = '10.0.0.2:7400'";
    let config = parse(text, Path::new("/directory")).unwrap();
    assert_eq!(config.keys, Keys::OfNodes("/directory/keys".into()));
    assert_eq!(config.front_ends[0].address, "10.0.0.1:7400".parse().unwrap());

    // A module has to be where its replica is, and nowhere else.
    let modules = "[cluster]\nkeys = 'keys'\n[[replica]]\nmodule = 'there.wasm'\n[[replica]]\nspares = ['there too.wasm']\n[[replica]]";
    let config = parse(modules, Path::new("/directory")).unwrap();
    assert_eq!(config.replicas[0].module, ModuleSource::File("/directory/there.wasm".into()));
    assert_eq!(config.replicas[1].spares, [ModuleSource::File("/directory/there too.wasm".into())]);
    let words = problems(&modules.replace("there.wasm", "referense").replace("there too.wasm", "keys")).join("; ");
    assert!(words.contains("did you mean \"reference\"?") && words.contains("the file keys is a directory"), "{words}");

    check(
        "[cluster]\nkeys = 'module.wasm'\nkey_file = 'key'\n[sequencer]\naddress = '0.0.0.0:7400'",
        &[
            "2:8: `keys`: expected the path of a directory with a key file for each node, found \"module.wasm\", which is a file",
            "3:12: `key_file`: expected it or `keys`, found both: with keys for each pair of nodes there is none for all",
            "5:11: `address`: expected one at which the other nodes reach the sequencer, found 0.0.0.0:7400",
        ],
    );
    check(
        "[cluster]\nkeys = ''",
        &["2:8: `keys`: expected the path of a directory with a key file for each node, found \"\""],
    );
}

#[test]
fn absurd_numbers_and_missing_files_are_refused() {
    check(
        "[cluster]\nrequest_timeout_ms = 0\nkey_file = 'keys'\n[module_limits]\nfuel_per_call = 0\nmemory_bytes_max = 0\n\
         log_bytes_per_call_max = 99999999999999999999999999",
        &[
            "2:22: `request_timeout_ms`: expected a whole number from 10 to 600000, found 0",
            "3:12: `key_file`: expected the path of a file, found \"keys\", which is a directory",
            "5:17: `fuel_per_call`: expected a whole number from 1 to 9223372036854775807, found 0",
            "6:20: `memory_bytes_max`: expected a whole number from 1 to 4294967296, found 0",
            "7:26: `log_bytes_per_call_max`: expected a whole number from 1 to 16777216, found 99999999999999999999999999",
        ],
    );
    check("[[replica]]\nmodule = 'module.wasm'\n[[replica]]\n[[replica]]", &[]);
    let expected = "`module`: expected \"reference\" or the path of a WebAssembly component, found";
    check(
        "[[replica]]\nmodule = 'referense'\n[[replica]]\nmodule = 'keys'\n[[replica]]\nmodule = 'module.wasn'",
        &[
            &format!(
                "2:10: {expected} \"referense\", but the file referense does not exist; did you mean \"reference\"?"
            ),
            &format!("4:10: {expected} \"keys\", but the file keys is a directory"),
            &format!("6:10: {expected} \"module.wasn\", but the file module.wasn does not exist"),
        ],
    );
}

#[test]
fn errors_of_syntax_are_reported_with_what_precedes_them() {
    check(
        "[cluster]\nmod = 'crash'\nkey_file = \nrequest_timeout_ms = 0\n[[replica]\nq = [1, 2",
        &[
            "2:1: unknown key `mod` in [cluster], did you mean `mode`?",
            "3:12: string values must be quoted, expected literal string",
            "5:11: unclosed array table, expected `]`",
            "6:10: unclosed array, expected `]`",
        ],
    );
    check("[cluster]\nmode = 'crash'\nmode = 'both'", &["3:1: duplicate key"]);
    check("[cluster]\nkey_file = 'größe' 'q'", &["2:20: unexpected key or value, expected newline, `#`"]);
}

#[test]
fn a_file_of_problems_is_cut_off() {
    let all = problems(&"[[replica]]\nx = 1\n".repeat(200));
    assert_eq!(all.len(), crate::config::PROBLEMS_LEN_MAX);
    assert_eq!(
        all.last().unwrap(),
        "198:1: unknown key `x` in [[replica]], expected `address`, `module` or `spares` (and 101 more problems)"
    );
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "(?s).{0,200}") {
        let _ = parse(&text, Path::new(""));
    }

    #[test]
    fn no_text_of_the_words_of_a_file_is_a_panic(words in prop::collection::vec(prop::sample::select(vec![
        "[cluster]", "[[replica]]", "[replica]", "[", "]", "{", "}", "\n", "mode", "=", "'crash'", "\"", "\"\"\"", "'", "#", ".",
        "wrong", "crashed", "1", "-1", "1e9", "true", ",", "[front_end]", "address", "'127.0.0.1:7400'", "é", "key_file", "\r\n",
        "module", "'reference'", "[module_limits]", "fuel_per_call", "0x", "1979-05-27", "[cluster.mode]", "\u{feff}", "\0",
    ]), 0..40)) {
        let text = words.concat();
        if let Err(problems) = parse(&text, Path::new("")) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let what = problem.to_string();
                prop_assert!(!what.chars().any(char::is_control), "{what:?}");
            }
        }
    }
}
