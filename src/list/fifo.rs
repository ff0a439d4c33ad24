//! First in, first out: a list through the elements themselves.
#![expect(unsafe_code, reason = "links elements by address")]

use std::cell::Cell;
use std::ptr::null;

/// An element that has room for one link.
pub(crate) trait Linked {
    /// The next element of the list that this one is in; null in no list and at the end of one.
    fn next(&self) -> &Cell<*const Self>;
}

/// A queue of elements that live elsewhere. Pushing and popping touch one other element at most.
pub(crate) struct Fifo<T> {
    first: Cell<*const T>,
    /// Of no meaning while there is no first.
    last: Cell<*const T>,
}

impl<T: Linked> Fifo<T> {
    pub(crate) const fn new() -> Fifo<T> {
        Fifo { first: Cell::new(null()), last: Cell::new(null()) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// How many there are; counts them.
    pub(crate) fn len(&self) -> usize {
        let mut count = 0;
        let mut next = self.first.get();
        // SAFETY: elements stay where they are while they are in the list.
        while let Some(element) = unsafe { next.as_ref() } {
            count += 1;
            next = element.next().get();
        }
        count
    }

    /// Adds an element behind all others.
    ///
    /// # Safety
    /// - It is in no list, and stays where it is until it was popped.
    #[inline]
    pub(crate) unsafe fn push(&self, element: &T) {
        debug_assert!(element.next().get().is_null());
        if self.is_empty() {
            self.first.set(element);
        } else {
            // SAFETY: there is a last; elements stay where they are while they are in the list.
            unsafe { &*self.last.get() }.next().set(element);
        }
        self.last.set(element);
    }

    /// The one that will be popped next.
    #[inline]
    pub(crate) fn first(&self) -> *const T {
        self.first.get()
    }

    /// Takes the first element out.
    ///
    /// # Safety
    /// - The reference is not used beyond the element's life.
    #[inline]
    pub(crate) unsafe fn pop<'a>(&self) -> Option<&'a T> {
        // SAFETY: elements stay where they are while they are in the list.
        let first = unsafe { self.first.get().as_ref() }?;
        self.first.set(first.next().replace(null()));
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Element(u32, Cell<*const Element>);

    impl Linked for Element {
        fn next(&self) -> &Cell<*const Element> {
            &self.1
        }
    }

    #[test]
    fn elements_leave_in_the_order_in_which_they_came() {
        let elements: Vec<_> = (0..4).map(|n| Element(n, Cell::new(null()))).collect();
        let list = Fifo::new();
        let pop = || {
            // SAFETY: the elements outlive the list.
            unsafe { list.pop() }.map(|element: &Element| element.0)
        };
        let push = |n: usize| {
            // SAFETY: each is pushed only while it is in no list.
            unsafe { list.push(&elements[n]) }
        };
        assert_eq!((pop(), list.len()), (None, 0));
        push(2);
        push(0);
        assert_eq!((pop(), list.len()), (Some(2), 1));
        push(2);
        push(3);
        assert_eq!([pop(), pop(), pop(), pop()], [Some(0), Some(2), Some(3), None]);
        assert!(list.is_empty());
        push(1);
        assert_eq!([pop(), pop()], [Some(1), None]);
    }
}
