//! What the tests write down, and values that tell of their end.

use std::cell::RefCell;
use std::rc::Rc;

/// Short lines, compared whole.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// The lines so far, which are taken away.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.take()
    }

    /// Says `line` when it is dropped.
    pub(crate) fn at_end(&self, line: &'static str) -> AtEnd {
        AtEnd { log: self.clone(), line }
    }
}

pub(crate) struct AtEnd {
    log: Log,
    line: &'static str,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.log.say(self.line);
    }
}

/// Runs a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
