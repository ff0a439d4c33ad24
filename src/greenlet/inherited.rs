//! Values that a task inherits from whoever spawns it.
//!
//! A greenlet's values are one shared list, which is copied when it is changed: to inherit all of them
//! is to count one more owner, and a spawn pays 6 instructions where there is nothing to inherit.

use super::control::{Block, UNCOMMON};
use super::current::thread;
use super::report;
use std::any::Any;
use std::fmt;
use std::mem::replace;
use std::rc::Rc;

/// Declares [`InheritedKey`]s: values that a task inherits from the greenlet that spawns it.
///
/// ```
/// use greenlet::{inherited_local, spawn};
/// inherited_local! {
///     static REQUEST: u64 = 0;
/// }
/// let task = REQUEST.scope(7, || spawn(|| REQUEST.with(|request| *request)));
/// assert_eq!(task.join().unwrap(), 7);
/// assert_eq!(REQUEST.with(|request| *request), 0);
/// ```
#[macro_export]
#[doc(alias("ContextVar", "contextvars", "spawn_tree_locals", "task_local"))]
macro_rules! inherited_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr;)+) => {
        $($(#[$attribute])* $visibility static $name: $crate::InheritedKey<$type> =
            $crate::InheritedKey::new(|| $init);)+
    };
}

/// A value that a task inherits from the greenlet that spawns it; made by
/// [`inherited_local!`](crate::inherited_local).
///
/// A task begins with the values that its spawner has at that moment. They are shared, not copied, and
/// dropped with the last greenlet that has them. A value that a greenlet [sets](InheritedKey::set) later is
/// seen by itself and by what it spawns from then on, and by nobody else. If a whole tree of tasks is to
/// change a value together, use a `Cell`, a `RefCell` or an `Rc` of one.
///
/// Greenlets that are not tasks ([`Greenlet::new`](crate::Greenlet::new)) inherit nothing, as in
/// Python. A value that was neither set nor inherited is made by the initialiser at its first use in a
/// greenlet, and belongs to that greenlet. None of the methods here waits.
pub struct InheritedKey<T: 'static> {
    init: fn() -> T,
}

/// Which key, and its value.
type Entry = (*const (), Rc<dyn Any>);

/// All that a greenlet has of them.
pub(super) type Values = Rc<Vec<Entry>>;

impl<T: 'static> InheritedKey<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> InheritedKey<T> {
        InheritedKey { init }
    }

    /// Calls `f` with the current greenlet's value. `f` may switch, and may set another value.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.value())
    }

    /// Gives the current greenlet another value, which the tasks that it spawns from now on inherit.
    pub fn set(&'static self, value: T) {
        drop(exchange(self.address(), Some(Rc::new(value))));
    }

    /// Calls `f` with another value set; afterwards, also if `f` unwinds, the current greenlet has its
    /// former value again. Tasks that `f` spawned keep what they inherited.
    pub fn scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let former = exchange(self.address(), Some(Rc::new(value)));
        let _restore = Restore { key: self.address(), former };
        f()
    }

    fn value(&'static self) -> Rc<T> {
        let value = find(self.address()).unwrap_or_else(|| {
            let value: Rc<dyn Any> = Rc::new((self.init)());
            // The initialiser may have used this very key.
            find(self.address()).unwrap_or_else(|| {
                exchange(self.address(), Some(value.clone()));
                value
            })
        });
        value.downcast().unwrap_or_else(|_| unreachable!("a key's values have its type"))
    }

    fn address(&'static self) -> *const () {
        (&raw const *self).cast()
    }
}

impl<T: 'static> fmt::Debug for InheritedKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InheritedKey").finish_non_exhaustive()
    }
}

/// Gives a key its former value back.
struct Restore {
    key: *const (),
    former: Option<Rc<dyn Any>>,
}

impl Drop for Restore {
    fn drop(&mut self) {
        drop(exchange(self.key, self.former.take()));
    }
}

fn find(key: *const ()) -> Option<Rc<dyn Any>> {
    let block = thread().current();
    if block.extra.get().is_null() {
        return None;
    }
    let mut values = block.extra().inherited.as_ref()?.iter();
    values.find(|(other, _)| std::ptr::eq(*other, key)).map(|(_, value)| value.clone())
}

/// Sets or takes away the current greenlet's value of `key`, and returns the former one: whoever
/// drops it runs user code.
fn exchange(key: *const (), value: Option<Rc<dyn Any>>) -> Option<Rc<dyn Any>> {
    let values = Rc::make_mut(thread().current().extra().inherited.get_or_insert_default());
    let place = values.iter().position(|(other, _)| std::ptr::eq(*other, key));
    match (place, value) {
        (Some(place), Some(value)) => Some(replace(&mut values[place].1, value)),
        (Some(place), None) => Some(values.remove(place).1),
        (None, Some(value)) => {
            values.push((key, value));
            None
        }
        (None, None) => None,
    }
}

/// Gives a task that has not begun the values of the current greenlet.
#[inline(always)]
pub(crate) fn inherit(child: &Block) {
    let spawner = thread().current();
    if spawner.has(UNCOMMON) {
        inherit_from(spawner, child);
    }
}

#[cold]
fn inherit_from(spawner: &Block, child: &Block) {
    if spawner.extra.get().is_null() {
        return;
    }
    if let Some(values) = &spawner.extra().inherited
        && !values.is_empty()
    {
        child.extra().inherited = Some(values.clone());
    }
}

/// Drops the values of a greenlet that ends, if nobody else has them.
pub(super) fn drop_all(values: Option<Values>) {
    for (_, value) in values.and_then(Rc::into_inner).into_iter().flatten() {
        report::contain(|| drop(value));
    }
}
