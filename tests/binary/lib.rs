//! What a C program links in scripts/check-binary.sh: one function over the crate.

use greenlet::{Greenlet, suspend};
use std::cell::Cell;

thread_local! {
    /// More than a C library has room for where it puts thread-locals that cannot wait: ours must not be one of those.
    static MUCH: Cell<[u8; 4096]> = const { Cell::new([0; 4096]) };
}

/// Returns 42 after it created, switched and ended greenlets; one stays suspended on its stack.
#[unsafe(no_mangle)]
pub extern "C" fn greenlet_answer() -> i32 {
    let double = |first: i32| -> i32 { 2 * suspend::<i32, i32>(first + 1) };
    let waiting = Greenlet::new(double);
    let next: i32 = waiting.switch(20);
    std::mem::forget(waiting);

    MUCH.set([1; 4096]);
    let ending = Greenlet::new(double);
    let again: i32 = ending.switch(next - 1);
    ending.switch::<i32, i32>(again)
}
