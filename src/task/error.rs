//! How a task ended, if not with a value.

use crate::greenlet::{GreenletExit, GreenletId, RaisedPayload};
use std::any::Any;
use std::fmt;

/// A task ended without a value: it panicked, was killed, or was thrown at.
///
/// It is `Send` and `Sync`, so `?` can turn it into a `Box<dyn Error + Send + Sync>`. For that reason the payload
/// can be borrowed only as a type that is [`Sync`]; see [`RaisedPayload`].
///
/// ```
/// use std::error::Error;
/// fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
///     let task = greenlet::spawn(|| 6 * 7);
///     assert_eq!(task.join()?, 42);
///     Ok(())
/// }
/// ```
pub struct JoinError {
    pub(super) id: GreenletId,
    pub(super) name: Option<Box<str>>,
    pub(super) payload: RaisedPayload,
}

impl JoinError {
    /// Was it ended quietly, by [`GreenletExit`]?
    pub fn is_killed(&self) -> bool {
        self.payload.is::<GreenletExit>()
    }

    /// Was a `T` raised in it: a panic's payload, the reason of a kill, what was thrown?
    pub fn is<T: Any>(&self) -> bool {
        self.payload.is::<T>()
    }

    /// What was raised in it, if it is a `T`.
    #[doc(alias("exception", "exc_info"))]
    pub fn downcast_ref<T: Any + Sync>(&self) -> Option<&T> {
        self.payload.downcast_ref()
    }

    /// The text of the panic, if there is one; named after the method of std's `PanicHookInfo`.
    #[doc(alias("exception", "message"))]
    pub fn payload_as_str(&self) -> Option<&str> {
        self.payload.payload_as_str()
    }

    /// What was raised in it, whatever it is.
    pub fn payload_mut(&mut self) -> &mut (dyn Any + Send) {
        self.payload.get_mut()
    }

    /// What was raised in it, to be kept or raised again.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner()
    }

    /// Raises it in the current greenlet.
    #[doc(alias = "raise")]
    pub fn resume(self) -> ! {
        self.payload.resume()
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
            false => write!(f, " failed: {}", self.payload),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

const _: () = {
    const fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<JoinError>();
};
