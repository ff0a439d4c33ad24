//! A value that is made once, by an initialiser that may wait.

use super::park_in::take_in;
use crate::greenlet::{current_block, id_of};
use crate::hub::WaitList;
use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;

/// A cell that is written once, by an initialiser that may wait; other greenlets wait until it has ended.
///
/// If the initialiser panics, is killed or returns an error, the cell stays empty, and the greenlet that
/// has waited longest runs its own.
///
/// ```
/// use greenlet::{join_all, sleep, spawn, sync::OnceCell};
/// use std::{rc::Rc, time::Duration};
/// let config = Rc::new(OnceCell::new());
/// let readers = (0..3).map(|n| {
///     let config = config.clone();
///     spawn(move || *config.get_or_init(|| { sleep(Duration::from_millis(1)); n }))
/// });
/// assert_eq!(join_all(readers).join().values().unwrap(), [0, 0, 0]);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(greenlet::sync::OnceCell::<i32>::new());
/// ```
pub struct OnceCell<T> {
    value: std::cell::OnceCell<T>,
    /// The number of the greenlet whose turn it is to make the value; 0 for nobody.
    initialiser: Cell<u64>,
    /// Noted with their numbers.
    waiters: WaitList,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    pub const fn new() -> OnceCell<T> {
        OnceCell {
            value: std::cell::OnceCell::new(),
            initialiser: Cell::new(0),
            waiters: WaitList::new(),
        }
    }

    /// The value, if there is one; never waits.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Fills the cell; never waits.
    ///
    /// # Errors
    /// Gives the value back if the cell is full or being initialised.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.initialiser.get() != 0 {
            return Err(value);
        }
        self.value.set(value)
    }

    /// The value, which `make` makes if there is none. Parks while another greenlet makes it.
    ///
    /// # Panics
    /// As `make` does; if `make` itself asks this cell for the value; if it would have to wait while the
    /// thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits is raised here; if this greenlet was to make the value, the next one does.
    #[inline]
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(make())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_init`](OnceCell::get_or_init), with a `make` that may fail.
    ///
    /// # Errors
    /// That of `make`; the cell stays empty, and the next greenlet that waits makes the value.
    ///
    /// # Panics
    /// As [`get_or_init`](OnceCell::get_or_init).
    ///
    /// # Cancellation
    /// As [`get_or_init`](OnceCell::get_or_init).
    #[inline]
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        self.initialise(make)
    }

    fn initialise<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        self.begin();
        let turn = Turn { cell: self };
        let value = match self.value.get() {
            Some(value) => value,
            None => {
                let made = make()?;
                self.value.get_or_init(|| made)
            }
        };
        drop(turn);
        Ok(value)
    }

    /// Parks until there is a value, or it is the current greenlet's turn to make it.
    fn begin(&self) {
        let me = id_of(current_block()).get();
        match self.initialiser.get() {
            0 => self.initialiser.set(me),
            other if other == me => panic!("the initialiser of a cell cannot ask for its value"),
            _ => {
                take_in(&self.waiters, me, &"the value of a cell", None, || self.end_turn(me));
            }
        }
    }

    /// If it is this greenlet's turn: wakes all if there is a value, or else makes it the turn of the
    /// next.
    fn end_turn(&self, me: u64) {
        if self.initialiser.get() != me {
            return;
        }
        let next = if self.value.get().is_some() { None } else { self.waiters.first_note() };
        self.initialiser.set(next.unwrap_or(0));
        match next {
            Some(_) => _ = self.waiters.wake_one(),
            None => self.waiters.wake_all(),
        }
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out; the cell is empty again.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

/// The turn of the current greenlet, if it is that.
struct Turn<'a, T> {
    cell: &'a OnceCell<T>,
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.cell.end_turn(id_of(current_block()).get());
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        let cell = OnceCell::new();
        let _ = cell.value.set(value);
        cell
    }
}

/// Clones the value if it is set; otherwise, also while it is being made, the clone is empty.
impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> OnceCell<T> {
        self.get().cloned().map_or_else(OnceCell::new, OnceCell::from)
    }
}

/// By what is in them.
impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &OnceCell<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}
