//! `examples/httpd.rs`

use super::client::{connect, exchange, half_close, many_files, reset, rest, stuff};
use super::program::Server;
use std::io::Write;
use std::process::Command;
use std::thread;
use std::time::Duration;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, world!\n";
const BAD: &[u8] = b"HTTP/1.1 400 Bad Request\r\n";

/// Sends this on a connection of its own and returns everything that comes until the server ends it.
fn whole_answer(server: &Server, request: &[u8]) -> Vec<u8> {
    let client = connect(server.address);
    (&client).write_all(request).expect("connected");
    rest(&client)
}

#[test]
fn httpd_keeps_connections_and_takes_requests_as_they_come() {
    let server = Server::start("httpd", &[]);
    let client = connect(server.address);
    exchange(&client, GET, HELLO);
    exchange(&client, &GET.repeat(3), &HELLO.repeat(3));
    for byte in GET {
        (&client).write_all(&[*byte]).expect("connected");
        thread::sleep(Duration::from_millis(1));
    }
    exchange(&client, b"", HELLO);
    // More than the server's buffer holds, and none of them ends where that ends.
    exchange(&client, &GET.repeat(1000), &HELLO.repeat(1000));
    let head = &HELLO[..HELLO.len() - 14];
    exchange(&client, b"HEAD / HTTP/1.1\r\n\r\n", head);
    assert_eq!(half_close(&client), b"");
}

#[test]
fn httpd_ends_a_connection_when_the_client_wants_that() {
    let server = Server::start("httpd", &[]);
    for request in [
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: here\r\ncONNECTION: Close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let answer = String::from_utf8(whole_answer(&server, request.as_bytes())).expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {answer}");
        assert!(answer.ends_with("\r\nConnection: close\r\n\r\nHello, world!\n"), "{answer}");
    }
    let client = connect(server.address);
    (&client).write_all(GET).expect("connected");
    assert_eq!(half_close(&client), HELLO);
}

#[test]
fn httpd_answers_garbage_with_400_and_goes_on() {
    let server = Server::start("httpd", &[]);
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let long = [b"GET /", vec![b'a'; 5000].as_slice(), b" HTTP/1.1\r\n\r\n"].concat();
    for request in [
        b"nonsense\r\n\r\n".as_slice(),
        b"\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET relative HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 28\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        &[0; 4096],
        &[0xff; 10_000],
        &noise,
        &long,
    ] {
        let answer = whole_answer(&server, request);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(BAD),
            "{:?}: {text}",
            String::from_utf8_lossy(&request[..9.min(request.len())])
        );
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    }
    exchange(&connect(server.address), GET, HELLO);
}

#[test]
fn httpd_is_not_held_up_by_clients_that_stall_or_reset() {
    let server = Server::start("httpd", &[]);
    let reads_nothing = connect(server.address);
    stuff(&reads_nothing, &GET.repeat(4000)); // takes long, while the server's patience would pass
    let silent = connect(server.address);
    let halfway = connect(server.address);
    (&halfway).write_all(&GET[..10]).expect("connected");
    for _ in 0..100 {
        let client = connect(server.address);
        (&client).write_all(GET).expect("connected");
        reset(client);
    }
    exchange(&connect(server.address), GET, HELLO);
    exchange(&halfway, &GET[10..], HELLO);
    exchange(&silent, GET, HELLO);
}

#[test]
fn httpd_serves_500_connections() {
    let _many = many_files();
    let server = Server::start("httpd", &[]);
    let clients: Vec<_> = (0..500).map(|_| connect(server.address)).collect();
    for _ in 0..3 {
        clients.iter().for_each(|mut client| client.write_all(GET).expect("connected"));
        clients.iter().for_each(|client| exchange(client, b"", HELLO));
    }
}

/// Where wrk is installed.
#[test]
fn httpd_serves_wrk_without_an_error() {
    let _many = many_files();
    let server = Server::start("httpd", &[]);
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c100", "-d1s", "--timeout", "20"])
        .arg(format!("http://{}/", server.address));
    let output = wrk.output().ok();
    // Under qemu-user a program that is not there is started all the same, and ends with 127.
    let Some(output) = output.filter(|output| output.status.code() != Some(127)) else {
        println!("skipped: no wrk");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("Requests/sec:"), "{text}");
    assert!(!text.contains("Socket errors") && !text.contains("Non-2xx"), "{text}");
}
