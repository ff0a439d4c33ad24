//! No coroutine at all: the calls of the chain and one more at its bottom.

use std::hint::black_box;

use crate::measure::{Case, Stopwatch};
use crate::work::{Endless, Out};

struct Bottom;

impl Out for Bottom {
    #[inline(never)]
    fn suspend(&self, value: usize) -> usize {
        value.wrapping_add(1)
    }
}

/// The steps of `body`, called from the loop.
pub fn plain(body: impl Endless) -> Case {
    Case::new("plain call", 1, move |laps| {
        let start = Stopwatch::start();
        let mut value = 0;
        for _ in 0..laps {
            value = body.step(&Bottom, value);
        }
        black_box(value);
        start.elapsed()
    })
}
