//! Results in the order of spawning.

use super::pool_of::{Lending, Policy, PoolOf};
use crate::task::{JoinError, JoinHandle};
use std::collections::VecDeque;
use std::fmt;

/// Tasks in a pool whose results are taken in the order in which they were spawned.
///
/// As an iterator it parks for each result, and ends when the results of all tasks so far are taken; an error
/// comes in the place of its task's result. More tasks can be spawned afterwards.
///
/// ```
/// use greenlet::{pool::Pile, sleep};
/// use std::time::Duration;
/// let mut pile = Pile::new(2);
/// for n in [3, 1, 2] {
///     pile.spawn(move || { sleep(Duration::from_millis(n)); n });
/// }
/// let results: Result<Vec<_>, _> = pile.collect();
/// assert_eq!(results.unwrap(), [3, 1, 2]);
/// ```
#[doc(alias = "GreenPile")]
pub struct Pile<T, P = Lending> {
    pool: PoolOf<P>,
    tasks: VecDeque<JoinHandle<T>>,
}

impl<T: 'static> Pile<T> {
    /// A pile with a [`GreenPool`](super::GreenPool) of its own, of this size.
    pub fn new(size: usize) -> Pile<T> {
        Pile::in_pool(&PoolOf::with_size(size))
    }
}

/// A pile with a [`GreenPool`](super::GreenPool) of its own, of 1,000 places, as in eventlet.
impl<T: 'static> Default for Pile<T> {
    fn default() -> Pile<T> {
        Pile::new(1000)
    }
}

impl<T: 'static, P: Policy> Pile<T, P> {
    /// A pile whose tasks are members of `pool`.
    pub fn in_pool(pool: &PoolOf<P>) -> Pile<T, P> {
        Pile { pool: pool.clone(), tasks: VecDeque::new() }
    }

    /// Spawns one more task; parks until there is a place in the pool.
    ///
    /// # Panics
    /// As [`PoolOf::spawn`].
    ///
    /// # Cancellation
    /// As [`PoolOf::spawn`].
    #[track_caller]
    pub fn spawn(&mut self, f: impl FnOnce() -> T + 'static) {
        let task = self.pool.spawn(f);
        self.tasks.push_back(task);
    }

    /// How many results are still to be taken.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all results are taken.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The pool that its tasks are members of.
    pub fn pool(&self) -> &PoolOf<P> {
        &self.pool
    }
}

/// # Cancellation
/// What arrives inside `next` is raised there; the result stays the next one.
impl<T, P> Iterator for Pile<T, P> {
    type Item = Result<T, JoinError>;

    fn next(&mut self) -> Option<Result<T, JoinError>> {
        self.tasks.front()?.wait();
        self.tasks.pop_front()?.try_join().ok()
    }
}

impl<T, P> fmt::Debug for Pile<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pile").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}
