//! The handle of every kind of queue.

use super::error::{Closed, GetError, PutError};
use super::shared::{BY_TRY_PUT, Shared};
use super::store::{Buffer, Fifo, Handover, Store};
use crate::hub::hub;
use crate::sync::{Waitable, Watched, Watchers, watch};
use std::fmt;
use std::iter::once;
use std::rc::Rc;
use std::time::Duration;

/// A queue that keeps its items in an `S`: what [`Queue`](super::Queue), [`LifoQueue`](super::LifoQueue),
/// [`PriorityQueue`](super::PriorityQueue), [`JoinableQueue`](super::JoinableQueue) and
/// [`Channel`](super::Channel) have in common.
///
/// Handles are cheap to clone, and all clones are the same queue. A queue stays on its thread.
///
/// Greenlets that wait are served strictly in the order in which they came: once one of them is promised an item
/// or a place, no other one can take that before it runs. Waiting allocates nothing.
pub struct QueueOf<S: Store>(Rc<Shared<S>>);

impl<S: Buffer> QueueOf<S> {
    /// A queue that is never full.
    #[doc(alias("UnboundQueue", "SimpleQueue", "LightQueue"))]
    pub fn unbounded() -> QueueOf<S> {
        QueueOf(Rc::new(Shared::new(usize::MAX)))
    }

    /// A queue that is full when it holds `capacity` items. A [`Queue`](super::Queue) for 0 items is a
    /// [rendezvous](QueueOf::rendezvous).
    ///
    /// # Panics
    /// If `capacity` is 0 and this is not a [`Queue`](super::Queue).
    #[doc(alias = "maxsize")]
    pub fn bounded(capacity: usize) -> QueueOf<S> {
        assert!(
            capacity > 0 || S::HANDS_OVER,
            "only a Queue or a Channel can hand over without holding an item: use bounded(1)"
        );
        QueueOf(Rc::new(Shared::new(capacity)))
    }

    /// Changes how many items make the queue full. Items that it holds already stay; if there is room
    /// now, greenlets that wait for it are woken. Returns at once.
    ///
    /// # Panics
    /// If `capacity` is 0, or the queue is a rendezvous.
    pub fn resize(&self, capacity: usize) {
        assert!(
            capacity > 0 && !self.0.hands_over(),
            "a queue cannot become a rendezvous, nor cease to be one: make another one"
        );
        self.0.resize(capacity);
    }
}

impl<T> QueueOf<Fifo<T>> {
    /// A queue that holds nothing: a put parks until a get has taken its item, and the greenlet that got it goes
    /// on first.
    pub fn rendezvous() -> QueueOf<Fifo<T>> {
        QueueOf::bounded(0)
    }
}

impl<T> QueueOf<Handover<T>> {
    /// A channel.
    pub fn new() -> QueueOf<Handover<T>> {
        QueueOf(Rc::new(Shared::new(0)))
    }
}

impl<S: Store> QueueOf<S> {
    pub(super) fn shared(&self) -> &Shared<S> {
        &self.0
    }

    /// Puts an item: at once if there is room; otherwise parks until there is. (In a rendezvous: parks
    /// until it is taken.)
    ///
    /// A put that does not park does not switch: the greenlet that gets the item runs when the current one
    /// waits next.
    ///
    /// # Errors
    /// [`Closed`], with the item.
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and the item, which was not put, is dropped. In a
    /// rendezvous, if the item was taken already, this returns, and what arrives is raised at the next wait.
    #[inline]
    #[doc(alias = "send")]
    pub fn put(&self, item: S::Item) -> Result<(), Closed<S::Item>> {
        self.0.put(item, None).map_err(|error| Closed(error.into_item()))
    }

    /// As [`put`](QueueOf::put), for at most `limit`.
    ///
    /// # Errors
    /// Gives the item back: [`Full`](PutError::Full) when the time is over, or [`Closed`](PutError::Closed).
    ///
    /// # Panics
    /// As [`put`](QueueOf::put).
    ///
    /// # Cancellation
    /// As [`put`](QueueOf::put).
    pub fn put_timeout(&self, item: S::Item, limit: Duration) -> Result<(), PutError<S::Item>> {
        self.0.put(item, Some(hub().moment(limit)))
    }

    /// Puts an item if there is room for which no other greenlet waits. (In a rendezvous: if a get waits.)
    /// Returns at once.
    ///
    /// # Errors
    /// Gives the item back, and says why.
    #[inline]
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        self.0.try_put(item)
    }

    /// Gets the first item; parks until there is one.
    ///
    /// # Errors
    /// [`Closed`], once the queue is closed and empty.
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here. No item is lost: one that was promised to this greenlet
    /// goes to the next, or stays.
    #[inline]
    #[doc(alias("recv", "receive"))]
    pub fn get(&self) -> Result<S::Item, Closed> {
        self.0.get(None).map_err(|_| Closed(()))
    }

    /// As [`get`](QueueOf::get), for at most `limit`.
    ///
    /// # Errors
    /// [`Empty`](GetError::Empty) when the time is over, [`Closed`](GetError::Closed).
    ///
    /// # Panics
    /// As [`get`](QueueOf::get).
    ///
    /// # Cancellation
    /// As [`get`](QueueOf::get).
    pub fn get_timeout(&self, limit: Duration) -> Result<S::Item, GetError> {
        self.0.get(Some(hub().moment(limit)))
    }

    /// Gets the first item, if there is one that was promised to no other greenlet. Returns at once.
    ///
    /// # Errors
    /// [`Empty`](GetError::Empty) or [`Closed`](GetError::Closed).
    #[inline]
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<S::Item, GetError> {
        self.0.try_get()
    }

    /// A copy of the first item, which stays; parks until there is one.
    ///
    /// The item's `clone` must neither use the queue nor wait.
    ///
    /// # Errors
    /// [`Closed`], once the queue is closed and empty.
    ///
    /// # Panics
    /// As [`get`](QueueOf::get).
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn peek(&self) -> Result<S::Item, Closed>
    where
        S::Item: Clone,
    {
        loop {
            match self.try_peek() {
                Ok(item) => return Ok(item),
                Err(GetError::Closed) => return Err(Closed(())),
                Err(GetError::Empty) => {
                    watch(once((self.is_ready(), self.watchers())), None, |_| true);
                }
            }
        }
    }

    /// A copy of the first item, which stays, if there is one that was promised to no greenlet. Returns at once.
    ///
    /// # Errors
    /// [`Empty`](GetError::Empty) or [`Closed`](GetError::Closed).
    #[doc(alias = "peek_nowait")]
    pub fn try_peek(&self) -> Result<S::Item, GetError>
    where
        S::Item: Clone,
    {
        match self.0.store.borrow().first() {
            Some(item) if self.0.has_item() => Ok(item.clone()),
            _ if self.is_closed() => Err(GetError::Closed),
            _ => Err(GetError::Empty),
        }
    }

    /// How many items it holds, including those that were promised to a greenlet that has not run yet. (In a
    /// rendezvous: how many puts wait.)
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds no item.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a put would have to wait.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        !self.0.has_room()
    }

    /// How many items make it full; `None` if it is never full.
    #[doc(alias = "maxsize")]
    pub fn capacity(&self) -> Option<usize> {
        let capacity = self.0.capacity.get();
        (capacity != usize::MAX).then_some(capacity)
    }

    /// How many greenlets are parked in a get. Walks the list of them.
    #[doc(alias = "getters")]
    pub fn getting(&self) -> usize {
        self.0.getters.waiting() + self.0.getters.given()
    }

    /// How many greenlets are parked in a put. Walks the list of them.
    #[doc(alias = "putters")]
    pub fn putting(&self) -> usize {
        self.0.putters.waiting() + self.0.putters.given()
    }

    /// Closes the queue: puts fail from now on, also those that wait; gets take what is left, and then
    /// fail. Returns at once. A second call changes nothing.
    #[doc(alias = "shutdown")]
    pub fn close(&self) {
        if !self.is_closed() {
            self.0.close();
        }
    }

    /// As [`close`](QueueOf::close), but also takes out what is left and returns it, in its order. (In a
    /// rendezvous the items go back to the puts.)
    ///
    /// In a [`JoinableQueue`](super::JoinableQueue) these items count as done, and greenlets that
    /// [join](QueueOf::join) it are woken, even if other items are still being worked on.
    #[doc(alias("shutdown", "immediate"))]
    pub fn close_now(&self) -> Vec<S::Item> {
        self.close();
        let mut left = Vec::new();
        if self.0.hands_over() {
            left.extend(std::iter::from_fn(|| self.0.withdraw(BY_TRY_PUT)));
        } else {
            let mut store = self.0.store.borrow_mut();
            left.extend(std::iter::from_fn(|| store.discard()));
            drop(store);
            self.0.joiners.wake_all();
        }
        left
    }

    /// Whether it was closed.
    #[doc(alias = "is_shutdown")]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// Stands for room in this queue, to [wait](crate::wait()) for it beside other things. (To wait for an item,
    /// use the queue itself.)
    pub fn room(&self) -> Room<'_, S> {
        Room(self)
    }

    /// Gets one item after the other, until the queue is closed and empty.
    ///
    /// # Cancellation
    /// `next` is cancelled as [`get`](QueueOf::get).
    pub fn iter(&self) -> Iter<'_, S> {
        Iter(self)
    }
}

/// The same queue.
impl<S: Store> Clone for QueueOf<S> {
    #[inline]
    fn clone(&self) -> QueueOf<S> {
        QueueOf(self.0.clone())
    }
}

/// A channel.
impl<T> Default for QueueOf<Handover<T>> {
    fn default() -> QueueOf<Handover<T>> {
        QueueOf::new()
    }
}

/// Unbounded and empty.
impl<S: Buffer> Default for QueueOf<S> {
    fn default() -> QueueOf<S> {
        QueueOf::unbounded()
    }
}

/// An unbounded queue that holds these items.
impl<S: Buffer> FromIterator<S::Item> for QueueOf<S> {
    fn from_iter<I: IntoIterator<Item = S::Item>>(items: I) -> QueueOf<S> {
        let queue = QueueOf::unbounded();
        for item in items {
            let Ok(()) = queue.try_put(item) else { unreachable!("it is open and never full") };
        }
        queue
    }
}

/// Ready when an item can be gotten at once, and when it is closed.
///
/// Waiting takes nothing: if other greenlets get from the same queue, use [`try_get`](QueueOf::try_get), and
/// wait again if it fails.
impl<S: Store> Waitable for QueueOf<S> {
    fn is_ready(&self) -> bool {
        self.0.has_item() || self.is_closed()
    }
}

impl<S: Store> Watched for QueueOf<S> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.0.watchers)
    }
}

impl<S: Store> fmt::Debug for QueueOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Room in a queue, to wait for: see [`QueueOf::room`]. Ready when an item can be put at once, and when
/// the queue is closed.
///
/// ```
/// use greenlet::{spawn, sync::queue::Queue, wait};
/// let (full, empty) = (Queue::bounded(1), Queue::<u32>::unbounded());
/// full.put(1).unwrap();
/// let getter = full.clone();
/// let task = spawn(move || getter.get());
/// assert_eq!(wait(&[&empty, &full.room()]).first(), Some(1));
/// assert!(full.try_put(2).is_ok());
/// # drop(task);
/// ```
#[derive(Debug)]
pub struct Room<'a, S: Store>(&'a QueueOf<S>);

impl<S: Store> Waitable for Room<'_, S> {
    fn is_ready(&self) -> bool {
        self.0.0.has_room() || self.0.is_closed()
    }
}

impl<S: Store> Watched for Room<'_, S> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.0.0.room_watchers)
    }
}

/// The items of a queue until it is closed: see [`QueueOf::iter`]. `next` parks as
/// [`get`](QueueOf::get).
#[derive(Debug)]
pub struct Iter<'a, S: Store>(&'a QueueOf<S>);

impl<S: Store> Iterator for Iter<'_, S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        self.0.get().ok()
    }
}

impl<'a, S: Store> IntoIterator for &'a QueueOf<S> {
    type Item = S::Item;
    type IntoIter = Iter<'a, S>;

    fn into_iter(self) -> Iter<'a, S> {
        self.iter()
    }
}

/// The items of a queue until it is closed, with a handle of its own. `next` parks as
/// [`get`](QueueOf::get).
///
/// # Cancellation
/// As [`get`](QueueOf::get).
#[derive(Debug)]
pub struct IntoIter<S: Store>(QueueOf<S>);

impl<S: Store> Iterator for IntoIter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        self.0.get().ok()
    }
}

impl<S: Store> IntoIterator for QueueOf<S> {
    type Item = S::Item;
    type IntoIter = IntoIter<S>;

    fn into_iter(self) -> IntoIter<S> {
        IntoIter(self)
    }
}
