//! Those who wait for the same thing, in the order in which they came.
//!
//! A node lies in a frame of the greenlet that waits, or in a box of whoever watches; who waits for
//! several things has a node in each of their lists, and one [`Arrivals`] for all of them.
//!
//! In the child of a fork, and at a thread's end, lists hold nodes of greenlets that are [frozen](is_frozen): their
//! memory stays here for ever. They are passed over, and taken out, when their turn comes.
//!
//! - **Parked memory stays**: a node is taken out of its list before its memory is left.
#![expect(unsafe_code, reason = "links nodes on parked stacks")]

use super::life::{hub_as_it_is, is_frozen};
use crate::driver::planted::{self, Bug};
use crate::greenlet::{Block, current_block};
use std::cell::Cell;
use std::ptr::{self, null};

/// One wait of one greenlet, in at most one list.
pub(crate) struct WaitNode {
    /// Who came next, and who came before; of no meaning at that end of the list, and in none.
    next: Cell<*const WaitNode>,
    prev: Cell<*const WaitNode>,
    /// The greenlet that waits; null in [`OneOfSeveral`].
    wakes: *const Block,
    state: Cell<State>,
    note: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In no list, and not woken through one.
    Apart,
    Listed,
    Fired,
}

impl WaitNode {
    /// A wait of the current greenlet.
    #[inline]
    pub(crate) fn new() -> WaitNode {
        WaitNode::of(current_block(), 0)
    }

    /// A wait of this greenlet, with a note for those who [look](WaitList::first_note) at the list.
    #[inline(always)]
    pub(crate) fn of(waiter: &Block, note: u64) -> WaitNode {
        WaitNode { wakes: waiter, note, ..WaitNode::of_nobody() }
    }

    /// One that wakes nobody by itself.
    #[inline(always)]
    const fn of_nobody() -> WaitNode {
        WaitNode {
            next: Cell::new(null()),
            prev: Cell::new(null()),
            wakes: null(),
            state: Cell::new(State::Apart),
            note: 0,
        }
    }

    /// Was it woken through its list? It is in no list then.
    #[inline(always)]
    pub(crate) fn has_fired(&self) -> bool {
        self.state.get() == State::Fired
    }

    /// Notes that it fired, and wakes whoever waits; false if that one is frozen.
    #[inline(always)]
    fn fire(&self) -> bool {
        self.state.set(State::Fired);
        match self.waiter() {
            Some(block) => wake(block),
            None => {
                // SAFETY: it wakes nobody, so it is the first field of one of several.
                unsafe { &*(&raw const *self).cast::<OneOfSeveral>() }.arrive();
                true // nothing is handed over through one of several
            }
        }
    }

    /// The greenlet that waits, unless this is one of several.
    #[inline(always)]
    fn waiter(&self) -> Option<&Block> {
        // SAFETY: null, or a greenlet in one of whose frames the node lies (**Parked memory stays**).
        unsafe { self.wakes.as_ref() }
    }

    fn is_frozen(&self) -> bool {
        self.waiter().is_some_and(is_frozen)
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

/// Wakes a greenlet that waits; false if it is frozen. Without its hub it waits for ever: the thread's locals are
/// being destroyed, or this is the child of a fork. A guard may be dropped then all the same.
#[inline(always)]
fn wake(block: &Block) -> bool {
    match hub_as_it_is() {
        Some(hub) => hub.wake(block),
        None => !is_frozen(block),
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
///
/// Linked through the nodes, whose fields are cells: no reference is exclusive, and no method calls
/// anybody while the links are being changed. Each step touches the ends and its own node, and the next one
/// only when a wait leaves out of its turn: those who wait lie on pages of their own.
///
/// - **Ends**: `first` is null iff the list is empty; then `last` means nothing. From `first` the `next` fields
///   lead through all [`Listed`](State::Listed) nodes to `last`, whose own is null, and the `prev` fields back.
#[derive(Default)]
pub(crate) struct WaitList {
    first: Cell<*const WaitNode>,
    last: Cell<*const WaitNode>,
}

impl WaitList {
    pub(crate) const fn new() -> WaitList {
        WaitList { first: Cell::new(null()), last: Cell::new(null()) }
    }

    /// Appends a wait.
    ///
    /// # Safety
    /// - It is in no list, stays where it is, and is [taken out](WaitList::remove) before its frame
    ///   is left or the list is dropped, unless it has fired.
    #[inline(always)]
    pub(crate) unsafe fn add(&self, node: &WaitNode) {
        debug_assert!(node.state.get() != State::Listed);
        node.state.set(State::Listed);
        node.next.set(null());
        if self.first.get().is_null() {
            self.first.set(node);
        } else {
            let last = self.last.get();
            node.prev.set(last);
            // SAFETY: **Ends**; it is still there (**Parked memory stays**).
            unsafe { &*last }.next.set(node);
        }
        self.last.set(node);
    }

    /// As [`add`](WaitList::add), before all others: for one that has waited already.
    ///
    /// # Safety
    /// - As for [`add`](WaitList::add).
    #[cold]
    pub(crate) unsafe fn add_first(&self, node: &WaitNode) {
        debug_assert!(node.state.get() != State::Listed);
        node.state.set(State::Listed);
        let first = self.first.replace(node);
        node.next.set(first);
        // SAFETY: **Ends**; it is still there (**Parked memory stays**).
        match unsafe { first.as_ref() } {
            Some(first) => first.prev.set(node),
            None => self.last.set(node),
        }
    }

    /// Takes a wait out, if it is in a list, which is this one then.
    ///
    /// # Safety
    /// - It is in this list or in none.
    #[inline]
    pub(crate) unsafe fn remove(&self, node: &WaitNode) {
        if node.state.get() == State::Listed {
            // SAFETY: forwarded.
            unsafe { self.unlink(node) }
        }
    }

    /// # Safety
    /// - It is in this list.
    #[cold]
    unsafe fn unlink(&self, node: &WaitNode) {
        node.state.set(State::Apart);
        let (prev, next) = (node.prev.get(), node.next.get());
        let is_first = ptr::eq(self.first.get(), node);
        if is_first {
            self.first.set(next);
        } else {
            // SAFETY: **Ends**: it is in the list, and not the first. (**Parked memory stays**.)
            unsafe { &*prev }.next.set(next);
        }
        // SAFETY: **Ends**: null or in the list.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev), // nobody asks it if it is the first now
            None => self.last.set(prev),       // nobody asks if the list is empty now
        }
    }

    /// Waits nobody who will go on?
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    /// How many waits there are; counts them.
    pub(crate) fn len(&self) -> usize {
        let mut count = 0;
        let mut next = self.first.get();
        // SAFETY: **Ends**: null or in the list.
        while let Some(node) = unsafe { next.as_ref() } {
            count += usize::from(!node.is_frozen());
            next = node.next.get();
        }
        count
    }

    /// The first wait of one who is not frozen; before it there is none any more.
    #[inline(always)]
    fn first(&self) -> Option<&WaitNode> {
        loop {
            // SAFETY: **Ends**: null or in the list.
            let node = unsafe { self.first.get().as_ref() }?;
            if !node.is_frozen() {
                return Some(node);
            }
            self.first.set(node.next.get());
        }
    }

    /// What the first wait was [noted](WaitNode::of) with; `None` if there is none.
    #[inline]
    pub(crate) fn first_note(&self) -> Option<u64> {
        self.first().map(|node| node.note)
    }

    /// Fires the first wait and wakes its greenlet; false if there is none.
    #[inline]
    pub(crate) fn wake_one(&self) -> bool {
        let has_fired = self.fire_one();
        if planted::is(Bug::DoubleWake) {
            self.fire_one();
        }
        has_fired
    }

    /// As [`wake_one`](WaitList::wake_one), where each wait has something of its own to come: if the first is that
    /// of a frozen greenlet, nobody is woken.
    #[inline]
    pub(crate) fn wake_first(&self) -> bool {
        self.fire_first() == Some(true)
    }

    #[inline(always)]
    fn fire_one(&self) -> bool {
        loop {
            // Who is frozen is found to be ready already, so that those who are not pay nothing for the question.
            match self.fire_first() {
                None => return false,
                Some(true) => return true,
                Some(false) => {}
            }
        }
    }

    /// Fires the first wait; says whether its greenlet will go on.
    #[inline(always)]
    fn fire_first(&self) -> Option<bool> {
        // SAFETY: **Ends**: null or in the list.
        let mut node = unsafe { self.first.get().as_ref() }?;
        if planted::is(Bug::NewestFirst) {
            // SAFETY: **Ends**: there is a first, so there is a last.
            node = unsafe { &*self.last.get() };
            // SAFETY: it is in this list.
            unsafe { self.unlink(node) };
        } else {
            self.first.set(node.next.get());
        }
        Some(node.fire())
    }

    /// Fires all waits, in order.
    pub(crate) fn wake_all(&self) {
        while self.wake_one() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Nodes that wake nobody, in the order of a list and in that of a model.
    #[test]
    fn waits_leave_in_the_order_in_which_they_came_or_from_where_they_are() {
        let nodes: Vec<_> = (0..8).map(|_| OneOfSeveral::new()).collect();
        let (list, mut model) = (WaitList::new(), VecDeque::new());
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let which = random(nodes.len());
            let node = &nodes[which].node;
            match random(5) {
                0 | 1 if !model.contains(&which) => {
                    let is_first = random(3) == 0;
                    if is_first {
                        model.push_front(which)
                    } else {
                        model.push_back(which)
                    }
                    // SAFETY: in no list, as the model says; the list is dropped before the nodes.
                    unsafe { if is_first { list.add_first(node) } else { list.add(node) } }
                }
                2 => {
                    model.retain(|other| *other != which);
                    // SAFETY: in this list or in none.
                    unsafe { list.remove(node) };
                    assert!(!model.contains(&which));
                }
                3 => {
                    let first = model.pop_front();
                    assert_eq!(list.wake_one(), first.is_some());
                    assert!(first.is_none_or(|first| nodes[first].node.has_fired()));
                }
                _ => assert!(model.iter().all(|listed| !nodes[*listed].node.has_fired())),
            }
            assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
        }
        list.wake_all();
        assert!(list.is_empty() && model.iter().all(|listed| nodes[*listed].node.has_fired()));
    }
}
