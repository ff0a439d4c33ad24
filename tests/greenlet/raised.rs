//! Raising without the panic hook's text, and looking at what was raised.

use greenlet::GreenletExit;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// An exception of the tests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Boom(pub(crate) &'static str);

/// Raises a [`Boom`] here, in silence.
pub(crate) fn boom(text: &'static str) -> ! {
    resume_unwind(Box::new(Boom(text)))
}

/// Calls `f` and tells what it raised; what it returned is given back as the error.
pub(crate) fn try_raised<R>(f: impl FnOnce() -> R) -> Result<String, R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Err(value),
        Err(payload) => Ok(text(&*payload)),
    }
}

/// Calls `f`, which raises, and tells what.
#[track_caller]
pub(crate) fn raised<R>(f: impl FnOnce() -> R) -> String {
    match try_raised(f) {
        Ok(text) => text,
        Err(_) => panic!("nothing was raised"),
    }
}

/// What a payload says.
pub(crate) fn text(payload: &(dyn Any + Send)) -> String {
    if let Some(Boom(text)) = payload.downcast_ref() {
        format!("boom {text}")
    } else if payload.is::<GreenletExit>() {
        "GreenletExit".to_owned()
    } else if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "something else".to_owned()
    }
}
