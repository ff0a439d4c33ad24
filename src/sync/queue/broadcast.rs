//! One sender's items to every receiver.

use super::error::Closed;
use crate::hub::{WaitList, hub};
use crate::sync::park_in::take_in;
use crate::sync::{Waitable, Watched, Watchers};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Items that each [`Receiver`] gets all of, from the moment on at which it was made.
///
/// A put never waits. An item is kept until every receiver has got it; if it is bounded and holds as
/// many as it may, the oldest is dropped for the newest, and receivers that had not got it are told
/// how many they have [missed](Missed::Lagged): one that is slow holds up nobody.
///
/// Handles are cheap to clone, and all of them are the same broadcast, which stays on its thread.
///
/// ```
/// use greenlet::{spawn, sync::queue::Broadcast};
/// let news = Broadcast::bounded(16);
/// let readers: Vec<_> = (0..2).map(|_| {
///     let receiver = news.subscribe();
///     spawn(move || receiver.collect::<Vec<_>>())
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
    receivers: usize,
}

struct Kept<T> {
    item: T,
    /// So many receivers have not got it.
    left: usize,
}

impl<T> Items<T> {
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// One receiver fewer waits for the item with this number; returns it if it was the last.
    fn release(&mut self, number: u64) -> Option<T> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let kept = self.kept.get_mut(index)?;
        kept.left -= 1;
        // Those before it have been released by the same receivers and more.
        (kept.left == 0 && index == 0).then(|| self.pop()).flatten()
    }

    fn pop(&mut self) -> Option<T> {
        let kept = self.kept.pop_front()?;
        self.first += 1;
        Some(kept.item)
    }
}

impl<T: Clone> Broadcast<T> {
    /// One that keeps every item until all have got it.
    pub fn unbounded() -> Broadcast<T> {
        Broadcast::bounded(usize::MAX)
    }

    /// One that keeps the `capacity` newest items at most.
    ///
    /// # Panics
    /// When `capacity` is 0.
    pub fn bounded(capacity: usize) -> Broadcast<T> {
        assert!(capacity > 0, "a broadcast keeps at least one item for those who wait");
        let items = RefCell::new(Items { kept: VecDeque::new(), first: 0, receivers: 0 });
        let (is_closed, waiting) = (Cell::new(false), WaitList::new());
        Broadcast(Rc::new(Shared { items, capacity, is_closed, waiting }))
    }

    /// A receiver of all that is put from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        let mut items = self.0.items.borrow_mut();
        items.receivers += 1;
        Receiver { shared: self.0.clone(), next: Cell::new(items.end()) }
    }

    /// Puts an item for everybody. Returns at once; receivers run when the current greenlet waits
    /// next. Without receivers the item is dropped.
    ///
    /// # Errors
    /// [`Closed`], with the item.
    pub fn put(&self, item: T) -> Result<(), Closed<T>> {
        if self.0.is_closed.get() {
            return Err(Closed(item));
        }
        let mut items = self.0.items.borrow_mut();
        if items.receivers == 0 {
            return Ok(());
        }
        let oldest = if items.kept.len() == self.0.capacity { items.pop() } else { None };
        let left = items.receivers;
        items.kept.push_back(Kept { item, left });
        drop(items);
        self.0.waiting.wake_all();
        drop(oldest);
        Ok(())
    }
}

impl<T> Broadcast<T> {
    /// Ends it: puts fail from now on; receivers get what is left for them, and then fail. Returns at
    /// once.
    pub fn close(&self) {
        self.0.is_closed.set(true);
        self.0.waiting.wake_all();
    }

    /// Was it closed?
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// How many items are kept for receivers that have not got them.
    pub fn len(&self) -> usize {
        self.0.items.borrow().kept.len()
    }

    /// Has everybody got everything?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are.
    pub fn receivers(&self) -> usize {
        self.0.items.borrow().receivers
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
            .field("receivers", &self.receivers())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Why a receiver got nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// There is nothing for it, at once or in time.
    Empty,
    /// So many items were dropped before it came for them; the next get brings what follows.
    Lagged(u64),
    /// The broadcast is closed, and nothing is left for it.
    Closed,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::Empty => f.write_str("nothing was broadcast"),
            Missed::Lagged(1) => f.write_str("a broadcast item was missed"),
            Missed::Lagged(count) => write!(f, "{count} broadcast items were missed"),
            Missed::Closed => f.write_str("the broadcast is closed"),
        }
    }
}

impl std::error::Error for Missed {}

/// One that gets every item of a [`Broadcast`]. As an iterator it goes over what it has missed, and
/// ends when the broadcast is closed.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    next: Cell<u64>,
}

impl<T: Clone> Receiver<T> {
    /// The next item; parks until there is one. If greenlets share a receiver, each item goes to one
    /// of them.
    ///
    /// `clone` must not use the broadcast, nor wait.
    ///
    /// # Errors
    /// [`Missed::Lagged`], once for each gap, and [`Missed::Closed`].
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here. Nothing is lost.
    pub fn get(&self) -> Result<T, Missed> {
        self.get_until(None)
    }

    /// As [`get`](Receiver::get), for at most `limit`.
    ///
    /// # Errors
    /// As [`get`](Receiver::get), and [`Missed::Empty`] when the time is over.
    ///
    /// # Panics
    /// As [`get`](Receiver::get).
    ///
    /// # Cancellation
    /// As [`get`](Receiver::get).
    pub fn get_timeout(&self, limit: Duration) -> Result<T, Missed> {
        self.get_until(Some(hub().moment(limit)))
    }

    /// The next item, if there is one. Returns at once.
    ///
    /// # Errors
    /// [`Missed`].
    pub fn try_get(&self) -> Result<T, Missed> {
        let mut items = self.shared.items.borrow_mut();
        let number = self.next.get();
        if number < items.first {
            self.next.set(items.first);
            return Err(Missed::Lagged(items.first - number));
        }
        let Some(kept) = usize::try_from(number - items.first).ok().and_then(|i| items.kept.get(i))
        else {
            let is_closed = self.shared.is_closed.get();
            return Err(if is_closed { Missed::Closed } else { Missed::Empty });
        };
        let copy = (kept.left > 1).then(|| kept.item.clone());
        self.next.set(number + 1);
        let last = items.release(number);
        copy.or(last).ok_or(Missed::Empty)
    }

    fn get_until(&self, until: Option<u64>) -> Result<T, Missed> {
        loop {
            match self.try_get() {
                Err(Missed::Empty) if self.wait(until) => {}
                ended => return ended,
            }
        }
    }

    /// Parks until there is something, or the end; false if the moment came before.
    fn wait(&self, until: Option<u64>) -> bool {
        take_in(&self.shared.waiting, 0, &"a broadcast", until, || {})
    }
}

impl<T> Receiver<T> {
    fn has_something(&self) -> bool {
        self.next.get() < self.shared.items.borrow().end()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut seen = Vec::new();
        let mut items = self.shared.items.borrow_mut();
        items.receivers -= 1;
        for number in self.next.get().max(items.first)..items.end() {
            seen.extend(items.release(number));
        }
        drop(items);
        drop(seen);
    }
}

impl<T: Clone> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            match self.get() {
                Ok(item) => return Some(item),
                Err(Missed::Lagged(_)) => {}
                Err(Missed::Closed | Missed::Empty) => return None,
            }
        }
    }
}

/// Ready when [`try_get`](Receiver::try_get) would not say that there is nothing.
impl<T> Waitable for Receiver<T> {
    fn is_ready(&self) -> bool {
        self.has_something() || self.shared.is_closed.get()
    }
}

impl<T> Watched for Receiver<T> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.shared.waiting)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("next", &self.next.get()).finish_non_exhaustive()
    }
}
