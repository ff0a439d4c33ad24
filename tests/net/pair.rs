//! Connected sockets on loopback, and waiting for others without sleeping.

use crate::raw;
use greenlet::net::{
    TcpListener, TcpStream, UnixDatagram, UnixListener, UnixSocketAddr, UnixStream,
};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The two ends of a TCP connection.
pub(crate) fn tcp() -> (TcpStream, TcpStream) {
    let listener = listen();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// As [`tcp`]; the second end has little room, which is soon full. With common buffers there is room for less than a
/// whole segment in the end, and the kernel puts that off for some 200 ms.
pub(crate) fn narrow_tcp() -> (TcpStream, TcpStream) {
    let listener = listen();
    raw::set_receive_buffer(&listener, 8192); // accepted ones have the same
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

pub(crate) fn unix() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

pub(crate) fn datagrams() -> (UnixDatagram, UnixDatagram) {
    UnixDatagram::pair().unwrap()
}

/// An abstract name that no other test has.
pub(crate) fn name() -> UnixSocketAddr {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    UnixSocketAddr::from_abstract_name(format!("greenlet {} {number}", std::process::id())).unwrap()
}

/// A listener to whose name nobody can connect until the connection that waits is accepted.
pub(crate) fn full_listener() -> (UnixListener, UnixSocketAddr) {
    let name = name();
    let listener = UnixListener::bind_addr(&name).unwrap();
    raw::set_backlog(&listener, 0);
    drop(UnixStream::connect_addr(&name).unwrap());
    (listener, name)
}

/// Lets the others run until all of them wait.
pub(crate) fn settle() {
    greenlet::idle();
}

/// What can be filled until it takes no more, and drained again.
pub(crate) trait Filled: AsRawFd {
    fn put(&self, bytes: &[u8]) -> io::Result<usize>;
    fn take(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn set_nonblocking(&self, nonblocking: bool);

    fn shrink(&self) {
        raw::shrink(self);
    }

    /// Of `sent` bytes, are some neither at the peer nor known to be still here? Their receipt, which TCP may put off,
    /// would make room; and so would the peer's, for the part of a segment.
    fn is_under_way(&self, _peer: &Self, _sent: usize) -> bool {
        false
    }

    /// Sends until it would wait for the peer to receive something; how much.
    fn fill(&self, peer: &Self) -> usize {
        self.set_nonblocking(true);
        let mut sent = 0;
        loop {
            let is_settled = !self.is_under_way(peer, sent); // asked first: what comes meanwhile is taken here
            match self.put(&[0; 1024]) {
                Ok(more) => sent += more,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    if is_settled {
                        break;
                    }
                    std::thread::yield_now();
                }
            }
        }
        self.set_nonblocking(false);
        sent
    }

    /// Receives as much.
    fn drain(&self, mut length: usize) {
        while length > 0 {
            length -= self.take(&mut vec![0; length]).unwrap();
        }
    }
}

macro_rules! filled {
    ($type:ty, $put:expr, $take:expr $(, $is_under_way:item)?) => {
        impl Filled for $type {
            fn put(&self, bytes: &[u8]) -> io::Result<usize> {
                $put(self, bytes)
            }

            fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
                $take(self, buffer)
            }

            fn set_nonblocking(&self, nonblocking: bool) {
                self.set_nonblocking(nonblocking).unwrap();
            }

            $($is_under_way)?
        }
    };
}

filled!(
    TcpStream,
    |mut it: &TcpStream, b| it.write(b),
    |mut it: &TcpStream, b| it.read(b),
    fn is_under_way(&self, peer: &TcpStream, sent: usize) -> bool {
        raw::has_room(self) || raw::not_received(self) + raw::not_taken(peer) != sent
    }
);
filled!(UnixStream, |mut it: &UnixStream, b| it.write(b), |mut it: &UnixStream, b| it.read(b));
filled!(UnixDatagram, UnixDatagram::send, UnixDatagram::recv);
