//! Threads that no signal of the program's is delivered to.
#![expect(unsafe_code, reason = "changes the signal mask of the thread")]

use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;

/// These come from what the thread itself does, or measure it.
const LEFT_OPEN: [libc::c_int; 8] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
    libc::SIGPROF,
];

/// Calls `start`; threads that it starts take no signals, so that they interrupt no job, and that
/// handlers run where the program expects them.
pub(crate) fn without_signals<R>(start: impl FnOnce() -> R) -> R {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: zeroes are a valid set.
    let mut blocked: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: valid for writes.
    unsafe { libc::sigfillset(&mut blocked) };
    for signal in LEFT_OPEN {
        // SAFETY: a valid set, and signals that exist.
        unsafe { libc::sigdelset(&mut blocked, signal) };
    }
    // SAFETY: both are valid. It cannot fail with these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, before.as_mut_ptr()) };
    struct Restore(MaybeUninit<libc::sigset_t>);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: filled in above.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, self.0.as_ptr(), null_mut()) };
        }
    }
    let _restore = Restore(before);
    start()
}
