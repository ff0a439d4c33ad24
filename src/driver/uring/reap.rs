//! From CQEs to completions.
#![expect(unsafe_code, reason = "follows user data to entries")]

use super::attempt::{self, ABANDONED, CANCELLED, LISTED, POLLING};
use super::buffers::Pool;
use super::polls::Polls;
use super::{Uring, submit};
use crate::driver::token::BUFFER;
use crate::driver::{Capabilities, Completion, Counters, Entry, MORE, Request, Token};
use io_uring::cqueue;
use std::ptr::null;

/// `IORING_CQE_F_BUFFER` and `IORING_CQE_F_MORE`; the number of the buffer is in the upper half in
/// both worlds.
const CQE_BUFFER: u32 = 1;
const CQE_MORE: u32 = 2;
const UPPER_HALF: u32 = 0xffff_0000;

impl Uring {
    /// Hands all completions on that are there. Operations that have to be tried again are put
    /// aside and submitted after the walk.
    #[inline]
    pub(in crate::driver) fn reap(&mut self, mut take: impl FnMut(Completion)) {
        let mut desk = Desk {
            capabilities: self.capabilities,
            counters: &mut self.counters,
            pool: &mut self.pool,
            again: &mut self.again,
            polls: &mut self.polls,
            heard: false,
        };
        if !self.spilled.is_empty() {
            for cqe in self.spilled.drain(..) {
                desk.hand_on(&cqe, &mut take);
            }
        }
        // The head moves once, when the view of the queue is dropped.
        for cqe in self.ring.completion() {
            desk.hand_on(&cqe, &mut take);
        }
        let heard = desk.heard;
        if !self.again.is_null() {
            self.submit_again();
        }
        if heard {
            self.heard();
        }
    }

    /// Makes room in the CQ while nobody can take completions. Was there anything to move?
    pub(super) fn spill(&mut self) -> bool {
        let before = self.spilled.len();
        self.spilled.extend(self.ring.completion());
        self.spilled.len() > before
    }
}

/// What of the driver a CQE can concern, while the ring itself is being read.
struct Desk<'a> {
    capabilities: Capabilities,
    counters: &'a mut Counters,
    pool: &'a mut Option<Pool>,
    again: &'a mut *const Entry,
    polls: &'a mut Polls,
    /// The event of the waker was signalled.
    heard: bool,
}

impl Desk<'_> {
    #[inline]
    fn hand_on(&mut self, cqe: &cqueue::Entry, take: &mut impl FnMut(Completion)) {
        let name = Token::from_bits(cqe.user_data());
        if name.tag() >= Token::WAKE {
            self.heard |= name.tag() == Token::WAKE;
            return;
        }
        // SAFETY: **User data names the entry**, and it is in place until `take` was called for its
        // last completion, which this is at the earliest.
        let entry = unsafe { &*name.address::<Entry>() };
        let (mut result, mut flags) = (cqe.result(), cqe.flags());
        let mut token = entry.token;
        if name.tag() == Token::CANCEL {
            token = token.tagged(Token::CANCEL);
            flags = 0;
        } else if result == -libc::EAGAIN || entry.progress.get() != 0 || flags & CQE_BUFFER != 0 {
            match self.settle(entry, result, flags) {
                Some(settled) => (result, flags) = settled,
                None => return,
            }
        } else {
            flags = more(flags);
        }
        self.counters.completions += 1;
        take(Completion { token, result, flags });
    }

    /// A CQE that may not be the end: the poll that stands in for an operation; `EAGAIN`, because
    /// somebody made the descriptor non-blocking; a buffer of the pool; the end of a `Poll`. The result and the flags for
    /// the completion; nothing if the operation goes on.
    #[inline(never)]
    fn settle(&mut self, entry: &Entry, result: i32, cqe_flags: u32) -> Option<(i32, u32)> {
        let progress = entry.progress.get();
        if progress & LISTED != 0 {
            self.polls.remove(entry);
            let is_abandoned = result == -libc::ECANCELED && progress & ABANDONED != 0;
            return Some((if is_abandoned { -libc::EBADF } else { result }, 0));
        }
        if progress & POLLING != 0 {
            if result < 0 {
                return Some((result, 0));
            }
            // Whoever gave it up may have closed the descriptor since, and the number be another file's. Nothing was
            // taken so far; a connection that has come about stays with its socket, and another connect finds it.
            if progress & CANCELLED != 0 {
                return Some((-libc::ECANCELED, 0));
            }
            entry.progress.set(progress & !POLLING);
            if !self.capabilities.has(submit::needs(&entry.request)) {
                let outcome = self.attempt(entry);
                if outcome.is_some() {
                    return outcome;
                }
                if attempt::has_ended(&entry.request, result) {
                    return Some((0, 0));
                }
                entry.progress.set(entry.progress.get() | POLLING);
            }
        } else if result == -libc::EAGAIN && attempt::may_wait(&entry.request) {
            entry.progress.set(progress | POLLING);
        } else {
            return Some(self.with_buffer(result, cqe_flags));
        }
        // The kernel may have looked for it in between, and found nothing to cancel.
        if progress & CANCELLED != 0 {
            return Some((-libc::ECANCELED, 0));
        }
        entry.next.set(*self.again);
        *self.again = entry;
        None
    }

    /// A buffer is handed on with the bytes that it holds. Some kernels name one at the end of the
    /// stream, too, which nobody would look at.
    fn with_buffer(&mut self, result: i32, cqe_flags: u32) -> (i32, u32) {
        if cqe_flags & CQE_BUFFER == 0 {
            return (result, more(cqe_flags));
        }
        if result <= 0 {
            let pool = self.pool.as_mut().expect("the kernel named a buffer of it");
            pool.put_back((cqe_flags >> 16) as u16);
            return (result, more(cqe_flags));
        }
        (result, more(cqe_flags) | BUFFER | cqe_flags & UPPER_HALF)
    }

    /// The system call itself, after its descriptor was polled.
    fn attempt(&mut self, entry: &Entry) -> Option<(i32, u32)> {
        self.counters.calls += 1;
        let Request::RecvPooled { fd, flags } = entry.request else {
            return attempt::attempt(entry).map(|result| (result, 0));
        };
        let pool = self.pool.as_mut().expect("made when the first was pushed");
        let Some(number) = pool.take() else {
            return Some((-libc::ENOBUFS, 0));
        };
        let (buffer, length) = (pool.buffer(number), pool.buffer_bytes() as usize);
        let request = Request::Recv { fd, buffer, length, flags };
        let result = attempt::attempt(&Entry::new(request, entry.token));
        if let Some(received @ 1..) = result {
            return Some((received, BUFFER | u32::from(number) << 16));
        }
        pool.put_back(number);
        result.map(|result| (result, 0))
    }
}

/// `IORING_CQE_F_MORE` as the seam has it.
#[inline]
fn more(cqe_flags: u32) -> u32 {
    (cqe_flags & CQE_MORE) / CQE_MORE * MORE
}

/// Takes the first entry off the list of those that are submitted again.
pub(super) fn unlink<'a>(again: &mut *const Entry) -> Option<&'a Entry> {
    // SAFETY: null, or linked by `settle`; such an entry has a completion to come, which keeps it in
    // place.
    let entry = unsafe { again.as_ref() }?;
    *again = entry.next.replace(null());
    Some(entry)
}
