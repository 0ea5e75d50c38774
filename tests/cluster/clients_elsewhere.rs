//! Clients that are not trusted because they can connect: tokens, and TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use dsms::access::{SigningKey, Subject};
use dsms::market::Answer;
use dsms::protocol::client_message::{ClientMessage, ServerBody, TokenText};
use dsms::protocol::id::{ClientId, NodeId};
use dsms::runtime::client::{Client, Target};
use dsms::runtime::tls::HANDSHAKE_BYTE;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Cluster, DEADLINE, block_on, dsms};

/// Runs a command in a directory and demands that it succeeds.
#[track_caller]
fn succeed(directory: &Path, arguments: &[&str]) -> Output {
    let output = dsms(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output
}

/// What a command that fails says.
#[track_caller]
fn fail(directory: &Path, arguments: &[&str]) -> String {
    let output = dsms(directory).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
}

/// The secret key with which the tokens of a directory are issued, and the name of its public half's file.
fn key_of(directory: &Path) -> (SigningKey, String) {
    let key = SigningKey::read(&fs::read_to_string(directory.join("keys/tokens/signing.key")).unwrap()).unwrap();
    let public = format!("keys/tokens/{}.pub", key.public().id());
    (key, public)
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn where_tokens_are_required_nobody_speaks_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let issued = succeed(directory.path(), &["token", "issue", "NYKA1001", "nykb1001", "--out", "people"]);
    assert!(String::from_utf8(issued.stderr).unwrap().contains("token_keys = "), "the first time, a key is drawn");
    let printed = succeed(directory.path(), &["token", "issue", "operator", "--expires", "12h"]).stdout;
    write_secret(&directory.path().join("operator"), std::str::from_utf8(&printed).unwrap());
    let (key, public) = key_of(directory.path());
    let config =
        format!("[cluster]\nallow_faults = true\n[clients]\nauth = \"required\"\ntoken_keys = [\"{public}\"]\n");
    fs::write(directory.path().join("dsms.toml"), config).unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let here = cluster.directory();
    let add = ["client", "--as", "NYKA1001", "--json", "add-share", "NYKM100925", "Equity", "5"];
    let with = |arguments: &[&'static str], file: &'static str| [arguments, &["--token-file", file][..]].concat();

    let refused: Value = serde_json::from_str(&fail(here, &add)).unwrap();
    assert_eq!(refused["error"], "unauthorized");
    assert!(refused["message"].as_str().unwrap().contains("dsms token issue NYKA1001"), "{refused}");
    let added = succeed(here, &with(&add, "people")).stdout;
    let added: Value = serde_json::from_slice(&added).unwrap();
    assert_eq!(added, json!({"sequence": 1, "result": "added", "capacity": 5}), "what was refused was not ordered");
    let by_variable =
        dsms(here).args(["client", "--as", "NYKB1001", "get-shares"]).env("DSMS_TOKEN_FILE", "people").status();
    assert!(by_variable.unwrap().success());
    let another = ["client", "--as", "NYKA1002", "list-share-availability", "Equity"];
    assert!(
        fail(here, &with(&another, "people")).contains("a token of NYKA1002, and this connection has shown 2 others")
    );
    assert!(fail(here, &with(&another, "operator")).contains("a token of NYKA1002"));

    succeed(here, &["ps"]);
    for operators in
        [&["digest"][..], &["log"], &["why", "1"], &["fault", "ls"], &["fault", "add", "replica-1", "trap"]]
    {
        assert!(
            fail(here, &with(operators, "people")).contains("not authorized: this needs a token of operator"),
            "{operators:?}"
        );
        succeed(here, &with(operators, "operator"));
    }

    let look = ["client", "--as", "NYKA1001", "list-share-availability", "Equity", "--token-file", "token"];
    let of_buyer = key.issue("NYKB1001".parse().unwrap(), 4_000_000_000).to_text();
    let subject: Subject = "NYKA1001".parse().unwrap();
    for (token, expected) in [
        (of_buyer.replace("NYKB1001", "NYKA1001"), "forged or damaged"),
        (key.issue(subject, 1_700_000_000).to_text(), "the token of NYKA1001 has expired"),
        (SigningKey::from_seed([7; 32]).issue(subject, 4_000_000_000).to_text(), "does not accept (any more)"),
        ("dsms1.NYKA1001".to_owned(), "line 1: not a token"),
    ] {
        write_secret(&here.join("token"), &token);
        let told = fail(here, &look);
        assert!(told.contains(expected), "{told}");
    }
    write_secret(&here.join("token"), &key.issue(subject, 4_000_000_000).to_text());
    succeed(here, &look);
    fs::set_permissions(here.join("token"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(fail(here, &look).contains("chmod 600"));
    // Another key in place of the old one, while the front end runs and a connection is open.
    write_secret(&here.join("token"), &key.issue(subject, 4_000_000_000).to_text());
    let words = || look[3..5].iter().map(|word| (*word).to_owned());
    let ask =
        |number| ClientMessage::Request { number, words: ["NYKA1001".to_owned()].into_iter().chain(words()).collect() };
    let tokens = vec![TokenText(key.issue(subject, 4_000_000_000).to_text())];
    let target = Target { tokens, ..Target::plain(cluster.client_address()) };
    block_on(async {
        let mut open = Client::connect_to(target, ClientId(7), DEADLINE).await.unwrap();
        let ServerBody::Answer(Answer::Released { .. }) = open.call(ask).await.unwrap() else { panic!("no outcome") };
        let told = String::from_utf8(succeed(here, &["token", "init", "--rotate"]).stderr).unwrap();
        let (rotated, rotated_public) = key_of(here);
        assert!(told.contains(&format!("cat {rotated_public} >> {public}")), "{told}");
        fs::write(here.join(&public), "").unwrap();
        kill_process(cluster.node_pid(NodeId::FRONT_END), Signal::HUP).unwrap();
        cluster.wait_for_log(&["read the files for clients again"]);
        assert!(fail(here, &look).contains("does not accept (any more)"));
        let ServerBody::Answer(Answer::Unauthorized { message }) = open.call(ask).await.unwrap() else {
            panic!("it passes")
        };
        assert!(message.contains("not accepted any more"), "{message}");

        fs::write(here.join(&public), "nothing of the kind").unwrap();
        kill_process(cluster.node_pid(NodeId::FRONT_END), Signal::HUP).unwrap();
        cluster.wait_for_log(&["nothing changes for clients", "not a token key"]);
        fs::write(here.join(&public), rotated.public().to_text()).unwrap();
        kill_process(cluster.node_pid(NodeId::FRONT_END), Signal::HUP).unwrap();
        let accepted = format!("tokens are accepted of {}", rotated.public().id());
        cluster.wait_for_log(&["read the files for clients again", &accepted]);
        write_secret(&here.join("token"), &rotated.issue(subject, 4_000_000_000).to_text());
        succeed(here, &look);
    });
    fs::set_permissions(here.join("keys/tokens/signing.key"), fs::Permissions::from_mode(0o640)).unwrap();
    assert!(fail(here, &["token", "issue", "NYKA1001"]).contains("may be read by others"));
}

#[test]
fn a_client_speaks_tls_with_a_front_end_that_it_believes_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    succeed(directory.path(), &["tls", "init", "--names", "localhost"]);
    let tls = "tls = { cert = \"keys/tls/cert.pem\", key = \"keys/tls/cert.key\", ca = \"keys/tls/ca.pem\" }";
    let loopback = "[front_end]\nclient_address = \"127.0.0.1:0\"\n";
    fs::write(directory.path().join("dsms.toml"), format!("{loopback}[clients]\n{tls}\n")).unwrap();
    let cluster = Cluster::start_in(directory, &["--config", "dsms.toml"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let port = cluster.client_address().port();
    // Somebody begins with TLS, and goes no further.
    let mut half = TcpStream::connect(cluster.client_address()).unwrap();
    half.set_read_timeout(Some(DEADLINE)).unwrap();
    half.write_all(&[HANDSHAKE_BYTE]).unwrap();
    let (name, address) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let ca = cluster.directory().join("keys/tls/ca.pem").display().to_string();
    let request = |to: &str, ca: Option<&str>| {
        let words = ["client", "--as", "NYKA1001", "list-share-availability", "Equity", "--connect", to];
        let ca = ca.map(|ca| ["--ca".to_owned(), ca.to_owned()]);
        words.iter().map(|word| (*word).to_owned()).chain(ca.into_iter().flatten()).collect::<Vec<_>>()
    };
    let strings = |words: &[String]| -> Vec<&'static str> { words.iter().map(|word| &*word.clone().leak()).collect() };

    succeed(elsewhere.path(), &strings(&request(&name, Some(&ca))));
    let told = fail(elsewhere.path(), &strings(&request(&address, Some(&ca))));
    assert!(told.contains("its certificate is refused"), "the certificate is not for that address: {told}");
    let told = fail(elsewhere.path(), &strings(&request(&name, None)));
    assert!(told.contains("this port speaks TLS") && told.contains("--ca FILE"), "{told}");

    // An authority of the same name that somebody else has made.
    succeed(elsewhere.path(), &["tls", "init", "--names", "localhost"]);
    let told = fail(elsewhere.path(), &strings(&request(&name, Some("keys/tls/ca.pem"))));
    assert!(told.contains("its certificate is refused"), "{told}");

    let plain = Cluster::start(&[]);
    let plain_address = plain.client_address().to_string();
    let told = fail(elsewhere.path(), &strings(&request(&plain_address, Some("keys/tls/ca.pem"))));
    assert!(told.contains("it does not speak TLS; leave out --ca"), "{told}");

    assert_eq!(half.read(&mut [0]).unwrap(), 0, "the front end waits for nobody for ever");
    renewed_for_an_address(&cluster, &elsewhere, &ca, tls);
}

/// The same authority signs another certificate, for which the clients need nothing new; with tokens, as one would run it.
fn renewed_for_an_address(cluster: &Cluster, elsewhere: &TempDir, ca: &str, tls: &str) {
    let here = cluster.directory();
    succeed(here, &["tls", "init", "--names", "localhost,127.0.0.1", "--renew"]);
    succeed(here, &["token", "issue", "NYKA1001", "--out", "token"]);
    let (_, public) = key_of(here);
    let config = here.join("again.toml");
    fs::write(&config, format!("[clients]\n{tls}\nauth = \"required\"\ntoken_keys = [\"{public}\"]\n")).unwrap();
    let again = Cluster::start(&["--config", config.to_str().unwrap()]);
    let (to, token) = (again.client_address().to_string(), here.join("token").display().to_string());
    let add = ["client", "--as", "NYKA1001", "add-share", "NYKM100925", "Equity", "5", "--connect", &to, "--ca", ca];
    assert!(fail(elsewhere.path(), &add).contains("not authorized"));
    succeed(elsewhere.path(), &[&add[..], &["--token-file", &token]].concat());
    // Whoever is in the cluster's own directory is told by its configuration whom to believe.
    let words = ["client", "--as", "NYKA1001", "list-share-availability", "Equity", "--token-file", &token];
    succeed(again.directory(), &words);
}
