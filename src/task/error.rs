//! How a task ended, if not with a value.

use crate::greenlet::{GreenletExit, GreenletId, Payload, describe, text_of};
use std::any::Any;
use std::fmt;

/// A task ended without a value: it panicked, was killed, or was thrown at.
pub struct JoinError {
    pub(super) id: GreenletId,
    pub(super) name: Option<Box<str>>,
    pub(super) payload: Payload,
}

impl JoinError {
    /// Was it ended quietly, by [`GreenletExit`]?
    pub fn is_killed(&self) -> bool {
        self.payload.is::<GreenletExit>()
    }

    /// What was raised in it: a panic's payload, the reason of a kill, what was thrown.
    #[doc(alias("exception", "exc_info"))]
    pub fn payload(&self) -> &(dyn Any + Send) {
        &*self.payload
    }

    /// The text of the panic, if there is one; named after the method of std's `PanicHookInfo`.
    #[doc(alias("exception", "message"))]
    pub fn payload_as_str(&self) -> Option<&str> {
        text_of(self.payload())
    }

    /// What was raised in it, to be looked at or raised again.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
    }

    /// Raises it in the current greenlet.
    #[doc(alias = "raise")]
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.payload)
    }

    /// The greenlet that it ran in.
    pub fn id(&self) -> GreenletId {
        self.id
    }

    /// The name that the task was given.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        match self.is_killed() {
            true => f.write_str(" was killed"),
            false => write!(f, " panicked: {}", describe(&*self.payload)),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}
