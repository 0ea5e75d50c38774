//! More than a front end takes on: it says so, and nobody pays for another client.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use dsms::protocol::client_message::{ClientMessage, ServerBody};
use dsms::protocol::id::{ClientId, RequestNumber};
use dsms::runtime::client::Client;
use dsms::runtime::frames::put_frame;
use serde_json::Value;

use crate::harness::{Cluster, DEADLINE, block_on, dsms};

/// A cluster whose `[clients]` says this.
fn cluster(clients: &str) -> Cluster {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("dsms.toml"), format!("[clients]\n{clients}\n")).unwrap();
    Cluster::start_in(directory, &["--config", "dsms.toml"])
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn frame(message: &ClientMessage) -> Vec<u8> {
    let mut frame = Vec::new();
    put_frame(message, &mut frame).unwrap();
    frame
}

/// All that a connection still says, up to its end.
fn told(mut stream: TcpStream) -> String {
    let mut told = Vec::new();
    let _closed_or_reset = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).into_owned()
}

#[test]
fn requests_beyond_the_bound_are_answered_busy_and_sent_again_until_there_is_room() {
    let cluster = cluster("in_flight_max = 2");
    let output = cluster.run(&["bench", "--clients", "8", "--in-flight", "8", "--requests", "400", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |name: &str| report["outcomes"][name].as_u64().unwrap();
    assert!(report["busy_retries"].as_u64().unwrap() > 0, "64 in flight are more than 2: {report}");
    assert_eq!(count("succeeded") + count("refused") + count("busy"), 400, "{report}");
    assert!(count("succeeded") > 0 && report["lost"] == 0, "{report}");
    cluster.equal_digest();
}

#[test]
fn clients_that_flood_and_never_read_are_closed_and_others_are_served_meanwhile() {
    let cluster = cluster("idle_timeout_ms = 600000");
    let address = cluster.client_address();
    let silent = connect(address);
    let flood: Vec<u8> = {
        let status = frame(&ClientMessage::Status { number: RequestNumber(1) });
        [frame(&ClientMessage::Hello { client: ClientId(1) }), status.repeat(5000)].concat()
    };
    let flooding: Vec<_> = (0..8)
        .map(|_| {
            let (mut stream, flood) = (connect(address), flood.clone());
            std::thread::spawn(move || {
                let mut floods_len = 0;
                // It is not read any more at some point, so that this blocks until the connection is closed.
                while stream.write_all(&flood).is_ok() {
                    floods_len += 1;
                }
                floods_len
            })
        })
        .collect();
    for place in 0..20 {
        let (answer, code) = cluster.request("NYKB1001", "get-shares");
        assert_eq!(code, 0, "request {place}: {answer}");
    }
    for _ in 0..8 {
        cluster.wait_for_log(&["the connection of the client at", "were not read within 10 s"]);
    }
    for flooding in flooding {
        assert!(flooding.join().unwrap() > 0, "it was a flood");
    }
    assert_eq!(told(silent), "", "who says nothing for as long is closed without a word");
    assert_eq!(cluster.request("NYKB1001", "get-shares").1, 0);
}

#[test]
fn an_idle_connection_is_closed_with_a_word_and_a_client_connects_again_when_it_has_something_to_ask() {
    let cluster = cluster("idle_timeout_ms = 1000\nconnections_max = 2");
    let address = cluster.client_address();
    block_on(async {
        let mut client = Client::connect(address, ClientId(7), DEADLINE).await.unwrap();
        let mut ask = async || client.call(|number| ClientMessage::Status { number }).await;
        assert!(matches!(ask().await, Ok(ServerBody::Status(_))));
        let mut idle = connect(address);
        idle.write_all(&frame(&ClientMessage::Hello { client: ClientId(8) })).unwrap();
        let told = tokio::task::spawn_blocking(move || told(idle)).await.unwrap();
        assert!(told.contains("nothing was asked for 1 s"), "{told:?}");
        // Its own connection began to be idle earlier.
        assert!(matches!(ask().await, Ok(ServerBody::Status(_))));
    });
    let open = [connect(address), connect(address)];
    assert!(told(connect(address)).contains("there are 2 connections already"));
    // A client waits for a place, and gets one.
    let mut waiting = dsms(cluster.directory()).args(["client", "--as", "NYKB1001", "get-shares"]).spawn().unwrap();
    drop(open);
    assert!(waiting.wait().unwrap().success());
}
