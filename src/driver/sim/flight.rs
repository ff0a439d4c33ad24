//! An operation on its way, and whether everybody keeps to **Kernel holds until completion**.
//!
//! The owner of an operation must leave its entry and its buffers alone until its last completion was
//! reaped. So the entry is compared with what it was, receive buffers are filled with a pattern that
//! must still be there when bytes are written over it, and what is being sent is summed up twice.
#![expect(unsafe_code, reason = "reads and writes behind requests")]

use super::random::mix;
use super::socket::Id;
use crate::driver::{Entry, Request, Token};

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not submitted: the kernel knows nothing of it.
    Queued,
    /// The kernel has it, and will try it.
    Issued,
    /// It was tried, and waits for something to change.
    Armed,
    /// Its last completion is on its way, or lies in the queue.
    Posted,
}

pub(super) struct Flight {
    entry: *const Entry,
    number: u32,
    pub(super) token: Token,
    pub(super) request: Request,
    pub(super) state: State,
    /// Referred to from the moment it is issued until it is posted.
    pub(super) file: Option<Id>,
    /// Where it waits: at its own file, or at a listener.
    pub(super) waits_at: Option<Id>,
    pub(super) was_cancelled: bool,
    pub(super) buffers: Buffers,
}

impl Flight {
    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn new(entry: &Entry, number: u32) -> Flight {
        entry.progress.set(number);
        Flight {
            entry,
            number,
            token: entry.token,
            request: entry.request,
            state: State::Queued,
            file: None,
            waits_at: None,
            was_cancelled: false,
            // SAFETY: forwarded.
            buffers: unsafe { Buffers::of(&entry.request) },
        }
    }

    /// Is its entry still what it was?
    pub(super) fn entry_stays(&self) -> bool {
        // SAFETY: the owner's promise. If it was broken, which is what is asked here, this reads what
        // lies there by now: memory of a stack, which stays mapped.
        let entry = unsafe { &*self.entry };
        entry.progress.get() == self.number && entry.token == self.token
    }
}

/// What a request reads or writes.
pub(super) struct Buffers {
    pieces: Vec<(*mut u8, usize)>,
    kernel_writes: bool,
    /// The pattern, or the sum; 0 if nobody looks.
    key: u64,
}

impl Buffers {
    /// # Safety
    /// - The request's buffers are valid.
    unsafe fn of(request: &Request) -> Buffers {
        let (kernel_writes, pieces) = match *request {
            Request::Recv { buffer, length, .. } | Request::Read { buffer, length, .. } => {
                (true, vec![(buffer, length)])
            }
            Request::Send { buffer, length, .. } | Request::Write { buffer, length, .. } => {
                (false, vec![(buffer.cast_mut(), length)])
            }
            // SAFETY: the caller's promise.
            Request::RecvMessage { message, .. } => (true, unsafe { vectors(&*message) }),
            // SAFETY: as above.
            Request::SendMessage { message, .. } => (false, unsafe { vectors(&*message) }),
            _ => (false, Vec::new()),
        };
        Buffers { pieces, kernel_writes, key: 0 }
    }

    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(|(_, length)| *length).sum()
    }

    /// The memory that the kernel may write to.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, usize)> {
        let pieces = self.pieces.iter().filter(|(_, length)| self.kernel_writes && *length > 0);
        pieces.map(|(start, length)| (start.addr(), start.addr() + length))
    }

    /// From now on somebody looks.
    ///
    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn watch(&mut self, key: u64) {
        self.key = key | 1;
        if !self.kernel_writes {
            // SAFETY: forwarded.
            self.key = unsafe { self.sum() } | 1;
            return;
        }
        for (number, (start, length)) in self.pieces.iter().enumerate() {
            for at in 0..*length {
                // SAFETY: within the piece.
                unsafe { start.add(at).write(pattern(self.key, number, at)) };
            }
        }
    }

    /// Has everybody left them alone?
    ///
    /// # Safety
    /// - The memory is still mapped.
    pub(super) unsafe fn stay(&self) -> bool {
        if self.key == 0 {
            return true;
        }
        if !self.kernel_writes {
            // SAFETY: forwarded.
            return unsafe { self.sum() } | 1 == self.key;
        }
        self.pieces.iter().enumerate().all(|(number, (start, length))| {
            // SAFETY: within the piece.
            (0..*length).all(|at| unsafe { start.add(at).read() } == pattern(self.key, number, at))
        })
    }

    /// Nobody looks any more.
    pub(super) fn forget(&mut self) {
        self.key = 0;
    }

    unsafe fn sum(&self) -> u64 {
        // SAFETY: forwarded.
        let bytes = unsafe { self.read(usize::MAX) };
        bytes.chunks(8).fold(bytes.len() as u64, |sum, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(sum ^ u64::from_le_bytes(word))
        })
    }

    /// The first bytes, at most so many.
    ///
    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn read(&self, most: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length().min(most));
        for (start, length) in &self.pieces {
            let length = (*length).min(most - bytes.len());
            if length > 0 {
                // SAFETY: within the piece.
                bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(*start, length) });
            }
        }
        bytes
    }

    /// Writes what fits; says how much that was.
    ///
    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn write(&mut self, bytes: &[u8]) -> usize {
        debug_assert!(self.kernel_writes);
        self.forget();
        let mut rest = bytes;
        for (start, length) in &self.pieces {
            let (now, later) = rest.split_at(rest.len().min(*length));
            // SAFETY: within the piece; the program's memory and ours do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(now.as_ptr(), *start, now.len()) };
            rest = later;
        }
        bytes.len() - rest.len()
    }
}

fn pattern(key: u64, piece: usize, at: usize) -> u8 {
    let word = key.wrapping_add((piece as u64) << 40).wrapping_add(at as u64 / 8);
    word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[at % 8] ^ (word >> 32) as u8
}

unsafe fn vectors(message: &libc::msghdr) -> Vec<(*mut u8, usize)> {
    if message.msg_iovlen == 0 {
        return Vec::new();
    }
    // SAFETY: a valid message has so many.
    let vectors = unsafe { std::slice::from_raw_parts(message.msg_iov, message.msg_iovlen as _) };
    vectors.iter().map(|vector| (vector.iov_base.cast(), vector.iov_len)).collect()
}
