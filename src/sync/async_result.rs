//! One value or error, for all who want it.

use super::park_in::{moment, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::WaitList;
use std::cell::OnceCell;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A value or an error that is set once, and that any number of greenlets wait for.
///
/// It stays inside and is read by reference, so a second `set` is an error. (In gevent it replaces the
/// first.) Greenlets that wait run in the order in which they came. Share it by reference or by
/// [`Rc`](std::rc::Rc); [`wait`](crate::wait()) can wait for it beside other things.
///
/// ```
/// use greenlet::{spawn, sync::AsyncResult};
/// use std::rc::Rc;
/// let answer = Rc::new(AsyncResult::new());
/// let readers: Vec<_> = (0..2).map(|_| {
///     let answer = answer.clone();
///     spawn(move || *answer.get().unwrap() + 1)
/// }).collect();
/// answer.set(41).unwrap();
/// assert_eq!(greenlet::join_all(readers).join().values().unwrap(), [42, 42]);
///
/// let failed: AsyncResult<i32, String> = AsyncResult::default(); // with an error of one's own
/// failed.set_err("no answer".to_owned()).unwrap();
/// assert_eq!(failed.get().unwrap_err(), "no answer");
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::AsyncResult::<i32, i32>::default());
/// ```
#[doc(alias("Promise", "Future"))]
pub struct AsyncResult<T, E = Box<dyn Error>> {
    outcome: OnceCell<Result<T, E>>,
    waiters: WaitList,
}

impl<T> AsyncResult<T> {
    /// A result that is not set, with errors of any type. For errors of one type: `AsyncResult::default()`.
    pub const fn new() -> AsyncResult<T> {
        AsyncResult { outcome: OnceCell::new(), waiters: WaitList::new() }
    }
}

impl<T, E> AsyncResult<T, E> {
    /// Sets the value and wakes all that wait; returns at once.
    ///
    /// # Errors
    /// Gives the value back if it was set before; nothing happens then.
    pub fn set(&self, value: T) -> Result<(), AlreadySet<T>> {
        self.set_result(Ok(value)).map_err(|refused| match refused.0 {
            Ok(value) => AlreadySet(value),
            Err(_) => unreachable!("what was to be set comes back"),
        })
    }

    /// As [`set`](AsyncResult::set), with an error.
    ///
    /// # Errors
    /// Gives the error back if it was set before; nothing happens then.
    #[doc(alias = "set_exception")]
    pub fn set_err(&self, error: E) -> Result<(), AlreadySet<E>> {
        self.set_result(Err(error)).map_err(|refused| match refused.0 {
            Err(error) => AlreadySet(error),
            Ok(_) => unreachable!("what was to be set comes back"),
        })
    }

    /// As [`set`](AsyncResult::set), with a value or an error.
    ///
    /// # Errors
    /// Gives the result back if it was set before; nothing happens then.
    pub fn set_result(&self, result: Result<T, E>) -> Result<(), AlreadySet<Result<T, E>>> {
        self.outcome.set(result).map_err(AlreadySet)?;
        self.waiters.wake_all();
        Ok(())
    }

    /// Parks until it is set; returns at once if it is.
    ///
    /// # Errors
    /// The error, if that was set.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens; once it was set, it is raised at
    /// the next wait.
    #[doc(alias = "result")]
    pub fn get(&self) -> Result<&T, &E> {
        self.wait();
        match self.try_get() {
            Some(result) => result,
            None => unreachable!("what was set stays"),
        }
    }

    /// As [`get`](AsyncResult::get), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`get`](AsyncResult::get).
    ///
    /// # Cancellation
    /// As [`get`](AsyncResult::get).
    pub fn get_timeout(&self, limit: Duration) -> Option<Result<&T, &E>> {
        self.wait_timeout(limit);
        self.try_get()
    }

    /// The value or error, if there is one; never waits.
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Option<Result<&T, &E>> {
        self.outcome.get().map(Result::as_ref)
    }

    /// Parks until it is set, to a value or an error.
    ///
    /// # Panics
    /// As [`get`](AsyncResult::get).
    ///
    /// # Cancellation
    /// As [`get`](AsyncResult::get).
    pub fn wait(&self) {
        if !self.is_set() {
            self.park(None);
        }
    }

    /// As [`wait`](AsyncResult::wait), for at most `limit`; returns whether it is set.
    ///
    /// # Panics
    /// As [`get`](AsyncResult::get).
    ///
    /// # Cancellation
    /// As [`get`](AsyncResult::get).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.is_set() || self.park(Some(moment(limit)))
    }

    fn park(&self, until: Option<u64>) -> bool {
        wait_in(&self.waiters, &"a result", until)
    }

    /// Whether it is set.
    #[doc(alias = "ready")]
    pub fn is_set(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// Whether it is set to a value.
    #[doc(alias = "successful")]
    pub fn is_success(&self) -> bool {
        matches!(self.outcome.get(), Some(Ok(_)))
    }

    /// The value or error, if there is one.
    pub fn into_inner(self) -> Option<Result<T, E>> {
        self.outcome.into_inner()
    }
}

impl<T, E> Default for AsyncResult<T, E> {
    fn default() -> AsyncResult<T, E> {
        AsyncResult { outcome: OnceCell::new(), waiters: WaitList::new() }
    }
}

/// Ready when it is set.
impl<T, E> Waitable for AsyncResult<T, E> {
    fn is_ready(&self) -> bool {
        self.is_set()
    }
}

impl<T, E> Watched for AsyncResult<T, E> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.waiters)
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for AsyncResult<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult").field("result", &self.outcome.get()).finish_non_exhaustive()
    }
}

/// The result was set before. Gives back what was to be set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlreadySet<V>(pub V);

impl<V> fmt::Display for AlreadySet<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result was set before")
    }
}

/// Without what it holds, which may not be printable.
impl<V> fmt::Debug for AlreadySet<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlreadySet")
    }
}

impl<V> Error for AlreadySet<V> {}
