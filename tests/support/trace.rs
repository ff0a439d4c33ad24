//! What happened, in order: short lines, compared whole.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

/// A trace that all who write to it share.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn add(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    pub(crate) fn has(&self, lines: usize) -> bool {
        self.0.borrow().len() >= lines
    }

    /// Is the trace this? It is empty afterwards.
    #[track_caller]
    pub(crate) fn is(&self, lines: &[&str]) {
        assert_eq!(self.0.take(), lines);
    }

    /// Takes what was added, as one line.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(", ")
    }

    /// Writes `name dropped` when it is dropped.
    pub(crate) fn guard(&self, name: &'static str) -> Guard {
        Guard(self.clone(), name)
    }
}

pub(crate) struct Guard(Trace, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add(format_args!("{} dropped", self.1));
    }
}
