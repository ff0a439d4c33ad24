//! One sender's items to every subscriber.

use super::error::Closed;
use crate::hub::{WaitList, hub};
use crate::sync::park_in::take_in;
use crate::sync::{Waitable, Watched, Watchers};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A queue in which each [`Subscriber`] gets every item that is put after the subscriber was made.
///
/// A put never waits. An item is kept until every subscriber has got it. If the broadcast is bounded and full, a
/// put drops the oldest item, and subscribers that had not got that are told how many they have
/// [missed](BroadcastError::Lagged). So a slow subscriber does not hold up the others.
///
/// Handles are cheap to clone, and all clones are the same broadcast, which stays on its thread.
///
/// ```
/// use greenlet::{spawn, sync::queue::Broadcast};
/// let news = Broadcast::bounded(16);
/// let readers: Vec<_> = (0..2).map(|_| {
///     let subscriber = news.subscribe();
///     spawn(move || subscriber.collect::<Vec<_>>())
/// }).collect();
/// news.put("one").unwrap();
/// news.put("two").unwrap();
/// news.close();
/// for reader in readers {
///     assert_eq!(reader.join().unwrap(), ["one", "two"]);
/// }
/// ```
pub struct Broadcast<T>(Rc<Shared<T>>);

struct Shared<T> {
    items: RefCell<Items<T>>,
    capacity: usize,
    is_closed: Cell<bool>,
    waiting: WaitList,
}

struct Items<T> {
    kept: VecDeque<Kept<T>>,
    /// The number of the first that is kept.
    first: u64,
    subscribers: usize,
}

struct Kept<T> {
    item: T,
    /// So many subscribers have not got it.
    left: usize,
}

impl<T> Items<T> {
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// One subscriber fewer waits for the item with this number; returns it if it was the last.
    fn release(&mut self, number: u64) -> Option<T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let kept = self.kept.get_mut(index)?;
        kept.left -= 1;
        // Those before it have been released by the same subscribers and more.
        (kept.left == 0 && index == 0).then(|| self.pop()).flatten()
    }

    fn pop(&mut self) -> Option<T> {
        let kept = self.kept.pop_front()?;
        self.first += 1;
        Some(kept.item)
    }
}

impl<T: Clone> Broadcast<T> {
    /// A broadcast that keeps every item until all subscribers have got it.
    pub fn unbounded() -> Broadcast<T> {
        Broadcast::bounded(usize::MAX)
    }

    /// A broadcast that keeps at most the `capacity` newest items.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn bounded(capacity: usize) -> Broadcast<T> {
        assert!(capacity > 0, "a broadcast keeps at least one item for those who wait");
        let items = RefCell::new(Items { kept: VecDeque::new(), first: 0, subscribers: 0 });
        let (is_closed, waiting) = (Cell::new(false), WaitList::new());
        Broadcast(Rc::new(Shared { items, capacity, is_closed, waiting }))
    }

    /// A subscriber of all that is put from now on.
    pub fn subscribe(&self) -> Subscriber<T> {
        let mut items = self.0.items.borrow_mut();
        items.subscribers += 1;
        Subscriber { shared: self.0.clone(), next: Cell::new(items.end()) }
    }

    /// Puts an item for every subscriber. Returns at once; subscribers run when the current greenlet waits
    /// next. If there is no subscriber the item is dropped.
    ///
    /// # Errors
    /// [`Closed`], with the item.
    pub fn put(&self, item: T) -> Result<(), Closed<T>> {
        if self.0.is_closed.get() {
            return Err(Closed(item));
        }
        let mut items = self.0.items.borrow_mut();
        if items.subscribers == 0 {
            return Ok(());
        }
        let oldest = if items.kept.len() == self.0.capacity { items.pop() } else { None };
        let left = items.subscribers;
        items.kept.push_back(Kept { item, left });
        drop(items);
        self.0.waiting.wake_all();
        drop(oldest);
        Ok(())
    }
}

impl<T> Broadcast<T> {
    /// Closes it: puts fail from now on; subscribers get what is left for them, and then fail. Returns at
    /// once.
    pub fn close(&self) {
        self.0.is_closed.set(true);
        self.0.waiting.wake_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// How many items are kept for subscribers that have not got them.
    pub fn len(&self) -> usize {
        self.0.items.borrow().kept.len()
    }

    /// Whether every subscriber has got every item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many subscribers there are.
    pub fn subscribers(&self) -> usize {
        self.0.items.borrow().subscribers
    }
}

/// Unbounded, without subscribers.
impl<T: Clone> Default for Broadcast<T> {
    fn default() -> Broadcast<T> {
        Broadcast::unbounded()
    }
}

/// The same broadcast.
impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Broadcast<T> {
        Broadcast(self.0.clone())
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("len", &self.len())
            .field("subscribers", &self.subscribers())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Why a subscriber got nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastError {
    /// There is no item for it, or none came in time.
    Empty,
    /// This many items were dropped before it got them; the next `get` brings what follows.
    Lagged(u64),
    /// The broadcast is closed, and nothing is left for it.
    Closed,
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BroadcastError::Empty => f.write_str("nothing was broadcast"),
            BroadcastError::Lagged(1) => f.write_str("a broadcast item was missed"),
            BroadcastError::Lagged(count) => write!(f, "{count} broadcast items were missed"),
            BroadcastError::Closed => f.write_str("the broadcast is closed"),
        }
    }
}

impl std::error::Error for BroadcastError {}

/// Gets every item of a [`Broadcast`].
///
/// As an iterator it parks for each item, skips gaps without an error, and ends when the broadcast is closed.
///
/// # Cancellation
/// As an iterator: as [`get`](Subscriber::get).
#[doc(alias = "Receiver")]
pub struct Subscriber<T> {
    shared: Rc<Shared<T>>,
    next: Cell<u64>,
}

impl<T: Clone> Subscriber<T> {
    /// The next item; parks until there is one. If several greenlets share one subscriber, each item goes to
    /// one of them.
    ///
    /// The item's `clone` must neither use the broadcast nor wait.
    ///
    /// # Errors
    /// [`BroadcastError::Lagged`], once for each gap, and [`BroadcastError::Closed`].
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here. Nothing is lost.
    pub fn get(&self) -> Result<T, BroadcastError> {
        self.get_until(None)
    }

    /// As [`get`](Subscriber::get), for at most `limit`.
    ///
    /// # Errors
    /// As [`get`](Subscriber::get), and [`BroadcastError::Empty`] when the time is over.
    ///
    /// # Panics
    /// As [`get`](Subscriber::get).
    ///
    /// # Cancellation
    /// As [`get`](Subscriber::get).
    pub fn get_timeout(&self, limit: Duration) -> Result<T, BroadcastError> {
        self.get_until(Some(hub().moment(limit)))
    }

    /// The next item, if there is one. Returns at once.
    ///
    /// # Errors
    /// [`BroadcastError`] says why there is none.
    pub fn try_get(&self) -> Result<T, BroadcastError> {
        let mut items = self.shared.items.borrow_mut();
        let number = self.next.get();
        if number < items.first {
            self.next.set(items.first);
            return Err(BroadcastError::Lagged(items.first - number));
        }
        let Some(kept) = usize::try_from(number - items.first).ok().and_then(|i| items.kept.get(i))
        else {
            let is_closed = self.shared.is_closed.get();
            return Err(if is_closed { BroadcastError::Closed } else { BroadcastError::Empty });
        };
        let copy = (kept.left > 1).then(|| kept.item.clone());
        self.next.set(number + 1);
        let last = items.release(number);
        copy.or(last).ok_or(BroadcastError::Empty)
    }

    fn get_until(&self, until: Option<u64>) -> Result<T, BroadcastError> {
        loop {
            match self.try_get() {
                Err(BroadcastError::Empty) if self.wait(until) => {}
                ended => return ended,
            }
        }
    }

    /// Parks until there is something, or the end; false if the moment came before.
    fn wait(&self, until: Option<u64>) -> bool {
        take_in(&self.shared.waiting, 0, &"a broadcast", until, || {})
    }
}

impl<T> Subscriber<T> {
    fn has_something(&self) -> bool {
        self.next.get() < self.shared.items.borrow().end()
    }
}

impl<T> Drop for Subscriber<T> {
    fn drop(&mut self) {
        let mut seen = Vec::new();
        let mut items = self.shared.items.borrow_mut();
        items.subscribers -= 1;
        for number in self.next.get().max(items.first)..items.end() {
            seen.extend(items.release(number));
        }
        drop(items);
        drop(seen);
    }
}

impl<T: Clone> Iterator for Subscriber<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            match self.get() {
                Ok(item) => return Some(item),
                Err(BroadcastError::Lagged(_)) => {}
                Err(BroadcastError::Closed | BroadcastError::Empty) => return None,
            }
        }
    }
}

/// Ready when [`try_get`](Subscriber::try_get) would not return [`BroadcastError::Empty`].
impl<T> Waitable for Subscriber<T> {
    fn is_ready(&self) -> bool {
        self.has_something() || self.shared.is_closed.get()
    }
}

impl<T> Watched for Subscriber<T> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.shared.waiting)
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("next", &self.next.get()).finish_non_exhaustive()
    }
}
