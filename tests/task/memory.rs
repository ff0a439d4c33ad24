//! What costs no allocation once memory is warm.
#![expect(unsafe_code, reason = "an allocator")]

use super::LONG;
use greenlet::{Waitable, spawn, spawn_detached, timeout, wait, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is forwarded.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: forwarded.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: forwarded.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `f` asks for memory when it is called again.
fn allocations(mut f: impl FnMut()) -> usize {
    for _ in 0..3 {
        f();
    }
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

#[test]
fn spawning_and_joining_are_free() {
    assert_eq!(allocations(|| assert_eq!(spawn(|| 7).join().unwrap(), 7)), 0);
    assert_eq!(
        allocations(|| {
            (0..10).for_each(|_| spawn_detached(yield_now));
            yield_now();
            yield_now();
        }),
        0
    );
}

#[test]
fn a_limit_that_does_not_pass_is_free() {
    assert_eq!(allocations(|| timeout(LONG, yield_now).unwrap()), 0);
}

#[test]
fn waiting_for_the_first_of_eight_is_free() {
    let count = || {
        allocations(|| {
            let tasks: [_; 8] =
                std::array::from_fn(|n| spawn(move || (0..n).for_each(|_| yield_now())));
            let things = tasks.each_ref().map(|task| task as &dyn Waitable);
            assert_eq!(wait(&things).timeout(Duration::MAX).first(), Some(0));
            tasks.iter().for_each(|task| task.wait());
        })
    };
    assert_eq!(count(), 0);
}
