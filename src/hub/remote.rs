//! How other threads reach a hub: they leave letters in its mailbox, and wake it if it sleeps.
//!
//! ```text
//!   another thread                 this thread
//!   wake(key) ──▶ Mailbox: inbox ──▶ open_mail ──▶ places[key] ──▶ ready list
//!                     └─ asleep? ──▶ driver's waker ends `enter`
//! ```
//!
//! - **Keys, not addresses**: another thread knows a greenlet that waits by a key, which is good
//!   for this one wait. What comes later reaches nobody.
//! - **No sleep over letters**: the hub lies down in the inbox before it waits for the kernel, and
//!   does not wait if there is a letter; the first letter after that wakes it.
#![expect(unsafe_code, reason = "a place leads to a parked greenlet by address")]

use super::Hub;
use super::interrupt::Interrupted;
use super::life::forks;
use crate::driver::Waker;
use crate::greenlet::{Block, current_block};
use crate::list::Inbox;
use std::cell::{Cell, RefCell};
use std::ptr::null;
use std::sync::Arc;

/// What other threads know of a hub.
pub(super) struct Mailbox {
    inbox: Inbox<Letter>,
    waker: Arc<Waker>,
    /// As in the hub: in the child of a fork nobody reads this.
    forks: u32,
}

/// What they tell it.
enum Letter {
    /// Wake who waits under this key.
    Wake(Key),
}

impl Mailbox {
    pub(super) fn new(waker: &Arc<Waker>) -> Arc<Mailbox> {
        Arc::new(Mailbox { inbox: Inbox::new(), waker: waker.clone(), forks: forks() })
    }

    /// Leaves a letter, and wakes the hub if it sleeps.
    ///
    /// # Errors
    /// The hub has ended; here is the letter again.
    fn send(&self, letter: Letter) -> Result<(), Letter> {
        if self.forks != forks() {
            return Err(letter);
        }
        if self.inbox.put(letter)? {
            self.waker.wake();
        }
        Ok(())
    }
}

/// Which of a hub's places, and the how manieth wait there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    index: u32,
    generation: u32,
}

/// Wakes a greenlet that [waits](Hub::wait_for_remote), from any thread.
#[derive(Clone)]
pub(crate) struct RemoteWaker {
    mailbox: Arc<Mailbox>,
    key: Key,
}

impl RemoteWaker {
    /// Makes the greenlet ready, if that wait is not over. Returns at once.
    pub(crate) fn wake(&self) {
        // Where the hub has ended, nobody waits.
        let _ = self.mailbox.send(Letter::Wake(self.key));
    }
}

/// The greenlets of a hub that wait for other threads.
pub(super) struct Places {
    places: RefCell<Vec<Place>>,
    /// The free place to be taken next; places.len() if there is none.
    free: Cell<u32>,
    taken: Cell<u32>,
}

struct Place {
    /// Who waits; null while the place is free.
    block: *const Block,
    generation: u32,
    /// The next free one.
    next: u32,
}

impl Places {
    pub(super) const fn new() -> Places {
        Places { places: RefCell::new(Vec::new()), free: Cell::new(0), taken: Cell::new(0) }
    }

    fn take(&self, block: &Block) -> Key {
        let mut places = self.places.borrow_mut();
        let index = self.free.get();
        if index as usize == places.len() {
            places.push(Place { block: null(), generation: 0, next: index + 1 });
        }
        let place = &mut places[index as usize];
        place.block = block;
        self.free.set(place.next);
        self.taken.set(self.taken.get() + 1);
        Key { index, generation: place.generation }
    }

    fn leave(&self, key: Key) {
        let place = &mut self.places.borrow_mut()[key.index as usize];
        place.block = null();
        // Wraps after four billion waits in this place; then a wake that is as late has no cause.
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free.replace(key.index);
        self.taken.set(self.taken.get() - 1);
    }

    /// Who waits under this key, if that wait is not over.
    fn find(&self, key: Key) -> *const Block {
        let places = self.places.borrow();
        let place = places.get(key.index as usize).filter(|p| p.generation == key.generation);
        place.map_or(null(), |place| place.block)
    }
}

impl Hub {
    /// Parks until `done` holds, or something is to be raised in the current greenlet. `register`
    /// is given what wakes it, as often as `done` is to be looked at again.
    ///
    /// While somebody waits so, the hub sleeps for as long as it takes: that is no deadlock.
    ///
    /// # Errors
    /// [`Interrupted`]; `done` did not hold then.
    pub(crate) fn wait_for_remote(
        &self,
        register: impl FnOnce(RemoteWaker),
        done: impl FnMut() -> bool,
    ) -> Result<(), Interrupted> {
        let wait = Wait { hub: self, key: self.places.take(current_block()) };
        register(RemoteWaker { mailbox: self.mailbox.clone(), key: wait.key });
        self.wait_until(done)
    }

    /// Is somebody waiting for another thread?
    #[inline]
    pub(super) fn awaits_others(&self) -> bool {
        self.places.taken.get() > 0
    }

    /// The hub wants to wait for the kernel. False if it must not, because there is a letter.
    #[inline]
    pub(super) fn lie_down(&self) -> bool {
        self.mailbox.inbox.lie_down()
    }

    /// The hub has waited for the kernel.
    #[inline]
    pub(super) fn get_up(&self) {
        self.mailbox.inbox.get_up();
    }

    /// Does what other threads have asked for.
    #[inline]
    pub(super) fn open_mail(&self) {
        for letter in self.mailbox.inbox.take() {
            match letter {
                Letter::Wake(key) => {
                    // SAFETY: null, or a greenlet that is inside `wait_for_remote`.
                    if let Some(block) = unsafe { self.places.find(key).as_ref() } {
                        self.wake(block);
                    }
                }
            }
        }
    }

    /// Nobody reads letters any more.
    pub(super) fn close_mail(&self) {
        drop(self.mailbox.inbox.close());
    }
}

/// One wait; its place is free afterwards.
struct Wait<'a> {
    hub: &'a Hub,
    key: Key,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.hub.places.leave(self.key);
    }
}

#[cfg(test)]
mod tests;
