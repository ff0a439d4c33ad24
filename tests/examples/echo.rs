//! `examples/echo.rs`

use super::client::{connect, exchange, expect, half_close, many_files, reset, stuff};
use super::program::Server;
use std::io::Write;
use std::thread;

#[test]
fn echo_sends_back_what_it_gets_and_ends_with_the_client() {
    let server = Server::start("echo", &[]);
    let client = connect(server.address);
    exchange(&client, b"hello", b"hello");
    exchange(&client, &[0xff; 4096], &[0xff; 4096]);
    exchange(&client, b"", b"");
    (&client).write_all(b"the last words").expect("connected");
    assert_eq!(half_close(&client), b"the last words");
}

#[test]
fn echo_of_a_megabyte_comes_back_whole() {
    whole_megabyte(&Server::start("echo", &[]));
}

#[test]
fn echo_of_pooled_bytes_comes_back_whole() {
    whole_megabyte(&Server::start("echo", &["pooled"]));
}

fn whole_megabyte(server: &Server) {
    let client = connect(server.address);
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|number| (number % 251) as u8).collect();
    let sending = thread::spawn({
        let (client, bytes) = (client.try_clone().expect("a descriptor"), bytes.clone());
        move || (&client).write_all(&bytes)
    });
    expect(&client, &bytes);
    sending.join().expect("no panic").expect("the server takes it");
}

#[test]
fn echo_serves_500_connections() {
    let _many = many_files();
    let server = Server::start("echo", &[]);
    let clients: Vec<_> = (0..500).map(|_| connect(server.address)).collect();
    for round in 0..3 {
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(format!("{round} {number}").as_bytes()).expect("connected");
        }
        for (number, client) in clients.iter().enumerate() {
            expect(client, format!("{round} {number}").as_bytes());
        }
    }
}

#[test]
fn echo_survives_resets_and_is_not_held_up_by_who_reads_nothing() {
    let server = Server::start("echo", &[]);
    let stalled = connect(server.address);
    stuff(&stalled, &[1; 100_000]);
    for _ in 0..100 {
        let client = connect(server.address);
        (&client).write_all(b"unread").expect("connected");
        reset(client);
    }
    let stalled_and_reset = connect(server.address);
    stuff(&stalled_and_reset, &[2; 100_000]);
    reset(stalled_and_reset);
    exchange(&connect(server.address), b"still there", b"still there");
}

#[test]
fn echo_waits_for_files_when_it_has_none_left() {
    let server = Server::start_with_files("echo", 40);
    let clients: Vec<_> = (0..60).map(|_| connect(server.address)).collect();
    for client in &clients[..20] {
        exchange(client, b"served", b"served");
    }
    // The kernel has accepted the last ones, the server cannot before others leave.
    let mut waiting = clients.last().expect("60 of them");
    waiting.write_all(b"patient").expect("connected");
    let mut clients = clients.into_iter();
    for client in clients.by_ref().take(59) {
        assert_eq!(half_close(&client), b"");
    }
    expect(&clients.next().expect("the last one"), b"patient");
}
