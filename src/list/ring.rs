//! Circular lists through links in their nodes: the head of each is one of its links.
//!
//! ```text
//!   heads[i] ──next──▶ first ──▶ second ──▶ heads[i]        empty: heads[i] ──▶ heads[i]
//!            ◀──prev──       ◀──        ◀──
//! ```
//!
//! So no end is a special case: a node leaves without a branch, and without knowing its list.
//!
//! Not by intrusive-collections, whose lists are neither circular nor know their emptiness from a
//! node's neighbours: with its `LinkedList` in the wheel, insert and remove took 4.7 ns, here 3.5; a
//! re-arm among 10 000 took 6.8 ns, here 4.4. (Inserting and firing a million: no difference.)

#![expect(unsafe_code, reason = "links nodes that it does not own")]

use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Part of a node, at its start. In a list, its neighbours point to it, so that it must not move.
pub(super) struct Link {
    /// Null: in no list.
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
}

impl Link {
    pub(super) const fn new() -> Link {
        Link { next: Cell::new(ptr::null()), prev: Cell::new(ptr::null()) }
    }

    #[inline]
    pub(super) fn is_linked(&self) -> bool {
        !self.next.get().is_null()
    }

    /// Makes it linked, though in none of these lists (`near.rs`).
    #[inline]
    pub(super) fn mark(&self) {
        self.next.set(self);
    }

    /// Makes it unlinked again.
    #[inline]
    pub(super) fn unmark(&self) {
        self.next.set(ptr::null());
    }

    /// Takes a linked node out of its list, and says whether that is empty now.
    ///
    /// # Safety
    /// It is linked, and what it is linked with is still there (**Linked where it says**).
    #[inline]
    pub(super) unsafe fn unlink(&self) -> bool {
        let (next, prev) = (self.next.get(), self.prev.get());
        // SAFETY: neighbours are linked nodes or the head, which the caller knows to be there.
        unsafe { &*next }.prev.set(prev);
        // SAFETY: as above.
        unsafe { &*prev }.next.set(next);
        self.next.set(ptr::null());
        ptr::eq(next, prev)
    }
}

/// `N` lists, in order of arrival each. Not `Send`, and ends by unlinking all nodes.
pub(super) struct Rings<const N: usize> {
    /// Owned, but no `Box`: a box that moves with its owner claims to be the only way to its content.
    heads: NonNull<[Link; N]>,
}

impl<const N: usize> Rings<N> {
    pub(super) fn new() -> Rings<N> {
        let heads = Box::new([const { Link::new() }; N]);
        let rings = Rings { heads: NonNull::from(Box::leak(heads)) };
        (0..N).for_each(|ring| rings.reset(ring));
        rings
    }

    #[inline]
    fn head(&self, ring: usize) -> &Link {
        // SAFETY: allocated in `new`, freed in `drop`; never borrowed mutably between.
        unsafe { &self.heads.as_ref()[ring] }
    }

    fn reset(&self, ring: usize) {
        let head = self.head(ring);
        head.next.set(head);
        head.prev.set(head);
    }

    /// # Safety
    /// - The pointer is good for the whole node that begins with this link, and the link is unlinked.
    /// - The node stays where it is until it is unlinked.
    #[inline]
    pub(super) unsafe fn push_back(&self, ring: usize, node: NonNull<Link>) {
        let head = self.head(ring);
        let last = head.prev.get();
        // SAFETY: by the caller's promise.
        let link = unsafe { node.as_ref() };
        link.prev.set(last);
        link.next.set(head);
        // SAFETY: what is linked stays where it is (**Linked where it says**).
        unsafe { &*last }.next.set(node.as_ptr());
        head.prev.set(node.as_ptr());
    }

    /// The first node, with the pointer that it was pushed with.
    #[inline]
    pub(super) fn front(&self, ring: usize) -> Option<NonNull<Link>> {
        let head = self.head(ring);
        NonNull::new(head.next.get().cast_mut()).filter(|node| !ptr::eq(node.as_ptr(), head))
    }

    /// The last one, likewise.
    #[inline]
    pub(super) fn back(&self, ring: usize) -> Option<NonNull<Link>> {
        let head = self.head(ring);
        NonNull::new(head.prev.get().cast_mut()).filter(|node| !ptr::eq(node.as_ptr(), head))
    }

    /// How many nodes a list has; walks over them.
    pub(super) fn count(&self, ring: usize) -> usize {
        let head: *const Link = self.head(ring);
        // SAFETY: what is linked stays where it is (**Linked where it says**).
        let next = |node: *const Link| unsafe { &*node }.next.get();
        let mut count = 0;
        let mut node = next(head);
        while !ptr::eq(node, head) {
            (count, node) = (count + 1, next(node));
        }
        count
    }

    pub(super) fn pop_front(&self, ring: usize) -> Option<NonNull<Link>> {
        let node = self.front(ring)?;
        // SAFETY: it is linked, here (**Linked where it says**).
        unsafe { node.as_ref().unlink() };
        Some(node)
    }

    /// Unlinks all nodes of all lists.
    pub(super) fn clear(&self) {
        for ring in 0..N {
            while self.pop_front(ring).is_some() {}
        }
    }

    /// Moves all nodes of one list to another, which is empty.
    pub(super) fn transfer(&self, from: usize, to: usize) {
        debug_assert!(self.front(to).is_none());
        let (Some(first), Some(last)) = (self.front(from), self.back(from)) else { return };
        let head = self.head(to);
        head.next.set(first.as_ptr());
        head.prev.set(last.as_ptr());
        // SAFETY: what is linked stays where it is (**Linked where it says**).
        unsafe { first.as_ref() }.prev.set(head);
        // SAFETY: as above.
        unsafe { last.as_ref() }.next.set(head);
        self.reset(from);
    }
}

impl<const N: usize> Drop for Rings<N> {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: it was a box, and nothing points to it any more.
        drop(unsafe { Box::from_raw(self.heads.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of the nodes in a list, read forwards; backwards must be the same.
    fn order(rings: &Rings<2>, ring: usize, nodes: &[Link]) -> Vec<usize> {
        let head: *const Link = rings.head(ring);
        let walk = |step: fn(&Link) -> *const Link| {
            // SAFETY: nodes and heads live as long as this test.
            let links = std::iter::successors(Some(head), |link| Some(step(unsafe { &**link })));
            let links = links.skip(1).take_while(|link| *link != head);
            links
                .map(|link| nodes.iter().position(|node| ptr::eq(node, link)).unwrap())
                .collect::<Vec<_>>()
        };
        let (forwards, mut backwards) =
            (walk(|link| link.next.get()), walk(|link| link.prev.get()));
        backwards.reverse();
        assert_eq!(forwards, backwards);
        let end = |node: Option<NonNull<Link>>| node.map(|node| node.as_ptr().cast_const());
        let node = |i: Option<&usize>| i.map(|i| ptr::from_ref(&nodes[*i]));
        assert_eq!(end(rings.front(ring)), node(forwards.first()));
        assert_eq!(end(rings.back(ring)), node(forwards.last()));
        forwards
    }

    #[test]
    fn nodes_come_go_and_move_in_order() {
        let nodes = [const { Link::new() }; 4];
        let rings = Rings::<2>::new();
        for node in &nodes {
            // SAFETY: the nodes end after the lists.
            unsafe { rings.push_back(0, NonNull::from(node)) };
        }
        assert_eq!(order(&rings, 0, &nodes), [0, 1, 2, 3]);
        // SAFETY: it is linked above, as are the next ones.
        assert!(!unsafe { nodes[1].unlink() });
        assert_eq!(order(&rings, 0, &nodes), [0, 2, 3]);
        rings.transfer(0, 1);
        assert_eq!(order(&rings, 0, &nodes), []);
        assert_eq!(order(&rings, 1, &nodes), [0, 2, 3]);
        rings.transfer(0, 0);
        assert_eq!(rings.pop_front(1), Some(NonNull::from(&nodes[0])));
        // SAFETY: as above.
        assert_eq!([3, 2].map(|i| unsafe { nodes[i].unlink() }), [false, true]);
        assert_eq!(order(&rings, 1, &nodes), []);
        // SAFETY: as above.
        unsafe { rings.push_back(1, NonNull::from(&nodes[3])) };
        drop(rings);
        assert!(nodes.iter().all(|node| !node.is_linked()));
    }
}
