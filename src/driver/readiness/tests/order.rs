//! Who is served first, and what is known without asking.

use super::*;
use std::io::Write as _;
use std::net::Shutdown;

#[test]
fn readers_of_one_descriptor_are_served_in_order() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    let buffers = [buffer(2), buffer(2), buffer(2)].map(|b| recv(it, b));
    for (request, id) in buffers.into_iter().zip(1..) {
        world.queue(request, id);
    }
    other.write_all(b"aabb").unwrap();
    assert_eq!(world.wait(2), [(1, 2), (2, 2)]);
    // There are bytes, but somebody waits already.
    other.write_all(b"c").unwrap();
    world.queue(recv(it, buffer(1)), 4);
    assert_eq!(world.wait(1), [(3, 1)]);
    other.write_all(b"d").unwrap();
    assert_eq!(world.wait(1), [(4, 1)]);
}

#[test]
fn both_directions_wait_side_by_side() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(4)), 1);
    let bytes = buffer(1 << 20);
    while world.push(entry(send(it, bytes), 2)) != Pushed::Queued {}
    other.write_all(b"x").unwrap();
    assert_eq!(world.wait(1), [(1, 1)]);
    assert_eq!(watched(&mut world), 1);
    let mut into = vec![0; 1 << 20];
    while world.look().is_empty() {
        let _ = std::io::Read::read(&mut other, &mut into);
    }
}

#[test]
fn an_echo_is_one_recv_and_one_send() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    let bytes = buffer(64);
    world.queue(recv(it, bytes), 1);
    let before = world.driver.counters();
    for _ in 0..100 {
        other.write_all(b"request").unwrap();
        assert_eq!(world.wait(1), [(1, 7)]);
        assert_eq!(world.done(send(it, b"answer")), 6);
        world.queue(recv(it, bytes), 1);
    }
    let after = world.driver.counters();
    // poll looks for select, after each of its waits.
    let looks = if kind() == Kind::Select { after.enters - before.enters } else { 0 };
    assert_eq!(after.calls - before.calls - looks, 200);
    // One more for the event that says that the socket is writable.
    assert!(after.enters - before.enters <= 101, "{after:?}");
}

#[test]
fn after_a_short_read_more_bytes_are_seen() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(8)), 1);
    for id in 1..50 {
        other.write_all(b"ab").unwrap();
        assert_eq!(world.wait(1), [(id, 2)]);
        let calls = world.calls();
        world.queue(recv(it, buffer(8)), id + 1);
        assert_eq!(world.calls(), calls, "known to be in vain");
    }
}

/// The end came together with the bytes: no edge follows.
#[test]
fn after_a_short_read_the_end_is_seen() {
    for resets in [false, true] {
        let ((one, mut other), mut world) = (tcp(), World::new());
        let it = fd(&one);
        world.queue(recv(it, buffer(64)), 1);
        other.write_all(b"last").unwrap();
        other.shutdown(Shutdown::Write).unwrap();
        assert_eq!(world.wait(1), [(1, 4)]);
        if resets {
            // Unread bytes make it a reset.
            assert_eq!(world.done(send(it, b"unread")), 6);
            drop(other);
        }
        match world.push(entry(recv(it, buffer(64)), 2)) {
            Pushed::Done(result) => assert_eq!(result, 0),
            Pushed::Queued => assert_eq!(world.wait(1), [(2, 0)]),
        }
    }
}

#[test]
fn a_reset_ends_a_waiting_recv() {
    let ((one, other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(64)), 1);
    assert_eq!(world.done(send(it, b"unread")), 6);
    drop(other);
    assert_eq!(world.wait(1), [(1, -libc::ECONNRESET)]);
    let again = world.done(send(it, b"x"));
    assert!(again == -libc::EPIPE || again == -libc::ECONNRESET);
    assert_eq!(world.done(recv(it, buffer(64))), 0);
}

/// A read stops at the mark of urgent data although there is more, and no edge follows.
#[test]
fn a_short_read_at_a_mark_is_no_end() {
    let ((one, other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(64)), 1);
    // SAFETY: one byte each.
    let say = |byte: &[u8; 1], flags| unsafe {
        assert_eq!(libc::send(other.as_raw_fd(), byte.as_ptr().cast(), 1, flags), 1);
    };
    say(b"a", 0);
    say(b"!", libc::MSG_OOB);
    say(b"b", 0);
    assert_eq!(world.wait(1), [(1, 1)]);
    match world.push(entry(recv(it, buffer(64)), 2)) {
        Pushed::Done(result) => assert_eq!(result, 1),
        Pushed::Queued => assert_eq!(world.wait(1), [(2, 1)]),
    }
}

/// A read of a UNIX stream stops where a descriptor was passed.
#[test]
fn a_short_read_of_a_unix_stream_is_no_end() {
    let ((one, other), mut world) = (unix(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(64)), 1);
    for byte in [b"a", b"b"] {
        let mut part = libc::iovec { iov_base: byte.as_ptr().cast_mut().cast(), iov_len: 1 };
        let mut control = [0u64; 3];
        // SAFETY: zeroes are a message without anything; then one control message of one integer.
        unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = &raw mut part;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(4) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(header).cast::<i32>().write_unaligned(other.as_raw_fd());
            assert_eq!(libc::sendmsg(other.as_raw_fd(), &raw const message, 0), 1);
        }
    }
    assert_eq!(world.wait(1), [(1, 1)]);
    assert_eq!(world.done(recv(it, buffer(64))), 1);
}

#[test]
fn a_peek_takes_nothing_away() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    let bytes = buffer(64);
    let peek =
        Request::Recv { fd: it, buffer: bytes.as_mut_ptr(), length: 64, flags: libc::MSG_PEEK };
    world.queue(peek, 1);
    other.write_all(b"look").unwrap();
    assert_eq!(world.wait(1), [(1, 4)]);
    assert_eq!(world.done(peek), 4);
    assert_eq!(world.done(recv(it, bytes)), 4);
}

/// What waits for the error queue does not hold up what waits for bytes.
#[test]
fn the_error_queue_is_a_lane_apart() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    let bytes = buffer(64);
    let errors =
        Request::Recv { fd: it, buffer: bytes.as_mut_ptr(), length: 64, flags: libc::MSG_ERRQUEUE };
    let errors = world.queue(errors, 1);
    world.queue(recv(it, buffer(64)), 2);
    other.write_all(b"bytes").unwrap();
    assert_eq!(world.wait(1), [(2, 5)]);
    world.driver.cancel(errors);
    assert_eq!(world.look(), [(1, -libc::ECANCELED)]);
}

/// After an error every call is tried; yet not past those who wait.
#[test]
fn nobody_overtakes_who_waits() {
    use std::net::UdpSocket;
    let mut world = World::new();
    let one = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.connect(other.local_addr().unwrap()).unwrap(); // it takes nothing from others
    one.connect(other.local_addr().unwrap()).unwrap();
    let it = fd(&one);
    world.queue(recv(it, buffer(8)), 1);
    assert_eq!(world.done(send(it, b"nobody here")), 11);
    assert_eq!(world.wait(1), [(1, -libc::ECONNREFUSED)]);
    world.queue(recv(it, buffer(8)), 2);
    other.connect(one.local_addr().unwrap()).unwrap();
    for datagram in ["a", "bc"] {
        other.send(datagram.as_bytes()).unwrap();
    }
    world.queue(recv(it, buffer(8)), 3);
    assert_eq!(world.wait(2), [(2, 1), (3, 2)]);
}
