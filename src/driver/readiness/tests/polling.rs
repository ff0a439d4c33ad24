//! `Poll`, of descriptors that others own.

use super::*;
use std::io::Write as _;

fn poll(number: RawFd, events: i16) -> Request {
    // Every time a serial of its own: nobody knows how long the number has meant this.
    Request::Poll { fd: Fd::new(number), events }
}

const IN: i32 = libc::POLLIN as i32;
const OUT: i32 = libc::POLLOUT as i32;
const HUP: i32 = libc::POLLHUP as i32;

#[test]
fn what_is_ready_is_said_at_once() {
    let ((mut one, other), mut world) = (unix(), World::new());
    assert_eq!(world.done(poll(one.as_raw_fd(), libc::POLLIN | libc::POLLOUT)), OUT);
    one.write_all(b"x").unwrap();
    assert_eq!(world.done(poll(other.as_raw_fd(), libc::POLLIN)), IN);
    assert_eq!(watched(&mut world), 0);
    assert_eq!(world.done(poll(1000, libc::POLLIN)), -libc::EBADF);
}

#[test]
fn a_foreign_descriptor_is_watched_while_somebody_polls_it() {
    let ((reader, mut writer), mut world) = (pipe(), World::new());
    let number = reader.as_raw_fd();
    let first = world.queue(poll(number, libc::POLLIN), 1);
    world.queue(poll(number, libc::POLLIN), 2);
    // It asks for nothing but the hang-up, which is always reported.
    world.queue(poll(number, 0), 3);
    assert_eq!((watched(&mut world), world.look()), (1, vec![]));
    world.driver.cancel(first);
    assert_eq!((watched(&mut world), world.take()), (1, vec![(1, -libc::ECANCELED)]));
    writer.write_all(b"x").unwrap();
    assert_eq!(world.wait(1), [(2, IN)]);
    assert_eq!(watched(&mut world), 1);
    drop(writer);
    assert_eq!(world.wait(1), [(3, HUP)]);
    assert_eq!(watched(&mut world), 0);
}

#[test]
fn polls_and_operations_of_one_descriptor_share_its_registration() {
    let ((one, mut other), mut world) = (unix(), World::new());
    let it = fd(&one);
    world.queue(recv(it, buffer(1)), 1);
    let polled = world.queue(poll(one.as_raw_fd(), libc::POLLIN), 2);
    assert_eq!(watched(&mut world), 1);
    world.driver.cancel(polled);
    assert_eq!(world.take(), [(2, -libc::ECANCELED)]);
    assert_eq!(watched(&mut world), 1, "it is not borrowed");
    world.queue(poll(one.as_raw_fd(), libc::POLLIN), 3);
    other.write_all(b"xy").unwrap();
    let mut both = world.wait(2);
    both.sort_unstable();
    assert_eq!(both, [(1, 1), (3, IN)]);
    assert_eq!(world.done(recv(it, buffer(1))), 1);
    world.queue(recv(it, buffer(1)), 4);
    other.write_all(b"z").unwrap();
    assert_eq!(world.wait(1), [(4, 1)]);
    let polled = world.queue(poll(one.as_raw_fd(), libc::POLLIN), 5);
    world.driver.cancel(polled);
    assert_eq!(world.take(), [(5, -libc::ECANCELED)]);
    assert_eq!(watched(&mut world), 1, "nobody waits, but it is not borrowed");
}

#[test]
fn what_was_borrowed_is_kept_once_it_is_used() {
    let ((one, mut other), mut world) = (unix(), World::new());
    let it = fd(&one);
    let polled = Request::Poll { fd: it, events: libc::POLLIN };
    let first = world.queue(polled, 1);
    world.queue(recv(it, buffer(8)), 2);
    world.driver.cancel(first);
    other.write_all(b"x").unwrap();
    assert_eq!(world.wait(2), [(1, -libc::ECANCELED), (2, 1)]);
    let second = world.queue(polled, 3);
    world.driver.cancel(second);
    assert_eq!(world.take(), [(3, -libc::ECANCELED)]);
    assert_eq!(watched(&mut world), 1);
}

#[test]
fn closing_tells_those_who_polled_by_another_name() {
    let ((one, _other), mut world) = (unix(), World::new());
    let it = Fd::new(std::os::fd::IntoRawFd::into_raw_fd(one));
    world.queue(poll(it.number(), libc::POLLIN), 1);
    world.driver.close(it).unwrap();
    assert_eq!(world.take(), [(1, -libc::EBADF)]);
}

#[test]
fn regular_files_are_always_ready() {
    let mut world = World::new();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(world.done(poll(file.as_raw_fd(), libc::POLLIN)), IN);
    // And never for this, so that nothing would tell.
    assert_eq!(world.done(poll(file.as_raw_fd(), libc::POLLPRI)), -libc::EINVAL);
}

#[test]
fn urgent_data_is_reported() {
    let ((one, other), mut world) = (tcp(), World::new());
    world.queue(poll(one.as_raw_fd(), libc::POLLPRI), 1);
    // SAFETY: one byte.
    let sent = unsafe { libc::send(other.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    assert_eq!(world.wait(1), [(1, i32::from(libc::POLLPRI))]);
}
