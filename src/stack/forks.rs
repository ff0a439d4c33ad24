//! What all threads of a process share, and what becomes of it when one of them forks.
//!
//! The child has only the thread that has forked. A lock that another one held would never be free there: so who
//! forks waits for all locks first.

#![expect(unsafe_code, reason = "registers handlers for forks, which share what they hold")]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cache::Cache;
use super::{foreign, shelf};

/// The free stacks of the whole process, for those who have no thread of greenlets.
static STACKS: Mutex<Cache> = Mutex::new(Cache::new());

pub(super) fn stacks() -> MutexGuard<'static, Cache> {
    watch_forks();
    lock()
}

fn lock() -> MutexGuard<'static, Cache> {
    // A panic in there (out of memory) leaves lists that are whole.
    STACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All locks of stacks, in the order in which they are taken.
type Locks = (MutexGuard<'static, Cache>, shelf::Pool, foreign::Pool);

/// Dropped by hand: a process may end between two handlers.
struct Held(Cell<Option<ManuallyDrop<Locks>>>);

// SAFETY: only who has all locks looks into it.
unsafe impl Sync for Held {}

static HELD: Held = Held(Cell::new(None));

/// From now on no child of a fork finds a lock that nobody will give back. Children of `vfork` and of a bare `clone`
/// may do next to nothing anyway. A handler of somebody else's that was registered before this runs while the locks
/// are held: it must not take or give back stacks.
#[inline]
pub(crate) fn watch_forks() {
    // Not a `Once`: in the child of a fork, one that another thread was in would never end.
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn before() {
        let locks = (lock(), shelf::pool(), foreign::pool());
        HELD.0.set(Some(ManuallyDrop::new(locks)));
    }
    extern "C" fn after() {
        drop(HELD.0.take().map(ManuallyDrop::into_inner));
    }
    if !WATCHED.load(Ordering::Relaxed) && !WATCHED.swap(true, Ordering::Relaxed) {
        // SAFETY: the handlers unwind for nothing. A failure (no memory) leaves forks unwatched.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Stack, child};
    use super::*;

    /// In a child of its own: what it forks must not have the threads of other tests.
    #[test]
    fn the_child_of_a_fork_has_stacks_whatever_other_threads_did() {
        let name = "stack::forks::tests::the_child_of_a_fork_has_stacks_whatever_other_threads_did";
        if let Some(output) = child::run(name, &[]) {
            return child::assert_passed(&output);
        }
        static DONE: AtomicBool = AtomicBool::new(false);
        let busy = std::thread::spawn(|| {
            while !DONE.load(Ordering::Relaxed) {
                drop(Stack::new(128 << 10));
                drop((shelf::pool(), foreign::pool()));
            }
        });
        for _ in 0..300 {
            // SAFETY: the child takes stacks, and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: neither has preconditions; a child that hangs dies of `SIGALRM`.
                unsafe { libc::alarm(10) };
                let taken = Stack::new(128 << 10).is_ok() && lock().take(Shape::DEFAULT).is_ok();
                drop((shelf::pool(), foreign::pool()));
                // SAFETY: as above.
                unsafe { libc::_exit(i32::from(!taken)) };
            }
            let mut status = -1;
            // SAFETY: the child of this process, and room for its status.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(status, 0);
        }
        DONE.store(true, Ordering::Relaxed);
        busy.join().unwrap();
    }
}
