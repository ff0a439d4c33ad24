//! What a debugger looks at: fixed functions with names that it can break on.

use crate::chains::two;
use crate::look::count;
use greenlet::Greenlet;
use greenlet::context::{Context, Stack, Word, switch};
use std::hint::black_box;

/// The debugger stops here, in the grandchild.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_stop() {
    black_box(0);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_grandchild() {
    scene_stop();
    black_box(1);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_child(grandchild: &Greenlet) {
    let () = grandchild.switch(());
    black_box(2);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_root(child: &Greenlet) {
    let () = child.switch(());
    black_box(3);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_waits() {
    let () = greenlet::suspend(());
    black_box(4);
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn scene_asks(greenlet: &Greenlet) {
    assert!(black_box(greenlet.backtrace()).is_some());
}

/// One bare switch there and one back.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn scene_crosses(from: *const Context, to: *const Context) {
    // SAFETY: `play` gives the running context and a prepared one.
    unsafe { switch(from, to, Word::uninit(), 0) };
    black_box(5);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn scene_other(_: Word, _: usize, from: *const Context, me: *const Context) -> ! {
    assert!(count() > 1);
    loop {
        // SAFETY: `from` waits in `scene_crosses`.
        unsafe { switch(me, from, Word::uninit(), 0) };
    }
}

/// Everything once: stacks above and below, a walk from outside, a bare switch.
#[test]
fn play() {
    for above in [true, false] {
        let (child, grandchild) = two(above);
        grandchild.bind(|()| scene_grandchild());
        grandchild.set_parent(&child).unwrap();
        child.bind(move |()| scene_child(&grandchild));
        scene_root(&child);
    }
    let suspended = Greenlet::new(|()| scene_waits());
    let () = suspended.switch(());
    scene_asks(&suspended);
    let () = suspended.switch(()); // to its end: nothing may unwind through its C function

    let stack = Stack::new(256 * 1024).unwrap();
    let main = Context::running();
    // SAFETY: the stack is new and outlives the context, which is abandoned before it goes.
    unsafe {
        let other = Context::start(stack.top(), scene_other);
        (*other).set_parent(&main);
        scene_crosses(&main, other);
    }
}
