//! Every request, with and without each capability, on blocking and on non-blocking descriptors.

use super::*;
use crate::driver::MORE;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;

/// Are descriptors non-blocking, against what the ring prefers?
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Blocking,
    NonBlocking,
}

fn pair(mode: Mode) -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(mode == Mode::NonBlocking).unwrap();
    (near, far)
}

fn socket_address(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else { panic!("{address} is not of version 4") };
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn tcp_socket(mode: Mode) -> OwnedFd {
    let flags = if mode == Mode::NonBlocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: makes a socket.
    let number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | flags, 0) };
    assert!(number >= 0);
    // SAFETY: just made, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(number) }
}

fn listener(mode: Mode) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(mode == Mode::NonBlocking).unwrap();
    listener
}

fn connect(fd: Fd, address: &libc::sockaddr_in) -> Request {
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    Request::Connect { fd, address: (&raw const *address).cast(), length }
}

/// A file in memory.
fn file() -> File {
    // SAFETY: makes a file with that name.
    let number = unsafe { libc::memfd_create(c"driver".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(number >= 0);
    // SAFETY: just made, and nobody else's.
    unsafe { File::from_raw_fd(number) }
}

/// Bytes that come late, bytes that are there, the end, and a peer that is gone.
fn streams(bench: &mut Bench, mode: Mode) {
    let (near, mut far) = pair(mode);
    let (record, mut buffer) = (0, [0; 16]);
    let entry = Entry::new(recv(fd(&near), &mut buffer), operation(&record));
    bench.push(&entry);
    bench.turn(Wait::No);
    assert_eq!(bench.ended, []);
    far.write_all(b"late").unwrap();
    assert_eq!(bench.wait(entry.token).result, 4);
    assert_eq!(&buffer[..4], b"late");

    far.write_all(b"there").unwrap();
    assert_eq!(bench.result(recv(fd(&near), &mut buffer)), 5);
    assert_eq!(bench.result(send(fd(&near), b"answer")), 6);
    far.read_exact(&mut buffer[..6]).unwrap();
    assert_eq!(&buffer[..6], b"answer");

    let now = |request| match request {
        Request::Recv { fd, buffer, length, .. } => {
            Request::Recv { fd, buffer, length, flags: libc::MSG_DONTWAIT }
        }
        other => other,
    };
    assert_eq!(bench.result(now(recv(fd(&near), &mut buffer))), -libc::EAGAIN);
    far.write_all(b"now").unwrap();
    assert_eq!(bench.result(now(recv(fd(&near), &mut buffer))), 3);

    drop(far);
    assert_eq!(bench.result(recv(fd(&near), &mut buffer)), 0);
    assert_eq!(bench.result(send(fd(&near), b"lost")), -libc::EPIPE);
    assert_eq!(bench.result(recv(Fd::new(-1), &mut buffer)), -libc::EBADF);
}

fn messages(bench: &mut Bench, mode: Mode) {
    let (near, mut far) = pair(mode);
    let mut bytes = *b"twofold";
    let (front, back) = bytes.split_at_mut(3);
    let mut parts = [front, back]
        .map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
    // SAFETY: all zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 2;
    let message = &raw mut message;
    assert_eq!(bench.result(Request::SendMessage { fd: fd(&near), message, flags: 0 }), 7);
    let mut buffer = [0; 7];
    far.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"twofold");

    let record = 0;
    let request = Request::RecvMessage { fd: fd(&near), message, flags: 0 };
    let entry = Entry::new(request, operation(&record));
    bench.push(&entry);
    bench.turn(Wait::No);
    far.write_all(b"ABCDEFG").unwrap();
    assert_eq!(bench.wait(entry.token).result, 7);
    assert_eq!(&bytes, b"ABCDEFG");
    drop(far);
    let request = Request::SendMessage { fd: fd(&near), message, flags: 0 };
    assert_eq!(bench.result(request), -libc::EPIPE);
}

fn read(fd: Fd, buffer: &mut [u8], offset: u64) -> Request {
    Request::Read { fd, buffer: buffer.as_mut_ptr(), length: buffer.len(), offset }
}

fn write(fd: Fd, bytes: &[u8], offset: u64) -> Request {
    Request::Write { fd, buffer: bytes.as_ptr(), length: bytes.len(), offset }
}

/// Of files by position and in sequence, of sockets in sequence.
fn reads_and_writes(bench: &mut Bench, mode: Mode) {
    let file = file();
    let mut buffer = [0; 5];
    assert_eq!(bench.result(write(fd(&file), b"0123456789", 0)), 10);
    assert_eq!(bench.result(read(fd(&file), &mut buffer, 5)), 5);
    assert_eq!(&buffer, b"56789");
    assert_eq!(bench.result(read(fd(&file), &mut buffer, u64::MAX)), 5);
    assert_eq!(&buffer, b"01234");
    assert_eq!(bench.result(write(fd(&file), b"ABCDE", u64::MAX)), 5);
    assert_eq!(bench.result(read(fd(&file), &mut buffer, 5)), 5);
    assert_eq!(&buffer, b"ABCDE");
    assert_eq!(bench.result(read(fd(&file), &mut buffer, 10)), 0);

    let (near, mut far) = pair(mode);
    let record = 0;
    let entry = Entry::new(read(fd(&near), &mut buffer, u64::MAX), operation(&record));
    bench.push(&entry);
    bench.turn(Wait::No);
    assert_eq!(bench.ended, []);
    far.write_all(b"later").unwrap();
    assert_eq!(bench.wait(entry.token).result, 5);
    assert_eq!(&buffer, b"later");

    // More than fits: it waits, and goes on when the other side reads.
    let many = vec![7; 1 << 20];
    let mut written = bench.result(write(fd(&near), &many, u64::MAX)) as usize;
    let entry = Entry::new(write(fd(&near), &many, u64::MAX), operation(&record));
    let mut sink = vec![0; 1 << 21];
    bench.push(&entry);
    bench.turn(Wait::No);
    let mut taken = 0;
    while bench.ended.is_empty() {
        taken += far.read(&mut sink).unwrap();
        bench.turn(Wait::No);
    }
    written += bench.wait(entry.token).result as usize;
    near.shutdown(std::net::Shutdown::Write).unwrap();
    taken += far.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(taken, written);
}

fn polls(bench: &mut Bench, mode: Mode) {
    let (near, mut far) = pair(mode);
    let ready = Request::Poll { fd: fd(&near), events: libc::POLLIN | libc::POLLOUT };
    assert_eq!(bench.result(ready), i32::from(libc::POLLOUT));
    let record = 0;
    let request = Request::Poll { fd: fd(&near), events: libc::POLLIN };
    let entry = Entry::new(request, operation(&record));
    bench.push(&entry);
    bench.turn(Wait::No);
    assert_eq!(bench.ended, []);
    far.write_all(b"!").unwrap();
    assert_eq!(bench.wait(entry.token).result, i32::from(libc::POLLIN));
    drop(far);
    assert_ne!(bench.result(request) & i32::from(libc::POLLHUP), 0);
}

fn connections(bench: &mut Bench, mode: Mode) {
    let listener = listener(mode);
    // SAFETY: all zero is an address.
    let mut from: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&from) as libc::socklen_t;
    let request = Request::Accept {
        fd: fd(&listener),
        address: (&raw mut from).cast(),
        length: &raw mut length,
        flags: libc::SOCK_CLOEXEC,
    };
    let (record, other) = (0, 0);
    let accept = Entry::new(request, operation(&record));
    bench.push(&accept);
    bench.turn(Wait::No);
    assert_eq!(bench.ended, []);
    let client = tcp_socket(mode);
    let address = socket_address(listener.local_addr().unwrap());
    let connect_entry = Entry::new(connect(fd(&client), &address), operation(&other));
    assert_eq!(bench.run(&connect_entry).result, 0);
    let accepted = bench.wait(accept.token).result;
    assert!(accepted >= 0);
    // SAFETY: a descriptor of ours, as of now.
    let mut accepted = TcpStream::from(unsafe { OwnedFd::from_raw_fd(accepted) });
    let mut client = TcpStream::from(client);
    assert_eq!(u16::from_be(from.sin_port), client.local_addr().unwrap().port());
    client.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    accepted.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");

    // Closed in every sense: the child of another test may have it open until it is another program.
    // SAFETY: takes no addresses.
    assert_eq!(unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RD) }, 0);
    drop(listener);
    let refused = tcp_socket(mode);
    assert_eq!(bench.result(connect(fd(&refused), &address)), -libc::ECONNREFUSED);
}

fn many_connections(bench: &mut Bench, mode: Mode) {
    const CLIENTS: usize = 200;
    let listener = listener(mode);
    let record = 0;
    let request = Request::AcceptMany { fd: fd(&listener), flags: libc::SOCK_CLOEXEC };
    let entry = Entry::new(request, operation(&record).tagged(Token::STREAM));
    bench.push(&entry);
    let mut armed = true;
    let mut accepted = Vec::new();
    let mut clients = Vec::new();
    while accepted.len() < CLIENTS {
        if !armed {
            bench.push(&entry);
        }
        if clients.len() < CLIENTS {
            clients.push(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        }
        let Completion { result, flags, .. } = bench.wait(entry.token);
        armed = flags & MORE != 0;
        assert!(result >= 0);
        // SAFETY: a descriptor of ours, as of now.
        accepted.push(unsafe { OwnedFd::from_raw_fd(result) });
    }
    if armed {
        assert_eq!(bench.uring.cancel(&entry), 1);
        let end = bench.wait(entry.token);
        assert_eq!((end.result, end.flags), (-libc::ECANCELED, 0));
        bench.wait(entry.token.tagged(Token::CANCEL));
    }
}

fn cancellation(bench: &mut Bench, mode: Mode) {
    let (near, _far) = pair(mode);
    let listener = listener(mode);
    let (address, length) = (null_mut(), null_mut());
    let mut buffer = [0; 4];
    let requests = [
        recv(fd(&near), &mut buffer),
        Request::RecvPooled { fd: fd(&near), flags: 0 },
        read(fd(&near), &mut buffer, u64::MAX),
        Request::Poll { fd: fd(&near), events: libc::POLLIN },
        Request::Accept { fd: fd(&listener), address, length, flags: 0 },
        Request::AcceptMany { fd: fd(&listener), flags: 0 },
    ];
    for request in requests {
        for submitted in [false, true] {
            let record = 0;
            let entry = Entry::new(request, operation(&record));
            bench.push(&entry);
            if submitted {
                bench.turn(Wait::No);
                assert_eq!(bench.ended, [], "{request:?} in {}", bench.uring);
            }
            assert_eq!(bench.uring.cancel(&entry), 1);
            let end = bench.wait(entry.token);
            assert_eq!((end.result, end.flags), (-libc::ECANCELED, 0), "{request:?}");
            bench.wait(entry.token.tagged(Token::CANCEL));
        }
    }
}

fn pooled(bench: &mut Bench, mode: Mode) {
    let (near, mut far) = pair(mode);
    let request = Request::RecvPooled { fd: fd(&near), flags: 0 };
    let record = 0;
    for word in ["early", "late"] {
        let entry = Entry::new(request, operation(&record));
        if word == "early" {
            far.write_all(word.as_bytes()).unwrap();
            bench.push(&entry);
        } else {
            bench.push(&entry);
            bench.turn(Wait::No);
            far.write_all(word.as_bytes()).unwrap();
        }
        let end = bench.wait(entry.token);
        let number = end.buffer().expect("a buffer was used");
        assert_eq!(end.flags & MORE, 0);
        // SAFETY: the driver's, ours until it is returned, and as long as received.
        let bytes =
            unsafe { std::slice::from_raw_parts(bench.uring.buffer(number), end.result as usize) };
        assert_eq!(bytes, word.as_bytes());
        bench.uring.return_buffer(number);
    }
    let now = Request::RecvPooled { fd: fd(&near), flags: libc::MSG_DONTWAIT };
    assert_eq!(bench.result(now), -libc::EAGAIN);
    drop(far);
    assert_eq!(bench.result(request), 0);
}

pub(super) fn every_request(bench: &mut Bench) {
    assert_eq!(bench.result(Request::Nop), 0);
    for mode in [Mode::Blocking, Mode::NonBlocking] {
        streams(bench, mode);
        messages(bench, mode);
        reads_and_writes(bench, mode);
        polls(bench, mode);
        connections(bench, mode);
        many_connections(bench, mode);
        pooled(bench, mode);
        cancellation(bench, mode);
        assert_eq!(bench.ended, []);
        assert!(!bench.uring.is_due());
    }
}

#[test]
fn every_request_is_answered() {
    needs_a_ring!();
    let mut bench = Bench::without(Capabilities::NONE);
    every_request(&mut bench);
    assert_eq!(bench.uring.counters().overflows, 0);
}

#[test]
fn every_request_is_answered_without_each_capability() {
    needs_a_ring!();
    for (name, disabled) in Capabilities::NAMES {
        if *disabled != Capabilities::URING {
            eprintln!("without {name}");
            every_request(&mut Bench::without(*disabled));
        }
    }
}

#[test]
fn every_request_is_answered_without_any_capability() {
    needs_a_ring!();
    every_request(&mut Bench::without(every_operation()));
    let mut bench = Bench::without(everything());
    assert!(bench.uring.to_string().ends_with("entries: uring"), "{}", bench.uring);
    every_request(&mut bench);
}

#[test]
fn close_submits_what_names_the_number() {
    needs_a_ring!();
    let mut bench = Bench::without(Capabilities::NONE);
    let (near, mut far) = pair(Mode::Blocking);
    let (record, mut buffer) = (0, [0; 4]);
    let near = OwnedFd::from(near);
    let number = fd(&near);
    let entry = Entry::new(recv(number, &mut buffer), operation(&record));
    bench.push(&entry);
    std::mem::forget(near);
    bench.uring.close(number).unwrap();
    // The ring holds the socket: its peer can still write, and the receive ends with that.
    far.write_all(b"last").unwrap();
    assert_eq!(bench.wait(entry.token).result, 4);
    assert_eq!(bench.uring.close(Fd::new(-1)).unwrap_err().raw_os_error(), Some(libc::EBADF));
}
