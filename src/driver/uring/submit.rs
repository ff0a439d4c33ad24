//! From an entry to an SQE.
#![expect(unsafe_code, reason = "fills submission entries")]

use super::attempt::{self, CANCELLED, LISTED, POLLING};
use super::buffers::{self, Pool};
use super::{Uring, reap};
use crate::driver::{Capabilities, Entry, Pushed, Request, Token};
use io_uring::{opcode, squeue, types};
use std::ptr::{from_ref, null_mut};

/// `IORING_RECVSEND_POLL_FIRST` (5.19): a receive waits for its socket before it tries. Right where
/// a request follows an answer, since the bytes have seldom come when they are asked for: 2 % less
/// processor time for an echo to 50 connections (6.18).
pub(super) const POLL_FIRST: u16 = 1;

/// The kernel moves no more than this at once; read(2).
const LONGEST: usize = 0x7fff_f000;

/// The capability without which a request is polled for and then made as a system call.
#[inline]
pub(super) fn needs(request: &Request) -> Capabilities {
    match request {
        Request::Nop | Request::Poll { .. } => Capabilities::NONE,
        Request::Accept { .. } | Request::AcceptMany { .. } => Capabilities::ACCEPT,
        Request::Connect { .. } => Capabilities::CONNECT,
        Request::Recv { .. } => Capabilities::RECV,
        Request::RecvPooled { .. } => Capabilities::BUFFER_RING,
        Request::Send { .. } => Capabilities::SEND,
        Request::RecvMessage { .. } => Capabilities::RECVMSG,
        Request::SendMessage { .. } => Capabilities::SENDMSG,
        Request::Read { .. } => Capabilities::READ,
        Request::Write { .. } => Capabilities::WRITE,
    }
}

/// What the kernel gives back with the CQE.
#[inline]
pub(super) fn user_data(entry: &Entry, tag: u64) -> u64 {
    Token::new(from_ref(entry), tag).to_bits()
}

impl Uring {
    /// Makes an SQE of it. Nothing reaches the kernel before the next `enter`, unless the SQ is full.
    ///
    /// # Safety
    /// **Kernel holds until completion**: if the answer is [`Pushed::Queued`], the entry and all
    /// that its request points to stay valid and untouched until its last completion was reaped.
    #[inline]
    pub(in crate::driver) unsafe fn push(&mut self, entry: &Entry) -> Pushed {
        self.counters.pushed += 1;
        if let Request::RecvPooled { .. } = entry.request
            && self.pool.is_none()
            && !self.make_pool()
        {
            return Pushed::Done(-libc::ENOBUFS);
        }
        if !self.capabilities.has(needs(&entry.request)) {
            return self.push_poll(entry);
        }
        entry.progress.set(0);
        if let Request::Poll { .. } = entry.request {
            entry.progress.set(LISTED);
            self.polls.add(entry);
        }
        let sqe = self.operation(&entry.request);
        self.fill(&sqe.user_data(user_data(entry, Token::OPERATION)));
        Pushed::Queued
    }

    /// Asks for an early end; always one completion under [`Token::CANCEL`]. Whatever its result is
    /// (0: it was stopped; `ENOENT`: it had ended; `EALREADY`: it is running), the entry's own
    /// completion says what became of it.
    #[inline]
    pub(in crate::driver) fn cancel(&mut self, entry: &Entry) -> u32 {
        self.counters.cancels += 1;
        entry.progress.set(entry.progress.get() | CANCELLED);
        // By submission order it meets its target even where that is still in the SQ.
        let cancel = opcode::AsyncCancel::new(user_data(entry, Token::OPERATION)).build();
        self.fill(&cancel.user_data(user_data(entry, Token::CANCEL)));
        1
    }

    /// Submits entries once more that `reap` has put aside: as polls, or as what they are.
    #[cold]
    pub(super) fn submit_again(&mut self) {
        while let Some(entry) = reap::unlink(&mut self.again) {
            let sqe = match entry.progress.get() & POLLING {
                0 => self.operation(&entry.request),
                _ => poll(&entry.request),
            };
            self.fill(&sqe.user_data(user_data(entry, Token::OPERATION)));
        }
    }

    /// A poll that stands in for the operation; or, where that is not to wait, a nop.
    #[cold]
    fn push_poll(&mut self, entry: &Entry) -> Pushed {
        entry.progress.set(POLLING);
        let sqe = match attempt::may_wait(&entry.request) {
            true => poll(&entry.request),
            false => opcode::Nop::new().build(),
        };
        self.fill(&sqe.user_data(user_data(entry, Token::OPERATION)));
        Pushed::Queued
    }

    /// Adds an SQE. When the SQ is full, all of it is submitted first.
    #[inline]
    pub(super) fn fill(&mut self, sqe: &squeue::Entry) {
        // SAFETY: what it points to stays, by the promise made to `push`.
        while unsafe { self.ring.submission().push(sqe) }.is_err() {
            self.submit();
        }
    }

    #[cold]
    fn make_pool(&mut self) -> bool {
        self.pool = Pool::new(&self.ring, self.pool_size, &mut self.capabilities).ok();
        self.pool.is_some()
    }

    #[inline]
    fn operation(&self, request: &Request) -> squeue::Entry {
        // With flags such as `MSG_DONTWAIT` or `MSG_OOB` waiting for readability would be wrong.
        let poll_first = |flags| if flags == 0 { self.poll_first } else { 0 };
        match *request {
            Request::Nop => opcode::Nop::new().build(),
            Request::Accept { fd, address, length, flags } => {
                opcode::Accept::new(types::Fd(fd.number()), address, length).flags(flags).build()
            }
            Request::AcceptMany { fd, flags } => {
                let fd = types::Fd(fd.number());
                if self.capabilities.has(Capabilities::MULTISHOT_ACCEPT) {
                    opcode::AcceptMulti::new(fd).flags(flags).build()
                } else {
                    opcode::Accept::new(fd, null_mut(), null_mut()).flags(flags).build()
                }
            }
            Request::Connect { fd, address, length } => {
                opcode::Connect::new(types::Fd(fd.number()), address, length).build()
            }
            Request::Recv { fd, buffer, length, flags } => {
                opcode::Recv::new(types::Fd(fd.number()), buffer, length.min(LONGEST) as u32)
                    .ioprio(poll_first(flags))
                    .flags(flags)
                    .build()
            }
            Request::RecvPooled { fd, flags } => {
                opcode::Recv::new(types::Fd(fd.number()), null_mut(), self.pool_size.1)
                    .ioprio(poll_first(flags))
                    .flags(flags)
                    .buf_group(buffers::GROUP)
                    .build()
                    .flags(squeue::Flags::BUFFER_SELECT)
            }
            Request::Send { fd, buffer, length, flags } => {
                opcode::Send::new(types::Fd(fd.number()), buffer, length.min(LONGEST) as u32)
                    .flags(flags | libc::MSG_NOSIGNAL)
                    .build()
            }
            Request::RecvMessage { fd, message, flags } => {
                opcode::RecvMsg::new(types::Fd(fd.number()), message)
                    .ioprio(poll_first(flags))
                    .flags(flags as u32)
                    .build()
            }
            Request::SendMessage { fd, message, flags } => {
                opcode::SendMsg::new(types::Fd(fd.number()), message)
                    .flags((flags | libc::MSG_NOSIGNAL) as u32)
                    .build()
            }
            Request::Read { fd, buffer, length, offset } => {
                opcode::Read::new(types::Fd(fd.number()), buffer, length.min(LONGEST) as u32)
                    .offset(offset)
                    .build()
            }
            Request::Write { fd, buffer, length, offset } => {
                opcode::Write::new(types::Fd(fd.number()), buffer, length.min(LONGEST) as u32)
                    .offset(offset)
                    .build()
            }
            Request::Poll { .. } => poll(request),
        }
    }
}

/// Waits until an attempt is worthwhile; for a `Poll` this is all there is to it.
fn poll(request: &Request) -> squeue::Entry {
    let fd = request.fd().expect("only requests for a descriptor wait for one");
    let events = attempt::events(request) as u16;
    opcode::PollAdd::new(types::Fd(fd.number()), u32::from(events)).build()
}
