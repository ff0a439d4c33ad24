//! Every server of this package does what it is compared for: bytes come back whole and in order, and
//! each request has one answer, however they are cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

use greenlet_benches::machine;
use greenlet_hub_benches::harness::process::Server;
use greenlet_hub_benches::http;
use greenlet_hub_benches::raw::ring;

const SERVERS: [(&str, bool); 9] = [
    (env!("CARGO_BIN_EXE_serve_floor"), true),
    (env!("CARGO_BIN_EXE_serve_oneshot"), true),
    (env!("CARGO_BIN_EXE_serve_epoll"), false),
    (env!("CARGO_BIN_EXE_serve_tokio"), false),
    (env!("CARGO_BIN_EXE_serve_tokio_worker"), false),
    (env!("CARGO_BIN_EXE_serve_monoio"), true),
    (env!("CARGO_BIN_EXE_serve_compio"), true),
    (env!("CARGO_BIN_EXE_serve_glommio"), true),
    (env!("CARGO_BIN_EXE_serve_may"), false),
];

/// Starts each server in turn; those on a ring only where this kernel gives one.
fn with_each(mode: &str, check: impl Fn(&str, &mut TcpStream)) {
    let cpu = machine::allowed_cpus()[0];
    let has_rings = ring::build().is_ok();
    for (path, needs_ring) in SERVERS {
        if needs_ring && !has_rings {
            eprintln!("{path}: left out, no ring with DEFER_TASKRUN here");
            continue;
        }
        let command = |address: std::net::SocketAddr| {
            let mut command = Command::new(path);
            command.arg(mode).arg(address.to_string());
            command
        };
        let server = Server::start(cpu, command).unwrap_or_else(|why| panic!("{path}: {why}"));
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        let limit = Some(Duration::from_secs(10));
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(limit)).expect("a socket");
        check(path, &mut stream);
        stream.shutdown(Shutdown::Write).expect("an open connection");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap_or_else(|error| panic!("{path}: end: {error}"));
        assert!(rest.is_empty(), "{path}: {} bytes more than were due", rest.len());
    }
}

#[test]
fn what_is_sent_comes_back_in_order() {
    // Far more than the buffers of a server hold, so that its replies queue up.
    let sent: Vec<u8> = (0..1u32 << 20).flat_map(u32::to_le_bytes).collect();
    with_each("echo", |path, stream| {
        let mut writer = stream.try_clone().expect("a second handle");
        let mut came = vec![0; sent.len()];
        std::thread::scope(|scope| {
            scope.spawn(|| writer.write_all(&sent).expect("the server reads"));
            std::thread::sleep(Duration::from_millis(50));
            stream.read_exact(&mut came).unwrap_or_else(|error| panic!("{path}: {error}"));
        });
        assert!(came == sent, "{path}: other bytes came back");
    });
}

#[test]
fn every_request_has_one_answer_however_they_are_cut() {
    let requests = http::request("localhost").repeat(3);
    with_each("http", |path, stream| {
        let mut due = 0;
        for size in [1, 7, requests.len() - 1, requests.len()] {
            for piece in requests.chunks(size) {
                stream.write_all(piece).expect("the server reads");
            }
            due += 3 * http::RESPONSE.len();
        }
        let mut came = vec![0; due];
        stream.read_exact(&mut came).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(came == http::RESPONSE.repeat(12), "{path}: other answers came");
    });
}
