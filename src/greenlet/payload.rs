//! What was raised, as errors hold it.
#![expect(unsafe_code, reason = "a box that threads may share, because it is not lent")]

use super::error::{GreenletExit, Payload};
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// What was raised in a greenlet: a panic's payload, the reason of a kill, or what was thrown. Errors hold one.
///
/// It may go to another thread, and may be shared with one, as errors must: `?` turns what holds it into a
/// `Box<dyn Error + Send + Sync>`. Through a shared reference you can therefore reach only a payload whose type is
/// [`Sync`]; with `&mut` or by value you can reach any payload.
///
/// ```
/// use greenlet::{Greenlet, SwitchError};
/// use std::cell::Cell;
/// let g = Greenlet::new(|()| -> i32 { std::panic::resume_unwind(Box::new(Cell::new(7))) });
/// let Err(SwitchError::Thrown(payload)) = g.try_switch::<(), i32>(()) else { unreachable!() };
/// assert!(payload.is::<Cell<i32>>());
/// assert_eq!(payload.downcast::<Cell<i32>>().unwrap().get(), 7);
/// ```
///
/// A `Cell` is not `Sync`, so a shared reference does not give access to it:
///
/// ```compile_fail,E0277
/// fn look(payload: &greenlet::RaisedPayload) {
///     payload.downcast_ref::<std::cell::Cell<i32>>();
/// }
/// ```
pub struct RaisedPayload(Payload);

// SAFETY: a shared reference lends the payload only as a type that is `Sync`; to ask for its type does not touch
// it. Every method that takes `&self` keeps to that.
unsafe impl Sync for RaisedPayload {}

impl RaisedPayload {
    /// Is it a `T`?
    pub fn is<T: Any>(&self) -> bool {
        self.0.is::<T>()
    }

    /// The payload, if it is a `T`.
    pub fn downcast_ref<T: Any + Sync>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }

    /// The text of the panic, if there is one; named after the method of std's `PanicHookInfo`.
    #[doc(alias = "message")]
    pub fn payload_as_str(&self) -> Option<&str> {
        text_of(&*self.0)
    }

    /// The payload, whatever it is.
    pub fn get_mut(&mut self) -> &mut (dyn Any + Send) {
        &mut *self.0
    }

    /// The payload, if it is a `T`.
    ///
    /// # Errors
    /// Itself, if it is not.
    pub fn downcast<T: Any>(self) -> Result<Box<T>, RaisedPayload> {
        self.0.downcast().map_err(RaisedPayload)
    }

    /// The payload, whatever it is, to be kept or raised again.
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.0
    }

    /// Raises it in the current greenlet.
    #[doc(alias = "raise")]
    pub fn resume(self) -> ! {
        resume_unwind(self.0)
    }
}

impl From<Box<dyn Any + Send>> for RaisedPayload {
    fn from(payload: Box<dyn Any + Send>) -> RaisedPayload {
        RaisedPayload(payload)
    }
}

/// Its text, or what stands for it.
impl fmt::Display for RaisedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&*self.0))
    }
}

impl fmt::Debug for RaisedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RaisedPayload({self})")
    }
}

/// The text of a payload that is raised by those above, if it is one of theirs. What it looks at is `Sync`.
pub(crate) type TextOfOthers = fn(&(dyn Any + Send)) -> Option<String>;

/// A [`TextOfOthers`], or null. No `OnceLock`: one that a thread was setting would stop the child of a fork.
static TEXT_OF_OTHERS: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// For whoever raises payloads of its own, before the first of them.
#[cfg(feature = "hub")]
pub(crate) fn set_text_of_others(text: TextOfOthers) {
    TEXT_OF_OTHERS.store(text as *mut (), Ordering::Relaxed);
}

fn text_of_others(payload: &(dyn Any + Send)) -> Option<String> {
    let text = TEXT_OF_OTHERS.load(Ordering::Relaxed);
    // SAFETY: null, or stored above: a null pointer is the `None` of a function's.
    let text = unsafe { std::mem::transmute::<*mut (), Option<TextOfOthers>>(text) };
    text?(payload)
}

/// The text of a payload, or what stands for it.
pub(crate) fn describe(payload: &(dyn Any + Send)) -> Cow<'_, str> {
    if let Some(text) = text_of(payload) {
        return text.into();
    }
    if payload.is::<GreenletExit>() {
        return "GreenletExit".into();
    }
    text_of_others(payload).map_or("a payload without text".into(), Cow::from)
}

/// The text of a `panic!`.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
