//! What must not pass in silence: one line on standard error, or the end of the process.

use super::control::Block;
use super::error::{GreenletExit, Payload};
use super::payload::describe;
use std::fmt;
use std::io::Write;

/// Writes one line; nothing can be done if that fails.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "greenlet: {text}");
}

/// Ends the process: going on would run on the wrong stack, or free one that is in use.
pub(crate) fn fatal(text: fmt::Arguments<'_>) -> ! {
    line(text);
    std::process::abort()
}

/// A greenlet as the reports call it: `greenlet 7 'name'`.
pub(crate) struct Called<'a>(pub(crate) &'a Block);

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "greenlet {}", self.0.label.id.get())?;
        match self.0.label.name() {
            Some(name) => write!(f, " '{name}'"),
            None => Ok(()),
        }
    }
}

/// Runs `user_code` where a panic must go no further: it is noted, and dropped.
///
/// A quiet exit is not noted: it is how a greenlet that waits in here is killed.
pub(crate) fn contain(user_code: impl FnOnce()) {
    let _own = super::switch::TakesThrows::set_aside();
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(user_code)) {
        drop_noted(payload);
    }
}

/// Notes a payload that nobody will be told of, and drops it.
pub(crate) fn drop_noted(payload: Payload) {
    if !payload.is::<GreenletExit>() {
        line(format_args!("ignored in cleanup: {}", describe(&*payload)));
    }
    // A payload whose own drop panics would start over: that one is leaked.
    if let Err(again) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
