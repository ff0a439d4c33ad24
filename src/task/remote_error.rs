//! How a task on the hub of another thread ended, if not with a value.
#![expect(unsafe_code, reason = "a body that threads may share, because it is not lent")]

use crate::greenlet::{GreenletExit, RaisedPayload};
use crate::stack::StackError;
use std::any::Any;
use std::error::Error;
use std::fmt;

/// What a task is to do.
pub(super) type Body<T> = Box<dyn FnOnce() -> T + Send>;

/// Why a task on another thread's hub returned no value.
///
/// What was raised is lent only as a type that is [`Sync`]; see [`RaisedPayload`].
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteJoinError {
    /// It panicked, was killed with a reason, or something was thrown into it; this is the payload.
    Raised(RaisedPayload),
    /// It was ended quietly, by [`GreenletExit`].
    Killed,
    /// Its hub has ended, with its thread. The task did not begin, or does not end.
    HubEnded,
    /// It did not begin: there was no stack for it.
    NoStack(StackError),
}

impl RemoteJoinError {
    /// Was it ended quietly, by [`GreenletExit`]?
    pub fn is_killed(&self) -> bool {
        matches!(self, RemoteJoinError::Killed)
    }

    /// Was a `T` raised in it: a panic's payload, the reason of a kill, what was thrown?
    pub fn is<T: Any>(&self) -> bool {
        match self {
            RemoteJoinError::Raised(payload) => payload.is::<T>(),
            RemoteJoinError::Killed => (&GreenletExit as &dyn Any).is::<T>(),
            _ => false,
        }
    }

    /// What was raised in it, if it is a `T`.
    pub fn downcast_ref<T: Any + Sync>(&self) -> Option<&T> {
        match self {
            RemoteJoinError::Raised(payload) => payload.downcast_ref(),
            RemoteJoinError::Killed => (&GreenletExit as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// The text of the panic, if there is one.
    pub fn payload_as_str(&self) -> Option<&str> {
        match self {
            RemoteJoinError::Raised(payload) => payload.payload_as_str(),
            _ => None,
        }
    }

    /// What was raised in it, whatever it is; `None` when its hub ended or it had no stack.
    pub fn payload_mut(&mut self) -> Option<&mut (dyn Any + Send)> {
        match self {
            RemoteJoinError::Raised(payload) => Some(payload.get_mut()),
            RemoteJoinError::Killed => Some(Box::leak(Box::new(GreenletExit))), // of no size
            _ => None,
        }
    }

    /// What was raised in it, to be kept or raised again; `None` when its hub ended or it had no stack.
    pub fn into_payload(self) -> Option<Box<dyn Any + Send>> {
        match self {
            RemoteJoinError::Raised(payload) => Some(payload.into_inner()),
            RemoteJoinError::Killed => Some(Box::new(GreenletExit)),
            _ => None,
        }
    }

    /// Raises it in the current greenlet; panics with its text when its hub ended or it had no stack.
    #[doc(alias = "raise")]
    #[track_caller]
    pub fn resume(self) -> ! {
        match self {
            RemoteJoinError::Raised(payload) => payload.resume(),
            RemoteJoinError::Killed => std::panic::resume_unwind(Box::new(GreenletExit)),
            other => panic!("{other}"),
        }
    }
}

impl fmt::Display for RemoteJoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteJoinError::Raised(payload) => write!(f, "the task failed: {payload}"),
            RemoteJoinError::Killed => f.write_str("the task was killed"),
            RemoteJoinError::HubEnded => f.write_str("the hub has ended"),
            RemoteJoinError::NoStack(error) => write!(f, "the task did not begin: {error}"),
        }
    }
}

impl Error for RemoteJoinError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RemoteJoinError::NoStack(error) => Some(error),
            _ => None,
        }
    }
}

/// The hub has ended, so the task was not sent to it. Holds the task's closure.
pub struct HubEnded<T>(Body<T>);

// SAFETY: a shared reference lends nothing of it.
unsafe impl<T> Sync for HubEnded<T> {}

impl<T> HubEnded<T> {
    pub(super) fn new(body: Body<T>) -> HubEnded<T> {
        HubEnded(body)
    }

    /// What the task was to do.
    pub fn into_body(self) -> Box<dyn FnOnce() -> T + Send> {
        self.0
    }
}

impl<T> fmt::Display for HubEnded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the hub has ended")
    }
}

impl<T> fmt::Debug for HubEnded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubEnded")
    }
}

impl<T> Error for HubEnded<T> {}

const _: () = {
    const fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<RemoteJoinError>();
    goes_anywhere::<HubEnded<*const ()>>();
};
