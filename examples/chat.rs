//! A chat server: what one client writes, a line at a time, all others read.
//!
//! ```text
//! cargo run --release --example chat -- 127.0.0.1:7000
//! nc 127.0.0.1 7000                                      (in as many terminals as you like)
//! ```
//!
//! `/nick NAME` changes one's name, `/who` lists the others, `/quit` leaves. A greenlet reads from
//! each client. Another writes to it, only while there is something to be written: so no speaker
//! waits for a slow listener, and who does not read for a while is dropped. There are no locks: all
//! greenlets run on one thread, and none is interrupted but where it waits.

use greenlet::net::TcpStream;
use greenlet::server::StreamServer;
use greenlet::{spawn_detached, timeout};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

/// For how long a line may wait to be read by one client, and how many may wait.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_WAITING: usize = 1000;
/// In bytes, the end of the line included.
const LONGEST_LINE: u64 = 1024;
const LONGEST_NAME: usize = 20;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let (room, count) = (Room::default(), Cell::new(0));
    let server = StreamServer::bind(&*address, move |stream, _| {
        count.set(count.get() + 1);
        room.welcome(count.get(), stream);
    })?;
    println!("listening on {}", server.local_addr());
    server.serve_forever()
}

/// Who is there.
#[derive(Default)]
struct Room {
    clients: RefCell<Vec<Rc<Client>>>,
}

struct Client {
    name: RefCell<String>,
    stream: TcpStream,
    /// Lines that wait to be written; and whether a greenlet is doing that.
    outbox: RefCell<VecDeque<Rc<str>>>,
    is_written_to: Cell<bool>,
}

impl Room {
    /// The whole stay of one client.
    fn welcome(&self, number: u64, stream: TcpStream) {
        let client = Rc::new(Client {
            name: RefCell::new(format!("guest{number}")),
            stream,
            outbox: RefCell::default(),
            is_written_to: Cell::new(false),
        });
        client.tell(&format!("* you are {}; /nick NAME, /who, /quit", client.name.borrow()));
        self.clients.borrow_mut().push(client.clone());
        self.tell_others(&client, &format!("* {} is here", client.name.borrow()));
        // An error (a reset, most likely) is a way to leave.
        let _ = self.listen_to(&client);
        self.clients.borrow_mut().retain(|other| !Rc::ptr_eq(other, &client));
        self.tell_others(&client, &format!("* {} has left", client.name.borrow()));
        // The connection is closed when the last line was written, which the writer sees to.
    }

    fn listen_to(&self, client: &Rc<Client>) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(LONGEST_LINE as usize, &client.stream);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
            if read as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
                client.tell("* that line was too long");
                return Ok(());
            }
            if read == 0 {
                return Ok(());
            }
            let text = printable(&bytes);
            let text = text.trim();
            match text.split_once(' ').unwrap_or((text, "")) {
                ("", _) => {}
                ("/quit", _) => {
                    client.tell("* bye");
                    return Ok(());
                }
                ("/nick", name) => self.rename(client, name.trim()),
                ("/who", _) => client.tell(&format!("* {}", self.names().join(", "))),
                (word, _) if word.starts_with('/') => {
                    client.tell(&format!("* there is no {word}"));
                }
                _ => self.tell_others(client, &format!("{}: {text}", client.name.borrow())),
            }
        }
    }

    fn rename(&self, client: &Rc<Client>, name: &str) {
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(' ') {
            client.tell("* a name is a word of 1 to 20 letters");
        } else if self.names().iter().any(|taken| taken == name) {
            client.tell(&format!("* somebody is called {name}"));
        } else {
            let old = client.name.replace(name.to_owned());
            client.tell(&format!("* you are {name}"));
            self.tell_others(client, &format!("* {old} is now {name}"));
        }
    }

    fn names(&self) -> Vec<String> {
        self.clients.borrow().iter().map(|client| client.name.borrow().clone()).collect()
    }

    fn tell_others(&self, speaker: &Rc<Client>, line: &str) {
        for client in self.clients.borrow().iter().filter(|other| !Rc::ptr_eq(other, speaker)) {
            client.tell(line);
        }
    }
}

impl Client {
    /// Leaves a line to be written to the client; never waits.
    fn tell(self: &Rc<Client>, line: &str) {
        if self.outbox.borrow().len() == MOST_WAITING {
            return self.dismiss();
        }
        self.outbox.borrow_mut().push_back(format!("{line}\n").into());
        if !self.is_written_to.replace(true) {
            let client = self.clone();
            spawn_detached(move || client.write_out());
        }
    }

    fn write_out(&self) {
        loop {
            // Not in the condition of the loop: it would stay borrowed while we wait.
            let next = self.outbox.borrow_mut().pop_front();
            let Some(line) = next else { break };
            match timeout(PATIENCE, || (&self.stream).write_all(line.as_bytes())) {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => self.dismiss(),
            }
        }
        self.is_written_to.set(false);
    }

    /// Ends the connection: who reads from it will find out.
    fn dismiss(&self) {
        self.outbox.borrow_mut().clear();
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Others will print this: no control characters, no broken text.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect()
}
