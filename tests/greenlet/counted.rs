//! Values of any size that notice when they are lost, doubled or torn.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static TORN: Cell<usize> = const { Cell::new(0) };
}

/// `N` bytes of a pattern; neither `Send` nor `Copy`; counted.
pub(crate) struct Counted<const N: usize> {
    bytes: [u8; N],
    not_send: PhantomData<*mut ()>,
}

fn pattern(seed: u8, index: usize) -> u8 {
    (index as u8).wrapping_mul(37).wrapping_add(seed) ^ (index >> 8) as u8
}

impl<const N: usize> Counted<N> {
    pub(crate) fn new(seed: u8) -> Counted<N> {
        LIVE.set(LIVE.get() + 1);
        Counted { bytes: std::array::from_fn(|i| pattern(seed, i)), not_send: PhantomData }
    }

    /// Is it the value that was made with this seed, whole?
    pub(crate) fn is(&self, seed: u8) -> bool {
        self.bytes.iter().enumerate().all(|(i, byte)| *byte == pattern(seed, i))
    }
}

impl<const N: usize> Drop for Counted<N> {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
        if N > 0 && !self.is(self.bytes[0]) {
            TORN.set(TORN.get() + 1);
        }
    }
}

/// How many values are alive on this thread; none was ever torn.
#[track_caller]
pub(crate) fn live() -> isize {
    assert_eq!(TORN.get(), 0, "a value was torn");
    LIVE.get()
}
