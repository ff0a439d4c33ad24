//! Connected sockets on loopback, and waiting for others without sleeping.

use crate::raw;
use greenlet::net::{
    TcpListener, TcpStream, UnixDatagram, UnixListener, UnixSocketAddr, UnixStream,
};
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
    raw::shorten_backlog(&listener);
    drop(UnixStream::connect_addr(&name).unwrap());
    (listener, name)
}

/// Lets the others run until all of them wait.
pub(crate) fn settle() {
    greenlet::idle();
}
