//! The handle of every kind of queue.

use super::error::{Closed, GetError, PutError};
use super::shared::Shared;
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
/// Handles are cheap to clone, and all of them are the same queue. A queue stays on its thread.
/// Those who wait are served in the order in which they came; who comes later does not overtake, not
/// even between the moment at which another one is promised an item or a place and its next turn to
/// run. Waiting allocates nothing.
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
    /// When `capacity` is 0 and this is no [`Queue`](super::Queue).
    #[doc(alias = "maxsize")]
    pub fn bounded(capacity: usize) -> QueueOf<S> {
        assert!(
            capacity > 0 || S::HANDS_OVER,
            "only a Queue or a Channel can hand over without holding an item: use bounded(1)"
        );
        QueueOf(Rc::new(Shared::new(capacity)))
    }

    /// Changes how many items make the queue full. Those that are held already stay; if there is room
    /// now, those who wait for it are woken. Returns at once.
    ///
    /// # Panics
    /// When `capacity` is 0, or was.
    pub fn resize(&self, capacity: usize) {
        assert!(
            capacity > 0 && !self.0.hands_over(),
            "a queue cannot become a rendezvous, nor cease to be one: make another one"
        );
        self.0.resize(capacity);
    }
}

impl<T> QueueOf<Fifo<T>> {
    /// A queue that holds nothing: a put parks until a getter has taken its item, who goes on first.
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
    /// A put that does not park does not switch: a getter that it wakes runs when the current greenlet
    /// waits next.
    ///
    /// # Errors
    /// [`Closed`], with the item.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and the item is dropped: it was not put. In a
    /// rendezvous, an item that was taken is taken, and what arrives is raised at the next wait.
    #[inline]
    #[doc(alias = "send")]
    pub fn put(&self, item: S::Item) -> Result<(), Closed<S::Item>> {
        self.0.put(item, None).map_err(|error| Closed(error.into_item()))
    }

    /// As [`put`](QueueOf::put), for at most `limit`.
    ///
    /// # Errors
    /// The item: [`Full`](PutError::Full) when the time is over, [`Closed`](PutError::Closed).
    ///
    /// # Panics
    /// As [`put`](QueueOf::put).
    ///
    /// # Cancellation
    /// As [`put`](QueueOf::put).
    pub fn put_timeout(&self, item: S::Item, limit: Duration) -> Result<(), PutError<S::Item>> {
        self.0.put(item, Some(hub().moment(limit)))
    }

    /// Puts an item if there is room, and nobody waits for it. (In a rendezvous: if a getter waits.)
    /// Returns at once.
    ///
    /// # Errors
    /// The item, and why.
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
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here. No item is lost: if one was on its way here it
    /// goes to the next getter, or stays.
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

    /// Gets the first item, if there is one that nobody else was promised. Returns at once.
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
    /// `clone` must not use the queue, nor wait.
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

    /// A copy of the first item, which stays, if there is one that nobody was promised. Returns at once.
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

    /// How many items it holds, with those that a getter was promised and has not taken yet. (In a
    /// rendezvous: how many putters wait.)
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Does it hold nothing?
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Would a put have to wait?
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

    /// How many greenlets are parked in a get; counts them.
    #[doc(alias = "getters")]
    pub fn getting(&self) -> usize {
        self.0.getters.waiting() + self.0.getters.given()
    }

    /// How many greenlets are parked in a put; counts them.
    #[doc(alias = "putters")]
    pub fn putting(&self) -> usize {
        self.0.putters.waiting() + self.0.putters.given()
    }

    /// Ends the queue: puts fail from now on, also those that wait; gets take what is left, and then
    /// fail. Returns at once. A second call changes nothing.
    #[doc(alias = "shutdown")]
    pub fn close(&self) {
        if !self.is_closed() {
            self.0.close();
        }
    }

    /// As [`close`](QueueOf::close), and takes out what is left: those who wait for an item fail.
    /// Returns the items in their order. (In a rendezvous they go back to their putters.)
    ///
    /// In a [`JoinableQueue`](super::JoinableQueue) they count as done, and those who
    /// [join](QueueOf::join) it are woken, whatever is still being worked on.
    #[doc(alias("shutdown", "immediate"))]
    pub fn close_now(&self) -> Vec<S::Item> {
        self.close();
        let mut left = Vec::new();
        if !self.0.hands_over() {
            let mut store = self.0.store.borrow_mut();
            left.extend(std::iter::from_fn(|| store.discard()));
            drop(store);
            self.0.joiners.wake_all();
        }
        left
    }

    /// Was it closed?
    #[doc(alias = "is_shutdown")]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// To [wait](crate::wait) for room, as one of several things; the queue itself stands for an item.
    pub fn room(&self) -> Room<'_, S> {
        Room(self)
    }

    /// Gets one item after the other, until the queue is closed and empty.
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
/// Whoever is told takes nothing thereby: if others get from the same queue, use
/// [`try_get`](QueueOf::try_get), and wait again if it fails.
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

/// Room in a queue, to be waited for: see [`QueueOf::room`]. Ready when an item can be put at once,
/// and when the queue is closed.
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

/// The items of a queue until it is closed: see [`QueueOf::iter`]. `next` parks as a
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

/// The items of a queue until it is closed, with a handle of its own.
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
