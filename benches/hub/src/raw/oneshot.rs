//! One receive, then one send, each into or from the connection's own buffer: what a hub issues whose
//! operations borrow the buffers of their callers, without any coroutine.

use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, opcode, types};

use super::ring::{self, Kind, token};
use crate::serve::{Answers, Arguments, BUFFER, Mode, announce};

struct Connection {
    buffer: Box<[u8; BUFFER]>,
    answers: Answers,
    /// What the send under way must send.
    sending: usize,
}

/// Serves until the process ends.
pub fn serve(arguments: &Arguments) {
    let listener = arguments.listen();
    let mut ring = ring::build().expect("a ring with DEFER_TASKRUN");
    ring::accept(&mut ring, listener.as_raw_fd());
    announce();

    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut completions = Vec::new();
    loop {
        ring::wait(&ring);
        completions.extend(ring.completion().map(|cqe| (cqe.user_data(), cqe.result())));
        for (word, result) in completions.drain(..) {
            let (kind, fd, _) = ring::parts(word);
            if kind == Kind::Accept {
                if result >= 0 {
                    open(&mut ring, &mut connections, result, arguments.mode);
                }
                continue;
            }
            let slot = &mut connections[fd as usize];
            let connection = slot.as_mut().expect("an operation of an open connection");
            let goes_on = match kind {
                _ if result <= 0 => false,
                Kind::Receive => answer(&mut ring, connection, fd, result as usize),
                _ if result as usize != connection.sending => false,
                _ => {
                    receive(&mut ring, connection, fd);
                    true
                }
            };
            if !goes_on {
                *slot = None;
                ring::close(fd);
            }
        }
    }
}

fn open(ring: &mut IoUring, all: &mut Vec<Option<Connection>>, fd: RawFd, mode: Mode) {
    ring::no_delay(fd);
    if all.len() <= fd as usize {
        all.resize_with(fd as usize + 1, || None);
    }
    let answers = Answers::new(mode);
    let fresh = Connection { buffer: Box::new([0; BUFFER]), answers, sending: 0 };
    receive(ring, all[fd as usize].insert(fresh), fd);
}

fn receive(ring: &mut IoUring, connection: &mut Connection, fd: RawFd) {
    let buffer = connection.buffer.as_mut_ptr();
    let entry = opcode::Recv::new(types::Fd(fd), buffer, BUFFER as u32).build();
    // SAFETY: a connection is dropped only when its single operation has completed.
    unsafe { ring::push(ring, &entry.user_data(token(Kind::Receive, fd, 0))) };
}

fn answer(ring: &mut IoUring, connection: &mut Connection, fd: RawFd, length: usize) -> bool {
    let Some(reply) = connection.answers.reply(&connection.buffer[..length]) else { return false };
    let (start, length) = (reply.as_ptr(), reply.len());
    connection.sending = length;
    if length == 0 {
        receive(ring, connection, fd);
        return true;
    }
    let entry = opcode::Send::new(types::Fd(fd), start, length as u32)
        .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
        .build();
    // SAFETY: the reply is static or in the connection's buffer, as in `receive`.
    unsafe { ring::push(ring, &entry.user_data(token(Kind::Send, fd, 0))) };
    true
}
