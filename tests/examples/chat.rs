//! `examples/chat.rs`

use super::client::{connect, rest};
use super::program::Server;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};

struct Person {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Person {
    /// Comes in, with a name.
    fn new(server: &Server, name: &str) -> Person {
        let stream = connect(server.address);
        let reader = BufReader::new(stream.try_clone().expect("a descriptor"));
        let mut person = Person { stream, reader };
        assert!(person.hears_a_line().starts_with("* you are guest"));
        person.says(&format!("/nick {name}"));
        person.hears(&format!("* you are {name}"));
        person
    }

    #[track_caller]
    fn says(&self, line: &str) {
        (&self.stream).write_all(format!("{line}\n").as_bytes()).expect("connected");
    }

    #[track_caller]
    fn hears_a_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("text");
        line.trim_end_matches('\n').to_owned()
    }

    #[track_caller]
    fn hears(&mut self, line: &str) {
        assert_eq!(self.hears_a_line(), line);
    }

    /// Someone comes in as a guest and takes a name.
    #[track_caller]
    fn hears_come(&mut self, name: &str) {
        assert!(self.hears_a_line().ends_with(" is here"));
        assert!(self.hears_a_line().ends_with(&format!(" is now {name}")));
    }
}

#[test]
fn chat_carries_lines_to_all_others() {
    let server = Server::start("chat", &[]);
    let mut anna = Person::new(&server, "anna");
    let mut ben = Person::new(&server, "ben");
    anna.hears_come("ben");
    let mut carl = Person::new(&server, "carl");
    anna.hears_come("carl");
    ben.hears_come("carl");

    anna.says("hello, all");
    ben.hears("anna: hello, all");
    carl.hears("anna: hello, all");
    ben.says("hello, anna\nand carl\r");
    for other in [&mut anna, &mut carl] {
        other.hears("ben: hello, anna");
        other.hears("ben: and carl");
    }

    carl.says("/nick anna");
    carl.hears("* somebody is called anna");
    carl.says("/nick two words");
    carl.hears("* a name is a word of 1 to 20 letters");
    carl.says("/who");
    carl.hears("* anna, ben, carl");
    carl.says("/dance");
    carl.hears("* there is no /dance");

    ben.says("/quit");
    ben.hears("* bye");
    ben.hears("");
    anna.hears("* ben has left");
    anna.stream.shutdown(Shutdown::Write).expect("connected");
    anna.hears("");
    carl.hears("* ben has left");
    carl.hears("* anna has left");
}

#[test]
fn chat_survives_garbage_and_drops_lines_without_an_end() {
    let server = Server::start("chat", &[]);
    let mut anna = Person::new(&server, "anna");
    let noisy = connect(server.address);
    assert!(anna.hears_a_line().ends_with(" is here"));
    (&noisy).write_all(b"\x1b[2J\0\xff\xfe tea?\n\n\r\n").expect("connected");
    let line = anna.hears_a_line();
    assert!(line.ends_with(": [2J\u{fffd}\u{fffd} tea?"), "{line:?}");
    (&noisy).write_all(&[b'a'; 5000]).expect("connected");
    let last = String::from_utf8(rest(&noisy)).expect("text");
    // What it sent beyond its line may reset the connection over our last word.
    assert!(last.is_empty() || last.contains("* you are guest"), "{last:?}");
    assert!(anna.hears_a_line().ends_with(" has left"));
}

#[test]
fn chat_drops_who_does_not_read_and_nobody_waits_for_it() {
    let server = Server::start("chat", &[]);
    let talker = Person::new(&server, "talker");
    let mut friend = Person::new(&server, "friend");
    let slow = connect(server.address);
    assert!(friend.hears_a_line().ends_with(" is here"));
    let line = "la ".repeat(300);
    let mut lines = 0;
    // More than the kernel keeps for a connection and the server for a client.
    loop {
        talker.says(&line);
        lines += 1;
        let heard = friend.hears_a_line();
        if heard.ends_with(" has left") {
            break;
        }
        assert_eq!(heard.trim(), format!("talker: {line}").trim());
        assert!(lines < 100_000, "the slow one is still there");
    }
    assert!(rest(&slow).starts_with(b"* you are guest"));
    talker.says("where were we?");
    while friend.hears_a_line() != "talker: where were we?" {}
}
