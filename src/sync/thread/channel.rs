//! A queue between threads.

use super::waits::{Served, Waits, lock, wait};
use crate::hub::hub_if_any;
use crate::list::parts::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

/// A channel with room for `capacity` items: sending waits while it is full. With a capacity of 0, sending
/// waits until the item is received.
///
/// ```
/// use greenlet::{spawn, sync::thread::bounded};
/// let (sender, receiver) = bounded(2);
/// let thread = std::thread::spawn(move || (1..=100).try_for_each(|n| sender.send(n)));
/// // A greenlet: others of this thread run while it waits.
/// let sum = spawn(move || receiver.iter().sum::<u32>());
/// assert_eq!(sum.join().unwrap(), 5050);
/// thread.join().unwrap().unwrap();
/// ```
#[doc(alias = "sync_channel")]
pub fn bounded<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State {
        items: VecDeque::new(),
        capacity,
        senders: 1,
        receivers: 1,
        sending: Waits::default(),
        receiving: Waits::default(),
    };
    let shared = Arc::new(Mutex::new(state));
    (Sender(shared.clone()), Receiver(shared))
}

/// A channel that is never full: sending never waits.
///
/// ```
/// use greenlet::sync::thread::unbounded;
/// let (sender, receiver) = unbounded();
/// sender.send("a").unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv(), Ok("a"));
/// assert!(receiver.recv().is_err());
/// ```
#[doc(alias = "channel")]
pub fn unbounded<T: Send>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// Who receives waits only while there is no item and nobody who sends; who sends waits only while
/// there is no room and nobody who receives.
struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// How many handles there are of each kind.
    senders: usize,
    receivers: usize,
    /// Each has brought its item.
    sending: Waits<T>,
    /// Each gets an item, or nothing when no more will come.
    receiving: Waits<T>,
}

/// Raises what is to be raised in the current greenlet: the beginning of whatever may wait.
fn raise_pending() {
    if let Some(hub) = hub_if_any() {
        hub.raise_pending();
    }
}

/// The sending end of a channel; clones send to the same one. Made by [`bounded`] and [`unbounded`].
pub struct Sender<T: Send>(Arc<Mutex<State<T>>>);

impl<T: Send> Sender<T> {
    /// Sends an item; waits while the channel is full. Then a greenlet parks, and a thread without a hub sleeps.
    /// Items arrive in the order in which they were sent, and senders that wait get room in the order in which
    /// they came.
    ///
    /// # Errors
    /// Gives the item back if there is no receiver any more.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and the item is dropped; if it was sent already, this returns, and
    /// what arrives is raised at the next wait.
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        raise_pending();
        self.send_within(item, Some(None)).map_err(|error| match error {
            TrySendError::Full(item) | TrySendError::Disconnected(item) => SendError(item),
        })
    }

    /// As [`send`](Sender::send), for at most `limit`.
    ///
    /// # Errors
    /// Gives the item back if there was no room in time, or there is no receiver any more.
    ///
    /// # Cancellation
    /// As [`send`](Sender::send).
    pub fn send_timeout(&self, item: T, limit: Duration) -> Result<(), TrySendError<T>> {
        raise_pending();
        self.send_within(item, Some(Some(limit)))
    }

    /// Sends an item if there is room; never waits.
    ///
    /// # Errors
    /// Gives the item back if there is no room, or no receiver any more.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.send_within(item, None)
    }

    /// `patience`: not to wait, to wait, to wait so long.
    fn send_within(
        &self,
        item: T,
        patience: Option<Option<Duration>>,
    ) -> Result<(), TrySendError<T>> {
        let mut state = lock(&self.0);
        if state.receivers == 0 {
            return Err(TrySendError::Disconnected(item));
        }
        let mut item = Some(item);
        if let Some(served) = state.receiving.serve(|_| item.take()) {
            drop(state);
            served.wake();
            return Ok(());
        }
        let Some(item) = item else { unreachable!("it was taken by nobody") };
        if state.items.len() < state.capacity {
            state.items.push_back(item);
            return Ok(());
        }
        let Some(limit) = patience else { return Err(TrySendError::Full(item)) };
        let what = &"room in a channel between threads";
        let waited = wait(&self.0, state, |state| &mut state.sending, Some(item), what, limit);
        match (waited.slot, waited.served, waited.interrupted) {
            (None, ..) => Ok(()),
            (Some(item), true, _) => Err(TrySendError::Disconnected(item)),
            (Some(item), false, None) => Err(TrySendError::Full(item)),
            // The item is dropped once that is raised: its drop may run others, and let nothing through.
            (Some(_item), false, Some(interrupted)) => interrupted.raise(),
        }
    }
}

impl<T: Send> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        lock(&self.0).senders += 1;
        Sender(self.0.clone())
    }
}

impl<T: Send> Drop for Sender<T> {
    fn drop(&mut self) {
        let served = {
            let mut state = lock(&self.0);
            state.senders -= 1;
            if state.senders == 0 { state.receiving.serve_all() } else { Vec::new() }
        };
        served.into_iter().for_each(Served::wake);
    }
}

/// The receiving end of a channel. Clones receive from the same one, and each item goes to one of them. Made
/// by [`bounded`] and [`unbounded`].
pub struct Receiver<T: Send>(Arc<Mutex<State<T>>>);

impl<T: Send> Receiver<T> {
    /// Takes the oldest item, and waits for one if there is none: a greenlet parks, a thread without a
    /// hub sleeps. Receivers that wait are served in the order in which they came.
    ///
    /// # Errors
    /// There is no item and no sender any more.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and no item is taken; if one was handed over already, it is returned,
    /// and what arrives is raised at the next wait.
    pub fn recv(&self) -> Result<T, RecvError> {
        raise_pending();
        self.receive_within(Some(None)).map_err(|_| RecvError)
    }

    /// As [`recv`](Receiver::recv), for at most `limit`.
    ///
    /// # Errors
    /// There was no item in time, or there is no sender any more.
    ///
    /// # Cancellation
    /// As [`recv`](Receiver::recv).
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        raise_pending();
        self.receive_within(Some(Some(limit))).map_err(|error| match error {
            TryRecvError::Empty => RecvTimeoutError::Timeout,
            TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
        })
    }

    /// Takes the oldest item if there is one; never waits.
    ///
    /// # Errors
    /// There is no item now, or also no sender any more.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.receive_within(None)
    }

    /// An iterator over the items until there is no sender any more; it waits for each.
    ///
    /// # Cancellation
    /// As [`recv`](Receiver::recv).
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// An iterator over the items that are there already; never waits.
    pub fn try_iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    fn receive_within(&self, patience: Option<Option<Duration>>) -> Result<T, TryRecvError> {
        let mut guard = lock(&self.0);
        let state = &mut *guard;
        // The first who waits for room has it now; or hands over itself, where there is none at all.
        let mut brought = None;
        let served = state.sending.serve(|item| {
            brought = item;
            None
        });
        let item = match state.items.pop_front() {
            Some(first) => {
                state.items.extend(brought);
                Some(first)
            }
            None => brought,
        };
        if let Some(item) = item {
            drop(guard);
            served.into_iter().for_each(Served::wake);
            // Whoever always finds an item lets the others of the thread run now and then.
            if let (Some(_), Some(hub)) = (patience, hub_if_any()) {
                hub.spend_inline_end();
            }
            return Ok(item);
        }
        if state.senders == 0 {
            return Err(TryRecvError::Disconnected);
        }
        let Some(limit) = patience else { return Err(TryRecvError::Empty) };
        let what = &"an item in a channel between threads";
        let waited = wait(&self.0, guard, |state| &mut state.receiving, None, what, limit);
        match (waited.slot, waited.served, waited.interrupted) {
            (Some(item), ..) => Ok(item),
            (None, true, _) => Err(TryRecvError::Disconnected),
            (None, false, None) => Err(TryRecvError::Empty),
            (None, false, Some(interrupted)) => interrupted.raise(),
        }
    }
}

impl<T: Send> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        lock(&self.0).receivers += 1;
        Receiver(self.0.clone())
    }
}

impl<T: Send> Drop for Receiver<T> {
    /// What was not received is dropped with the last receiver.
    fn drop(&mut self) {
        let (served, items) = {
            let mut state = lock(&self.0);
            state.receivers -= 1;
            if state.receivers > 0 {
                return;
            }
            (state.sending.serve_all(), std::mem::take(&mut state.items))
        };
        served.into_iter().for_each(Served::wake);
        drop(items);
    }
}

impl<T: Send> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T: Send> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// The items of a channel until there is no sender any more; waits for each.
///
/// # Cancellation
/// As [`recv`](Receiver::recv).
pub struct Iter<'a, T: Send>(&'a Receiver<T>);

impl<T: Send> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T: Send> FusedIterator for Iter<'_, T> {}

/// The items of a channel until there is no sender any more; waits for each.
///
/// # Cancellation
/// As [`recv`](Receiver::recv).
pub struct IntoIter<T: Send>(Receiver<T>);

impl<T: Send> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T: Send> FusedIterator for IntoIter<T> {}

impl<T: Send> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("items", &lock(&self.0).items.len()).finish_non_exhaustive()
    }
}

impl<T: Send> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("items", &lock(&self.0).items.len())
            .finish_non_exhaustive()
    }
}

impl<T: Send> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(&self.0).finish()
    }
}

impl<T: Send> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.0).finish()
    }
}
