//! What happened, as short lines in order; compared whole.

use greenlet::{Elapsed, GreenletExit, JoinHandle, spawn, yield_now};
use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// Clones write to the same list.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    /// Compares, and begins anew.
    #[track_caller]
    pub(crate) fn is(&self, expected: &[&str]) {
        assert_eq!(self.0.take(), expected);
    }

    /// Spawns a task that says `name: what f returns`, or what was raised in it.
    pub(crate) fn task<R: Display>(
        &self,
        name: impl Display,
        f: impl FnOnce() -> R + 'static,
    ) -> JoinHandle<()> {
        let (trace, name) = (self.clone(), name.to_string());
        spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(f));
            trace.say(match &result {
                Ok(value) => format!("{name}: {value}"),
                Err(payload) => format!("{name}: {}", raised(&**payload)),
            });
            result.map_or_else(|payload| resume_unwind(payload), drop)
        })
    }
}

/// Lets everybody who is ready run so many times.
pub(crate) fn turns(count: usize) {
    for _ in 0..count {
        yield_now();
    }
}

/// A payload in a few words.
pub(crate) fn raised(payload: &(dyn Any + Send)) -> String {
    if payload.is::<GreenletExit>() {
        return "killed".to_owned();
    }
    if payload.is::<Elapsed>() {
        return "elapsed".to_owned();
    }
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return format!("raised {text}");
    }
    payload.downcast_ref::<String>().map_or("raised something".to_owned(), |s| s.clone())
}
