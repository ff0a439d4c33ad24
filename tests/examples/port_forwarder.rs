//! `examples/port_forwarder.rs`

use super::client::{connect, exchange, expect, half_close, reset, rest};
use super::program::{PATIENCE, Server};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};

/// A listener, and a forwarder to it.
fn forwarded() -> (TcpListener, Server) {
    let to = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = to.local_addr().expect("bound").to_string();
    (to, Server::start("port_forwarder", &[&address]))
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

#[test]
fn forwarder_carries_both_directions_and_counts() {
    let (to, forwarder) = forwarded();
    let client = connect(forwarder.address);
    let server = accept(&to);
    exchange(&client, b"", b"");
    (&client).write_all(b"there").expect("connected");
    expect(&server, b"there");
    (&server).write_all(b"and back").expect("connected");
    expect(&client, b"and back");
    forwarder.says("1: begins; 1 open");
    let second = connect(forwarder.address);
    let second_server = accept(&to);
    forwarder.says("2: begins; 2 open");
    drop((client, server));
    forwarder.says("1: 5 bytes there, 8 back; 1 open");
    drop((second, second_server));
    forwarder.says("2: 0 bytes there, 0 back; 0 open");
}

#[test]
fn forwarder_passes_half_closes_on() {
    let (to, forwarder) = forwarded();
    let client = connect(forwarder.address);
    let server = accept(&to);
    (&client).write_all(b"a question").expect("connected");
    client.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(rest(&server), b"a question"); // has seen its end
    (&server).write_all(&[b'a'; 300_000]).expect("the other direction is open");
    drop(server);
    assert_eq!(rest(&client).len(), 300_000);

    let client = connect(forwarder.address);
    let server = accept(&to);
    server.shutdown(Shutdown::Write).expect("connected");
    assert_eq!(rest(&client), b"");
    (&client).write_all(b"all the same").expect("the other direction is open");
    expect(&server, b"all the same");
    assert_eq!(half_close(&client), b"");
    assert_eq!(rest(&server), b"");
}

#[test]
fn forwarder_ends_both_sides_when_one_is_reset() {
    let (to, forwarder) = forwarded();
    let client = connect(forwarder.address);
    let server = accept(&to);
    (&server).write_all(b"unread").expect("connected");
    reset(client);
    rest(&server);
    drop(server);
    forwarder.says("; 0 open");
    let client = connect(forwarder.address);
    let server = accept(&to);
    (&client).write_all(b"unread").expect("connected");
    reset(server);
    rest(&client);
}

#[test]
fn forwarder_says_that_nobody_listens_and_goes_on() {
    let (to, forwarder) = forwarded();
    drop(to);
    let client = connect(forwarder.address);
    assert_eq!(rest(&client), b"");
    forwarder.says("Connection refused");
    forwarder.says("0 open");
    assert_eq!(rest(&connect(forwarder.address)), b"");
    forwarder.says("2: begins; 1 open");
}
