//! Every request, at once and after waiting.

use super::*;
use std::io::{Read as _, Seek as _, Write as _};
use std::net::UdpSocket;
use std::ptr::null_mut;

#[test]
fn nop_is_done() {
    assert_eq!(World::new().done(Request::Nop), 0);
}

#[test]
fn recv_waits_for_bytes() {
    let ((mut one, other), mut world) = (tcp(), World::new());
    let bytes = buffer(8);
    world.queue(recv(fd(&other), bytes), 1);
    assert_eq!(world.look(), []);
    one.write_all(b"abc").unwrap();
    assert_eq!(world.wait(1), [(1, 3)]);
    assert_eq!(&bytes[..3], b"abc");
    one.write_all(b"d").unwrap();
    let one_more = entry(recv(Fd::new(other.as_raw_fd()), buffer(8)), 2);
    if world.push(one_more) == Pushed::Queued {
        assert_eq!(world.wait(1), [(2, 1)]);
    }
}

#[test]
fn send_waits_for_room() {
    for is_tcp in [true, false] {
        let mut world = World::new();
        let (tcp, unix) = (tcp(), unix());
        let (to, from) = if is_tcp {
            (fd(&tcp.0), tcp.1.as_raw_fd())
        } else {
            (fd(&unix.0), unix.1.as_raw_fd())
        };
        let bytes = buffer(1 << 16);
        let mut sent = 0;
        let waiting = loop {
            let next = entry(send(to, bytes), 7);
            match world.push(next) {
                Pushed::Done(n) => sent += n as usize,
                Pushed::Queued => break next,
            }
        };
        assert_eq!(world.look(), []);
        let mut received = 0;
        let mut into = vec![0; 1 << 20];
        let mut late = Vec::new();
        while late.is_empty() {
            // SAFETY: as long as that.
            let n = unsafe {
                libc::recv(from, into.as_mut_ptr().cast(), into.len(), libc::MSG_DONTWAIT)
            };
            received += n.max(0) as usize;
            late = world.look();
        }
        assert_eq!(late.len(), 1);
        assert!(late[0].0 == 7 && late[0].1 > 0, "{late:?} {waiting:?}");
        assert!(received <= sent + late[0].1 as usize);
    }
}

#[test]
fn send_to_a_closed_peer_is_epipe_without_a_signal() {
    let ((one, other), mut world) = (unix(), World::new());
    drop(one);
    assert_eq!(world.done(send(fd(&other), b"x")), -libc::EPIPE);
}

#[test]
fn pipes_are_read_and_written() {
    let ((reader, writer), mut world) = (pipe(), World::new());
    let (from, to) = (fd(&reader), fd(&writer));
    let bytes = buffer(4);
    world.queue(read(from, bytes), 1);
    assert_eq!(world.done(write(to, b"pipe")), 4);
    assert_eq!(world.wait(1), [(1, 4)]);
    assert_eq!(bytes, b"pipe");
    let page = buffer(4096);
    while let Pushed::Done(n) = world.push(entry(write(to, page), 2)) {
        assert_eq!(n, 4096);
    }
    assert_eq!(world.done(read(from, buffer(8192))), 8192);
    assert_eq!(world.wait(1), [(2, 4096)]);
    drop(writer);
    while world.done(read(from, buffer(1 << 20))) > 0 {}
}

#[test]
fn files_are_read_and_written_at_offsets() {
    let mut world = World::new();
    let path = std::env::temp_dir().join(format!("greenlet-readiness-{}", std::process::id()));
    let mut file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let it = fd(&file);
    let bytes = b"at ten";
    let request =
        Request::Write { fd: it, buffer: bytes.as_ptr(), length: bytes.len(), offset: 10 };
    assert_eq!(world.done(request), 6);
    assert_eq!(world.done(write(it, b"start")), 5);
    let into = buffer(3);
    let request = Request::Read { fd: it, buffer: into.as_mut_ptr(), length: 3, offset: 13 };
    assert_eq!(world.done(request), 3);
    assert_eq!(into, b"ten");
    assert_eq!(file.stream_position().unwrap(), 5);
    assert_eq!(world.done(read(it, into)), 3);
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"\0\0at ten");
}

#[test]
fn accept_waits_and_gives_the_address() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let it = fd(&listener);
    let address = Box::leak(Box::new([0u64; 16]));
    let length = Box::leak(Box::new(128));
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let (pointer, length_pointer) = (address.as_mut_ptr().cast(), &raw mut *length);
    world.queue(Request::Accept { fd: it, address: pointer, length: length_pointer, flags }, 1);
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let ended = world.wait(1);
    assert!(ended[0].1 > 0);
    // SAFETY: the kernel has written it.
    assert_eq!(unsafe { *length_pointer }, 16);
    let taken = Fd::new(ended[0].1);
    world.queue(recv(taken, buffer(1)), 2);
    let none = Request::Accept { fd: it, address: null_mut(), length: null_mut(), flags };
    let waiting = world.queue(none, 3);
    world.driver.cancel(waiting);
    assert_eq!(world.look(), [(3, -libc::ECANCELED)]);
}

#[test]
fn accept_many_ends_after_one_and_never_at_once() {
    let mut world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let it = fd(&listener);
    let address = listener.local_addr().unwrap();
    let many = Request::AcceptMany { fd: it, flags: libc::SOCK_CLOEXEC };
    let _clients = (TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap());
    for id in [1, 2] {
        world.queue(many, id);
        assert!(world.driver.is_due());
        let ended = world.look();
        assert!(ended.len() == 1 && ended[0].0 == id && ended[0].1 > 0);
        assert_eq!(world.completions.last().unwrap().flags, 0);
        world.driver.close(Fd::new(ended[0].1)).unwrap();
    }
    world.queue(many, 3);
    assert_eq!(world.look(), []);
    let _third = TcpStream::connect(address).unwrap();
    assert_eq!(world.wait(1)[0].0, 3);
    world.driver.close(Fd::new(world.completions.last().unwrap().result)).unwrap();
    world.queue(Request::AcceptMany { fd: Fd::new(-1), flags: 0 }, 4);
    assert_eq!(world.look(), [(4, -libc::EBADF)]);
}

#[test]
fn datagrams_and_messages() {
    let mut world = World::new();
    let one = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    one.connect(other.local_addr().unwrap()).unwrap();
    let (from, to) = (fd(&one), fd(&other));
    let bytes = buffer(100);
    world.queue(recv(to, bytes), 1);
    // Two datagrams: a short receive of one says nothing about the next.
    assert_eq!(world.done(send(from, b"first")), 5);
    assert_eq!(world.done(send(from, b"second")), 6);
    assert_eq!(world.wait(1), [(1, 5)]);
    assert_eq!(world.done(recv(to, bytes)), 6);
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: zeroes are a message without anything.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let message = &raw mut message;
    world.queue(Request::RecvMessage { fd: to, message, flags: 0 }, 2);
    let mut out = libc::iovec { iov_base: b"third".as_ptr().cast_mut().cast(), iov_len: 5 };
    // SAFETY: as above.
    let mut sent: libc::msghdr = unsafe { std::mem::zeroed() };
    sent.msg_iov = &raw mut out;
    sent.msg_iovlen = 1;
    let sent = &raw mut sent;
    assert_eq!(world.done(Request::SendMessage { fd: from, message: sent, flags: 0 }), 5);
    assert_eq!(world.wait(1), [(2, 5)]);
    assert_eq!(&bytes[..5], b"third");
}

/// No event tells that the queue of a datagram's receiver has room again.
#[test]
fn a_datagram_to_a_full_name_is_tried_again() {
    use std::os::unix::net::UnixDatagram;
    let mut world = World::new();
    let path = std::env::temp_dir().join(format!("greenlet-datagram-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let receiver = UnixDatagram::bind(&path).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    let mut name = unix_name(&path);
    let mut part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    // SAFETY: zeroes are a message without anything.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = size_of::<libc::sockaddr_un>() as u32;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let request = Request::SendMessage { fd: fd(&sender), message: &raw mut message, flags: 0 };
    let mut sent = 0;
    while world.push(entry(request, 1)) == Pushed::Done(1) {
        sent += 1;
    }
    let second = world.queue(request, 2);
    world.driver.cancel(second);
    assert_eq!(world.wait(1), [(2, -libc::ECANCELED)]);
    // Who waits for the connected peer's room does not hold up what goes elsewhere.
    let other_path = path.with_extension("peer");
    let _ = std::fs::remove_file(&other_path);
    let peer = UnixDatagram::bind(&other_path).unwrap();
    let from = UnixDatagram::unbound().unwrap();
    from.connect(&other_path).unwrap();
    from.set_nonblocking(true).unwrap();
    std::fs::remove_file(&other_path).unwrap();
    let connected = fd(&from);
    while world.push(entry(send(connected, b"y"), 3)) == Pushed::Done(1) {}
    assert_eq!(world.look(), []);
    receiver.recv(&mut [0; 4]).unwrap();
    sent -= 1;
    assert_eq!(world.wait(1), [(1, 1)]);
    receiver.recv(&mut [0; 4]).unwrap();
    let elsewhere = Request::SendMessage { fd: connected, message: &raw mut message, flags: 0 };
    assert_eq!(world.done(elsewhere), 1);
    peer.recv(&mut [0; 4]).unwrap();
    assert_eq!(world.wait(1), [(3, 1)]);
    world.queue(request, 1);
    for _ in 0..sent {
        receiver.recv(&mut [0; 4]).unwrap();
    }
    assert_eq!(world.wait(1), [(1, 1)]);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn pooled_buffers_are_taken_when_there_are_bytes() {
    let settings = Settings {
        kind: Some(Kind::Epoll),
        pool_buffers: 2,
        pool_buffer_bytes: 16,
        ..Settings::default()
    };
    let ((mut one, other), mut world) = (tcp(), World::with(settings));
    let it = fd(&other);
    let pooled = Request::RecvPooled { fd: it, flags: 0 };
    world.queue(pooled, 1);
    one.write_all(&[b'a'; 40]).unwrap();
    assert_eq!(world.wait(1), [(1, 16)]);
    // At once, too, by a completion: it names the buffer.
    world.queue(pooled, 2);
    assert_eq!(world.take(), [(2, 16)]);
    let numbers: Vec<_> = world.completions.iter().map(|c| c.buffer().unwrap()).collect();
    assert_ne!(numbers[0], numbers[1]);
    for number in &numbers {
        // SAFETY: 16 bytes were received into it.
        let bytes = unsafe { std::slice::from_raw_parts(world.driver.buffer(*number), 16) };
        assert_eq!(bytes, [b'a'; 16]);
    }
    assert_eq!(world.done(pooled), -libc::ENOBUFS);
    world.driver.return_buffer(numbers[0]);
    world.queue(pooled, 3);
    assert_eq!(world.take(), [(3, 8)]);
    // Nothing to read and no buffer: waits, and one comes back in time.
    world.queue(pooled, 4);
    assert_eq!(world.look(), []);
    world.driver.return_buffer(numbers[1]);
    one.write_all(b"b").unwrap();
    assert_eq!(world.wait(1), [(4, 1)]);
    world.driver.return_buffer(world.completions.last().unwrap().buffer().unwrap());
    drop(one);
    // The end of the file takes no buffer.
    let end = entry(pooled, 5);
    if world.push(end) == Pushed::Queued {
        assert_eq!(world.wait(1), [(5, 0)]);
    }
    assert!(world.completions.last().is_some_and(|c| c.result != 0 || c.buffer().is_none()));
}
