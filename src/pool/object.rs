//! Objects that are expensive to make, used by one after the other.

use crate::hub::{Hub, WaitList, hub, hub_if_any};
use crate::sync::{Turns, Waitable, Watched, Watchers};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

/// A pool of objects, connections for example, each of which is used by one greenlet at a time.
///
/// Objects are made when they are needed, up to a limit, and used again when they come back. When all are in use,
/// `get` parks until one comes back; greenlets that wait are served in the order in which they came. Handles are
/// cheap to clone, and all clones are the same pool, which stays on its thread.
///
/// ```
/// use greenlet::pool::ObjectPool;
/// let pool = ObjectPool::new(2, || String::from("connection"));
/// {
///     let mut object = pool.get();
///     object.push_str(" in use");
///     assert_eq!(pool.free(), 1);
/// }
/// assert_eq!(*pool.get(), "connection in use");
/// ```
#[doc(alias("ConnectionPool", "TokenPool"))]
pub struct ObjectPool<T>(Rc<Shared<T>>);

struct Shared<T> {
    make: Box<dyn Fn() -> T>,
    idle: RefCell<VecDeque<Idle<T>>>,
    /// How many objects there are, with those that are being made.
    alive: Cell<usize>,
    min: usize,
    max: Cell<usize>,
    newest_first: bool,
    max_idle_ns: Option<u64>,
    max_age_ns: Option<u64>,
    /// A turn is an object that is idle, or the right to make one.
    turns: Turns,
    watchers: WaitList,
}

struct Idle<T> {
    object: T,
    made: u64,
    since: u64,
}

/// Options for an [`ObjectPool`]; made by [`ObjectPool::builder`].
///
/// ```
/// use greenlet::pool::ObjectPool;
/// use std::time::Duration;
/// let pool = ObjectPool::builder(10).min(2).newest_first().max_idle(Duration::from_secs(10));
/// let pool = pool.build(|| vec![0; 1024]);
/// assert_eq!((pool.len(), pool.free()), (2, 10));
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder makes nothing until `build`"]
pub struct ObjectPoolBuilder {
    min: usize,
    max: usize,
    newest_first: bool,
    max_idle: Option<Duration>,
    max_age: Option<Duration>,
}

impl ObjectPoolBuilder {
    fn new(max: usize) -> ObjectPoolBuilder {
        ObjectPoolBuilder { min: 0, max, newest_first: false, max_idle: None, max_age: None }
    }

    /// Makes `min` objects with the pool, and keeps that many even if they are idle for long. Default: 0.
    #[doc(alias = "min_size")]
    pub fn min(mut self, min: usize) -> ObjectPoolBuilder {
        self.min = min;
        self
    }

    /// Uses the object that came back last first, so that the others become idle. Default: the one that came
    /// back first.
    #[doc(alias = "order_as_stack")]
    pub fn newest_first(mut self) -> ObjectPoolBuilder {
        self.newest_first = true;
        self
    }

    /// Drops objects that have been idle for `limit`, at the next use of the pool. Default: never.
    pub fn max_idle(mut self, limit: Duration) -> ObjectPoolBuilder {
        self.max_idle = Some(limit);
        self
    }

    /// Drops objects that were made `limit` ago, instead of using them again. Default: never.
    pub fn max_age(mut self, limit: Duration) -> ObjectPoolBuilder {
        self.max_age = Some(limit);
        self
    }

    /// Makes the pool, and its first [`min`](ObjectPoolBuilder::min) objects. `make` may wait.
    ///
    /// # Panics
    /// As `make` does.
    ///
    /// # Cancellation
    /// What arrives while `make` waits is raised here.
    pub fn build<T>(self, make: impl Fn() -> T + 'static) -> ObjectPool<T> {
        let ns = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let pool = ObjectPool(Rc::new(Shared {
            make: Box::new(make),
            idle: RefCell::new(VecDeque::new()),
            alive: Cell::new(0),
            min: self.min.min(self.max),
            max: Cell::new(self.max),
            newest_first: self.newest_first,
            max_idle_ns: self.max_idle.map(ns),
            max_age_ns: self.max_age.map(ns),
            turns: Turns::new(),
            watchers: WaitList::new(),
        }));
        let first: Vec<_> = (0..pool.0.min)
            .map(|_| {
                let Ok(object) = pool.make_with(|| Ok::<T, Infallible>((pool.0.make)()));
                object
            })
            .collect();
        drop(first);
        pool
    }
}

impl ObjectPool<()> {
    /// Options for a pool of at most `max` objects of any type.
    #[doc(alias = "max_size")]
    pub fn builder(max: usize) -> ObjectPoolBuilder {
        ObjectPoolBuilder::new(max)
    }
}

impl<T> ObjectPool<T> {
    /// A pool of at most `max` objects, which `make` makes.
    pub fn new(max: usize, make: impl Fn() -> T + 'static) -> ObjectPool<T> {
        ObjectPoolBuilder::new(max).build(make)
    }

    /// An idle object, or a new one; parks while all are in use. It comes back when the guard is dropped.
    ///
    /// # Panics
    /// If making an object panics, and if it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked, or while an object is being made, is raised here; an object that was
    /// promised to this greenlet goes to the next.
    pub fn get(&self) -> Pooled<T> {
        match self.get_until(None) {
            Some(object) => object,
            None => unreachable!("a wait without limit ends with an object"),
        }
    }

    /// As [`get`](ObjectPool::get), for at most `limit` while all are in use; `None` when the time is
    /// over.
    ///
    /// # Panics
    /// As [`get`](ObjectPool::get).
    ///
    /// # Cancellation
    /// As [`get`](ObjectPool::get).
    pub fn get_timeout(&self, limit: Duration) -> Option<Pooled<T>> {
        self.get_until(Some(hub().moment(limit)))
    }

    /// As [`get`](ObjectPool::get), but `None` if all are in use. Parks only if making an object does.
    ///
    /// # Panics
    /// If making an object panics.
    ///
    /// # Cancellation
    /// As [`get`](ObjectPool::get).
    pub fn try_get(&self) -> Option<Pooled<T>> {
        self.has_object().then(|| self.take_or_make())
    }

    /// As [`get`](ObjectPool::get), but if an object must be made, `make` makes it, and may fail.
    ///
    /// ```
    /// use greenlet::pool::ObjectPool;
    /// let pool = ObjectPool::new(2, String::new);
    /// assert!(pool.get_or_try(|| "7".parse::<u8>().map(|n| n.to_string())).is_ok());
    /// assert!(pool.get_or_try(|| Ok::<_, std::fmt::Error>(String::new())).is_ok());
    /// ```
    ///
    /// # Errors
    /// That of `make`; the next greenlet that waits may then try.
    ///
    /// # Panics
    /// As [`get`](ObjectPool::get).
    ///
    /// # Cancellation
    /// As [`get`](ObjectPool::get).
    pub fn get_or_try<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Pooled<T>, E> {
        self.wait(None);
        self.take_or(make)
    }

    fn get_until(&self, until: Option<u64>) -> Option<Pooled<T>> {
        self.wait(until).then(|| self.take_or_make())
    }

    /// Parks until there is an object, or one can be made; false if the moment came before.
    fn wait(&self, until: Option<u64>) -> bool {
        if self.has_object() {
            return true;
        }
        match self.0.turns.wait(false, &"an object of a pool", until) {
            Ok(has_turn) => has_turn,
            Err(interrupted) => {
                self.offer();
                interrupted.raise()
            }
        }
    }

    /// Is there an idle object, or the right to make one, that nobody was promised?
    fn has_object(&self) -> bool {
        let more = self.0.max.get().saturating_sub(self.0.alive.get());
        self.0.idle.borrow().len() + more > self.0.turns.given()
    }

    fn offer(&self) {
        while self.has_object() {
            if !self.0.turns.give() {
                return self.0.watchers.wake_all();
            }
        }
    }

    /// Takes an idle object or makes one, to which the current greenlet has a right.
    fn take_or_make(&self) -> Pooled<T> {
        let Ok(object) = self.take_or(|| Ok::<T, Infallible>((self.0.make)()));
        object
    }

    fn take_or<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Pooled<T>, E> {
        let mut over = Vec::new();
        let object = match self.take_idle(&mut over) {
            Some(object) => {
                drop(make);
                Ok(object)
            }
            None => self.make_with(make),
        };
        if !over.is_empty() {
            self.offer();
            // Here and above, not at the end of the scope: a drop of the user's that unwinds from there
            // would leave out that of what is returned (https://github.com/rust-lang/rust/issues/47949).
            drop(over);
        }
        object
    }

    /// Takes an idle object that is still good; those that are not go to `over`. Nobody runs between.
    fn take_idle(&self, over: &mut Vec<T>) -> Option<Pooled<T>> {
        let mut idle = self.0.idle.borrow_mut();
        let taken = loop {
            let next = if self.0.newest_first { idle.pop_back() } else { idle.pop_front() }?;
            if !self.is_over(next.made, next.since, self.now()) {
                break next;
            }
            self.0.alive.set(self.0.alive.get() - 1);
            over.push(next.object);
        };
        // What was taken came back last: nobody ever looks at the other end but here.
        let is_over = |oldest: &Idle<T>| self.is_over(oldest.made, oldest.since, self.now());
        while self.0.newest_first
            && idle.front().is_some_and(is_over)
            && let Some(oldest) = idle.pop_front()
        {
            self.0.alive.set(self.0.alive.get() - 1);
            over.push(oldest.object);
        }
        Some(Pooled { pool: self.clone(), made: taken.made, object: Some(taken.object) })
    }

    fn make_with<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Pooled<T>, E> {
        self.0.alive.set(self.0.alive.get() + 1);
        let made = self.now();
        let mut pooled = Pooled { pool: self.clone(), made, object: None };
        pooled.object = Some(make()?); // its drop counts down
        Ok(pooled)
    }

    /// The moment now, if it matters.
    fn now(&self) -> u64 {
        if self.has_limits() { hub().now() } else { 0 }
    }

    fn has_limits(&self) -> bool {
        self.0.max_idle_ns.is_some() || self.0.max_age_ns.is_some()
    }

    /// Is an object too old now, or was it idle for too long?
    fn is_over(&self, made: u64, since: u64, now: u64) -> bool {
        let is_past = |limit: Option<u64>, from: u64| limit.is_some_and(|ns| now - from >= ns);
        is_past(self.0.max_age_ns, made)
            || (is_past(self.0.max_idle_ns, since) && self.0.alive.get() > self.0.min)
    }

    /// Drops objects that are [idle](ObjectPoolBuilder::max_idle) for too long or [too
    /// old](ObjectPoolBuilder::max_age). Returns at once, unless their drop waits.
    pub fn trim(&self) {
        let count = self.0.idle.borrow().len();
        for _ in 0..count {
            let Some(oldest) = self.0.idle.borrow_mut().pop_front() else { return };
            if self.is_over(oldest.made, oldest.since, self.now()) {
                self.one_less();
                drop(oldest.object);
            } else {
                self.0.idle.borrow_mut().push_back(oldest);
            }
        }
    }

    /// Drops all idle objects. Returns at once, unless their drop waits.
    pub fn clear(&self) {
        let idle = self.0.idle.take();
        idle.iter().for_each(|_| self.one_less());
    }

    fn one_less(&self) {
        self.0.alive.set(self.0.alive.get() - 1);
        self.offer();
    }

    /// Changes how many objects there may be. Those in use stay; surplus idle ones are dropped. Returns at once,
    /// unless their drop waits.
    pub fn resize(&self, max: usize) {
        self.0.max.set(max);
        // Those that somebody was promised are as good as in use.
        while self.0.alive.get() > max && self.0.idle.borrow().len() > self.0.turns.given() {
            let Some(oldest) = self.0.idle.borrow_mut().pop_front() else { break };
            self.one_less();
            drop(oldest.object);
        }
        self.offer();
    }

    /// How many objects there are: idle, in use, or being made.
    pub fn len(&self) -> usize {
        self.0.alive.get()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many can be gotten without waiting for one to come back.
    pub fn free(&self) -> usize {
        let more = self.0.max.get().saturating_sub(self.0.alive.get());
        (self.0.idle.borrow().len() + more).saturating_sub(self.0.turns.given())
    }

    /// How many greenlets wait for an object. Walks the list of them.
    pub fn waiting(&self) -> usize {
        self.0.turns.waiting() + self.0.turns.given()
    }
}

/// The same pool.
impl<T> Clone for ObjectPool<T> {
    fn clone(&self) -> ObjectPool<T> {
        ObjectPool(self.0.clone())
    }
}

/// Ready when an object can be gotten without waiting for one to come back.
impl<T> Waitable for ObjectPool<T> {
    fn is_ready(&self) -> bool {
        self.has_object()
    }
}

impl<T> Watched for ObjectPool<T> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.0.watchers)
    }
}

impl<T> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPool")
            .field("len", &self.len())
            .field("free", &self.free())
            .field("max", &self.0.max.get())
            .finish()
    }
}

/// An object of an [`ObjectPool`] in use; goes back to the pool when this is dropped.
#[doc(alias("item", "PooledConnectionWrapper"))]
pub struct Pooled<T> {
    pool: ObjectPool<T>,
    made: u64,
    /// `None` while it is being made, and once it was taken out.
    object: Option<T>,
}

impl<T> Pooled<T> {
    /// Takes the object out of the pool for good: another one may be made in its place.
    pub fn detach(mut this: Pooled<T>) -> T {
        match this.object.take() {
            Some(object) => object, // the drop counts down
            None => unreachable!("an object that was handed out is there"),
        }
    }

    /// Drops the object instead of giving it back: a connection that has failed, for example.
    pub fn discard(this: Pooled<T>) {
        drop(Pooled::detach(this));
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.object {
            Some(object) => object,
            None => unreachable!("an object that was handed out is there"),
        }
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.object {
            Some(object) => object,
            None => unreachable!("an object that was handed out is there"),
        }
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        let pool = &self.pool;
        // Without a hub (this is the child of a fork, perhaps) nobody knows how old it is.
        let now = if pool.has_limits() { hub_if_any().map(Hub::now) } else { Some(0) };
        match (self.object.take(), now) {
            (Some(object), Some(now))
                if pool.0.alive.get() <= pool.0.max.get() && !pool.is_over(self.made, now, now) =>
            {
                pool.0.idle.borrow_mut().push_back(Idle { object, made: self.made, since: now });
                pool.offer();
            }
            (object, _) => {
                pool.one_less();
                drop(object);
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}
