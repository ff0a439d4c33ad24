//! A handle that does not keep its greenlet alive.
#![expect(unsafe_code, reason = "looks at a side record that may have a new owner")]

#[cfg(feature = "hub")]
use super::control::Block;
use super::control::Node;
use super::current::{ORPHAN, thread};
use super::handle::Greenlet;
use super::state::GreenletId;

/// A handle that does not keep its greenlet alive; see [`Greenlet::downgrade`].
///
/// Greenlets that know each other should hold each other weakly: two handles on two stacks make a
/// cycle that no drop ends.
///
/// ```
/// use greenlet::{Greenlet, suspend};
/// let g = Greenlet::new(|()| suspend::<(), ()>(()));
/// let weak = g.downgrade();
/// assert!(weak.upgrade().is_some_and(|again| again == g));
/// drop(g); // the last handle: it ends
/// assert!(weak.upgrade().is_none());
/// ```
///
/// Two are equal if they name the same greenlet, as handles are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WeakGreenlet {
    node: *const Node,
    id: GreenletId,
}

impl WeakGreenlet {
    pub(super) fn new(node: &Node) -> WeakGreenlet {
        WeakGreenlet { node, id: GreenletId::new(node.id.get()) }
    }

    /// A handle, if one still exists elsewhere or the greenlet is the current one; otherwise `None`.
    pub fn upgrade(&self) -> Option<Greenlet> {
        // SAFETY: side records are not returned while their thread lives; this type does not
        // leave the thread.
        let node = unsafe { &*self.node };
        if node.id.get() != self.id.get() {
            return None; // gone, and the record is another's
        }
        let is_current = node.block().is_some_and(|b| std::ptr::eq(b, thread().current()));
        if node.handles().get() == 0 && !is_current {
            return None; // being killed, or dead: with children, or the record is free
        }
        if is_current {
            thread().clear(ORPHAN);
        }
        Some(Greenlet::of(node))
    }

    /// As [`Greenlet::downgrade`].
    #[cfg(feature = "hub")]
    #[inline]
    pub(crate) fn of(block: &Block) -> WeakGreenlet {
        WeakGreenlet::new(block.record())
    }

    /// The block of the greenlet, if that lives, whoever holds it.
    #[cfg(feature = "hub")]
    pub(crate) fn block(&self) -> Option<&Block> {
        // SAFETY: as in `upgrade`.
        let node = unsafe { &*self.node };
        if node.id.get() == self.id.get() { node.block() } else { None }
    }

    /// The number of the greenlet.
    pub fn id(&self) -> GreenletId {
        self.id
    }
}
