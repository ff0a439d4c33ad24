//! Buffers for `RecvPooled`.

/// They are made when they are first used, and stay where they are.
pub(super) struct Pool {
    buffers: Vec<Box<[u8]>>,
    free: Vec<u16>,
    most: u16,
    bytes: usize,
}

impl Pool {
    pub(super) fn new(most: u16, bytes: u32) -> Pool {
        Pool { buffers: Vec::new(), free: Vec::new(), most, bytes: bytes as usize }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn take(&mut self) -> Option<u16> {
        if let Some(number) = self.free.pop() {
            return Some(number);
        }
        let number = self.buffers.len() as u16;
        if number == self.most {
            return None;
        }
        self.buffers.push(vec![0; self.bytes].into());
        Some(number)
    }

    /// Writes what fits; says how much that was.
    pub(super) fn fill(&mut self, number: u16, bytes: &[u8]) -> usize {
        let length = bytes.len().min(self.bytes);
        self.buffers[usize::from(number)][..length].copy_from_slice(&bytes[..length]);
        length
    }

    pub(super) fn buffer(&self, number: u16) -> *mut u8 {
        self.buffers[usize::from(number)].as_ptr().cast_mut()
    }

    pub(super) fn put_back(&mut self, number: u16) {
        debug_assert!(!self.free.contains(&number), "a buffer came back twice");
        self.free.push(number);
    }
}
