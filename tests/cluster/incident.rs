//! What went wrong in a running cluster is found again without it, in as few requests as it needs.

use serde_json::{Value, json};

use crate::faulty_modules::faulty_module;
use crate::harness::{Cluster, dsms};

/// Nobody sees that a share has one unit too many before it is listed.
const LISTING: &str = "LONA1001 list-share-availability Equity";

/// The share that the module spoils, the one that it does so at, and many requests around them.
fn script() -> String {
    let noise = |from: u32| {
        let lines = (from..from + 20).map(|number| {
            format!(
                "NYKA1001 add-share NYKM10{:02}{:02} Bonus 9\nNYKB{number} purchase-share NYKM10{:02}{:02} Bonus 1\n",
                number % 12 + 1,
                number / 12 % 100,
                number % 12 + 1,
                number / 12 % 100
            )
        });
        lines.collect::<String>()
    };
    let spoiled = "LONA1001 add-share LONA010125 Equity 5\n";
    let spoiling = "TOKA1001 add-share TOKM311229 Dividend 5\n";
    [&noise(1000), spoiled, &noise(1020), spoiling, &noise(1040), LISTING, "\n"].concat()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_incident_of_a_running_cluster_is_shrunk_and_replayed_on_other_modules() {
    let directory = tempfile::tempdir().unwrap();
    let module = faulty_module("silent-corruption");
    let module = module.to_str().unwrap();
    let config =
        format!("[cluster]\nallow_faults = true\n[[replica]]\n[[replica]]\nmodule = {module:?}\n[[replica]]\n");
    std::fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let answers = cluster.script(&script());
    let place = answers.last().unwrap()["sequence"].to_string();
    assert_eq!(place, "123");
    cluster.wait_for_log(&["outcome differs", "replica=replica-2"]);
    let why = text(cluster.run(&["why", &place]).stdout);
    assert!(why.contains(&format!("dsms shrink {place}")), "{why}");

    let output = cluster.run(&["shrink", &place]);
    let words = text(output.stdout);
    assert_eq!(output.status.code(), Some(0), "{words}{}", text(output.stderr));
    for expected in [LISTING, "123 requests, of which 3 are enough, none can be left out", "replica-2 DIFFERS"] {
        assert!(words.contains(expected), "{words}");
    }
    let file = format!("dsms-incident-{place}.toml");
    assert!(words.contains(&format!("replay it: dsms replay ./{file}")), "{words}");
    let saved = std::fs::read_to_string(cluster.directory().join(&file)).unwrap();
    for request in ["LONA1001 add-share LONA010125 Equity 5", "TOKA1001 add-share TOKM311229 Dividend 5", LISTING] {
        assert!(saved.contains(request), "{saved}");
    }
    assert_eq!(saved.matches("[[request]]").count(), 3, "{saved}");

    // The file is enough: no cluster, no directory of one.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = cluster.directory().join(&file);
    let replay = |arguments: &[&str]| {
        let output = dsms(elsewhere.path()).args(["replay", path.to_str().unwrap()]).args(arguments).output().unwrap();
        (text(output.stdout), output.status.code())
    };
    let (words, code) = replay(&[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&format!("the incident shows at #{place} {LISTING}: 1 of 2 modules")), "{words}");
    let (words, code) = replay(&["--quiet", "--module", module]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.starts_with(&format!("the incident shows at #{place} {LISTING}: 1 of 1 modules")), "{words}");
    let (words, code) = replay(&["--module", "reference"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains(&format!("the incident does not show at #{place} {LISTING}")), "{words}");
    let (words, code) = replay(&["--json", "--module", "reference", "--module", module]);
    let json: Value = serde_json::from_str(&words).unwrap();
    assert_eq!((code, &json["held"], &json["differ_at_last"]), (Some(1), &json!(false), &json!([module])), "{json}");
    assert_eq!(json["steps"].as_array().unwrap().len(), 3, "{json}");
}

#[test]
fn what_does_not_show_when_it_is_executed_again_is_said_and_saved() {
    let cluster = Cluster::start(&["--allow-faults"]);
    cluster.script("NYKA1001 add-share NYKM100925 Equity 5\nNYKB1001 purchase-share NYKM100925 Equity 2\n");
    assert!(cluster.run(&["fault", "add", "replica-2", "wrong", "--count", "1"]).status.success());
    cluster.request("NYKB1001", "get-shares");
    cluster.wait_for_log(&["outcome differs", "replica=replica-2"]);
    let output = cluster.run(&["shrink", "3", "--out", "."]);
    let words = text(output.stdout);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("does not show") && words.contains("a fault that was injected"), "{words}");
    let saved = std::fs::read_to_string(cluster.directory().join("dsms-incident-3.toml")).unwrap();
    assert_eq!(saved.matches("[[request]]").count(), 3, "the whole history: {saved}");

    let address = cluster.client_address().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let shrink = |arguments: &[&str]| {
        let output = dsms(elsewhere.path()).args(["shrink", "--connect", &address]).args(arguments).output().unwrap();
        (text(output.stdout) + &text(output.stderr), output.status.code())
    };
    let (words, code) = shrink(&["2", "--module", "reference", "--json"]);
    let json: Value = serde_json::from_str(&words).unwrap();
    assert_eq!((code, &json["shows"], &json["requests_before"]), (Some(1), &json!(false), &json!(2)), "{json}");
    let digests: Value = serde_json::from_slice(&cluster.run(&["digest", "--json"]).stdout).unwrap();
    let barrier = digests["sequence"].to_string();
    for (arguments, expected) in [
        (&["1"][..], "name them, as in --module reference"),
        (&["99"], "#99 is not recorded: the ledger of the front end holds 1 to "),
        (&[&barrier], "is a barrier, at which nothing is executed"),
        (&["1", "--module", "none.wasm"], "none.wasm"),
        (&["1", "--module", "reference", "--out", "nowhere"], "cannot write nowhere/dsms-incident-1.toml"),
    ] {
        let (words, code) = shrink(arguments);
        assert!(code == Some(2) && words.contains(expected), "{words}");
    }
}

#[test]
fn a_module_that_traps_is_shrunk_to_the_request_at_which_it_does() {
    let module = faulty_module("trap-at-request");
    let cluster = Cluster::start(&["--module", module.to_str().unwrap()]);
    cluster.script("NYKB1001 get-shares\nNYKB1002 get-shares\n");
    let (answer, _) = cluster.request("NYKA1001", "get-shares --buyer NYKB9999");
    assert_eq!((&answer["error"], &answer["sequence"]), (&json!("no-agreement"), &json!(3)), "{answer}");
    let output = cluster.run(&["shrink", "3", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &json["requests_after"]), (Some(0), &json!(1)), "{json}");
    assert!(json["modules"][0]["fault"].as_str().unwrap().contains("not this one"), "{json}");
    // What is void is left out of what leads to a later place.
    let (answer, _) = cluster.request("NYKB1001", "get-shares");
    let place = answer["sequence"].to_string();
    let json: Value = serde_json::from_slice(&cluster.run(&["shrink", &place, "--json"]).stdout).unwrap();
    assert_eq!((&json["shows"], &json["requests_before"]), (&json!(false), &json!(3)), "{json}");
}
