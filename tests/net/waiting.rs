//! Every call that can wait, each in a setting in which it does: the table behind `interrupts`.

use crate::pair::{self, Filled};
use crate::raw;
use greenlet::net::{
    TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, readable, writable,
};
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::rc::Rc;

type Call = Rc<dyn Fn() -> io::Result<String>>;

/// A call that waits.
pub(crate) struct Waiting {
    pub(crate) call: Call,
    /// Lets one such call go on.
    pub(crate) supply: Box<dyn Fn()>,
    /// What it brings then.
    pub(crate) brings: &'static str,
    /// Does the next one wait again?
    pub(crate) once: bool,
    pub(crate) close: Option<Box<dyn Fn() -> io::Result<()>>>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const MESSAGE: &str = "message";

/// A stream or socket of type `T` from which `receive` takes what `send` sends.
fn receiving<T: 'static>(
    socket: T,
    receive: fn(&T) -> io::Result<String>,
    once: bool,
    supply: impl Fn() + 'static,
    close: fn(&T) -> io::Result<()>,
) -> Waiting {
    let socket = Rc::new(socket);
    let same = socket.clone();
    Waiting {
        call: Rc::new(move || receive(&same)),
        supply: Box::new(supply),
        brings: MESSAGE,
        once,
        close: Some(Box::new(move || close(&socket))),
    }
}

fn tcp(receive: fn(&TcpStream) -> io::Result<String>, once: bool) -> Waiting {
    let (socket, peer) = pair::tcp();
    let supply = move || (&peer).write_all(MESSAGE.as_bytes()).unwrap();
    receiving(socket, receive, once, supply, TcpStream::close)
}

fn unix(receive: fn(&UnixStream) -> io::Result<String>) -> Waiting {
    let (socket, peer) = pair::unix();
    let supply = move || (&peer).write_all(MESSAGE.as_bytes()).unwrap();
    receiving(socket, receive, true, supply, UnixStream::close)
}

fn udp(receive: fn(&UdpSocket) -> io::Result<String>, once: bool) -> Waiting {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    let supply = move || assert_eq!(peer.send(MESSAGE.as_bytes()).unwrap(), MESSAGE.len());
    receiving(socket, receive, once, supply, UdpSocket::close)
}

fn datagram(receive: fn(&UnixDatagram) -> io::Result<String>) -> Waiting {
    let (socket, peer) = pair::datagrams();
    let supply = move || assert_eq!(peer.send(MESSAGE.as_bytes()).unwrap(), MESSAGE.len());
    receiving(socket, receive, true, supply, UnixDatagram::close)
}

fn accepting(accept: fn(&TcpListener) -> io::Result<TcpStream>) -> Waiting {
    let listener = pair::listen();
    let address = listener.local_addr().unwrap();
    let kept = RefCell::new(Vec::new());
    let listener = Rc::new(listener);
    let same = listener.clone();
    Waiting {
        call: Rc::new(move || {
            let stream = accept(&same)?;
            let mut message = [0; MESSAGE.len()];
            greenlet::shield(|| (&stream).read_exact(&mut message))?;
            Ok(text(&message))
        }),
        supply: Box::new(move || {
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(MESSAGE.as_bytes()).unwrap();
            kept.borrow_mut().push(client);
        }),
        brings: MESSAGE,
        once: true,
        close: Some(Box::new(move || listener.close())),
    }
}

fn accepting_unix() -> Waiting {
    let name = pair::name();
    let listener = Rc::new(UnixListener::bind_addr(&name).unwrap());
    let same = listener.clone();
    Waiting {
        call: Rc::new(move || {
            let (stream, _) = same.accept()?;
            let mut message = String::new();
            greenlet::shield(|| (&stream).read_to_string(&mut message))?;
            Ok(message)
        }),
        supply: Box::new(move || {
            let mut client = std::os::unix::net::UnixStream::connect_addr(&name).unwrap();
            client.write_all(MESSAGE.as_bytes()).unwrap();
        }),
        brings: MESSAGE,
        once: true,
        close: Some(Box::new(move || listener.close())),
    }
}

/// A stream that takes nothing until its peer has read what is under way.
fn sending<T: Filled + 'static>(
    (socket, peer): (T, T),
    send: fn(&T) -> io::Result<usize>,
    close: fn(&T) -> io::Result<()>,
) -> Waiting {
    socket.shrink();
    let sent = socket.fill(&peer);
    let socket = Rc::new(socket);
    let same = socket.clone();
    Waiting {
        call: Rc::new(move || send(&same).map(|length| format!("{length} sent"))),
        supply: Box::new(move || peer.drain(sent)),
        brings: "1 sent",
        once: false,
        close: Some(Box::new(move || close(&socket))),
    }
}

/// Connecting to a UNIX listener whose queue is full.
fn connecting() -> Waiting {
    let (listener, name) = pair::full_listener();
    Waiting {
        call: Rc::new(move || UnixStream::connect_addr(&name).map(|_| "connected".to_owned())),
        supply: Box::new(move || while listener.accept_at_once() {}),
        brings: "connected",
        once: false,
        close: None,
    }
}

trait AcceptAtOnce {
    fn accept_at_once(&self) -> bool;
}

impl AcceptAtOnce for UnixListener {
    fn accept_at_once(&self) -> bool {
        self.set_nonblocking(true).unwrap();
        self.accept().is_ok()
    }
}

fn foreign_readable() -> Waiting {
    let (reader, writer) = io::pipe().unwrap();
    Waiting {
        call: Rc::new(move || readable(&reader).map(|()| "readable".to_owned())),
        supply: Box::new(move || (&writer).write_all(b"x").unwrap()),
        brings: "readable",
        once: false,
        close: None,
    }
}

fn foreign_writable() -> Waiting {
    let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    raw::shrink(&writer);
    writer.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(more) = (&writer).write(&[0; 4096]) {
        sent += more;
    }
    Waiting {
        call: Rc::new(move || writable(&writer).map(|()| "writable".to_owned())),
        supply: Box::new(move || (&reader).read_exact(&mut vec![0; sent]).unwrap()),
        brings: "writable",
        once: false,
        close: None,
    }
}

pub(crate) type Make = fn() -> Waiting;

/// All calls that wait.
pub(crate) const ALL: &[(&str, Make)] = &[
    ("tcp read", || {
        tcp(
            |it| {
                let mut buffer = [0; 64];
                let n = (&*it).read(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            true,
        )
    }),
    ("tcp read_vectored", || {
        tcp(
            |it| {
                let (mut a, mut b) = ([0; 3], [0; 64]);
                let n = (&*it)
                    .read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)])?;
                Ok(text(&[&a[..], &b[..n - 3]].concat()))
            },
            true,
        )
    }),
    ("tcp read_pooled", || tcp(|it| it.read_pooled().map(|bytes| text(&bytes)), true)),
    ("tcp peek", || {
        tcp(
            |it| {
                let mut buffer = [0; 64];
                let n = it.peek(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            false,
        )
    }),
    ("tcp write", || sending(pair::narrow_tcp(), |it| (&*it).write(b"x"), TcpStream::close)),
    ("tcp write_vectored", || {
        sending(
            pair::narrow_tcp(),
            |it| (&*it).write_vectored(&[IoSlice::new(b"x")]),
            TcpStream::close,
        )
    }),
    ("tcp accept", || accepting(|it| it.accept().map(|(stream, _)| stream))),
    ("tcp incoming", || accepting(|it| it.incoming().next().unwrap())),
    ("unix read", || {
        unix(|it| {
            let mut buffer = [0; 64];
            let n = (&*it).read(&mut buffer)?;
            Ok(text(&buffer[..n]))
        })
    }),
    ("unix read_pooled", || unix(|it| it.read_pooled().map(|bytes| text(&bytes)))),
    ("unix write", || sending(pair::unix(), |it| (&*it).write(b"x"), UnixStream::close)),
    ("unix write_vectored", || {
        sending(pair::unix(), |it| (&*it).write_vectored(&[IoSlice::new(b"x")]), UnixStream::close)
    }),
    ("unix accept", accepting_unix),
    ("unix connect", connecting),
    ("udp recv", || {
        udp(
            |it| {
                let mut buffer = [0; 64];
                let n = it.recv(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            true,
        )
    }),
    ("udp recv_from", || {
        udp(
            |it| {
                let mut buffer = [0; 64];
                let (n, _) = it.recv_from(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            true,
        )
    }),
    ("udp peek", || {
        udp(
            |it| {
                let mut buffer = [0; 64];
                let n = it.peek(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            false,
        )
    }),
    ("udp peek_from", || {
        udp(
            |it| {
                let mut buffer = [0; 64];
                let (n, _) = it.peek_from(&mut buffer)?;
                Ok(text(&buffer[..n]))
            },
            false,
        )
    }),
    ("datagram recv", || {
        datagram(|it| {
            let mut buffer = [0; 64];
            let n = it.recv(&mut buffer)?;
            Ok(text(&buffer[..n]))
        })
    }),
    ("datagram recv_from", || {
        datagram(|it| {
            let mut buffer = [0; 64];
            let (n, _) = it.recv_from(&mut buffer)?;
            Ok(text(&buffer[..n]))
        })
    }),
    ("datagram send", || sending(pair::datagrams(), |it| it.send(b"x"), UnixDatagram::close)),
    ("datagram send_to", || {
        let name = pair::name();
        let peer = UnixDatagram::bind_addr(&name).unwrap();
        let socket = Rc::new(UnixDatagram::unbound().unwrap());
        socket.set_nonblocking(true).unwrap();
        let mut queued = 0;
        while socket.send_to_addr(b"x", &name).is_ok() {
            queued += 1;
        }
        socket.set_nonblocking(false).unwrap();
        let same = socket.clone();
        Waiting {
            call: Rc::new(move || same.send_to_addr(b"x", &name).map(|n| format!("{n} sent"))),
            supply: Box::new(move || peer.drain(queued)),
            brings: "1 sent",
            once: false,
            close: Some(Box::new(move || socket.close())),
        }
    }),
    ("readable", foreign_readable),
    ("writable", foreign_writable),
];
