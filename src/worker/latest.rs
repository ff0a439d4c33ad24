//! What all threads of a process read, and any may replace.
#![expect(unsafe_code, reason = "shares by address")]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value, or none yet. Without a lock, which a thread that the child of a fork does not have could have held:
/// so the child has the value, too. One that was replaced is leaked, for somebody may still look at it.
pub(crate) struct Latest<T>(AtomicPtr<T>);

impl<T: Send + Sync + 'static> Latest<T> {
    pub(crate) const fn none() -> Latest<T> {
        Latest(AtomicPtr::new(null_mut()))
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or leaked by one of the others.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn set(&self, value: T) {
        self.0.store(Box::leak(Box::new(value)), Ordering::Release);
    }

    /// Sets the first value. False if there was one.
    pub(crate) fn set_first(&self, value: T) -> bool {
        let new = Box::into_raw(Box::new(value));
        let set = self.0.compare_exchange(null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        if set.is_err() {
            // SAFETY: made above, and shared with nobody.
            drop(unsafe { Box::from_raw(new) });
        }
        set.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_read_and_the_first_stays_first() {
        let value = Latest::none();
        assert_eq!(value.get(), None);
        value.set(1);
        assert!(!value.set_first(2));
        let before = value.get();
        value.set(3);
        assert_eq!((before, value.get()), (Some(&1), Some(&3)));
        let other = Latest::none();
        assert!(other.set_first(String::from("first")) && !other.set_first(String::new()));
        assert_eq!(other.get().unwrap(), "first");
    }
}
