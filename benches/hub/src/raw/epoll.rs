//! Edge-triggered epoll: try, and wait when the kernel would block, as every coroutine hub on epoll does.
//! One buffer serves all connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::serve::{Answers, Arguments, BUFFER, Mode, announce};

const EVENTS: usize = 1024;

/// Reads that one connection may do before the others have their turn.
const TURNS: usize = 64;

struct Connection {
    stream: TcpStream,
    answers: Answers,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

enum After {
    Wait,
    Again,
    End,
}

/// Serves until the process ends.
///
/// # Panics
/// When there is no epoll.
pub fn serve(arguments: &Arguments) {
    let listener = arguments.listen();
    listener.set_nonblocking(true).expect("a listener that does not block");
    // SAFETY: the new descriptor has no other owner.
    let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
    add(&epoll, listener.as_raw_fd(), libc::EPOLLIN);
    announce();

    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS];
    let mut buffer = [0; BUFFER];
    let (mut turns, mut again) = (Vec::new(), Vec::new());
    loop {
        let timeout = if again.is_empty() { -1 } else { 0 };
        // SAFETY: the kernel writes at most so many events.
        let count = unsafe {
            libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, timeout)
        };
        turns.append(&mut again);
        turns.extend(events.iter().take(count.max(0) as usize).map(|event| event.u64 as RawFd));
        for fd in turns.drain(..) {
            if fd == listener.as_raw_fd() {
                accept_all(&epoll, &listener, &mut connections, arguments.mode);
                continue;
            }
            let Some(connection) = &mut connections[fd as usize] else { continue };
            match connection.turn(&mut buffer) {
                After::Wait => {}
                After::Again => again.push(fd),
                After::End => connections[fd as usize] = None,
            }
        }
    }
}

fn add(epoll: &OwnedFd, fd: RawFd, events: i32) {
    let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
    // SAFETY: the kernel reads the event.
    let added = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
    assert_eq!(added, 0, "epoll_ctl: {}", std::io::Error::last_os_error());
}

fn accept_all(
    epoll: &OwnedFd,
    listener: &TcpListener,
    all: &mut Vec<Option<Connection>>,
    mode: Mode,
) {
    while let Ok((stream, _)) = listener.accept() {
        if stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).is_err() {
            continue;
        }
        let fd = stream.as_raw_fd();
        if all.len() <= fd as usize {
            all.resize_with(fd as usize + 1, || None);
        }
        let answers = Answers::new(mode);
        all[fd as usize] = Some(Connection { stream, answers, unsent: Vec::new() });
        add(epoll, fd, libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET);
    }
}

impl Connection {
    fn turn(&mut self, buffer: &mut [u8; BUFFER]) -> After {
        while !self.unsent.is_empty() {
            match (&self.stream).write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) => return after(error.kind()),
            }
        }
        for _ in 0..TURNS {
            let received = match (&self.stream).read(buffer) {
                Ok(0) => return After::End,
                Ok(received) => &buffer[..received],
                Err(error) => return after(error.kind()),
            };
            let Some(mut reply) = self.answers.reply(received) else { return After::End };
            while !reply.is_empty() {
                match (&self.stream).write(reply) {
                    Ok(sent) => reply = &reply[sent..],
                    Err(error) => {
                        self.unsent.extend_from_slice(reply);
                        return after(error.kind());
                    }
                }
            }
        }
        After::Again
    }
}

fn after(kind: ErrorKind) -> After {
    match kind {
        ErrorKind::WouldBlock => After::Wait,
        ErrorKind::Interrupted => After::Again,
        _ => After::End,
    }
}
