//! Clients that want their own token back: from the right connection, and from no other.

use super::ledger::{Ledger, Played, is_fair, millis, task};
use super::plan::Part;
use greenlet::net::{TcpListener, TcpStream, UnixListener, UnixSocketAddr, UnixStream};
use greenlet::{JoinHandle, sleep, spawn};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::rc::Rc;

/// Makes an answer out of a token.
const MASK: u64 = 0xA5A5_5A5A_0F0F_F0F0;

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

type Conversation = Box<dyn ReadWrite>;
trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Listener {
    fn accept(&self) -> io::Result<Conversation> {
        match self {
            Listener::Tcp(listener) => Ok(Box::new(listener.accept()?.0)),
            Listener::Unix(listener) => Ok(Box::new(listener.accept()?.0)),
        }
    }

    /// Takes connections one after the other, until an error that does not pass.
    fn take_all(&self, incoming: bool, mut with: impl FnMut(Conversation)) -> io::Error {
        let passes = |error: &io::Error| is_fair(error) && error.kind() != ErrorKind::NotConnected;
        loop {
            let error = match (self, incoming) {
                (_, false) => match self.accept() {
                    Ok(conversation) => {
                        with(conversation);
                        continue;
                    }
                    Err(error) => error,
                },
                (Listener::Tcp(listener), true) => loop {
                    match listener.incoming().next() {
                        Some(Ok(stream)) => with(Box::new(stream)),
                        Some(Err(error)) => break error,
                        None => unreachable!(),
                    }
                    for stream in listener.incoming().take(3) {
                        match stream {
                            Ok(stream) => with(Box::new(stream)),
                            Err(_) => break,
                        }
                    }
                },
                (Listener::Unix(listener), true) => {
                    let mut error = None;
                    for stream in listener {
                        match stream {
                            Ok(stream) => with(Box::new(stream)),
                            Err(other) => {
                                error = Some(other);
                                break;
                            }
                        }
                    }
                    error.expect("it ends by an error")
                }
            };
            if !passes(&error) {
                return error;
            }
        }
    }

    fn close(&self) -> io::Result<()> {
        match self {
            Listener::Tcp(listener) => listener.close(),
            Listener::Unix(listener) => listener.close(),
        }
    }
}

fn echo(mut conversation: Conversation) {
    let mut token = [0; 8];
    while conversation.read_exact(&mut token).is_ok() {
        let answer = u64::from_be_bytes(token) ^ MASK;
        if conversation.write_all(&answer.to_be_bytes()).is_err() {
            return;
        }
    }
}

fn ask(kind: u8, number: usize, token: u64, ledger: &Ledger) -> io::Result<()> {
    let mut stream: Conversation = match kind {
        0 => Box::new(TcpStream::connect(("10.0.0.8", 2000 + number as u16))?),
        _ => Box::new(UnixStream::connect_addr(&unix_name(number))?),
    };
    for round in 0..2u64 {
        let token = token + round;
        stream.write_all(&token.to_be_bytes())?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        let answer = u64::from_be_bytes(answer) ^ MASK;
        ledger.check(answer == token, || format!("asked with {token:x}, answered {answer:x}"));
    }
    Ok(())
}

fn unix_name(number: usize) -> UnixSocketAddr {
    UnixSocketAddr::from_abstract_name(format!("serve {number}")).expect("a short name")
}

pub(crate) fn play(part: &Part, number: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Serve { kind, acceptors, incoming, clients, close_after_ms } = part.clone() else {
        return None;
    };
    let made = match kind {
        0 => TcpListener::bind(("0.0.0.0", 2000 + number as u16)).map(Listener::Tcp),
        _ => UnixListener::bind_addr(&unix_name(number)).map(Listener::Unix),
    };
    let listener = match made {
        Ok(listener) => Rc::new(listener),
        Err(error) => {
            ledger.check(!is_calm && is_fair(&error), || format!("binding: {error}"));
            return None;
        }
    };
    let is_left_alone = is_calm && close_after_ms.is_none();
    let mut tasks = Vec::new();
    let handlers: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
    for _ in 0..acceptors {
        let (listener, ledger, handlers) = (listener.clone(), ledger.clone(), handlers.clone());
        tasks.push(task(move || {
            let error = listener.take_all(incoming, |conversation| {
                ledger.step();
                let handler = spawn(move || echo(conversation));
                handlers.borrow_mut().push(handler);
            });
            ledger.check(is_fair(&error), || format!("accepting: {error}"));
        }));
    }
    let served = Rc::new(Cell::new(0));
    let asking: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(client, delay)| {
            let (ledger, served, delay) = (ledger.clone(), served.clone(), *delay);
            let token = (number as u64) << 32 | (client as u64) << 8;
            task(move || {
                sleep(millis(delay));
                match ask(kind, number, token, &ledger) {
                    Ok(()) => served.set(served.get() + 1),
                    Err(error) => {
                        // Where it was closed before they were done, the end may come anywhere.
                        let is_fair = is_fair(&error) || error.kind() == ErrorKind::UnexpectedEof;
                        ledger.check(!is_left_alone && is_fair, || format!("asking: {error}"));
                    }
                }
            })
        })
        .collect();
    let close = {
        let listener = listener.clone();
        Rc::new(move || drop(listener.close()))
    };
    // Closes when it is time, or when all have been served.
    let closer = {
        let asking = asking.clone();
        task(move || {
            match close_after_ms {
                Some(after) => sleep(millis(after)),
                None => asking.iter().for_each(|client| client.wait()),
            }
            drop(listener.close());
        })
    };
    tasks.extend(asking);
    tasks.push(closer);
    let wanted = clients.len();
    let finish = Box::new(move |ledger: &Ledger| {
        for handler in handlers.take() {
            let ended = handler.wait_timeout(millis(3_600_000));
            ledger.check(ended, || "one who serves a client does not end".to_owned());
        }
        if is_left_alone {
            let served = served.get();
            ledger.check(served == wanted, || format!("{served} of {wanted} were served"));
        }
    });
    Some(Played { tasks, close: Some(close), finish })
}
