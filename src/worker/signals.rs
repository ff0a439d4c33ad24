//! Threads that no signal of the program's is delivered to.
#![expect(unsafe_code, reason = "changes the signal mask of the thread")]

use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};

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

/// By this a monitor asks a thread what it does; by default it is ignored. Open where the program has it
/// open, for whoever does not answer seems to be stuck.
const ASKS: libc::c_int = libc::SIGURG;

/// Calls `start`; threads that it starts take no signals, so that they interrupt no job, and that
/// handlers run where the program expects them.
pub(crate) fn without_signals<R>(start: impl FnOnce() -> R) -> R {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: valid for writes. It cannot fail with these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, null(), before.as_mut_ptr()) };
    // SAFETY: zeroes are a valid set.
    let mut blocked: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: valid for writes.
    unsafe { libc::sigfillset(&mut blocked) };
    // SAFETY: filled in above.
    let is_open = unsafe { libc::sigismember(before.as_ptr(), ASKS) == 0 };
    for signal in LEFT_OPEN.into_iter().chain(is_open.then_some(ASKS)) {
        // SAFETY: a valid set, and signals that exist.
        unsafe { libc::sigdelset(&mut blocked, signal) };
    }
    // SAFETY: valid. It cannot fail with these arguments.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, null_mut()) };
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
