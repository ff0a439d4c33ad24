//! How a queue keeps its items: what is gotten first.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::mem::forget;

/// Which item of a queue is first: [`Fifo`], [`Lifo`], [`Lowest`], [`Counted`] or [`Handover`].
///
/// Only this crate implements it.
pub trait Store: Sealed {
    /// The type of the items.
    type Item;
    /// May the capacity be 0: does a put then wait for its get?
    #[doc(hidden)]
    const HANDS_OVER: bool;
    #[doc(hidden)]
    fn new() -> Self;
    #[doc(hidden)]
    fn push(&mut self, item: Self::Item);
    #[doc(hidden)]
    fn pop(&mut self) -> Option<Self::Item>;
    #[doc(hidden)]
    fn first(&self) -> Option<&Self::Item>;
    #[doc(hidden)]
    fn count(&self) -> usize;
    /// Takes an item that nobody will get.
    #[doc(hidden)]
    fn discard(&mut self) -> Option<Self::Item> {
        self.pop()
    }
    /// Takes an item out of the middle; only of stores that hand over.
    #[doc(hidden)]
    fn remove(&mut self, _index: usize) -> Option<Self::Item> {
        None
    }
}

/// Stores that hold items until a get comes: all but [`Handover`].
pub trait Buffer: Store {}

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// The oldest item first.
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

impl<T> Store for Fifo<T> {
    type Item = T;
    const HANDS_OVER: bool = true;
    #[inline]
    fn new() -> Fifo<T> {
        Fifo(VecDeque::new())
    }
    #[inline]
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }
    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }
    fn first(&self) -> Option<&T> {
        self.0.front()
    }
    #[inline]
    fn count(&self) -> usize {
        self.0.len()
    }
    fn remove(&mut self, index: usize) -> Option<T> {
        self.0.remove(index)
    }
}

/// The newest item first.
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

impl<T> Store for Lifo<T> {
    type Item = T;
    const HANDS_OVER: bool = false;
    fn new() -> Lifo<T> {
        Lifo(Vec::new())
    }
    fn push(&mut self, item: T) {
        self.0.push(item);
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
    fn first(&self) -> Option<&T> {
        self.0.last()
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

/// The lowest item first; of equal ones, the one that was put first.
#[derive(Debug)]
pub struct Lowest<T> {
    heap: BinaryHeap<Reverse<Numbered<T>>>,
    put: u64,
}

/// An item and how many were put before it.
#[derive(Debug)]
struct Numbered<T> {
    item: T,
    number: u64,
}

impl<T: Ord> Ord for Numbered<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.item.cmp(&other.item).then(self.number.cmp(&other.number))
    }
}

impl<T: Ord> PartialOrd for Numbered<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Numbered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Numbered<T> {}

impl<T: Ord> Store for Lowest<T> {
    type Item = T;
    const HANDS_OVER: bool = false;
    fn new() -> Lowest<T> {
        Lowest { heap: BinaryHeap::new(), put: 0 }
    }
    fn push(&mut self, item: T) {
        let number = self.put;
        self.put += 1; // before: the item is there also if a comparison unwinds
        self.heap.push(Reverse(Numbered { item, number }));
    }
    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(numbered)| numbered.item)
    }
    fn first(&self) -> Option<&T> {
        self.heap.peek().map(|Reverse(numbered)| &numbered.item)
    }
    fn count(&self) -> usize {
        self.heap.len()
    }
}

/// As another store, and counts the items that were put but not [done](super::QueueOf::task_done).
#[derive(Debug)]
pub struct Counted<S> {
    items: S,
    pub(super) unfinished: usize,
}

impl<S: Store> Store for Counted<S> {
    type Item = S::Item;
    const HANDS_OVER: bool = false;
    fn new() -> Counted<S> {
        Counted { items: S::new(), unfinished: 0 }
    }
    fn push(&mut self, item: S::Item) {
        self.unfinished += 1; // before: the item is there also if a comparison unwinds
        self.items.push(item);
    }
    fn pop(&mut self) -> Option<S::Item> {
        let lost = Lost { count: self.items.count(), store: self };
        let item = lost.store.items.pop();
        forget(lost);
        item
    }
    fn discard(&mut self) -> Option<S::Item> {
        let item = self.pop()?;
        self.unfinished = self.unfinished.saturating_sub(1);
        Some(item)
    }
    fn first(&self) -> Option<&S::Item> {
        self.items.first()
    }
    fn count(&self) -> usize {
        self.items.count()
    }
}

/// Dropped only when a comparison has unwound from a pop: an item that is gone then will never be done.
struct Lost<'a, S: Store> {
    store: &'a mut Counted<S>,
    count: usize,
}

impl<S: Store> Drop for Lost<'_, S> {
    #[cold]
    fn drop(&mut self) {
        let lost = self.count - self.store.items.count();
        self.store.unfinished = self.store.unfinished.saturating_sub(lost);
    }
}

/// Keeps nothing: an item goes straight from a put to a get.
#[derive(Debug)]
pub struct Handover<T>(Fifo<T>);

impl<T> Store for Handover<T> {
    type Item = T;
    const HANDS_OVER: bool = true;
    fn new() -> Handover<T> {
        Handover(Fifo::new())
    }
    #[inline]
    fn push(&mut self, item: T) {
        self.0.push(item);
    }
    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
    fn first(&self) -> Option<&T> {
        self.0.first()
    }
    #[inline]
    fn count(&self) -> usize {
        self.0.count()
    }
    fn remove(&mut self, index: usize) -> Option<T> {
        self.0.remove(index)
    }
}

impl<T> Sealed for Fifo<T> {}
impl<T> Sealed for Lifo<T> {}
impl<T: Ord> Sealed for Lowest<T> {}
impl<S: Store> Sealed for Counted<S> {}
impl<T> Sealed for Handover<T> {}

impl<T> Buffer for Fifo<T> {}
impl<T> Buffer for Lifo<T> {}
impl<T: Ord> Buffer for Lowest<T> {}
impl<S: Buffer> Buffer for Counted<S> {}
