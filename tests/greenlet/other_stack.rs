//! Greenlets that run on a stack which is not their own: that of somebody else's coroutine.
#![expect(unsafe_code, reason = "the bare switch")]

use greenlet::context::{self, Context, Stack, Word};
use greenlet::{Greenlet, current, root, stack_remaining, suspend};
use std::cell::Cell;

thread_local!(static SEEN: Cell<[Option<usize>; 2]> = const { Cell::new([Some(0); 2]) });

unsafe extern "C" fn looks(_: Word, _: usize, from: *const Context, me: *const Context) -> ! {
    SEEN.set([stack_remaining(), current().stack_used()]);
    suspend::<(), ()>(());
    loop {
        // SAFETY: `from` waits in `on_another_stack`.
        unsafe { context::switch(&*me, from, Word::uninit(), 0) };
    }
}

fn on_another_stack() {
    let stack = Stack::new(64 << 10).unwrap();
    let here = Context::running();
    // SAFETY: the stack outlives the context, which is left for good.
    let other = unsafe { Context::start(stack.top(), looks) };
    // SAFETY: `here` runs, `other` was just made.
    unsafe { context::switch(&here, other, Word::uninit(), 0) };
}

#[test]
fn on_another_stack_there_is_nothing_to_measure() {
    let g = Greenlet::new(|()| {
        let before = stack_remaining().unwrap();
        on_another_stack();
        assert_eq!(stack_remaining(), Some(before));
    });
    g.switch::<(), ()>(());
    assert_eq!(SEEN.get(), [None; 2]);
    assert!(g.stack_used().is_none() && g.suspended_frame().is_none());
    assert!(g.backtrace().is_some());
    g.switch::<(), ()>(());
    assert!(g.is_dead());
    assert_eq!((root().stack_used(), stack_remaining()), (None, None));
}
