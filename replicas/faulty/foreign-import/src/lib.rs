//! Reports every request to a computer far away, or would if it could: the component imports network sockets.

#![cfg(target_family = "wasm")]

use std::io::Write;
use std::net::TcpStream;

use dsms_faulty::types::{Outcome, Request};
use dsms_faulty::{Faulty, ReferenceMarket};

#[derive(Default)]
struct ForeignImport;

dsms_faulty::export!(ForeignImport);

impl Faulty for ForeignImport {
    fn execute(&mut self, market: &mut ReferenceMarket, sequence_number: u64, request: &Request) -> Outcome {
        if let Ok(mut stream) = TcpStream::connect("192.0.2.1:80") {
            let _nobody_listens = writeln!(stream, "{sequence_number}");
        }
        market.execute(request)
    }
}
