//! Those who wait for the same thing, in the order in which they came.
//!
//! A node lies in a frame of the greenlet that waits, or in a box of whoever watches; who waits for
//! several things has a node in each of their lists, and one [`Arrivals`] for all of them.
//!
//! - **Parked memory stays**: a node is taken out of its list before its memory is left.
#![expect(unsafe_code, reason = "links nodes on parked stacks")]

use super::hub_if_any;
use crate::driver::planted::{self, Bug};
use crate::greenlet::{Block, current_block};
use intrusive_collections::{LinkedList, LinkedListLink, UnsafeRef, intrusive_adapter};
use std::cell::{Cell, RefCell};
use std::ptr::null;

/// One wait of one greenlet, in at most one list.
pub(crate) struct WaitNode {
    link: LinkedListLink,
    /// The greenlet that waits; null in [`OneOfSeveral`].
    wakes: *const Block,
    fired: Cell<bool>,
    note: u64,
}

intrusive_adapter!(WaitAdapter = UnsafeRef<WaitNode>: WaitNode { link => LinkedListLink });

impl WaitNode {
    /// A wait of the current greenlet.
    #[inline]
    pub(crate) fn new() -> WaitNode {
        WaitNode::noted(0)
    }

    /// As [`new`](WaitNode::new), with a note for those who [look](WaitList::first_note) at the list.
    #[inline]
    pub(crate) fn noted(note: u64) -> WaitNode {
        WaitNode { wakes: current_block(), note, ..WaitNode::of_nobody() }
    }

    /// One that wakes nobody by itself.
    #[inline]
    const fn of_nobody() -> WaitNode {
        let (link, fired) = (LinkedListLink::new(), Cell::new(false));
        WaitNode { link, wakes: null(), fired, note: 0 }
    }

    /// Was it woken through its list? It is in no list then.
    #[inline]
    pub(crate) fn has_fired(&self) -> bool {
        self.fired.get()
    }

    /// Notes that it fired, and wakes whoever waits.
    #[inline]
    fn fire(&self) {
        self.fired.set(true);
        // SAFETY: null, or a greenlet in one of whose frames the node lies (**Parked memory stays**).
        match unsafe { self.wakes.as_ref() } {
            Some(block) => wake(block),
            // SAFETY: it wakes nobody, so it is the first field of one of several.
            None => unsafe { &*(&raw const *self).cast::<OneOfSeveral>() }.arrive(),
        }
    }
}

/// One of the waits of one who waits for several things.
#[repr(C)]
pub(crate) struct OneOfSeveral {
    pub(crate) node: WaitNode,
    arrivals: Cell<*const Arrivals>,
    /// The one that fired after this.
    next: Cell<*const OneOfSeveral>,
}

const _: () = assert!(std::mem::offset_of!(OneOfSeveral, node) == 0);

impl OneOfSeveral {
    /// One that is [watched](Arrivals::watch) before it is added to a list.
    pub(crate) fn new() -> OneOfSeveral {
        OneOfSeveral {
            node: WaitNode::of_nobody(),
            arrivals: Cell::new(null()),
            next: Cell::new(null()),
        }
    }

    /// Notes that it fired.
    #[cold]
    #[inline(never)]
    pub(crate) fn arrive(&self) {
        // SAFETY: null, or arrivals that lie beside the node, by the promise of `watch`.
        if let Some(arrivals) = unsafe { self.arrivals.get().as_ref() } {
            arrivals.push(self);
        }
    }
}

/// Wakes a greenlet that waits. Without its hub it waits for ever: the thread's locals are being
/// destroyed, or this is the child of a fork. A guard may be dropped then all the same.
#[inline]
fn wake(block: &Block) {
    if let Some(hub) = hub_if_any() {
        hub.wake(block);
    }
}

/// The nodes of one who waits for several things, in the order in which they fired.
pub(crate) struct Arrivals {
    first: Cell<*const OneOfSeveral>,
    last: Cell<*const OneOfSeveral>,
    /// Who is parked until one fires; null while nobody is.
    wakes: Cell<*const Block>,
}

impl Arrivals {
    pub(crate) const fn new() -> Arrivals {
        Arrivals { first: Cell::new(null()), last: Cell::new(null()), wakes: Cell::new(null()) }
    }

    /// Hears of `node` from now on.
    ///
    /// # Safety
    /// - Neither moves until the node is in no list any more, and both are left together.
    pub(crate) unsafe fn watch(&self, node: &OneOfSeveral) {
        node.arrivals.set(self);
    }

    fn push(&self, node: &OneOfSeveral) {
        node.next.set(null());
        // SAFETY: null, or a node beside this one.
        match unsafe { self.last.get().as_ref() } {
            Some(last) => last.next.set(node),
            None => self.first.set(node),
        }
        self.last.set(node);
        // SAFETY: null, or a greenlet that is inside `wait`.
        if let Some(block) = unsafe { self.wakes.get().as_ref() } {
            wake(block);
        }
    }

    /// Takes the one that fired first.
    pub(crate) fn pop(&self) -> Option<*const OneOfSeveral> {
        // SAFETY: null, or a node beside this.
        let node = unsafe { self.first.get().as_ref() }?;
        self.first.set(node.next.get());
        if node.next.get().is_null() {
            self.last.set(null());
        }
        Some(node)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// Calls `park`, in which the current greenlet is woken by any that fires.
    ///
    /// `park` must not unwind.
    pub(crate) fn wait<R>(&self, park: impl FnOnce() -> R) -> R {
        self.wakes.set(current_block());
        let result = park();
        self.wakes.set(null());
        result
    }
}

/// A list of waits.
pub(crate) struct WaitList(RefCell<LinkedList<WaitAdapter>>);

impl Default for WaitList {
    fn default() -> WaitList {
        WaitList::new()
    }
}

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

    /// As [`add`](WaitList::add), before all others: for one that has waited already.
    ///
    /// # Safety
    /// - As for [`add`](WaitList::add).
    pub(crate) unsafe fn add_first(&self, node: &WaitNode) {
        node.fired.set(false);
        // SAFETY: it stays where it is.
        self.0.borrow_mut().push_front(unsafe { UnsafeRef::from_raw(node) });
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

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// How many waits there are; counts them.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().iter().count()
    }

    /// What the first wait was [noted](WaitNode::noted) with; `None` if there is none.
    #[inline]
    pub(crate) fn first_note(&self) -> Option<u64> {
        self.0.borrow().front().get().map(|node| node.note)
    }

    /// Fires the first wait and wakes its greenlet; false if there is none.
    #[inline]
    pub(crate) fn wake_one(&self) -> bool {
        let has_fired = !self.is_empty() && self.fire_first();
        if planted::is(Bug::DoubleWake) {
            self.fire_first();
        }
        has_fired
    }

    fn fire_first(&self) -> bool {
        let mut list = self.0.borrow_mut();
        let first = match planted::is(Bug::NewestFirst) {
            false => list.pop_front(),
            true => list.pop_back(),
        };
        drop(list);
        let Some(node) = first else { return false };
        node.fire();
        true
    }

    /// Fires all waits, in order.
    pub(crate) fn wake_all(&self) {
        while self.wake_one() {}
    }
}
