//! `examples/server.rs`

use super::client::{connect, exchange, rest};
use super::program::Server;
use std::io::Write;
use std::net::TcpStream;

const AN_HOUR: &str = "3600000";

#[test]
fn server_lets_conversations_end_after_the_last_client_has_come() {
    let mut server = Server::start("server", &["2", AN_HOUR]);
    let (mut one, mut two) = (connect(server.address), connect(server.address));
    exchange(&one, b"hello\n", b"HELLO\n");
    exchange(&two, b"is anybody there?\n", b"IS ANYBODY THERE?\n");
    server.says("that was number 2: no more");
    assert!(TcpStream::connect(server.address).is_err(), "it accepts nobody");
    exchange(&one, b"still me\n", b"STILL ME\n");
    for stream in [&mut one, &mut two] {
        stream.write_all(b"bye\n").unwrap();
        assert_eq!(rest(stream), b"");
    }
    server.ends_well();
    let mut lines = server.lines();
    assert_eq!(lines.pop().as_deref(), Some("stopped; killed: 0"));
    lines.sort();
    assert_eq!(
        lines,
        ["127.0.0.1 is content", "127.0.0.1 is content", "that was number 2: no more"]
    );
}

#[test]
fn server_kills_who_takes_too_long() {
    let mut server = Server::start("server", &["2", "50"]);
    let one = connect(server.address);
    exchange(&one, b"hello\n", b"HELLO\n");
    let two = connect(server.address); // now the time begins
    assert_eq!((rest(&one), rest(&two)), (Vec::new(), Vec::new()));
    server.ends_well();
    assert_eq!(server.lines(), ["that was number 2: no more", "stopped; killed: 2"]);
}
