//! Entries that wait, first come, first served; linked through the entries themselves.
#![expect(unsafe_code, reason = "follows entries by address, in the frames of those who wait")]

use super::super::Entry;
use std::ops::Deref;
use std::ptr::{NonNull, eq, null};

/// An entry whose completion has not been handed out, so that it is still there: **Kernel holds
/// until completion**. Whoever takes one out of a queue to end it drops it before the completion can
/// be reaped.
#[derive(Clone, Copy)]
pub(super) struct Held(NonNull<Entry>);

impl Held {
    /// # Safety
    /// - The entry stays where it is, not mutably borrowed, as long as the result or a copy of it
    ///   is used.
    #[inline]
    pub(super) unsafe fn new(entry: &Entry) -> Held {
        Held(NonNull::from(entry))
    }
}

impl Deref for Held {
    type Target = Entry;

    #[inline]
    fn deref(&self) -> &Entry {
        // SAFETY: **Kernel holds until completion**, promised to `new`.
        unsafe { self.0.as_ref() }
    }
}

/// A ring through `Entry::next`, known by its last entry, whose successor is the first.
#[derive(Default)]
pub(super) struct Queue {
    last: Option<Held>,
}

impl Queue {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    pub(super) fn push(&mut self, entry: Held) {
        debug_assert!(entry.next.get().is_null(), "an entry is in one queue at most");
        match self.last {
            None => entry.next.set(entry.0.as_ptr()),
            Some(last) => {
                entry.next.set(last.next.get());
                last.next.set(entry.0.as_ptr());
            }
        }
        self.last = Some(entry);
    }

    pub(super) fn first(&self) -> Option<Held> {
        self.last.map(Queue::after)
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Held> {
        let last = self.last;
        let mut next = self.first();
        std::iter::from_fn(move || {
            let entry = next?;
            next = last.filter(|last| !eq(&**last, &*entry)).map(|_| Queue::after(entry));
            Some(entry)
        })
    }

    pub(super) fn pop(&mut self) -> Option<Held> {
        let last = self.last?;
        Some(self.take_after(last))
    }

    /// Takes an entry out of the middle; false if it is not in this queue.
    pub(super) fn remove(&mut self, entry: &Entry) -> bool {
        let Some(last) = self.last else { return false };
        let mut before = last;
        loop {
            let next = Queue::after(before);
            if eq(&*next, entry) {
                self.take_after(before);
                return true;
            }
            if eq(&*next, &*last) {
                return false;
            }
            before = next;
        }
    }

    fn after(entry: Held) -> Held {
        // SAFETY: an entry in a ring has a successor in it, and what is in a ring is held.
        unsafe { Held::new(&*entry.next.get()) }
    }

    fn take_after(&mut self, before: Held) -> Held {
        let entry = Queue::after(before);
        if eq(&*entry, &*before) {
            self.last = None;
        } else {
            before.next.set(entry.next.get());
            if self.last.is_some_and(|last| eq(&*last, &*entry)) {
                self.last = Some(before);
            }
        }
        entry.next.set(null());
        entry
    }
}
