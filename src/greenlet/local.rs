//! Values that each greenlet has for itself.
#![expect(unsafe_code, reason = "the values hang off the block by address")]

use super::control::Block;
#[cfg(feature = "hub")]
use super::control::UNCOMMON;
use super::current::thread;
use super::report;
use std::any::Any;
use std::cell::{Cell, RefCell};

/// Declares [`LocalKey`]s: values that each greenlet has for itself.
///
/// ```
/// use greenlet::{Greenlet, greenlet_local};
/// use std::cell::Cell;
/// greenlet_local! {
///     static COUNT: Cell<u32> = Cell::new(0);
/// }
/// COUNT.set(5);
/// let inside: u32 = Greenlet::new(|()| COUNT.get()).switch(());
/// assert_eq!(inside, 0);
/// assert_eq!(COUNT.get(), 5);
/// ```
#[macro_export]
#[doc(alias("local", "corolocal", "contextvars"))]
macro_rules! greenlet_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr;)+) => {
        $($(#[$attribute])* $visibility static $name: $crate::LocalKey<$type> =
            $crate::LocalKey::new(|| $init);)+
    };
}

/// A value that each greenlet has for itself; made by [`greenlet_local!`](crate::greenlet_local).
///
/// It is made at the first use in a greenlet and dropped when that greenlet ends, while it is still
/// the current one. The root's values are dropped with the thread's locals; those of a greenlet
/// that is leaked never.
#[derive(Debug)]
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> LocalKey<T> {
        LocalKey { init }
    }

    /// Calls `f` with the current greenlet's value. `f` may switch.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let block = thread().current();
        let value: *const T = match find(block, self.address()) {
            Some(value) => value,
            None => {
                let value: Box<dyn Any> = Box::new((self.init)());
                // The initialiser may have used this very key.
                match find(block, self.address()) {
                    Some(value) => value,
                    None => add(block, self.address(), value).cast(),
                }
            }
        };
        // SAFETY: boxed, so it stays where it is; dropped only when this greenlet's frames, this
        // one among them, are gone.
        f(unsafe { &*value })
    }

    /// Makes the value of this if there is none; else gives it back.
    fn begin_with<V>(&'static self, value: V, init: impl FnOnce(V) -> T) -> Option<V> {
        let block = thread().current();
        if find::<T>(block, self.address()).is_some() {
            return Some(value);
        }
        add(block, self.address(), Box::new(init(value)));
        None
    }

    fn address(&'static self) -> *const () {
        (&raw const *self).cast()
    }
}

/// The methods of std's `LocalKey<Cell<T>>`.
impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the current greenlet's value. If the greenlet has none yet, the initialiser is not run.
    pub fn set(&'static self, value: T) {
        if let Some(value) = self.begin_with(value, Cell::new) {
            self.with(|cell| cell.set(value));
        }
    }

    /// A copy of the current greenlet's value.
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the current greenlet's value, and leaves the default there.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Sets the current greenlet's value, and returns the one before.
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

/// The methods of std's `LocalKey<RefCell<T>>`. They borrow for the time of a call: a closure that switches
/// holds the borrow meanwhile, but only its own greenlet has this value.
impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with the current greenlet's value.
    ///
    /// # Panics
    /// When that is mutably borrowed.
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with the current greenlet's value, to change it.
    ///
    /// ```
    /// use greenlet::greenlet_local;
    /// use std::cell::RefCell;
    /// greenlet_local! {
    ///     static TRAIL: RefCell<Vec<&'static str>> = RefCell::default();
    /// }
    /// TRAIL.with_borrow_mut(|trail| trail.push("began"));
    /// assert_eq!(TRAIL.take(), ["began"]);
    /// ```
    ///
    /// # Panics
    /// When that is borrowed.
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the current greenlet's value. If the greenlet has none yet, the initialiser is not run.
    ///
    /// # Panics
    /// When that is borrowed.
    pub fn set(&'static self, value: T) {
        if let Some(value) = self.begin_with(value, RefCell::new) {
            self.replace(value);
        }
    }

    /// Takes the current greenlet's value, and leaves the default there.
    ///
    /// # Panics
    /// When that is borrowed.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Sets the current greenlet's value, and returns the one before.
    ///
    /// # Panics
    /// When that is borrowed.
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

fn find<T: 'static>(block: &Block, key: *const ()) -> Option<*const T> {
    if block.extra.get().is_null() {
        return None;
    }
    // The address alone does not do: keys that are constants, of several types, may be one in memory.
    let same = block.extra().locals.iter().filter(|(other, _)| std::ptr::eq(*other, key));
    same.filter_map(|(_, value)| value.downcast_ref::<T>()).map(std::ptr::from_ref).next()
}

fn add(block: &Block, key: *const (), value: Box<dyn Any>) -> *const () {
    let locals = &mut block.extra().locals;
    locals.push((key, value));
    locals.last().map_or(std::ptr::null(), |(_, value)| (&raw const **value).cast())
}

/// Is there anything that [`drop_all`] drops?
pub(super) fn has_any(block: &Block) -> bool {
    #[cfg(feature = "hub")]
    if !block.seat.is_vacant() {
        return true;
    }
    !block.extra.get().is_null()
}

/// Drops all values of a greenlet that ends, and whatever else it had beyond its block.
pub(super) fn drop_all(block: &Block) {
    const ROUNDS: u32 = 8; // a value's drop may make new ones
    for _ in 0..ROUNDS {
        #[cfg(feature = "hub")]
        if block.has(UNCOMMON) {
            block.seat.drop_raised();
        }
        let extra = block.extra.replace(std::ptr::null_mut());
        if extra.is_null() {
            // What was just dropped may have waited, and more may have arrived to be raised.
            if has_any(block) {
                continue;
            }
            return;
        }
        // SAFETY: made by `Box::into_raw`, and taken out of the block.
        let mut extra = unsafe { Box::from_raw(extra) };
        while let Some((_, value)) = extra.locals.pop() {
            report::contain(|| drop(value));
        }
        #[cfg(feature = "hub")]
        super::inherited::drop_all(extra.inherited.take());
    }
    // Still there after so many rounds: left alone, the slot must be clean.
    block.extra.set(std::ptr::null_mut());
    #[cfg(feature = "hub")]
    block.seat.forget_raised();
}

#[cfg(test)]
mod tests {
    use super::super::Greenlet;
    use super::*;

    #[test]
    fn keys_of_several_types_at_one_address_are_several_keys() {
        let g = Greenlet::new(|()| {
            let (block, key) = (thread().current(), std::ptr::dangling());
            add(block, key, Box::new(1_u32));
            assert!(find::<i32>(block, key).is_none());
            add(block, key, Box::new(2_i32));
            // SAFETY: the values stay while the greenlet runs.
            let values =
                unsafe { (*find::<u32>(block, key).unwrap(), *find::<i32>(block, key).unwrap()) };
            assert_eq!(values, (1, 2));
        });
        g.switch::<(), ()>(());
        assert!(g.is_dead());
    }
}
