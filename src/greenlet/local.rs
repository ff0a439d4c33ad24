//! Values that each greenlet has for itself.
#![expect(unsafe_code, reason = "the values hang off the block by address")]

use super::control::Block;
#[cfg(feature = "hub")]
use super::control::UNCOMMON;
use super::current::thread;
use super::report;
use std::any::Any;

/// Declares [`LocalKey`]s: values that each greenlet has for itself.
///
/// ```
/// use greenlet::{Greenlet, greenlet_local};
/// use std::cell::Cell;
/// greenlet_local! {
///     static COUNT: Cell<u32> = Cell::new(0);
/// }
/// COUNT.with(|count| count.set(5));
/// let inside: u32 = Greenlet::new(|()| COUNT.with(|count| count.get())).switch(());
/// assert_eq!(inside, 0);
/// assert_eq!(COUNT.with(|count| count.get()), 5);
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
            Some(value) => value.cast(),
            None => {
                let value: Box<dyn Any> = Box::new((self.init)());
                // The initialiser may have used this very key.
                match find(block, self.address()) {
                    Some(value) => value.cast(),
                    None => add(block, self.address(), value).cast(),
                }
            }
        };
        // SAFETY: boxed, so it stays where it is; dropped only when this greenlet's frames, this
        // one among them, are gone.
        f(unsafe { &*value })
    }

    fn address(&'static self) -> *const () {
        (&raw const *self).cast()
    }
}

fn find(block: &Block, key: *const ()) -> Option<*const ()> {
    if block.extra.get().is_null() {
        return None;
    }
    let (_, value) = block.extra().locals.iter().find(|(other, _)| std::ptr::eq(*other, key))?;
    Some((&raw const **value).cast())
}

fn add(block: &Block, key: *const (), value: Box<dyn Any>) -> *const () {
    let address = (&raw const *value).cast();
    block.extra().locals.push((key, value));
    address
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
            #[cfg(feature = "hub")]
            if !block.seat.is_vacant() {
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
