//! Buffers that are taken only once there is something to put into them.

use memmap2::{MmapMut, MmapRaw};
use std::io;

/// Some buffers of one size in one mapping: pages that were never used cost nothing.
pub(super) struct Pool {
    memory: MmapRaw,
    buffer_bytes: usize,
    /// The last returned is the first taken: it is warm.
    free: Vec<u16>,
}

impl Pool {
    pub(super) fn new(buffers: u16, buffer_bytes: u32) -> io::Result<Pool> {
        let buffer_bytes = buffer_bytes as usize;
        let bytes = (usize::from(buffers) * buffer_bytes).max(1);
        let memory = MmapRaw::from(MmapMut::map_anon(bytes)?);
        Ok(Pool { memory, buffer_bytes, free: (0..buffers).rev().collect() })
    }

    pub(super) fn take(&mut self) -> Option<u16> {
        self.free.pop()
    }

    pub(super) fn put(&mut self, number: u16) {
        debug_assert!(!self.free.contains(&number), "buffer {number} was returned already");
        self.free.push(number);
    }

    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Where a buffer begins.
    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        self.memory.as_mut_ptr().wrapping_add(usize::from(number) * self.buffer_bytes)
    }
}
