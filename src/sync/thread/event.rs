//! A flag that several threads wait for.

use super::waits::{Served, Waits, lock, wait};
use crate::list::parts::Mutex;
use std::fmt;
use std::time::Duration;

/// A flag, shared by several threads, that greenlets and threads wait for until it is set. For the greenlets
/// of one thread there is the faster [`sync::Event`](crate::sync::Event).
///
/// A wait succeeds if the flag was set during it, even if it was cleared again before the waiting greenlet or
/// thread ran.
///
/// ```
/// use greenlet::sync::thread::Event;
/// use std::sync::Arc;
/// let event = Arc::new(Event::new());
/// let thread = std::thread::spawn({
///     let event = event.clone();
///     move || event.set()
/// });
/// event.wait(); // other greenlets of this thread run meanwhile
/// assert!(event.is_set());
/// # thread.join().unwrap();
/// ```
#[derive(Default)]
pub struct Event(Mutex<State>);

#[derive(Default)]
struct State {
    is_set: bool,
    waits: Waits<()>,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Event {
        Event::default()
    }

    /// Sets the flag and wakes all that wait; returns at once.
    pub fn set(&self) {
        let served = {
            let mut state = lock(&self.0);
            state.is_set = true;
            state.waits.serve_all()
        };
        served.into_iter().for_each(Served::wake);
    }

    /// Clears the flag; returns at once. What was woken goes on nevertheless.
    pub fn clear(&self) {
        lock(&self.0).is_set = false;
    }

    /// Whether the flag is set.
    #[doc(alias("isSet", "ready"))]
    pub fn is_set(&self) -> bool {
        lock(&self.0).is_set
    }

    /// Waits until the flag is set: a greenlet parks, a thread without a hub sleeps.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens; once the flag was set, it is
    /// raised at the next wait.
    pub fn wait(&self) {
        self.wait_at_most(None);
    }

    /// As [`wait`](Event::wait), for at most `limit`; returns whether the flag was set.
    ///
    /// # Cancellation
    /// As [`wait`](Event::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.wait_at_most(Some(limit))
    }

    fn wait_at_most(&self, limit: Option<Duration>) -> bool {
        let state = lock(&self.0);
        if state.is_set {
            return true;
        }
        let what = &"an event of several threads";
        let waited = wait(&self.0, state, |state| &mut state.waits, None, what, limit);
        if !waited.served
            && let Some(interrupted) = waited.interrupted
        {
            interrupted.raise();
        }
        waited.served
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}
