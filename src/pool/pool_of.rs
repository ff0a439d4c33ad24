//! The handle of every kind of pool.

use super::map::{Imap, ImapUnordered};
use super::members::{Entry, Members};
use crate::hub::hub;
use crate::sync::{Waitable, Watched, Watchers};
use crate::task::{JoinError, JoinHandle, TaskRef};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

/// What a pool does when it is full: [`Unlimited`], [`Waiting`], [`Lending`].
///
/// Only this crate implements it.
pub trait Policy: sealed::Sealed + 'static {}

/// Policies of pools that can be full: all but [`Unlimited`].
pub trait Limited: Policy {}

/// It is never full.
#[derive(Debug)]
pub enum Unlimited {}

/// A member that spawns waits for a place as anybody else, unless nobody could ever leave one.
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
/// A task is a member from the moment it is spawned or added until it has ended; then it is forgotten
/// by itself. Handles are cheap to clone, and all of them are the same pool; dropping them changes
/// nothing for the members. A pool stays on its thread.
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
    /// parks until there is one; those who wait are served in their order.
    ///
    /// A member that spawns in its own full pool: see [`Pool`](super::Pool) and
    /// [`GreenPool`](super::GreenPool).
    ///
    /// # Panics
    /// When there is no memory for a stack, and when it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and `f` is dropped uncalled; or, if the current
    /// member has lent its place, `f` goes on and keeps that.
    #[track_caller]
    #[doc(alias = "start")]
    pub fn spawn<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
        let entry = self.enter(None);
        let task = self.members.start(entry, f);
        self.members.settle(entry, &task);
        task
    }

    /// As [`spawn`](PoolOf::spawn), for what nobody waits for by itself.
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

    /// Makes a member of a task that was spawned elsewhere; parks as [`spawn`](PoolOf::spawn) until
    /// there is a place. A task that has ended, or is a member, stays what it is. What a member adds
    /// when nobody could ever leave a place has none.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and nothing else happens.
    pub fn add<T>(&self, task: &JoinHandle<T>) {
        if !self.contains(task) && !task.is_finished() {
            let entry = self.members.enter(false, None);
            self.members.add(entry, task);
        }
    }

    /// Forgets a member, which goes on; its place is free. Says whether it was one. Returns at once.
    pub fn discard<T>(&self, task: &JoinHandle<T>) -> bool {
        self.members.leave(task.id())
    }

    /// Is this task a member?
    pub fn contains<T>(&self, task: &JoinHandle<T>) -> bool {
        self.members.contains(task.id())
    }

    /// How many members there are, with those of [`apply_async`](PoolOf::apply_async) that wait.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Are there no members?
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order in which they were made.
    #[doc(alias("iter", "greenlets"))]
    pub fn tasks(&self) -> Vec<TaskRef> {
        self.members.tasks()
    }

    /// Parks until there is no member, once.
    ///
    /// # Panics
    /// When a member calls it, and when it would park while the thread unwinds.
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

    /// Kills all members, also those that others spawn meanwhile, and parks until none is left. A
    /// member that calls this is killed last, by an exit that is raised here.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; those that were members are killed all the same.
    pub fn kill(&self) {
        self.members.kill(None);
    }

    /// As [`kill`](PoolOf::kill), but waits at most `limit` for those that are there; returns whether
    /// none is left.
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
    /// What arrives inside is raised here; `f` goes on.
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
        self.members.begin_later(f)
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
    /// The first one, in the order of the items; the others go on, no further ones are begun.
    ///
    /// # Panics
    /// As [`spawn`](PoolOf::spawn), and as the iterator does.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; those that have begun go on, no further ones are begun.
    #[doc(alias("map_async", "map_cb"))]
    pub fn map<T, R, I>(&self, items: I, f: impl Fn(T) -> R + 'static) -> Result<Vec<R>, JoinError>
    where
        I: IntoIterator<Item = T>,
        T: 'static,
        R: 'static,
    {
        self.imap(items, f).buffer(usize::MAX).collect()
    }

    /// Calls `f` with each item, in members of the pool; an iterator of the results, in the order of
    /// the items, each as soon as it is there. An error stands at its position, and the rest follows.
    ///
    /// The first ones are spawned at once, further ones while the iterator is asked: never more than
    /// there are places, and never more than [`buffer`](Imap::buffer) says whose results were not
    /// taken. So the memory is bounded, whatever the number of items; but a [`Group`](super::Group) has
    /// places without end, and all items are begun at once. Dropped, it begins no further ones; those
    /// that have begun go on.
    ///
    /// An `f` of several arguments takes a tuple: `|(a, b)| a + b`.
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
    /// As [`spawn`](PoolOf::spawn), and as the iterator does; `next` as well.
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

    /// As [`imap`](PoolOf::imap), with the results in the order in which they come.
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
    /// A pool with so many places. With 0 nobody ever begins, until it is [resized](PoolOf::resize).
    pub fn new(size: usize) -> PoolOf<P> {
        PoolOf::with_size(size)
    }

    /// Spawns a member if there is a place, and nobody waits for it. Returns at once.
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

    /// Changes how many places there are. Members go on, and none begins until there are fewer than
    /// that. Returns at once.
    pub fn resize(&self, size: usize) {
        self.members.resize(size);
    }

    /// How many places are free; after [`resize`](PoolOf::resize) perhaps fewer than none.
    #[doc(alias = "free_count")]
    pub fn free(&self) -> isize {
        let [size, busy] = [self.size(), self.running()].map(isize::try_from);
        size.unwrap_or(isize::MAX).saturating_sub(busy.unwrap_or(isize::MAX))
    }

    /// Is no place free, or is each promised to one that waits?
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        !self.members.has_place()
    }

    /// How many places are taken.
    pub fn running(&self) -> usize {
        self.members.busy()
    }

    /// How many greenlets wait for a place; counts them.
    pub fn waiting(&self) -> usize {
        self.members.waiting()
    }

    /// Parks until there is a place that nobody else waits for; takes nothing.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
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

/// Ready when there is a place that nobody else waits for.
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

/// There was no place in the pool; what was to be run comes back.
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
