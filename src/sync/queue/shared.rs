//! What the handles of a queue share: the items, and those who wait for one or for room.
//!
//! - **A turn is an item**: a getter that was given a turn owns one of the items, though it stays in
//!   the store until the getter runs; others see as many items less. So items leave in the store's
//!   order, and the one of a getter that is killed goes to the next.
//! - **A turn is a place**: likewise for putters and room. What a putter brings stays in its frame
//!   until it is put, so the item of a putter that is killed is not put.
//! - With a capacity of 0 a put lays its item in the store first and then waits until it is taken. It
//!   takes it out again if it must go: then a getter may find less than it was promised, and waits
//!   again, before all others.
//! - No item is dropped, and nothing is waited for, while the store is borrowed.
//!
//! Not so: the item moved into the getter's frame when it is woken. Then a killed getter has something to give
//! back, and a priority queue does not give what is the lowest when the getter runs, as gevent's does. Nor does a
//! getter put for the putter whose place it frees: half as many switches at capacity 1, but not gevent's order
//! (put0 got0 put1 got1), and a killed putter's item would be put.

use super::error::{GetError, PutError};
use super::store::Store;
use crate::hub::{WaitList, WaitsFor, hub};
use crate::sync::turns::Turns;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::forget;

const ITEM: WaitsFor = &"an item of a queue";
const ROOM: WaitsFor = &"room in a queue";
const GETTER: WaitsFor = &"a getter in a rendezvous";

/// Stands for the number of the putter where nobody waits until the item is taken.
pub(super) const BY_TRY_PUT: u64 = 0;

pub(super) struct Shared<S: Store> {
    pub(super) store: RefCell<S>,
    pub(super) capacity: Cell<usize>,
    pub(super) is_closed: Cell<bool>,
    pub(super) getters: Turns,
    pub(super) putters: Turns,
    /// Those who are told when there is an item that nobody was promised, or the end.
    pub(super) watchers: WaitList,
    /// Those who are told when there is room, or the end.
    pub(super) room_watchers: WaitList,
    /// With a capacity of 0: for each item its putter's number, or 0 if nobody waits for its end.
    handed: RefCell<VecDeque<u64>>,
    last_number: Cell<u64>,
    /// Those who wait until every item is done.
    pub(super) joiners: WaitList,
}

impl<S: Store> Shared<S> {
    pub(super) fn new(capacity: usize) -> Shared<S> {
        Shared {
            store: RefCell::new(S::new()),
            capacity: Cell::new(capacity),
            is_closed: Cell::new(false),
            getters: Turns::new(),
            putters: Turns::new(),
            watchers: WaitList::new(),
            room_watchers: WaitList::new(),
            handed: RefCell::new(VecDeque::new()),
            last_number: Cell::new(0),
            joiners: WaitList::new(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.store.borrow().count()
    }

    #[inline]
    pub(super) fn hands_over(&self) -> bool {
        S::HANDS_OVER && self.capacity.get() == 0
    }

    /// Is there an item that nobody was promised?
    #[inline]
    pub(super) fn has_item(&self) -> bool {
        self.len() > self.getters.given()
    }

    /// Could an item be put at once?
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        match self.hands_over() {
            true => self.getters.is_wanted(),
            false => self.len() + self.putters.given() < self.capacity.get(),
        }
    }

    #[inline]
    pub(super) fn put(&self, item: S::Item, until: Option<u64>) -> Result<(), PutError<S::Item>> {
        if self.is_closed.get() {
            return Err(PutError::Closed(item));
        }
        if self.hands_over() {
            return self.hand_over(item, until);
        }
        if !self.has_room() {
            match self.putters.wait(false, ROOM, until) {
                Ok(true) if self.is_closed.get() => return Err(PutError::Closed(item)),
                Ok(true) => {}
                Ok(false) => return Err(PutError::Full(item)),
                Err(interrupted) => {
                    self.offer_room();
                    interrupted.raise()
                }
            }
        }
        self.push(item);
        Ok(())
    }

    #[inline]
    pub(super) fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        if self.is_closed.get() {
            return Err(PutError::Closed(item));
        }
        if !self.has_room() {
            return Err(PutError::Full(item));
        }
        if self.hands_over() {
            self.handed.borrow_mut().push_back(BY_TRY_PUT);
        }
        self.push(item);
        Ok(())
    }

    #[inline]
    fn push(&self, item: S::Item) {
        let unsettled = Unsettled(self);
        self.store.borrow_mut().push(item);
        forget(unsettled);
        self.offer_items();
    }

    /// There is one more item that nobody was promised, perhaps: promises it to whoever waits for one.
    /// (While anybody waits there is no other.)
    #[inline]
    fn offer_items(&self) {
        if self.has_item() && !self.getters.give() {
            self.watchers.wake_all();
        }
    }

    /// There is room for one more, perhaps: promises it to whoever waits for it.
    #[inline(always)]
    fn offer_room(&self) {
        if !self.hands_over() && self.has_room() && !self.putters.give() {
            self.room_watchers.wake_all();
        }
    }

    pub(super) fn resize(&self, capacity: usize) {
        self.capacity.set(capacity);
        while self.has_room() && self.putters.give() {}
        self.offer_room();
    }

    /// Puts with a capacity of 0: until the item is taken.
    fn hand_over(&self, item: S::Item, until: Option<u64>) -> Result<(), PutError<S::Item>> {
        self.putters.assert_can_wait(GETTER);
        hub().raise_pending(); // before a getter is promised what would be taken back
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        self.handed.borrow_mut().push_back(number);
        self.push(item);
        let waited = self.putters.wait(false, GETTER, until);
        let is_clear = waited.as_ref().is_ok_and(|taken| *taken) && !self.is_closed.get();
        let Some(item) = (if is_clear { None } else { self.withdraw(number) }) else {
            return Ok(()); // taken; what is to be raised is raised at the next wait
        };
        match waited {
            Ok(true) => Err(PutError::Closed(item)),
            Ok(false) => Err(PutError::Full(item)),
            Err(interrupted) => interrupted.raise(),
        }
    }

    /// Takes back what was to be handed over, unless it was taken.
    #[cold]
    pub(super) fn withdraw(&self, number: u64) -> Option<S::Item> {
        let mut handed = self.handed.borrow_mut();
        let index = handed.iter().position(|other| *other == number)?;
        handed.remove(index);
        self.store.borrow_mut().remove(index)
    }

    #[inline]
    pub(super) fn try_get(&self) -> Result<S::Item, GetError> {
        if !self.has_item() {
            return Err(if self.is_closed.get() { GetError::Closed } else { GetError::Empty });
        }
        self.take().ok_or(GetError::Empty)
    }

    #[inline]
    pub(super) fn get(&self, until: Option<u64>) -> Result<S::Item, GetError> {
        let mut has_waited = false;
        loop {
            if (has_waited || self.has_item())
                && let Some(item) = self.take()
            {
                return Ok(item);
            }
            if self.is_closed.get() {
                return Err(GetError::Closed);
            }
            if self.hands_over() {
                self.room_watchers.wake_all();
            }
            match self.getters.wait(has_waited, ITEM, until) {
                Ok(true) => has_waited = true,
                Ok(false) => return Err(GetError::Empty),
                Err(interrupted) => {
                    self.offer_items();
                    interrupted.raise()
                }
            }
        }
    }

    /// Takes the first item, which nobody else was promised.
    #[inline(always)]
    fn take(&self) -> Option<S::Item> {
        let unsettled = Unsettled(self);
        let item = self.store.borrow_mut().pop();
        forget(unsettled);
        let item = item?;
        if self.hands_over() {
            let putter = self.handed.borrow_mut().pop_front();
            if putter.is_some_and(|number| number != 0) {
                self.putters.give_first(); // whose item it was
            }
        } else if self.capacity.get() != usize::MAX {
            self.offer_room();
        }
        Some(item)
    }

    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.getters.give_all();
        self.putters.give_all();
        self.watchers.wake_all();
        self.room_watchers.wake_all();
    }
}

/// Dropped only when a comparison of items has panicked: offers what there is then, for one item may have
/// come, or gone.
struct Unsettled<'a, S: Store>(&'a Shared<S>);

impl<S: Store> Drop for Unsettled<'_, S> {
    #[cold]
    fn drop(&mut self) {
        self.0.offer_items();
        self.0.offer_room();
    }
}
