//! The parent of a greenlet: who receives its end.

use super::control::nowhere;
use super::current::thread;
use super::handle::{Greenlet, current};
use super::{ParentError, death};

impl Greenlet {
    /// The greenlet that receives this one's end; `None` for the root. If that one is dead, its own parent
    /// receives the end.
    pub fn parent(&self) -> Option<Greenlet> {
        self.node().parent().map(Greenlet::of)
    }

    /// Makes `parent` the greenlet that receives this one's end.
    ///
    /// ```
    /// use greenlet::{Greenlet, ParentError};
    /// let child = Greenlet::new(|x: i32| x + 1);
    /// let parent = Greenlet::new({ let child = child.clone(); move |x: i32| -> i32 { child.switch(x) } });
    /// child.set_parent(&parent).unwrap();
    /// assert_eq!(parent.set_parent(&child), Err(ParentError::Cycle));
    /// assert_eq!(parent.switch::<i32, i32>(1), 2); // the child's end went to `parent`, which returned it
    /// ```
    ///
    /// # Errors
    /// [`ParentError`]; the old parent stays.
    pub fn set_parent(&self, parent: &Greenlet) -> Result<(), ParentError> {
        let node = self.node();
        let Some(old) = node.parent() else { return Err(ParentError::Root) };
        if std::ptr::eq(parent.node(), node) {
            return Err(ParentError::Cycle);
        }
        // Nobody's parent is above nobody: no need to look.
        let mut above = Some(parent.node()).filter(|_| node.edges().get() > 0);
        while let Some(one) = above {
            if std::ptr::eq(one, node) {
                return Err(ParentError::Cycle);
            }
            above = one.parent();
        }
        let new = parent.node();
        new.edges().set(new.edges().get() + 1);
        node.set_parent(new.as_link());
        if let Some(block) = self.alive() {
            block.header.up.set(new.as_link());
            block.parent.set(new.block().map_or(nowhere(), |parent| parent));
        }
        old.edges().set(old.edges().get() - 1);
        death::release(thread(), old);
        Ok(())
    }

    /// Makes the current greenlet the parent, unless it is already.
    #[inline]
    pub(super) fn adopt(&self) {
        let me = thread().current();
        // By node: somebody else may have the block of a parent that is dead.
        if self.alive().is_some_and(|block| !me.is_named_by(block.header.up.get()))
            && let Err(error) = self.set_parent(&current())
        {
            panic!("{self} cannot be resumed by its own descendant: {error}");
        }
    }
}
