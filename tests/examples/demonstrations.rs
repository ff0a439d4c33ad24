//! `examples/hello_servers.rs`, `examples/offload.rs`, `examples/embedded.rs` and `examples/tour`: they end well and show what they are to show.

use super::client::{connect, expect, rest};
use super::program::{Server, command, limited, output};
use std::io::Write;
use std::process::Command;

#[track_caller]
fn has_lines(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
}

#[test]
fn hello_servers_compares_three_and_greenlets_answer_all() {
    let text = output(&mut command("hello_servers"));
    let words = |name: &str| -> Vec<String> {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words("greenlets")[1..4], ["200", "answered", "in"], "{text}");
    assert_eq!(words("threads")[1..4], ["200", "answered", "in"], "{text}");
    let answered: usize = words("sequential")[1].parse().expect("a number");
    assert!(answered < 100, "{text}");
}

#[test]
fn hello_servers_makes_do_with_few_files() {
    let text = output(&mut limited("hello_servers", 100));
    has_lines(&text, &["30 clients instead of 200", "greenlets    30 answered in"]);
}

#[test]
fn hello_servers_serves_in_each_way() {
    for kind in ["sequential", "threads", "greenlets"] {
        let server = Server::start("hello_servers", &[kind]);
        drop(connect(server.address)); // leaves without a word
        let client = connect(server.address);
        (&client).write_all(b"GET / HTTP/1.0\r\n\r\n").expect("connected");
        expect(&client, b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nHello World");
        assert_eq!(rest(&client), b"");
    }
}

#[test]
fn offload_ticks_while_it_waits() {
    let text = output(&mut command("offload"));
    has_lines(&text, &["in place nothing ticks: true", "offloaded it does: true", "localhost: "]);
}

#[test]
fn embedded_runs_greenlets_inside_another_loop() {
    let text = output(&mut command("embedded"));
    let wanted = [
        "the loop has ticked, and was told 55",
        "the last of 100 connections brought: hello from a greenlet",
    ];
    has_lines(&text, &wanted);
}

fn short(mut tour: Command) -> Command {
    tour.env("GREENLET_TOUR_SECONDS", "1");
    tour
}

const EVERY_TOUR: [&str; 11] = [
    "Linux ",
    "hub           ",
    "  8 calls",
    "spawn and join a greenlet",
    " parked in ",
    " bytes each: resident memory and page tables",
    "connections  requests/s",
    "the time limit of 100ms has passed",
    "the client saw the end of the stream",
    " was killed, and had ended",
    "'eater' overflowed its 64 KiB stack",
];

#[test]
fn tour_shows_everything() {
    let text = output(&mut short(command("tour")));
    has_lines(&text, &EVERY_TOUR);
    has_lines(&text, &["5,000 parked in", "5,000 killed in", "5,000 destructors have run"]);
    // select knows 1,024 descriptors, which makes fewer connections.
    let most =
        if text.contains("hub           select") { "connections: 4" } else { "connections: 1,000" };
    has_lines(&text, &[&format!("how long a request takes; {most}"), "the slowest hundredth"]);
    assert!(!text.contains("wrong") && !text.contains('\r'), "{text}");
}

#[test]
fn tour_makes_do_with_epoll_and_few_files() {
    let text = output(short(limited("tour", 64)).env("GREENLET_HUB", "epoll"));
    has_lines(&text, &EVERY_TOUR);
    has_lines(
        &text,
        &["epoll (named by the environment)", "connections: at most 12, as few files"],
    );
}

#[cfg(feature = "uring")]
#[test]
fn tour_says_why_there_is_no_io_uring() {
    let mut refused = short(command("tour"));
    let text = output(refused.env("GREENLET_DISABLE", "uring").env_remove("GREENLET_HUB"));
    has_lines(&text, &EVERY_TOUR);
    has_lines(&text, &["hub           epoll (io_uring refused"]);
}
