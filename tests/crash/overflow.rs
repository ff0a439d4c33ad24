//! A greenlet's overflow ends the process by `SIGSEGV`, with a line that names the greenlet.

use crate::in_child::{
    Case, Outcome, cases_in_children, cases_in_children_with, faults_are_seen, in_child,
    in_child_with, numbers_in_children, tell, this_test,
};
use crate::recursion::{assert_overflow, mix, recurse, recurse_at_random, tell_victim};
use greenlet::context::{Context, Stack, Word, switch};
use greenlet::{Greenlet, StackReuse, current, suspend};

/// A named greenlet of the default size that overflows when it is switched to.
fn victim(body: impl FnOnce() + 'static) -> Greenlet {
    let create = |(): ()| {
        tell_victim(&current());
        body();
    };
    Greenlet::builder().name("conn 10.0.0.7").create(create).unwrap()
}

fn assert_named(outcome: &Outcome) {
    assert_overflow(outcome, Some("conn 10.0.0.7"), 64, file!());
}

fn recurse_in_a_greenlet<const N: usize>(_: &str) {
    victim(|| _ = recurse::<N>(0)).switch_any(());
}

#[test]
fn rust_frames_of_every_size_are_stopped_by_the_guard() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let cases: [Case<'_>; 7] = [
        ("1 B", recurse_in_a_greenlet::<1>),
        ("100 B", recurse_in_a_greenlet::<100>),
        ("4 KiB", recurse_in_a_greenlet::<4096>),
        ("5 KiB", recurse_in_a_greenlet::<5000>),
        ("60 KiB", recurse_in_a_greenlet::<61_440>),
        ("200 KiB", recurse_in_a_greenlet::<204_800>), // more than stack and guard together
        ("1 MiB", recurse_in_a_greenlet::<{ 1 << 20 }>),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| assert_named(&outcome));
}

#[test]
fn overflow_into_an_mprotect_guard_is_named_too() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let cases: [Case<'_>; 3] = [
        ("1 B", recurse_in_a_greenlet::<1>),
        ("60 KiB", recurse_in_a_greenlet::<61_440>),
        ("1 MiB", recurse_in_a_greenlet::<{ 1 << 20 }>),
    ];
    let forced = [("GREENLET_GUARD", "mprotect")];
    cases_in_children_with(this_test!(), &forced, &cases, |_, outcome| assert_named(&outcome));
}

#[test]
fn overflow_of_an_unnamed_greenlet_says_its_number() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::new(|()| {
            tell_victim(&current());
            recurse::<100>(0)
        });
        g.switch_any(());
    });
    assert_overflow(&outcome, None, 64, file!());
}

#[test]
fn overflow_says_the_size_that_was_asked_for() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let builder = Greenlet::builder().name("big").stack_size(1 << 20);
        let g = builder.create(|()| {
            tell_victim(&current());
            recurse::<4096>(0)
        });
        g.unwrap().switch_any(());
    });
    assert_overflow(&outcome, Some("big"), 1024, file!());
}

#[test]
fn overflow_of_a_grandchild_names_the_grandchild() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let child = Greenlet::builder().name("child").create(|()| {
            let grandchild = victim(|| _ = recurse::<100>(0));
            grandchild.switch_any(());
        });
        child.unwrap().switch_any(());
    });
    assert_named(&outcome);
    outcome.does_not_say("'child'");
}

#[test]
fn overflow_after_suspensions_and_deaths_names_the_one_that_runs() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        for _ in 0..100 {
            // Their slots are used again: old names and numbers must not show.
            let other = Greenlet::builder().name("other").create(|()| suspend::<(), ()>(()));
            let () = other.unwrap().switch(());
        }
        let g = victim(|| {
            suspend::<(), ()>(());
            recurse::<100>(0);
        });
        let () = g.switch(());
        let sibling = Greenlet::new(move |()| g.switch_any(()));
        sibling.switch_any(());
    });
    assert_named(&outcome);
    outcome.does_not_say("other");
}

#[test]
fn overflow_on_another_thread_is_named() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let cases: [Case<'_>; 2] = [
        ("as the only thread with greenlets", |_| {
            let overflow = || _ = victim(|| _ = recurse::<100>(0)).switch_any(());
            std::thread::spawn(overflow).join().unwrap();
        }),
        ("while other threads have greenlets", |_| {
            let main_has_one = Greenlet::builder().name("main's").create(|()| ()).unwrap();
            let overflow =
                || greenlet::run(|| _ = victim(|| _ = recurse::<4096>(0)).switch_any(()));
            std::thread::spawn(overflow).join().unwrap();
            main_has_one.switch_any(());
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| assert_named(&outcome));
}

#[test]
fn overflow_in_cleanup_is_named() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            recurse::<100>(0);
        }
    }
    if !faults_are_seen(this_test!()) {
        return;
    }
    let cases: [Case<'_>; 2] = [
        ("killed by drop", |_| {
            let g = victim(|| {
                let _deep = Deep;
                suspend::<(), ()>(());
            });
            let () = g.switch(());
            drop(g);
        }),
        ("unwinding from its own panic", |_| {
            let g = victim(|| {
                let _deep = Deep;
                std::panic::resume_unwind(Box::new(1));
            });
            g.switch_any(());
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| assert_named(&outcome));
}

#[test]
fn overflow_with_backtraces_on_is_named() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let full = [("RUST_BACKTRACE", "full")];
    let outcome = in_child_with(this_test!(), &full, || recurse_in_a_greenlet::<100>(""));
    assert_named(&outcome);
}

#[test]
fn overflow_of_a_context_stack_says_where_it_was_made() {
    unsafe extern "C" fn overflow(_: Word, _: usize, _: *const Context, _: *const Context) -> ! {
        recurse::<100>(0);
        unreachable!("it overflows")
    }
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let _alternate_stack = greenlet::current(); // handlers need somewhere to run
        let (stack, line) = (Stack::new(64 << 10).unwrap(), line!());
        let bounds = stack.bounds();
        tell("stack", &[bounds.start, bounds.end, line as usize]);
        let main = Context::running();
        // SAFETY: the stack is unused, and outlives the context.
        let other = unsafe { Context::start(stack.top(), overflow) };
        // SAFETY: `main` is the running context, `other` was just made.
        unsafe { switch(&main, other, Word::uninit(), 0) };
    });
    let stack = outcome.numbers("stack");
    outcome
        .died_of(libc::SIGSEGV)
        .says("a context stack of 64 KiB overflowed (guard hit at 0x")
        .says(&format!("created at {}:{}:", file!(), stack[2]))
        .says("; ask for more in Stack::new");
}

/// The first signal handler of the host's that was there before us, as a crash reporter's would be.
extern "C" fn crash_reporter(_: i32) {
    let text = b"the host's crash reporter ran\n";
    // SAFETY: the text is live.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

/// "A handler says which greenlet overflowed, then chains": the host's own handler hears of it.
#[test]
fn overflow_reaches_the_handler_that_was_there_before() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        // SAFETY: zeroes are a valid sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = crash_reporter as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
        // SAFETY: the action is valid.
        unsafe { libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()) };
        recurse_in_a_greenlet::<100>("");
    });
    assert_named(&outcome);
    outcome.says("the host's crash reporter ran");
}

/// 200 children: random neighbours and depth in the tree, then frames of random sizes.
#[test]
fn overflow_at_random_depth_and_frame_size_is_always_caught() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    fn nest(levels: u64, seed: u64) {
        if levels == 0 {
            let g = victim(move || _ = recurse_at_random(seed));
            g.switch_any(());
        } else {
            let level = Greenlet::builder().stack_size(128 << 10);
            let g = level.create(move |()| nest(levels - 1, seed)).unwrap();
            g.switch_any(());
        }
    }
    let first: u64 = std::env::var("GREENLET_SEED").map_or(0x5EED, |seed| seed.parse().unwrap());
    let children = if cfg!(target_arch = "aarch64") { 50 } else { 200 }; // emulated: slower
    let body = |seed: u64| {
        let random = mix(seed);
        let neighbours: Vec<_> = (0..random % 100).map(|_| Greenlet::new(|()| ())).collect();
        nest(random >> 32 & 3, mix(random));
        drop(neighbours);
    };
    println!("GREENLET_SEED={first}");
    numbers_in_children(this_test!(), first..first + children, body, |outcome| {
        assert_named(&outcome);
    });
}

/// The kernel reads the byte, so nothing dies.
fn is_readable(address: usize, pipe: [i32; 2]) -> bool {
    let mut back = 0_u8;
    let byte = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: a `write` from memory that cannot be read fails with EFAULT.
    if unsafe { libc::write(pipe[1], byte.cast(), 1) } != 1 {
        return false;
    }
    // SAFETY: room for the byte.
    unsafe { libc::read(pipe[0], (&raw mut back).cast(), 1) == 1 }
}

/// In this process, by asking the kernel: every byte that an overflow could meet first is guarded,
/// for stacks of many shapes, new and used, and no guard reaches into a stack.
#[test]
fn guards_stand_below_every_stack_new_or_used() {
    let mut pipe = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let mut seed = 0x5EED;
    for _round in 0..4 {
        let mut living = Vec::new();
        for _ in 0..50 {
            seed = mix(seed);
            let guard = [4096, 20_000, 64 << 10, 256 << 10][(seed >> 8) as usize % 4];
            let reuse = [StackReuse::Fast, StackReuse::Zeroed, StackReuse::Fresh];
            let builder = Greenlet::builder()
                .stack_size(32 << 10 << (seed % 4))
                .guard_size(guard)
                .reuse(reuse[(seed >> 16) as usize % 3]);
            let g = builder.create(|()| suspend::<(), ()>(())).unwrap();
            let () = g.switch(());
            living.push((g, guard));
        }
        for (g, guard) in &living {
            let bounds = g.stack_bounds().unwrap();
            seed = mix(seed);
            for offset in [1, 8, 4096, *guard, 1 + seed as usize % guard] {
                assert!(!is_readable(bounds.start - offset, pipe), "{g}: {offset} below");
            }
            for offset in [0, 4096, seed as usize % bounds.len()] {
                assert!(is_readable(bounds.start + offset, pipe), "{g}: {offset} above");
            }
            assert!(is_readable(bounds.end - 1, pipe), "{g}: the last byte");
        }
    }
    // SAFETY: our own descriptors.
    unsafe { (libc::close(pipe[0]), libc::close(pipe[1])) };
}
