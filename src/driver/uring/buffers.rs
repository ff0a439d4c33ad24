//! The pool behind `RecvPooled`: buffers that are taken when bytes arrive, not while waiting for
//! them.
#![expect(unsafe_code, reason = "shares a ring of buffers with the kernel")]

use crate::driver::Capabilities;
use io_uring::{IoUring, types::BufRingEntry};
use memmap2::{Advice, MmapMut, MmapOptions};
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

/// Its group among the ring's groups of buffers; the only one.
pub(super) const GROUP: u16 = 0;

/// The buffers begin on a page of their own, however large it is.
const LARGEST_PAGE: usize = 1 << 16;

/// Buffers of one size in one mapping, whose pages are touched as they are used.
pub(super) struct Pool {
    memory: MmapMut,
    count: u16,
    buffer_bytes: u32,
    /// Where the first buffer begins.
    offset: usize,
    free: Free,
}

/// Who keeps the list of free buffers.
enum Free {
    /// The kernel, in a ring at the front of the mapping (5.19). We know its tail, where we add.
    Ring { tail: u16 },
    /// We do.
    List(Vec<u16>),
}

impl Pool {
    /// Makes `count` buffers, a power of two, and hands them to the kernel if `capabilities` say that
    /// it can choose; takes that capability away if it then cannot.
    pub(super) fn new(
        ring: &IoUring,
        (count, buffer_bytes): (u16, u32),
        capabilities: &mut Capabilities,
    ) -> io::Result<Pool> {
        assert!(count.is_power_of_two(), "the number of pooled buffers is a power of two");
        let ring_bytes = usize::from(count) * size_of::<BufRingEntry>();
        let offset = ring_bytes.next_multiple_of(LARGEST_PAGE);
        let bytes = offset + usize::from(count) * buffer_bytes as usize;
        let mut memory = MmapOptions::new().len(bytes).map_anon()?;
        // As the ring itself: after a fork the kernel would go on with pages that are not the
        // parent's any more. Not fatal where it fails. The buffers are found by their addresses: the child has what
        // was in them.
        let _ = memory.advise_range(Advice::DontFork, 0, offset);
        let address = memory.as_mut_ptr() as u64;
        if capabilities.has(Capabilities::BUFFER_RING) {
            // SAFETY: the mapping has room for `count` entries at its front, and is longer-lived than
            // the ring (order of the fields of `Uring`).
            let registered =
                unsafe { ring.submitter().register_buf_ring_with_flags(address, count, GROUP, 0) };
            if registered.is_err() {
                *capabilities = capabilities.without(Capabilities::BUFFER_RING);
            }
        }
        let free = match capabilities.has(Capabilities::BUFFER_RING) {
            true => Free::Ring { tail: 0 },
            false => Free::List(Vec::with_capacity(usize::from(count))),
        };
        let mut pool = Pool { memory, count, buffer_bytes, offset, free };
        (0..count).rev().for_each(|number| pool.put_back(number));
        Ok(pool)
    }

    /// The first byte of a buffer.
    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        assert!(number < self.count, "the pool has {} buffers, not {number}", self.count);
        let offset = self.offset + usize::from(number) * self.buffer_bytes as usize;
        // SAFETY: inside the mapping, which has room for `count` buffers after `offset`.
        unsafe { self.memory.as_ptr().cast_mut().add(offset) }
    }

    pub(super) fn buffer_bytes(&self) -> u32 {
        self.buffer_bytes
    }

    /// Takes a free buffer, where the list is ours.
    pub(super) fn take(&mut self) -> Option<u16> {
        match &mut self.free {
            Free::Ring { .. } => None,
            Free::List(list) => list.pop(),
        }
    }

    /// Puts a buffer back that was taken.
    pub(super) fn put_back(&mut self, number: u16) {
        let address = self.buffer(number);
        match &mut self.free {
            Free::List(list) => {
                debug_assert!(!list.contains(&number), "buffer {number} was put back twice");
                list.push(number);
            }
            Free::Ring { tail } => {
                let ring = self.memory.as_mut_ptr().cast::<BufRingEntry>();
                // SAFETY: inside the ring, whose length is a power of two. The kernel does not read
                // this place before the tail has passed it, nor does it write any.
                let entry = unsafe { &mut *ring.add(usize::from(*tail & (self.count - 1))) };
                entry.set_addr(address as u64);
                entry.set_len(self.buffer_bytes);
                entry.set_bid(number);
                *tail = tail.wrapping_add(1);
                // SAFETY: the tail lies in the first entry's unused half-word, is aligned, and is
                // read by the kernel only.
                let shared = unsafe { &*BufRingEntry::tail(ring).cast::<AtomicU16>() };
                shared.store(*tail, Ordering::Release);
            }
        }
    }
}
