//! What happened, as short lines in order; compared whole.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

/// Clones write to the same list.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, line: impl Display) {
        self.0.borrow_mut().push(line.to_string());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    #[track_caller]
    pub(crate) fn is(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }
}

/// Says its line when it is dropped.
pub(crate) struct OnDrop(pub(crate) Trace, pub(crate) &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Calls its closure when it is dropped.
pub(crate) struct Defer<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for Defer<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
