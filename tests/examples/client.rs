//! What clients have in common. They are std's: what is tested is on the other side.

use super::program::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A connection on which nothing waits for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

/// Sends this and asserts that these bytes come back next.
#[track_caller]
pub(crate) fn exchange(mut stream: &TcpStream, sent: &[u8], expected: &[u8]) {
    stream.write_all(sent).expect("the server takes it");
    expect(stream, expected);
}

/// Asserts that these bytes come next.
#[track_caller]
pub(crate) fn expect(mut stream: &TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).expect("as many bytes");
    let text = String::from_utf8_lossy;
    assert_eq!(text(&received), text(expected));
}

/// Everything until the server ends the connection, be it by a reset.
#[track_caller]
pub(crate) fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => all,
    }
}

/// Ends our side, then reads all that is still to come.
#[track_caller]
pub(crate) fn half_close(stream: &TcpStream) -> Vec<u8> {
    stream.shutdown(Shutdown::Write).expect("connected");
    rest(stream)
}

/// Closes a connection over bytes that were not read, which resets it.
#[track_caller]
pub(crate) fn reset(stream: TcpStream) {
    assert_eq!(stream.peek(&mut [0]).expect("something to leave unread"), 1);
    drop(stream);
}

/// Fills the connection until the server takes no more for a moment; reads nothing.
pub(crate) fn stuff(mut stream: &TcpStream, bytes: &[u8]) {
    const MOMENT: std::time::Duration = std::time::Duration::from_millis(300);
    stream.set_write_timeout(Some(MOMENT)).expect("not zero");
    for _ in 0..1000 {
        if stream.write_all(bytes).is_err() {
            return;
        }
    }
    panic!("the server takes everything from who reads nothing");
}

/// Held by tests that open hundreds of files: their process may not have that many twice.
pub(crate) fn many_files() -> MutexGuard<'static, ()> {
    static MANY: Mutex<()> = Mutex::new(());
    MANY.lock().unwrap_or_else(PoisonError::into_inner)
}
