//! The handle of every kind of pool.

use super::map::{Imap, ImapUnordered};
use super::members::{Entry, Members, no_stack};
use crate::hub::hub;
use crate::stack::StackError;
use crate::sync::{Waitable, Watched, Watchers};
use crate::task::{JoinError, JoinHandle, TaskBuilder, TaskRef};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

/// What a pool does when it is full and a member spawns: [`Unlimited`], [`Waiting`], [`Lending`].
///
/// Only this crate implements it.
pub trait Policy: sealed::Sealed + 'static {}

/// Policies of pools that can be full: all but [`Unlimited`].
pub trait Limited: Policy {}

/// It is never full.
#[derive(Debug)]
pub enum Unlimited {}

/// A member that spawns waits for a place as any other greenlet, unless no member could ever free one.
#[derive(Debug)]
pub enum Waiting {}

/// A member that spawns lends its own place at once.
#[derive(Debug)]
pub enum Lending {}

mod sealed {
    pub trait Sealed {
        const LENDS_ALWAYS: bool;
    }
}

impl sealed::Sealed for Unlimited {
    const LENDS_ALWAYS: bool = false;
}
impl sealed::Sealed for Waiting {
    const LENDS_ALWAYS: bool = false;
}
impl sealed::Sealed for Lending {
    const LENDS_ALWAYS: bool = true;
}

impl Policy for Unlimited {}
impl Policy for Waiting {}
impl Policy for Lending {}
impl Limited for Waiting {}
impl Limited for Lending {}

/// Tasks that belong together: what [`Group`](super::Group), [`Pool`](super::Pool) and
/// [`GreenPool`](super::GreenPool) have in common.
///
/// A task is a member from the moment it is spawned or added until it has ended; then it is removed
/// automatically. Handles are cheap to clone, and all clones are the same pool. Dropping them does not affect the
/// members. A pool stays on its thread.
pub struct PoolOf<P> {
    members: Rc<Members>,
    policy: PhantomData<P>,
}

impl<P: Policy> PoolOf<P> {
    pub(super) fn with_size(size: usize) -> PoolOf<P> {
        PoolOf { members: Members::new(size), policy: PhantomData }
    }

    pub(super) fn members(&self) -> &Rc<Members> {
        &self.members
    }

    /// Takes a place for what is to be spawned; parks until there is one.
    pub(super) fn enter(&self, until: Option<u64>) -> Entry {
        self.members.enter(P::LENDS_ALWAYS, until)
    }

    /// Spawns a member; see [`spawn`](crate::spawn). Returns at once if there is a place, otherwise
    /// parks until there is one; greenlets that wait are served in the order in which they came.
    ///
    /// For a member that spawns in its own full pool, see [`Pool`](super::Pool) and
    /// [`GreenPool`](super::GreenPool).
    ///
    /// # Panics
    /// If there is no memory for a stack, and if it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it waits for a place is raised here, and `f` is dropped uncalled. If the current member
    /// has lent its place to `f`, that goes on and keeps the place.
    #[track_caller]
    #[doc(alias = "start")]
    pub fn spawn<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
        let entry = self.enter(None);
        let task = self.members.start(entry, f);
        self.members.settle(entry, &task);
        task
    }

    /// As [`spawn`](PoolOf::spawn), without a handle.
    ///
    /// # Panics
    /// As [`spawn`](PoolOf::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](PoolOf::spawn).
    #[track_caller]
    #[doc(alias = "spawn_n")]
    pub fn spawn_detached(&self, f: impl FnOnce() + 'static) {
        drop(self.spawn(f));
    }

    /// Makes a task that was spawned elsewhere a member; parks as [`spawn`](PoolOf::spawn) until
    /// there is a place. Does nothing if the task has ended or is a member. If a member calls this when no member
    /// could ever free a place, the task is added without one.
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and nothing else happens.
    pub fn add<T>(&self, task: &JoinHandle<T>) {
        if !self.contains(task) && !task.is_finished() {
            let entry = self.members.enter(false, None);
            self.members.add(entry, task);
        }
    }

    /// Removes a member, which goes on; its place is free. Returns at once, with whether it was a member.
    pub fn discard(&self, task: impl Into<TaskRef>) -> bool {
        self.members.leave(task.into().id())
    }

    /// Whether this task is a member.
    ///
    /// ```
    /// let group = greenlet::pool::Group::new();
    /// let task = group.spawn(|| ());
    /// assert!(group.contains(&task) && group.tasks().iter().all(|task| group.contains(task)));
    /// ```
    pub fn contains(&self, task: impl Into<TaskRef>) -> bool {
        self.members.contains(task.into().id())
    }

    /// How many members there are, including those of [`apply_async`](PoolOf::apply_async) that wait.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order in which they were spawned.
    #[doc(alias("iter", "greenlets"))]
    pub fn tasks(&self) -> Vec<TaskRef> {
        self.members.tasks()
    }

    /// Parks until there is no member. (There may be new ones by the time this returns.)
    ///
    /// # Panics
    /// If a member calls it, and if it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    #[doc(alias = "waitall")]
    pub fn join(&self) {
        self.members.join(None);
    }

    /// As [`join`](PoolOf::join), for at most `limit`; returns whether there was no member.
    ///
    /// # Panics
    /// As [`join`](PoolOf::join).
    ///
    /// # Cancellation
    /// As [`join`](PoolOf::join).
    pub fn join_timeout(&self, limit: Duration) -> bool {
        self.members.join(Some(limit))
    }

    /// Kills all members, also those that are spawned meanwhile, and parks until none is left. A
    /// member that calls this is killed last: the exit is raised here.
    ///
    /// A member that was [added](PoolOf::add) counts until the links that it had before have run; but a link of a
    /// member that calls this does not wait for that.
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the members are killed nevertheless.
    pub fn kill(&self) {
        self.members.kill(None);
    }

    /// As [`kill`](PoolOf::kill), but waits at most `limit`; returns whether no member is left. A member that calls
    /// this is killed also when the time is over.
    ///
    /// # Panics
    /// As [`kill`](PoolOf::kill).
    ///
    /// # Cancellation
    /// As [`kill`](PoolOf::kill).
    pub fn kill_timeout(&self, limit: Duration) -> bool {
        self.members.kill(Some(limit))
    }

    /// Runs `f` as a member and parks until it has ended.
    ///
    /// # Errors
    /// [`JoinError`]: it panicked or was killed.
    ///
    /// # Panics
    /// As [`spawn`](PoolOf::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](PoolOf::spawn) while it waits for a place; after that what arrives is raised here, and
    /// `f` goes on.
    #[track_caller]
    pub fn apply<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> Result<T, JoinError> {
        self.spawn(f).join()
    }

    /// Runs `f` as a member as soon as there is a place. Returns at once, also when the pool is full.
    ///
    /// # Panics
    /// When there is no memory for a stack.
    #[track_caller]
    #[doc(alias = "apply_cb")]
    pub fn apply_async<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
        match self.apply_async_by(TaskBuilder::new(), f) {
            Ok(task) => task,
            Err(error) => no_stack(&error),
        }
    }

    /// As [`apply_async`](PoolOf::apply_async), for a task with a name, or a stack of another size.
    ///
    /// # Errors
    /// [`StackError`], with nothing changed; `f` is dropped.
    #[track_caller]
    pub(crate) fn apply_async_by<T: 'static>(
        &self,
        builder: TaskBuilder,
        f: impl FnOnce() -> T + 'static,
    ) -> Result<JoinHandle<T>, StackError> {
        self.members.begin_later(builder, f)
    }

    /// Calls `f` with each item, in members of the pool, and parks until all have ended; returns the
    /// results in the order of the items.
    ///
    /// ```
    /// use greenlet::pool::Pool;
    /// let squares = Pool::new(3).map(1..=4, |n| n * n).unwrap();
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// ```
    ///
    /// # Errors
    /// The first error, in the order of the items. Calls that have begun go on; no further ones begin.
    ///
    /// # Panics
    /// As [`spawn`](PoolOf::spawn), and as the iterator does.
    ///
    /// # Cancellation
    /// What arrives inside is raised here. Calls that have begun go on; no further ones begin.
    #[doc(alias("map_async", "map_cb"))]
    pub fn map<T, R, I>(&self, items: I, f: impl Fn(T) -> R + 'static) -> Result<Vec<R>, JoinError>
    where
        I: IntoIterator<Item = T>,
        T: 'static,
        R: 'static,
    {
        self.imap(items, f).buffer(usize::MAX).collect()
    }

    /// Calls `f` with each item, in members of the pool. Returns an iterator over the results, in the order of
    /// the items. If a call fails, its error comes in the place of its result, and the rest follows.
    ///
    /// - Calls begin during `next`, the first ones also at once if [`buffer`](Imap::buffer) is called: never more at
    ///   once than there are places, and never further ahead of the results taken than `buffer` allows. So memory is
    ///   bounded, whatever the number of items; a [`Group`](super::Group) is unlimited, unless `buffer` limits it.
    /// - If the iterator is dropped, calls that have begun go on; no further ones begin.
    /// - An `f` of several arguments takes a tuple: `|(a, b)| a + b`.
    ///
    /// ```
    /// use greenlet::pool::Pool;
    /// let pool = Pool::new(2);
    /// let tenths = pool.imap([1, 0, 5], |n| 10 / n);
    /// let texts: Vec<_> = tenths.map(|result| result.map_or("Z".into(), |n| n.to_string())).collect();
    /// assert_eq!(texts, ["10", "Z", "2"]);
    /// ```
    ///
    /// # Panics
    /// `next` and `buffer` as [`spawn`](PoolOf::spawn), and as the iterator over the items does.
    ///
    /// # Cancellation
    /// What arrives inside `next` is raised there; no result is lost, and the iterator can go on.
    #[doc(alias = "starmap")]
    pub fn imap<T, R, F, I>(&self, items: I, f: F) -> Imap<I::IntoIter, F, R, P>
    where
        I: IntoIterator<Item = T>,
        F: Fn(T) -> R + 'static,
        T: 'static,
        R: 'static,
    {
        Imap::new(self.clone(), items.into_iter(), f)
    }

    /// As [`imap`](PoolOf::imap), with the results in the order in which the calls end.
    ///
    /// # Panics
    /// As [`imap`](PoolOf::imap).
    ///
    /// # Cancellation
    /// As [`imap`](PoolOf::imap).
    pub fn imap_unordered<T, R, F, I>(&self, items: I, f: F) -> ImapUnordered<I::IntoIter, F, R, P>
    where
        I: IntoIterator<Item = T>,
        F: Fn(T) -> R + 'static,
        T: 'static,
        R: 'static,
    {
        ImapUnordered::new(self.clone(), items.into_iter(), f)
    }
}

impl<P: Limited> PoolOf<P> {
    /// A pool with `size` places. With 0 no task begins until the pool is [resized](PoolOf::resize).
    pub fn new(size: usize) -> PoolOf<P> {
        PoolOf::with_size(size)
    }

    /// Spawns a member if there is a place for which no other greenlet waits. Returns at once.
    ///
    /// # Errors
    /// [`PoolFull`], with `f`.
    ///
    /// # Panics
    /// When there is no memory for a stack.
    #[track_caller]
    pub fn try_spawn<T: 'static, F>(&self, f: F) -> Result<JoinHandle<T>, PoolFull<F>>
    where
        F: FnOnce() -> T + 'static,
    {
        match self.members.try_enter() {
            true => Ok(self.members.start(Entry::Place, f)),
            false => Err(PoolFull(f)),
        }
    }

    /// As [`spawn`](PoolOf::spawn), but waits at most `limit` for a place.
    ///
    /// # Errors
    /// [`PoolFull`], with `f`.
    ///
    /// # Panics
    /// As [`spawn`](PoolOf::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](PoolOf::spawn).
    #[track_caller]
    pub fn spawn_timeout<T: 'static, F>(
        &self,
        limit: Duration,
        f: F,
    ) -> Result<JoinHandle<T>, PoolFull<F>>
    where
        F: FnOnce() -> T + 'static,
    {
        let entry = self.enter(Some(hub().moment(limit)));
        if entry == Entry::None {
            return Err(PoolFull(f));
        }
        let task = self.members.start(entry, f);
        self.members.settle(entry, &task);
        Ok(task)
    }

    /// How many places there are.
    pub fn size(&self) -> usize {
        self.members.size()
    }

    /// Changes how many places there are. Running members go on; if they are more than `size`, none begins until
    /// enough have ended. Returns at once.
    pub fn resize(&self, size: usize) {
        self.members.resize(size);
    }

    /// How many places are free; may be negative after [`resize`](PoolOf::resize).
    #[doc(alias = "free_count")]
    pub fn free(&self) -> isize {
        let [size, busy] = [self.size(), self.running()].map(isize::try_from);
        size.unwrap_or(isize::MAX).saturating_sub(busy.unwrap_or(isize::MAX))
    }

    /// Whether no place is free, or each is promised to a greenlet that waits.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        !self.members.has_place()
    }

    /// How many places are taken.
    pub fn running(&self) -> usize {
        self.members.busy()
    }

    /// How many greenlets wait for a place. Walks the list of them.
    pub fn waiting(&self) -> usize {
        self.members.waiting()
    }

    /// Parks until there is a place for which no other greenlet waits, but does not take it.
    ///
    /// # Panics
    /// If it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait_available(&self) {
        self.members.wait_available(None);
    }

    /// As [`wait_available`](PoolOf::wait_available), for at most `limit`; returns whether there was a
    /// place.
    ///
    /// # Panics
    /// As [`wait_available`](PoolOf::wait_available).
    ///
    /// # Cancellation
    /// As [`wait_available`](PoolOf::wait_available).
    pub fn wait_available_timeout(&self, limit: Duration) -> bool {
        self.members.wait_available(Some(limit))
    }
}

/// The same pool.
impl<P> Clone for PoolOf<P> {
    fn clone(&self) -> PoolOf<P> {
        PoolOf { members: self.members.clone(), policy: PhantomData }
    }
}

/// Ready when there is a place for which no other greenlet waits.
impl<P: Policy> Waitable for PoolOf<P> {
    fn is_ready(&self) -> bool {
        self.members.has_place()
    }
}

impl<P: Policy> Watched for PoolOf<P> {
    fn watchers(&self) -> Watchers<'_> {
        self.members.watchers()
    }
}

impl<P> fmt::Debug for PoolOf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.members.size();
        f.debug_struct("Pool")
            .field("size", &(size != usize::MAX).then_some(size))
            .field("members", &self.members.tasks())
            .finish()
    }
}

/// There was no place in the pool. Gives the closure back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PoolFull<F>(pub F);

impl<F> fmt::Display for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool is full")
    }
}

/// Without what was to be run, which cannot be printed.
impl<F> fmt::Debug for PoolFull<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolFull")
    }
}

impl<F> std::error::Error for PoolFull<F> {}
