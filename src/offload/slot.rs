//! What a job and the one that waits for it share.

use crate::greenlet::{Payload, contain, run};
use std::mem::replace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Slot<T, F>(Mutex<State<T, F>>);

enum State<T, F> {
    /// Nobody has begun with it.
    Queued(F),
    /// A thread calls it.
    Running,
    /// Its result, which nobody has taken.
    Done(Result<T, Payload>),
    /// Nobody waits for it, or everything was taken.
    Left,
}

impl<T, F: FnOnce() -> T> Slot<T, F> {
    pub(super) fn new(f: F) -> Slot<T, F> {
        Slot(Mutex::new(State::Queued(f)))
    }

    fn lock(&self) -> MutexGuard<'_, State<T, F>> {
        // No user code runs under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On the worker: calls the closure and leaves its result. True if somebody waits for it.
    pub(super) fn run(&self) -> bool {
        let f = {
            let mut state = self.lock();
            match replace(&mut *state, State::Running) {
                State::Queued(f) => f,
                other => {
                    *state = other; // who waited has left
                    return false;
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| run(f)));
        let mut state = self.lock();
        if matches!(*state, State::Running) {
            *state = State::Done(result);
            return true;
        }
        drop(state);
        contain(|| drop(result));
        false
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(*self.lock(), State::Done(_))
    }

    /// The result; or the closure, if no thread has begun with it.
    pub(super) fn outcome(&self) -> Result<Result<T, Payload>, F> {
        match self.take() {
            State::Done(result) => Ok(result),
            State::Queued(f) => Err(f),
            State::Running | State::Left => unreachable!("it is done, or was never given away"),
        }
    }

    /// Nobody waits any more: what is here now is the caller's to drop, what comes later is dropped where it comes.
    #[must_use = "it may be the user's, whose drop may do anything"]
    pub(super) fn leave(&self) -> impl Sized {
        self.take()
    }

    fn take(&self) -> State<T, F> {
        replace(&mut *self.lock(), State::Left)
    }
}
