//! Cancelled entries, closed descriptors, and numbers that are given out again.

use super::*;
use std::io::Write as _;
use std::os::fd::IntoRawFd;

/// Moves a descriptor to the lowest free number from there on: so high that other tests, in other
/// threads, get none of these.
fn moved(from: impl IntoRawFd, lowest: RawFd) -> Fd {
    let number = from.into_raw_fd();
    // SAFETY: takes no addresses; the old number is this function's.
    let answer = unsafe {
        let answer = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, lowest);
        libc::close(number);
        answer
    };
    assert_eq!(answer, lowest, "the number is taken");
    Fd::new(answer)
}

#[test]
fn a_cancelled_entry_ends_once_and_others_stay() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let it = fd(&one);
    let entries: Vec<_> = (1..=4).map(|id| world.queue(recv(it, buffer(1)), id)).collect();
    for cancelled in [1, 3] {
        assert_eq!(world.driver.cancel(entries[cancelled]), 0);
    }
    assert_eq!(world.look(), [(2, -libc::ECANCELED), (4, -libc::ECANCELED)]);
    other.write_all(b"ab").unwrap();
    assert_eq!(world.wait(2), [(1, 1), (3, 1)]);
    world.queue(recv(it, buffer(1)), 5);
}

/// The bytes are taken: they must not be lost to a late cancellation.
#[test]
fn a_result_wins_over_its_cancellation() {
    let ((one, mut other), mut world) = (tcp(), World::new());
    let waiting = world.queue(recv(fd(&one), buffer(8)), 1);
    other.write_all(b"ab").unwrap();
    let late = world.driver.now() + 20_000_000_000;
    while world.readiness().done.is_empty() {
        world.driver.enter(Wait::Until(late));
    }
    assert_eq!(world.driver.cancel(waiting), 0);
    assert_eq!(world.take(), [(1, 2)]);
    let again = world.queue(recv(fd(&one), buffer(8)), 2);
    world.driver.cancel(again);
    world.driver.cancel(again);
    assert_eq!(world.take(), [(2, -libc::ECANCELED)]);
}

/// The kernel gives the lowest free number out again: the new descriptor gets nothing of the old
/// one, and is registered itself.
#[test]
fn a_number_is_reused_after_close() {
    let mut world = World::new();
    for round in 0..20 {
        let (one, mut other) = unix();
        let it = moved(one, 700);
        let waiting = world.queue(recv(it, buffer(8)), 2 * round);
        world.driver.cancel(waiting);
        // An edge of the old descriptor, not yet fetched.
        other.write_all(b"old").unwrap();
        world.driver.close(it).unwrap();
        assert_eq!(world.take(), [(2 * round, -libc::ECANCELED)]);
        let (new, mut peer) = unix();
        let renewed = moved(new, 700);
        world.queue(recv(renewed, buffer(8)), 2 * round + 1);
        assert_eq!(world.look(), []);
        peer.write_all(b"n").unwrap();
        assert_eq!(world.wait(1), [(2 * round + 1, 1)]);
        world.driver.forget(renewed);
        assert_eq!(watched(&mut world), 0);
        world.driver.close(renewed).unwrap();
    }
}

/// A copy keeps the old file open, and its registration with it, under the same number.
#[test]
fn events_of_a_closed_descriptor_that_lives_on_in_a_copy_are_nobodys() {
    let mut world = World::new();
    let (one, mut other) = unix();
    let copy = one.try_clone().unwrap();
    let it = moved(one, 800);
    let waiting = world.queue(recv(it, buffer(8)), 1);
    world.driver.cancel(waiting);
    world.driver.close(it).unwrap();
    let (reader, _writer) = pipe();
    let renewed = moved(reader, 800);
    world.queue(read(renewed, buffer(8)), 2);
    assert_eq!(world.take(), [(1, -libc::ECANCELED)]);
    // The kernel keeps what it was told, where it keeps anything.
    assert_eq!(watched(&mut world), if kind() == Kind::Epoll { 2 } else { 1 });
    other.write_all(b"for the copy").unwrap();
    let calls = world.calls();
    assert_eq!(world.look(), []);
    assert_eq!(world.calls(), calls);
    drop(copy);
    let last = world.queue(read(renewed, buffer(8)), 3);
    world.driver.cancel(last);
    assert_eq!(world.take(), [(3, -libc::ECANCELED)]);
}

/// Somebody closes a number under those who wait for it, and it becomes something else.
#[test]
fn who_waits_for_a_number_that_others_closed_is_told_at_its_next_use() {
    let mut world = World::new();
    let (one, other) = unix();
    let number = one.as_raw_fd();
    world.queue(Request::Poll { fd: Fd::new(number), events: libc::POLLIN }, 1);
    let (reader, mut writer) = pipe();
    // SAFETY: both are open.
    assert_eq!(unsafe { libc::dup2(reader.as_raw_fd(), number) }, number);
    drop(other);
    assert_eq!(world.look(), []);
    world.queue(Request::Poll { fd: Fd::new(number), events: libc::POLLIN }, 2);
    assert_eq!(world.take(), [(1, -libc::EBADF)]);
    writer.write_all(b"x").unwrap();
    assert_eq!(world.wait(1), [(2, i32::from(libc::POLLIN))]);
    assert_eq!(watched(&mut world), 0);
}

#[test]
fn close_reports_what_the_kernel_says() {
    let mut world = World::new();
    let again = world.driver.close(Fd::new(-1)).unwrap_err();
    assert_eq!(again.raw_os_error(), Some(libc::EBADF));
    assert_eq!(world.done(recv(Fd::new(-1), buffer(1))), -libc::EBADF);
}
