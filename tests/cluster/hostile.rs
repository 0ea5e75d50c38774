//! Strangers: garbage to every port disturbs nobody and is counted.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dsms::protocol::limits::CONNECTIONS_LEN_MAX;
use dsms::protocol::wire::VERSION;
use rustix::process::Signal;

use crate::harness::{Cluster, DEADLINE};

#[test]
fn garbage_datagrams_are_dropped_and_counted_at_every_node() {
    let cluster = Cluster::start(&[]);
    let config = cluster.config();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for node in config.nodes() {
        for len in [0, 1, 15, 16, 17, 100, 1216, 1217, 9000] {
            stranger.send_to(&vec![len as u8; len], config.address_of(node)).unwrap();
        }
        // Datagrams of a socket arrive in order, so the count is complete once it says so many.
        cluster.wait_for_log(&["dropped datagrams", &format!("node={node} ")]);
    }
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    cluster.equal_digest();
    let told = String::from_utf8(cluster.run(&["log"]).stdout).unwrap();
    assert!(told.contains("dropped strange datagrams"), "{told}");
}

#[test]
fn a_client_that_breaks_the_rules_is_told_so_and_others_are_not_disturbed() {
    let cluster = Cluster::start(&[]);
    let connect = || {
        let stream = TcpStream::connect(cluster.client_address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let silent = connect();
    let mut half = connect();
    half.write_all(&[0, 0, 0, 100, 1]).unwrap();
    for (sent, expected) in [
        (&[0xff, 0xff, 0xff, 0xff][..], "bytes at most"),
        (&[0, 0, 0, 3, VERSION, 200, 200][..], "malformed"),
        (&[0, 0, 0, 1, 77][..], "version 77"),
        (b"GET / HTTP/1.1\r\nHost: dsms\r\n\r\n", "bytes at most"),
    ] {
        let mut stranger = connect();
        stranger.write_all(sent).unwrap();
        let mut told = Vec::new();
        // The front end closes the connection; whether that resets it depends on what it had left unread.
        let _closed_or_reset = stranger.read_to_end(&mut told);
        assert!(String::from_utf8_lossy(&told).contains(expected), "{:?}", String::from_utf8_lossy(&told));
    }
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    drop((silent, half));
}

#[test]
fn connections_beyond_the_bound_are_told_so_and_a_place_becomes_free_again() {
    let cluster = Cluster::start(&[]);
    let address = cluster.client_address();
    let open: Vec<TcpStream> = (0..CONNECTIONS_LEN_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut one_more = TcpStream::connect(address).unwrap();
    one_more.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut told = Vec::new();
    one_more.read_to_end(&mut told).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("try again later"), "{:?}", String::from_utf8_lossy(&told));
    drop(open);
    // The closed connections are noticed in the order in which they were closed, so a few attempts are enough.
    let answered =
        (0..100).any(|_| cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").0.get("sequence").is_some());
    assert!(answered);
}

#[test]
fn a_flood_of_garbage_keeps_nobody_from_clients_or_from_ending() {
    let mut cluster = Cluster::start(&[]);
    let address = cluster.config().front_ends[0].address;
    let enough = Arc::new(AtomicBool::new(false));
    let flooding = std::thread::spawn({
        let enough = Arc::clone(&enough);
        move || {
            let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut sent_len = 0_u64;
            while !enough.load(Ordering::Relaxed) {
                // Once the front end has ended, nobody listens there, which is an error of the sender.
                sent_len += u64::from(stranger.send_to(&[7; 100], address).is_ok());
            }
            sent_len
        }
    });
    cluster.wait_for_log(&["dropped datagrams", "node=front-end "]);
    assert_eq!(cluster.request("NYKA1001", "add-share NYKM100925 Equity 3").1, 0);
    assert!(cluster.end_by(Signal::TERM).success());
    enough.store(true, Ordering::Relaxed);
    assert!(flooding.join().unwrap() > 1000, "the flood was one");
}
