//! eventlet's event: one message to all who wait, until it is reset.

use super::park_in::{moment, wait_in};
use super::watch::{Waitable, Watched, Watchers};
use crate::hub::WaitList;
use std::cell::{OnceCell, RefCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A value or an error that is sent once to all greenlets that wait, as eventlet's `Event`.
///
/// Each gets a clone. After a [`reset`](OneShotEvent::reset) something else can be sent; greenlets that were
/// woken before that get what was sent then. Greenlets that wait run in the order in which they came, when the
/// sender waits next. [`wait`](crate::wait()) can wait for it beside other things.
///
/// ```
/// use greenlet::{spawn, sync::OneShotEvent};
/// use std::rc::Rc;
/// let event = Rc::new(OneShotEvent::new());
/// let waiter = spawn({
///     let event = event.clone();
///     move || event.wait().unwrap()
/// });
/// event.send("hello").unwrap();
/// assert_eq!(waiter.join().unwrap(), "hello");
/// let again = event.send("hello").unwrap_err();
/// assert_eq!(again.to_string(), "Trying to re-send() an already-triggered event.");
/// event.reset().unwrap();
/// let fresh = event.reset().unwrap_err();
/// assert_eq!(fresh.to_string(), "Trying to re-reset() a fresh event.");
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::OneShotEvent::<i32, i32>::default());
/// ```
#[doc(alias = "eventlet.Event")]
pub struct OneShotEvent<T, E = Rc<dyn Error>> {
    /// What is sent from one reset to the next; those who wait keep it.
    round: RefCell<Round<T, E>>,
    waiters: WaitList,
}

type Round<T, E> = Rc<OnceCell<Result<T, E>>>;

impl<T> OneShotEvent<T> {
    /// An event to which nothing was sent, with errors of any type. For errors of one type:
    /// `OneShotEvent::default()`.
    pub fn new() -> OneShotEvent<T> {
        OneShotEvent::default()
    }
}

impl<T, E> OneShotEvent<T, E> {
    /// Sends the value to all greenlets that wait now or later; returns at once.
    ///
    /// # Errors
    /// Gives the value back if something was sent before.
    pub fn send(&self, value: T) -> Result<(), AlreadySent<T>> {
        let round = self.round();
        if round.get().is_some() {
            return Err(AlreadySent(value));
        }
        self.trigger(round, Ok(value));
        Ok(())
    }

    /// Sends an error to all greenlets that wait now or later; returns at once.
    ///
    /// # Errors
    /// Gives the error back if something was sent before.
    #[doc(alias = "send_exception")]
    pub fn send_err(&self, error: E) -> Result<(), AlreadySent<E>> {
        let round = self.round();
        if round.get().is_some() {
            return Err(AlreadySent(error));
        }
        self.trigger(round, Err(error));
        Ok(())
    }

    fn trigger(&self, round: Round<T, E>, result: Result<T, E>) {
        let is_first = round.set(result).is_ok();
        debug_assert!(is_first, "asked before");
        self.waiters.wake_all();
    }

    /// Forgets what was sent, so that something else can be sent.
    ///
    /// # Errors
    /// [`NotSent`], if nothing was sent since it was made or reset.
    pub fn reset(&self) -> Result<(), NotSent> {
        if !self.is_set() {
            return Err(NotSent);
        }
        let old = self.round.replace(Round::default());
        drop(old); // user code, perhaps: nothing is borrowed
        Ok(())
    }

    /// Parks until something is sent; returns at once if it was.
    ///
    /// # Errors
    /// The error, if that was sent.
    ///
    /// # Panics
    /// When it would have to wait while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens; once something was sent, it is
    /// raised at the next wait.
    pub fn wait(&self) -> Result<T, E>
    where
        T: Clone,
        E: Clone,
    {
        match self.wait_until(|| None) {
            Some(result) => result,
            None => unreachable!("without a limit, it ends when something was sent"),
        }
    }

    /// As [`wait`](OneShotEvent::wait), for at most `limit`; `None` when the time is over.
    ///
    /// # Panics
    /// As [`wait`](OneShotEvent::wait).
    ///
    /// # Cancellation
    /// As [`wait`](OneShotEvent::wait).
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<T, E>>
    where
        T: Clone,
        E: Clone,
    {
        self.wait_until(|| Some(moment(limit)))
    }

    fn wait_until(&self, until: impl FnOnce() -> Option<u64>) -> Option<Result<T, E>>
    where
        T: Clone,
        E: Clone,
    {
        let round = self.round();
        if round.get().is_none() {
            wait_in(&self.waiters, &"an event", until());
        }
        round.get().cloned()
    }

    /// What was sent, or `None`; never waits.
    #[doc(alias("poll_result", "poll_exception"))]
    pub fn poll(&self) -> Option<Result<T, E>>
    where
        T: Clone,
        E: Clone,
    {
        self.round().get().cloned()
    }

    /// Whether a value or an error was sent.
    #[doc(alias = "ready")]
    pub fn is_set(&self) -> bool {
        self.round.borrow().get().is_some()
    }

    /// Whether a value was sent.
    pub fn has_result(&self) -> bool {
        matches!(self.round.borrow().get(), Some(Ok(_)))
    }

    /// Whether an error was sent.
    #[doc(alias = "has_exception")]
    pub fn has_err(&self) -> bool {
        matches!(self.round.borrow().get(), Some(Err(_)))
    }

    fn round(&self) -> Round<T, E> {
        self.round.borrow().clone()
    }
}

impl<T, E> Default for OneShotEvent<T, E> {
    fn default() -> OneShotEvent<T, E> {
        OneShotEvent { round: RefCell::default(), waiters: WaitList::new() }
    }
}

/// Ready when something was sent.
impl<T, E> Waitable for OneShotEvent<T, E> {
    fn is_ready(&self) -> bool {
        self.is_set()
    }
}

impl<T, E> Watched for OneShotEvent<T, E> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.waiters)
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for OneShotEvent<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneShotEvent").field("sent", &self.round().get()).finish_non_exhaustive()
    }
}

/// Something was sent before. Gives back what was to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AlreadySent<V>(pub V);

/// The text of eventlet's assertion.
impl<V> fmt::Display for AlreadySent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trying to re-send() an already-triggered event.")
    }
}

/// Without what it holds, which may not be printable.
impl<V> fmt::Debug for AlreadySent<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlreadySent")
    }
}

impl<V> Error for AlreadySent<V> {}

/// The event could not be reset: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSent;

/// The text of eventlet's assertion.
impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trying to re-reset() a fresh event.")
    }
}

impl Error for NotSent {}
