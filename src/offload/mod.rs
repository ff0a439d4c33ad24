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

/// Runs `f` on a thread that may block, and parks until it has returned; other greenlets run meanwhile.
///
/// For calls that know no other way than to block, for C libraries, for long computations, and for
/// code that needs a large stack: the threads have 2 MiB.
///
/// The threads are shared by the whole process: made on demand, at most
/// [`Config::workers`](crate::Config::workers) of them, 20 by default, and each ends when there was
/// nothing to do for five seconds. While all are busy, calls wait in a queue, in their order. A call
/// costs some ten microseconds, so what takes less is better done in place. A process that ends does
/// not wait for them.
///
/// On such a thread, `offload` calls `f` in place. Greenlets that `f` makes there end with it, as in
/// [`run`](crate::run). Signals are not delivered to these threads, but for `SIGURG` if
/// the program does not block it: by that a [`monitor`](crate::monitor) asks.
///
/// eventlet's `tpool.Proxy` has no counterpart: an object whose methods block is moved into `f`, and
/// comes back with the result.
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
/// What `f` borrows could be gone before it ends, so it owns everything:
///
/// ```compile_fail
/// let text = String::from("x");
/// let length = greenlet::offload(|| text.len());
/// ```
///
/// # Panics
/// As `f` does: its panic, which was reported on the thread, is raised here. When there is no thread
/// and the system gives none.
///
/// # Cancellation
/// What arrives inside is raised here at once: the call is left, not ended. If a thread has begun with
/// `f`, it goes on there to its end, keeps the thread that long, and its result is dropped there, a
/// panic in silence but for the report of the panic hook. If not, `f` is dropped here, uncalled. A
/// result that has come by then is returned, and the interrupt is raised at the next wait.
#[doc(alias("tpool.execute", "spawn_blocking", "threadpool.apply"))]
pub fn offload<T, F>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    hub(); // the settings of the environment hold from here on
    offload_to(worker::shared(), f)
}

/// As [`offload`], if a thread can begin with `f` at once; it never waits in the queue.
///
/// ```
/// assert_eq!(greenlet::try_offload(|| 6 * 7).unwrap(), 42);
/// ```
///
/// # Errors
/// [`WorkersBusy`], with `f`.
///
/// # Panics
/// As `f` does.
///
/// # Cancellation
/// As [`offload`].
pub fn try_offload<T, F>(f: F) -> Result<T, WorkersBusy<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    hub();
    let workers = worker::shared();
    if workers.are_current() {
        return Ok(f());
    }
    submit_and_wait(f, |job| workers.submit_if_free(job).is_ok()).map_err(WorkersBusy)
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
    set_waits_for(current_block(), &"a worker thread");
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
            slot.leave();
            interrupted.raise()
        }
    }
}

/// All worker threads are busy; what was to be run comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WorkersBusy<F>(pub F);

impl<F> fmt::Display for WorkersBusy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all worker threads are busy")
    }
}

/// Without what was to be run, which cannot be printed.
impl<F> fmt::Debug for WorkersBusy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkersBusy")
    }
}

impl<F> std::error::Error for WorkersBusy<F> {}
