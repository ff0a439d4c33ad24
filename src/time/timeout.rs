//! Time limits: code of any depth is ended at its next wait once its time is over.
#![expect(unsafe_code, reason = "a deadline in the caller's frame, or in a box of its own")]

use crate::greenlet::current_block;
use crate::hub::{Elapsed, Interrupting, hub};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Runs `f` for at most `limit`: when the time is over, [`Elapsed`] is raised in the current
/// greenlet at its next wait, or at once if it waits.
///
/// - Limits nest; each catches its own `Elapsed` and lets that of an outer one pass.
/// - A wait that has brought something (bytes, a connection) when the time is over returns it: nothing is lost.
/// - Code that never waits is not ended. Nor is another greenlet that the current one has switched to: the limit
///   is raised at the first wait after that one has switched back.
/// - `Duration::ZERO` ends `f` at its first wait, `Duration::MAX` is no limit.
/// - A limit that does not pass costs a look at the clock and no allocation.
///
/// ```
/// use greenlet::{sleep, timeout};
/// use std::time::Duration;
/// let short = Duration::from_millis(2);
/// assert!(timeout(short, || sleep(Duration::from_secs(60))).is_err());
/// assert_eq!(timeout(short, || 7), Ok(7));
/// ```
///
/// An [`Elapsed`] becomes a [`std::io::Error`], so that limited input and output needs no more than `??`:
///
/// ```
/// # use greenlet::{net::UnixStream, timeout};
/// # use std::io::{ErrorKind, Read, Result};
/// # use std::time::Duration;
/// fn first_byte(mut stream: &UnixStream) -> Result<u8> {
///     let mut byte = [0];
///     timeout(Duration::from_millis(2), || stream.read_exact(&mut byte))??;
///     Ok(byte[0])
/// }
/// let (silent, _other) = UnixStream::pair()?;
/// assert_eq!(first_byte(&silent).unwrap_err().kind(), ErrorKind::TimedOut);
/// # Result::Ok(())
/// ```
///
/// # Errors
/// [`Elapsed`], if `f` was ended by this limit. If `f` catches it and returns, its result is returned.
///
/// # Panics
/// As `f` does.
///
/// # Cancellation
/// Kills and throws that arrive inside pass through.
#[doc(alias("with_timeout", "exc_after"))]
pub fn timeout<T>(limit: Duration, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let hub = hub();
    let interrupting = Interrupting::new(current_block(), limit, None);
    // SAFETY: taken back below, before this frame is left; `f` cannot unwind past the catch.
    unsafe { hub.set_interrupting(&interrupting) };
    let result = catch_unwind(AssertUnwindSafe(f));
    hub.take_back_interrupting(&interrupting);
    match result {
        Ok(value) => Ok(value),
        Err(payload) if payload.downcast_ref() == Some(&interrupting.elapsed()) => {
            Err(interrupting.elapsed())
        }
        Err(payload) => resume_unwind(payload),
    }
}

/// As [`timeout`], but returns `default` when the time is over.
///
/// ```
/// use greenlet::{sleep, timeout_or};
/// use std::time::Duration;
/// let slow = || { sleep(Duration::from_secs(60)); "fresh" };
/// assert_eq!(timeout_or(Duration::from_millis(2), "stale", slow), "stale");
/// ```
///
/// # Panics
/// As `f` does.
///
/// # Cancellation
/// As [`timeout`].
#[doc(alias("with_timeout", "timeout_value"))]
pub fn timeout_or<T>(limit: Duration, default: T, f: impl FnOnce() -> T) -> T {
    timeout(limit, f).unwrap_or(default)
}

/// A time limit as a value: once its time is over, [`Elapsed`] is raised in the greenlet that started it,
/// unless it was cancelled or dropped before.
///
/// [`timeout`] is easier where the limited code is a closure. Limits nest; [`caught`](Timeout::caught) says
/// whether a payload was raised by this one.
///
/// ```
/// use greenlet::{Timeout, sleep};
/// use std::panic::{AssertUnwindSafe, catch_unwind};
/// use std::time::Duration;
/// let outer = Timeout::start(Duration::from_secs(60));
/// let inner = Timeout::labelled(Duration::from_millis(1), "reading the head");
/// let payload = catch_unwind(AssertUnwindSafe(|| sleep(Duration::from_secs(60)))).unwrap_err();
/// assert!(inner.caught(&*payload) && !outer.caught(&*payload));
/// assert_eq!(inner.to_string(), "1ms: reading the head");
/// ```
#[must_use = "a limit that is dropped at once limits nothing"]
pub struct Timeout {
    interrupting: Box<Interrupting>,
}

impl Timeout {
    /// Starts a limit for the current greenlet.
    #[doc(alias = "start_new")]
    pub fn start(limit: Duration) -> Timeout {
        Timeout::start_for_current(limit, None)
    }

    /// As [`start`](Timeout::start), with a label for messages: what the limit is for.
    pub fn labelled(limit: Duration, label: &'static str) -> Timeout {
        Timeout::start_for_current(limit, Some(label))
    }

    fn start_for_current(limit: Duration, label: Option<&'static str>) -> Timeout {
        let interrupting = Box::new(Interrupting::new(current_block(), limit, label));
        let timeout = Timeout { interrupting };
        timeout.set();
        timeout
    }

    fn set(&self) {
        // SAFETY: boxed, and not set: just made or taken back. `drop` takes it back; if that is
        // forgotten, so is the box.
        unsafe { hub().set_interrupting(&self.interrupting) };
    }

    /// Stops the limit: it will not be raised, even if its time is over already.
    #[doc(alias = "close")]
    pub fn cancel(&self) {
        if self.is_pending() {
            self.interrupting.take_back();
        }
    }

    /// Starts it again with its whole length, for the current greenlet.
    ///
    /// For what it raised before, [`caught`](Timeout::caught) now returns false.
    pub fn restart(&mut self) {
        self.cancel();
        let Elapsed { limit, label, .. } = self.interrupting.elapsed();
        *self.interrupting = Interrupting::new(current_block(), limit, label);
        self.set();
    }

    /// Whether it may still be raised.
    #[doc(alias = "pending")]
    pub fn is_pending(&self) -> bool {
        self.interrupting.is_pending()
    }

    /// The length it was started with.
    #[doc(alias = "seconds")]
    pub fn limit(&self) -> Duration {
        self.interrupting.elapsed().limit
    }

    /// Runs `f`, and catches this limit if it is raised in there; anything else that is raised passes through.
    ///
    /// This neither starts nor cancels the limit: it may have begun long before, go on
    /// afterwards, and cover several such calls.
    ///
    /// ```
    /// use greenlet::{Timeout, sleep, spawn};
    /// use std::time::Duration;
    /// let limit = Timeout::start(Duration::from_millis(2));
    /// let task = spawn(|| sleep(Duration::from_secs(60)));
    /// assert!(limit.catch(|| task.wait()).is_err());
    /// # task.kill();
    /// ```
    ///
    /// # Errors
    /// [`Elapsed`], if `f` was ended by this limit.
    ///
    /// # Panics
    /// As `f` does.
    ///
    /// # Cancellation
    /// Kills, throws and other limits that arrive inside pass through.
    pub fn catch<T>(&self, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => Ok(value),
            Err(payload) if self.caught(&*payload) => Err(self.interrupting.elapsed()),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Whether `payload` was raised by this limit.
    #[doc(alias = "is_timeout")]
    pub fn caught(&self, payload: &(dyn Any + Send)) -> bool {
        self.interrupting.has_passed()
            && payload.downcast_ref() == Some(&self.interrupting.elapsed())
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Its length, and what it is for.
impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Elapsed { limit, label, .. } = self.interrupting.elapsed();
        write!(f, "{limit:?}")?;
        label.map_or(Ok(()), |label| write!(f, ": {label}"))
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("limit", &self.limit())
            .field("is_pending", &self.is_pending())
            .finish()
    }
}
