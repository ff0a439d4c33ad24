//! Multishot receive into a ring of provided buffers; echo sends straight from the buffer it came in.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::{IoUring, cqueue, opcode, types};

use super::ring::{self, Kind, token};
use crate::serve::{Answers, Arguments, BUFFER, Mode, announce};

const BUFFERS: u16 = 1024;
const GROUP: u16 = 0;

/// The number of a reply that lies in no provided buffer.
const NONE: u16 = u16::MAX;

/// Buffers that the kernel picks from, and the ring in which they are handed to it.
struct Provided {
    ring: *mut types::BufRingEntry,
    memory: Vec<u8>,
    tail: u16,
}

impl Provided {
    fn new(ring: &IoUring) -> Provided {
        let bytes = usize::from(BUFFERS) * size_of::<types::BufRingEntry>();
        // SAFETY: a fresh anonymous mapping; it lives as long as the process.
        let entries = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0)
        };
        assert_ne!(entries, libc::MAP_FAILED, "no memory for the ring of buffers");
        let submitter = ring.submitter();
        // SAFETY: the mapping is page-aligned, as long as the ring of buffers, and stays.
        let registered =
            unsafe { submitter.register_buf_ring_with_flags(entries as u64, BUFFERS, GROUP, 0) };
        registered.expect("a ring of provided buffers");
        let memory = vec![0; usize::from(BUFFERS) * BUFFER];
        let mut provided = Provided { ring: entries.cast(), memory, tail: 0 };
        (0..BUFFERS).for_each(|buffer| provided.give(buffer));
        provided
    }

    fn start(&mut self, buffer: u16) -> *mut u8 {
        self.memory[usize::from(buffer) * BUFFER..].as_mut_ptr()
    }

    /// Hands a buffer (back) to the kernel.
    fn give(&mut self, buffer: u16) {
        let address = self.start(buffer) as u64;
        // SAFETY: the index is below the length of the ring, and the kernel reads an entry only
        // after the tail has passed it.
        let entry = unsafe { &mut *self.ring.add(usize::from(self.tail & (BUFFERS - 1))) };
        entry.set_addr(address);
        entry.set_len(BUFFER as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in the first entry of the mapping and is aligned; the kernel reads
        // it at the same time, hence the atomic.
        let tail = unsafe { AtomicU16::from_ptr(types::BufRingEntry::tail(self.ring).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

struct Connection {
    answers: Answers,
    /// Replies in order; the first one is under way.
    replies: VecDeque<Reply>,
    receiving: bool,
    ending: bool,
}

#[derive(Clone, Copy)]
struct Reply {
    start: *const u8,
    length: u32,
    buffer: u16,
}

struct Server {
    ring: IoUring,
    provided: Provided,
    connections: Vec<Option<Connection>>,
    /// Connections whose receive ended because all buffers were out.
    starved: Vec<RawFd>,
    mode: Mode,
}

/// Serves until the process ends.
pub fn serve(arguments: &Arguments) {
    let listener = arguments.listen();
    let mut ring = ring::build().expect("a ring with DEFER_TASKRUN");
    let provided = Provided::new(&ring);
    ring::accept(&mut ring, listener.as_raw_fd());
    let (connections, starved, mode) = (Vec::new(), Vec::new(), arguments.mode);
    let mut server = Server { ring, provided, connections, starved, mode };
    announce();

    let mut completions = Vec::new();
    loop {
        ring::wait(&server.ring);
        completions.extend(server.ring.completion());
        completions.drain(..).for_each(|completion| server.complete(&completion));
    }
}

impl Server {
    fn complete(&mut self, completion: &cqueue::Entry) {
        let (kind, fd, buffer) = ring::parts(completion.user_data());
        let (result, flags) = (completion.result(), completion.flags());
        match kind {
            Kind::Accept if result >= 0 => self.open(result),
            Kind::Accept => {}
            Kind::Receive => self.received(fd, result, flags),
            Kind::Send => self.sent(fd, result, buffer),
        }
    }

    fn open(&mut self, fd: RawFd) {
        ring::no_delay(fd);
        if self.connections.len() <= fd as usize {
            self.connections.resize_with(fd as usize + 1, || None);
        }
        let answers = Answers::new(self.mode);
        let replies = VecDeque::new();
        let fresh = Connection { answers, replies, receiving: false, ending: false };
        self.connections[fd as usize] = Some(fresh);
        self.receive(fd);
    }

    fn connection(&mut self, fd: RawFd) -> &mut Connection {
        self.connections[fd as usize].as_mut().expect("an operation of an open connection")
    }

    fn receive(&mut self, fd: RawFd) {
        self.connection(fd).receiving = true;
        let entry = opcode::RecvMulti::new(types::Fd(fd), GROUP).build();
        // SAFETY: the entry names no memory but the provided buffers, which stay.
        unsafe { ring::push(&mut self.ring, &entry.user_data(token(Kind::Receive, fd, 0))) };
    }

    fn received(&mut self, fd: RawFd, result: i32, flags: u32) {
        let buffer = cqueue::buffer_select(flags);
        let more = cqueue::more(flags);
        self.connection(fd).receiving = more;
        match (result, buffer) {
            (1.., Some(buffer)) if !self.connection(fd).ending => {
                self.answer(fd, buffer, result as usize);
            }
            (_, Some(buffer)) => self.provided.give(buffer),
            (result, None) if -result == libc::ENOBUFS => self.starved.push(fd),
            _ => self.connection(fd).ending = true,
        }
        let connection = self.connection(fd);
        if !more && !connection.ending && !self.starved.contains(&fd) {
            self.receive(fd);
        }
        self.end_if_quiet(fd);
    }

    fn answer(&mut self, fd: RawFd, buffer: u16, length: usize) {
        let start = self.provided.start(buffer);
        // SAFETY: the kernel filled so many bytes of this buffer and does not touch it before it is
        // given back.
        let received = unsafe { std::slice::from_raw_parts(start.cast_const(), length) };
        let connection = self.connection(fd);
        let reply = match connection.answers.reply_owned(received) {
            Some(None) => Reply { start, length: length as u32, buffer },
            Some(Some(text)) => {
                Reply { start: text.as_ptr(), length: text.len() as u32, buffer: NONE }
            }
            None => {
                connection.ending = true;
                Reply { start, length: 0, buffer: NONE }
            }
        };
        if reply.length > 0 {
            connection.replies.push_back(reply);
            if connection.replies.len() == 1 {
                self.send(fd, reply);
            }
        }
        if reply.buffer == NONE {
            self.give(buffer);
        }
    }

    fn send(&mut self, fd: RawFd, reply: Reply) {
        let entry = opcode::Send::new(types::Fd(fd), reply.start, reply.length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build();
        let word = token(Kind::Send, fd, reply.buffer);
        // SAFETY: the bytes are static or in a buffer that is given back when the send is done.
        unsafe { ring::push(&mut self.ring, &entry.user_data(word)) };
    }

    fn sent(&mut self, fd: RawFd, result: i32, buffer: u16) {
        if buffer != NONE {
            self.give(buffer);
        }
        let connection = self.connection(fd);
        let done = connection.replies.pop_front().expect("a send has its reply");
        if result != done.length as i32 {
            connection.ending = true;
        }
        if connection.ending {
            let left: Vec<Reply> = connection.replies.drain(..).collect();
            left.iter().filter(|reply| reply.buffer != NONE).for_each(|r| self.give(r.buffer));
        } else if let Some(&next) = connection.replies.front() {
            self.send(fd, next);
        }
        self.end_if_quiet(fd);
    }

    /// Gives a buffer back, and lets those receive again who found none.
    fn give(&mut self, buffer: u16) {
        self.provided.give(buffer);
        if let Some(fd) = self.starved.pop() {
            self.receive(fd);
        }
    }

    fn end_if_quiet(&mut self, fd: RawFd) {
        let connection = self.connection(fd);
        if !connection.ending {
            return;
        }
        if connection.receiving {
            // SAFETY: the descriptor is open; what is left of the receive then completes with 0.
            unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
        } else if connection.replies.is_empty() {
            self.connections[fd as usize] = None;
            self.starved.retain(|&starved| starved != fd);
            ring::close(fd);
        }
    }
}
