//! A pool whose members run on threads of its own.

use super::map::{Imap, ImapUnordered};
use super::members::Entry;
use super::pool_of::{PoolFull, PoolOf, Waiting};
use crate::hub::hub;
use crate::offload::offload_to;
use crate::sync::{Waitable, Watched, Watchers};
use crate::task::{JoinError, JoinHandle, TaskRef};
use crate::worker::{PerProcess, Workers};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A [`Pool`](super::Pool) for what can only block: what it is given runs on threads of its own, at most
/// as many as it has places.
///
/// Each thing that it runs is a task here, whose greenlet waits as in [`offload`](crate::offload()) until
/// the thread is done. So everything is as in a pool: handles with results, joins, limits, maps, and
/// `spawn` parks while all places are taken. Threads are made on demand, and end when there was nothing
/// to do for five seconds. What is given away is [`Send`]; the pool itself stays on its thread.
///
/// A kill ends the task but not the call on its thread. The place is free at once, while the thread stays busy
/// until the call returns; the next task waits for it.
///
/// ```
/// use greenlet::pool::ThreadPool;
/// let pool = ThreadPool::new(2);
/// let lengths = pool.map(["a", "bcd", "ef"], |word| {
///     std::thread::sleep(std::time::Duration::from_millis(1)); // blocks a thread, not the hub
///     word.len()
/// });
/// assert_eq!(lengths.unwrap(), [1, 3, 2]);
/// ```
#[doc(alias = "ThreadPoolExecutor")]
pub struct ThreadPool {
    tasks: PoolOf<Waiting>,
    threads: Rc<Threads>,
}

/// The threads, to those who use them: made by the first.
struct Threads {
    workers: PerProcess<Workers>,
    most: Cell<usize>,
}

impl Threads {
    fn run<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        offload_to(self.workers.get(|| Workers::new(self.most.get())), f)
    }
}

impl ThreadPool {
    /// A pool with so many places. With 0 nothing ever begins, until it is [resized](ThreadPool::resize).
    pub fn new(size: usize) -> ThreadPool {
        let threads = Threads { workers: PerProcess::new(), most: Cell::new(size) };
        ThreadPool { tasks: PoolOf::with_size(size), threads: Rc::new(threads) }
    }

    /// What a task of this pool does: has `f` run by a thread.
    fn on_thread<T, F>(&self, f: F) -> impl FnOnce() -> T + use<T, F>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let threads = self.threads.clone();
        move || threads.run(f)
    }

    /// As [`on_thread`](ThreadPool::on_thread), for each of many items.
    fn each_on_thread<T, R, F>(&self, f: F) -> impl Fn(T) -> R + use<T, R, F>
    where
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let (threads, f) = (self.threads.clone(), Arc::new(f));
        move |item| {
            let f = f.clone();
            threads.run(move || f(item))
        }
    }

    /// Runs `f` on a thread. Returns at once if there is a place, otherwise parks until there is one;
    /// those who wait are served in their order.
    ///
    /// The handle gives the result; a panic of `f`, which was reported on the thread, is its error.
    ///
    /// # Panics
    /// When there is no memory for a stack, and when it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives while it is parked is raised here, and `f` is dropped uncalled.
    #[track_caller]
    #[doc(alias = "submit")]
    pub fn spawn<T, F>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.tasks.spawn(self.on_thread(f))
    }

    /// As [`spawn`](ThreadPool::spawn), but returns no handle.
    ///
    /// # Panics
    /// As [`spawn`](ThreadPool::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](ThreadPool::spawn).
    #[track_caller]
    pub fn spawn_detached(&self, f: impl FnOnce() + Send + 'static) {
        drop(self.spawn(f));
    }

    /// As [`spawn`](ThreadPool::spawn), if there is a place, and nobody waits for it. Returns at once.
    ///
    /// # Errors
    /// [`PoolFull`], with `f`.
    ///
    /// # Panics
    /// When there is no memory for a stack.
    #[track_caller]
    pub fn try_spawn<T, F>(&self, f: F) -> Result<JoinHandle<T>, PoolFull<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.is_full() {
            true => Err(PoolFull(f)),
            false => Ok(self.spawn(f)),
        }
    }

    /// As [`spawn`](ThreadPool::spawn), but waits at most `limit` for a place.
    ///
    /// # Errors
    /// [`PoolFull`], with `f`.
    ///
    /// # Panics
    /// As [`spawn`](ThreadPool::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](ThreadPool::spawn).
    #[track_caller]
    pub fn spawn_timeout<T, F>(&self, limit: Duration, f: F) -> Result<JoinHandle<T>, PoolFull<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let entry = self.tasks.enter(Some(hub().moment(limit)));
        if entry == Entry::None {
            return Err(PoolFull(f));
        }
        let task = self.tasks.members().start(entry, self.on_thread(f));
        self.tasks.members().settle(entry, &task);
        Ok(task)
    }

    /// Runs `f` on a thread and parks until it has ended.
    ///
    /// # Errors
    /// [`JoinError`]: it panicked, or its task was killed.
    ///
    /// # Panics
    /// As [`spawn`](ThreadPool::spawn).
    ///
    /// # Cancellation
    /// As [`spawn`](ThreadPool::spawn) while it waits for a place; after that what arrives is raised here, and
    /// `f` goes on.
    #[track_caller]
    pub fn apply<T, F>(&self, f: F) -> Result<T, JoinError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn(f).join()
    }

    /// Runs `f` on a thread as soon as there is a place. Returns at once, also when the pool is full.
    ///
    /// # Panics
    /// When there is no memory for a stack.
    #[track_caller]
    #[doc(alias = "apply_cb")]
    pub fn apply_async<T, F>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.tasks.apply_async(self.on_thread(f))
    }

    /// Calls `f` with each item, on the threads, and parks until all have ended; returns the results in
    /// the order of the items.
    ///
    /// # Errors
    /// The first one, in the order of the items; the others go on, no further ones are begun.
    ///
    /// # Panics
    /// As [`spawn`](ThreadPool::spawn), and as the iterator does.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; those that have begun go on, no further ones are begun.
    #[doc(alias("map_async", "map_cb"))]
    pub fn map<T, R, F, I>(&self, items: I, f: F) -> Result<Vec<R>, JoinError>
    where
        I: IntoIterator<Item = T>,
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        self.tasks.map(items, self.each_on_thread(f))
    }

    /// Calls `f` with each item, on the threads; an iterator of the results, in the order of the items,
    /// as [`PoolOf::imap`]. The items are made here, while the iterator is asked.
    ///
    /// # Panics
    /// `next` and `buffer` as [`spawn`](ThreadPool::spawn), and as the iterator over the items does.
    ///
    /// # Cancellation
    /// What arrives inside `next` is raised there; no result is lost, and the iterator can go on.
    #[doc(alias = "starmap")]
    pub fn imap<T, R, F, I>(
        &self,
        items: I,
        f: F,
    ) -> Imap<I::IntoIter, impl Fn(T) -> R + use<T, R, F, I>, R, Waiting>
    where
        I: IntoIterator<Item = T>,
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        self.tasks.imap(items, self.each_on_thread(f))
    }

    /// As [`imap`](ThreadPool::imap), with the results in the order in which they come.
    ///
    /// # Panics
    /// As [`imap`](ThreadPool::imap).
    ///
    /// # Cancellation
    /// As [`imap`](ThreadPool::imap).
    pub fn imap_unordered<T, R, F, I>(
        &self,
        items: I,
        f: F,
    ) -> ImapUnordered<I::IntoIter, impl Fn(T) -> R + use<T, R, F, I>, R, Waiting>
    where
        I: IntoIterator<Item = T>,
        F: Fn(T) -> R + Send + Sync + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        self.tasks.imap_unordered(items, self.each_on_thread(f))
    }

    /// Parks until all that was given has ended.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn join(&self) {
        self.tasks.join();
    }

    /// As [`join`](ThreadPool::join), for at most `limit`; returns whether all had ended.
    ///
    /// # Panics
    /// As [`join`](ThreadPool::join).
    ///
    /// # Cancellation
    /// As [`join`](ThreadPool::join).
    pub fn join_timeout(&self, limit: Duration) -> bool {
        self.tasks.join_timeout(limit)
    }

    /// Kills all tasks, and parks until none is left: what no thread has begun with is dropped uncalled,
    /// what one has begun with goes on there, and its result is dropped.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; those that were there are killed all the same.
    pub fn kill(&self) {
        self.tasks.kill();
    }

    /// As [`kill`](ThreadPool::kill), but waits at most `limit` for those that are there; returns whether
    /// none is left.
    ///
    /// # Panics
    /// As [`kill`](ThreadPool::kill).
    ///
    /// # Cancellation
    /// As [`kill`](ThreadPool::kill).
    pub fn kill_timeout(&self, limit: Duration) -> bool {
        self.tasks.kill_timeout(limit)
    }

    /// Removes a task from the pool without stopping it. Its place is free at once, but whatever takes that place
    /// waits until a thread is free. Returns at once, with whether the task was a member.
    pub fn discard(&self, task: impl Into<TaskRef>) -> bool {
        self.tasks.discard(task)
    }

    /// Is this a task of this pool that has not ended?
    pub fn contains(&self, task: impl Into<TaskRef>) -> bool {
        self.tasks.contains(task)
    }

    /// How many places there are: so many threads may run at once.
    #[doc(alias = "maxsize")]
    pub fn size(&self) -> usize {
        self.tasks.size()
    }

    /// Changes how many places there are. What runs goes on, and nothing begins until less than that
    /// runs. Returns at once.
    #[doc(alias = "adjust")]
    pub fn resize(&self, size: usize) {
        if let Some(made) = self.threads.workers.get_if_made() {
            made.set_most(size);
        }
        self.threads.most.set(size);
        self.tasks.resize(size);
    }

    /// How many threads there are now, idle ones among them.
    pub fn threads(&self) -> usize {
        self.threads.workers.get_if_made().map_or(0, Workers::threads)
    }

    /// How many tasks there are, with those of [`apply_async`](ThreadPool::apply_async) that wait.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Are there no tasks?
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The tasks, in the order in which they were made.
    pub fn tasks(&self) -> Vec<TaskRef> {
        self.tasks.tasks()
    }

    /// How many places are free; after [`resize`](ThreadPool::resize) perhaps fewer than none.
    #[doc(alias = "free_count")]
    pub fn free(&self) -> isize {
        self.tasks.free()
    }

    /// Is no place free, or is each promised to one that waits?
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.tasks.is_full()
    }

    /// How many places are taken.
    pub fn running(&self) -> usize {
        self.tasks.running()
    }

    /// How many greenlets wait for a place; counts them.
    pub fn waiting(&self) -> usize {
        self.tasks.waiting()
    }

    /// Parks until there is a place that nobody else waits for; takes nothing.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait_available(&self) {
        self.tasks.wait_available();
    }

    /// As [`wait_available`](ThreadPool::wait_available), for at most `limit`; returns whether there was
    /// a place.
    ///
    /// # Panics
    /// As [`wait_available`](ThreadPool::wait_available).
    ///
    /// # Cancellation
    /// As [`wait_available`](ThreadPool::wait_available).
    pub fn wait_available_timeout(&self, limit: Duration) -> bool {
        self.tasks.wait_available_timeout(limit)
    }
}

/// One with ten places, as gevent's.
impl Default for ThreadPool {
    fn default() -> ThreadPool {
        ThreadPool::new(10)
    }
}

/// The same pool.
impl Clone for ThreadPool {
    fn clone(&self) -> ThreadPool {
        ThreadPool { tasks: self.tasks.clone(), threads: self.threads.clone() }
    }
}

/// Ready when there is a place that nobody else waits for.
impl Waitable for ThreadPool {
    fn is_ready(&self) -> bool {
        self.tasks.is_ready()
    }
}

impl Watched for ThreadPool {
    fn watchers(&self) -> Watchers<'_> {
        self.tasks.watchers()
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("size", &self.size())
            .field("threads", &self.threads())
            .field("tasks", &self.tasks())
            .finish()
    }
}
