//! Those who wait for the same thing, in the order in which they came.
//!
//! A node lies in a frame of the greenlet that waits; whoever waits for several things has a node
//! in each of their lists.
//!
//! - **Parked memory stays**: a node is taken out of its list before its frame is left.
#![expect(unsafe_code, reason = "links nodes on parked stacks")]

use super::hub;
use crate::greenlet::{Block, current_block};
use intrusive_collections::{LinkedList, LinkedListLink, UnsafeRef, intrusive_adapter};
use std::cell::{Cell, RefCell};

/// One wait of one greenlet, in at most one list.
pub(crate) struct WaitNode {
    link: LinkedListLink,
    wakes: *const Block,
    fired: Cell<bool>,
}

intrusive_adapter!(WaitAdapter = UnsafeRef<WaitNode>: WaitNode { link => LinkedListLink });

impl WaitNode {
    /// A wait of the current greenlet.
    #[inline]
    pub(crate) fn new() -> WaitNode {
        WaitNode { link: LinkedListLink::new(), wakes: current_block(), fired: Cell::new(false) }
    }

    /// Was it woken through its list? It is in no list then.
    #[inline]
    pub(crate) fn has_fired(&self) -> bool {
        self.fired.get()
    }
}

/// A list of waits.
pub(crate) struct WaitList(RefCell<LinkedList<WaitAdapter>>);

impl WaitList {
    pub(crate) const fn new() -> WaitList {
        WaitList(RefCell::new(LinkedList::new(WaitAdapter::NEW)))
    }

    /// Appends a wait.
    ///
    /// # Safety
    /// - It is in no list, stays where it is, and is [taken out](WaitList::remove) before its frame
    ///   is left or the list is dropped, unless it has fired.
    #[inline]
    pub(crate) unsafe fn add(&self, node: &WaitNode) {
        node.fired.set(false);
        // SAFETY: it stays where it is.
        self.0.borrow_mut().push_back(unsafe { UnsafeRef::from_raw(node) });
    }

    /// Takes a wait out, if it is in a list, which is this one then.
    ///
    /// # Safety
    /// - It is in this list or in none.
    #[inline]
    pub(crate) unsafe fn remove(&self, node: &WaitNode) {
        if node.link.is_linked() {
            let mut list = self.0.borrow_mut();
            // SAFETY: it is in this list.
            let mut place = unsafe { list.cursor_mut_from_ptr(node) };
            place.remove();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Fires the first wait and wakes its greenlet; false if there is none.
    pub(crate) fn wake_one(&self) -> bool {
        let Some(node) = self.0.borrow_mut().pop_front() else { return false };
        node.fired.set(true);
        // SAFETY: **Parked memory stays**: the node lies in a frame of this greenlet.
        hub().wake(unsafe { &*node.wakes });
        true
    }

    /// Fires all waits, in order.
    pub(crate) fn wake_all(&self) {
        while self.wake_one() {}
    }
}
