//! What can only block, on threads that may. Level 4.
//!
//! Uses `hub` (the wait for another thread) and `worker` (the threads); used by `pool` and by whatever
//! the kernel offers no other way to.
//!
//! ```text
//!  caller                        worker thread
//!  slot { Queued(f) } ────job───▶ takes f ──▶ Running ──▶ f() ──▶ Done(result) ──▶ wakes the caller
//!  parked until Done                                     or, if the caller has left, drops the result
//! ```
//!
//! - **The slot is shared**: nothing of a job lies in the caller's frames, so that the caller may leave
//!   whenever something is raised in it.
//! - **One takes it**: whoever changes the slot's state under its lock owns what was in there.

mod slot;

use crate::greenlet::current_block;
use crate::hub::{hub, set_waits_for};
use crate::worker::{self, Workers};
use slot::Slot;
use std::cell::Cell;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

/// Runs `f` on an offload thread, and parks until it has returned; other greenlets run meanwhile.
///
/// For calls that can only block (name look-ups, files, C libraries), for long computations, and for code
/// that needs a large stack: the threads have 2 MiB.
///
/// - The offload threads are shared by the whole process. They are made on demand, at most
///   [`Config::offload_threads`](crate::Config::offload_threads) of them, 20 by default, and each ends after five
///   seconds without work. While all are busy, calls wait in a queue, in their order.
/// - A call costs some ten microseconds: do in place what takes less.
/// - A process that ends does not wait for its offload threads.
/// - On an offload thread, `offload` calls `f` in place. Greenlets that `f` makes there end with it, as in
///   [`run`](crate::run).
/// - Signals are not delivered to offload threads, except for `SIGURG`, which a [`monitor`](crate::monitor)
///   uses, if the program does not block it.
///
/// eventlet's `tpool.Proxy` has no counterpart: move an object whose methods block into `f`, and return it with
/// the result.
///
/// ```
/// let ticks = greenlet::spawn(|| greenlet::sleep(std::time::Duration::from_millis(1)));
/// let addresses = greenlet::offload(|| {
///     use std::net::ToSocketAddrs;
///     ("127.0.0.1", 80).to_socket_addrs().map(Vec::from_iter) // may ask a name server
/// });
/// assert_eq!(addresses.unwrap().len(), 1);
/// ticks.join().unwrap();
/// ```
///
/// `f` may go on after this call was interrupted, so it must own what it uses:
///
/// ```compile_fail
/// let text = String::from("x");
/// let length = greenlet::offload(|| text.len());
/// ```
///
/// # Panics
/// As `f` does: its panic, which was reported on the thread, is raised here. Also if there is no offload thread
/// and none can be started.
///
/// # Cancellation
/// What arrives inside is raised here at once. If `f` has begun, it goes on to its end on its thread, and its
/// result is dropped there; of a panic only the panic hook's message is seen. If not, `f` is dropped here,
/// uncalled. A result that has come by then is returned, and the interrupt is raised at the next wait.
#[doc(alias("tpool.execute", "spawn_blocking", "threadpool.apply"))]
pub fn offload<T, F>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    hub(); // the settings of the environment hold from here on
    offload_to(worker::shared(), f)
}

/// As [`offload`], but returns an error if no thread can begin with `f` at once.
///
/// ```
/// assert_eq!(greenlet::try_offload(|| 6 * 7).unwrap(), 42);
/// ```
///
/// # Errors
/// [`OffloadBusy`], with `f`.
///
/// # Panics
/// As `f` does.
///
/// # Cancellation
/// As [`offload`].
pub fn try_offload<T, F>(f: F) -> Result<T, OffloadBusy<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    hub();
    let workers = worker::shared();
    if workers.are_current() {
        return Ok(f());
    }
    submit_and_wait(f, |job| workers.submit_if_free(job).is_ok()).map_err(OffloadBusy)
}

/// As [`offload`], on threads of the caller's own.
pub(crate) fn offload_to<T, F>(workers: &Workers, f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    if workers.are_current() {
        return f(); // all of them could wait for one another
    }
    let error = Cell::new(None);
    let result = submit_and_wait(f, |job| match workers.submit(job) {
        Ok(()) => true,
        Err(refused) => {
            error.set(Some(refused));
            false
        }
    });
    match (result, error.take()) {
        (Ok(value), _) => value,
        (Err(_), why) => no_thread(why),
    }
}

#[cold]
fn no_thread(why: Option<std::io::Error>) -> ! {
    match why {
        Some(error) => panic!("greenlet::offload: no thread: {error}"),
        None => panic!("greenlet::offload: no thread"),
    }
}

/// Gives `f` away by `submit`, which says whether it took the job, and parks until it has ended.
///
/// # Errors
/// It was not taken: `f` again.
fn submit_and_wait<T, F>(f: F, submit: impl FnOnce(worker::Job) -> bool) -> Result<T, F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let hub = hub();
    hub.raise_pending();
    set_waits_for(current_block(), &"an offloaded call");
    let slot = Arc::new(Slot::new(f));
    let taken = Cell::new(false);
    let waited = hub.wait_for_remote(
        |waker| {
            let shared = slot.clone();
            taken.set(submit(Box::new(move || {
                if shared.run() {
                    waker.wake();
                }
            })));
        },
        || !taken.get() || slot.is_done(),
    );
    match waited {
        Ok(()) => {
            slot.outcome().map(|result| result.unwrap_or_else(|payload| resume_unwind(payload)))
        }
        Err(interrupted) => {
            // Dropped once that is raised: the drop may run others, and let nothing through.
            let _left = slot.leave();
            interrupted.raise()
        }
    }
}

/// The error of [`try_offload`]: all offload threads are busy. Gives the closure back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OffloadBusy<F>(pub F);

impl<F> fmt::Display for OffloadBusy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all threads for offloaded calls are busy")
    }
}

/// Without what was to be run, which cannot be printed.
impl<F> fmt::Debug for OffloadBusy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OffloadBusy")
    }
}

impl<F> std::error::Error for OffloadBusy<F> {}
