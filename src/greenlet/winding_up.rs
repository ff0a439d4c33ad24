//! `run`: nothing is left behind on the thread.
#![expect(unsafe_code, reason = "calls the scheduler")]

use super::control::ROOT;
use super::current::{Thread, thread};
use super::kill;
use super::report;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Ends the scheduler of a thread, if there is one: when no code of the thread runs any more that
/// may have been called by it, or hold a reference to it.
pub(super) fn close_scheduler(thread: &Thread) {
    let scheduler = thread.scheduler.replace(std::ptr::null());
    // SAFETY: null, or a scheduler that is still there; nothing leads to it any more.
    unsafe {
        if let Some(known) = scheduler.as_ref() {
            (known.close)(scheduler);
        }
    }
}

/// Runs `f`, then ends every greenlet that is left on this thread, and returns what `f` returned.
///
/// Greenlets that are still suspended receive [`GreenletExit`](crate::GreenletExit) and unwind while
/// thread-locals still exist; handles that are left name dead greenlets.
///
/// Threads that use greenlets should do their work inside it. Otherwise what is suspended at the end of the thread
/// is leaked and reported, because it may borrow a thread-local that is gone: see *The end of a thread* in the
/// [crate's documentation](crate). `main` does not need it, as the process ends with it.
///
/// ```
/// use greenlet::{Greenlet, suspend};
/// struct Guard;
/// impl Drop for Guard { fn drop(&mut self) { println!("unwound") } }
/// let answer = std::thread::spawn(|| greenlet::run(|| {
///     let g = Greenlet::new(|()| { let _guard = Guard; suspend::<i32, ()>(7) });
///     let seven: i32 = g.switch(());
///     std::mem::forget(g); // still suspended, but unwound before the thread ends
///     seven
/// }));
/// assert_eq!(answer.join().unwrap(), 7);
/// ```
///
/// # Panics
/// If it is not called in the thread's root greenlet. A panic of `f` is raised again after all greenlets have
/// ended.
#[track_caller]
pub fn run<R>(f: impl FnOnce() -> R) -> R {
    let thread = thread();
    assert!(thread.current().has(ROOT), "greenlet::run belongs into the root greenlet of a thread");
    let result = catch_unwind(AssertUnwindSafe(f));
    let left = end_all(thread);
    if left > 0 {
        report::line(format_args!(
            "{left} greenlet{} not end and {} left",
            if left == 1 { " does" } else { "s do" },
            if left == 1 { "is" } else { "are" },
        ));
    }
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Ends every greenlet of this thread but the root, which runs, and the scheduler's own. Returns how
/// many are left.
fn end_all(thread: &Thread) -> usize {
    let mut left = usize::MAX;
    loop {
        // The scheduler stays: `run` may stand in a frame of it, or of one who will use it again.
        // SAFETY: null, or a scheduler that is still there.
        if let Some(scheduler) = unsafe { thread.scheduler.get().as_ref() } {
            (scheduler.wind_up)(scheduler);
        }
        // Destructors that run now may have spawned: again, while that brings us further.
        let before = std::mem::replace(&mut left, kill::kill_all(thread));
        if left == 0 || left >= before {
            return left;
        }
    }
}
