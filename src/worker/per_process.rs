//! What a process has one of, and the child of a fork has to make anew.
#![expect(unsafe_code, reason = "registers a handler for forks, and shares by address")]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// How often this process is the child of a fork.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// How often this process is the child of a fork, counted since [`watch_forks`].
#[inline(always)]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Sees to it that forks are counted from now on. Children of `vfork` and of a bare `clone` are not
/// noticed; they may do next to nothing anyway.
pub(crate) fn watch_forks() {
    // Not a `Once`: in the child of a fork, one that another thread was in would never end. Where two threads are here
    // at once a fork counts twice, which is no other answer to whether there was one.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    if !WATCHED.load(Ordering::Relaxed) {
        // SAFETY: the handler is async-signal-safe. A failure (no memory) leaves forks unnoticed.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        WATCHED.store(true, Ordering::Relaxed);
    }
}

/// One value for each process, made when it is first asked for. A child does not look at that of its
/// parent, whose locks may be held by threads that the child does not have, and leaks it.
pub(crate) struct PerProcess<T>(AtomicPtr<Made<T>>);

struct Made<T> {
    forks: u32,
    value: T,
}

impl<T: Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(null_mut()))
    }

    /// The value, if it was made in this process.
    pub(crate) fn get_if_made(&self) -> Option<&T> {
        // SAFETY: null, or made by `make`; it goes with `self`.
        let made = unsafe { self.0.load(Ordering::Acquire).as_ref() }?;
        (made.forks == forks()).then_some(&made.value)
    }

    /// The value; `make` may be called by several threads at once, of which one wins.
    pub(crate) fn get(&self, make: impl FnOnce() -> T) -> &T {
        match self.get_if_made() {
            Some(value) => value,
            None => self.make(make()),
        }
    }

    #[cold]
    fn make(&self, value: T) -> &T {
        watch_forks();
        let old = self.0.load(Ordering::Acquire);
        if let Some(value) = self.get_if_made() {
            return value;
        }
        let new = Box::into_raw(Box::new(Made { forks: forks(), value }));
        match self.0.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it goes with `self`.
            Ok(_) => unsafe { &(*new).value },
            Err(theirs) => {
                // SAFETY: made above, and shared with nobody.
                drop(unsafe { Box::from_raw(new) });
                // SAFETY: made by another thread of this process; it goes with `self`.
                unsafe { &(*theirs).value }
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        // SAFETY: null, or made by `make`.
        let of_this_process = unsafe { self.0.get_mut().as_ref() }.filter(|m| m.forks == forks());
        if of_this_process.is_some() {
            // SAFETY: made by `Box::into_raw`, and nobody refers to it any more.
            drop(unsafe { Box::from_raw(*self.0.get_mut()) });
        }
    }
}
