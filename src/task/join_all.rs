//! Joining several tasks.

use super::error::JoinError;
use super::handle::JoinHandle;
use crate::sync::{Watched, watch};
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Joins several tasks, once [`join`](JoinAll::join) or [`wait`](JoinAll::wait) is called.
///
/// Give it handles to take the results, or references to handles only to wait. For tasks with
/// results of several types there is [`wait`](crate::wait()).
///
/// ```
/// use greenlet::{join_all, spawn, yield_now};
/// use std::time::Duration;
/// let tasks = (0..3).map(|n| spawn(move || { (n..3).for_each(|_| yield_now()); n }));
/// let joined = join_all(tasks).join();
/// let order: Vec<_> = joined.ended.iter().map(|(index, _)| *index).collect();
/// assert_eq!(order, [2, 1, 0]); // in the order of their ends
/// assert_eq!(joined.values().unwrap(), [0, 1, 2]); // in the order given
///
/// let tasks = [spawn(|| "first"), spawn(|| "second")];
/// join_all(&tasks).timeout(Duration::from_secs(60)).wait();
/// assert_eq!(tasks[1].value(), Some(&"second"));
/// ```
#[doc(alias = "joinall")]
pub fn join_all<T, H>(tasks: impl IntoIterator<Item = H>) -> JoinAll<T, H>
where
    H: Borrow<JoinHandle<T>>,
{
    let tasks = tasks.into_iter().collect();
    JoinAll { tasks, limit: None, count: usize::MAX, fail_fast: false, result: PhantomData }
}

/// Which tasks to join, and how; see [`join_all`].
#[must_use = "nobody is joined before `join` or `wait`"]
pub struct JoinAll<T, H = JoinHandle<T>> {
    tasks: Vec<H>,
    limit: Option<Duration>,
    count: usize,
    fail_fast: bool,
    result: PhantomData<T>,
}

impl<T, H: Borrow<JoinHandle<T>>> JoinAll<T, H> {
    /// Waits at most `limit`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits only until `count` tasks have ended.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Stops waiting once one has failed or was killed: it is the last in `ended`.
    #[doc(alias = "raise_error")]
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// Parks until all have ended, or [`count`](JoinAll::count) of them, or the time is over. Returns the
    /// places of those that have ended, in the order of their ends; the results stay in the handles.
    ///
    /// # Panics
    /// If called by a destructor while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.tasks.len());
        if self.count > 0 {
            // Asked once: what `borrow` answers is the user's affair, and may change.
            let tasks: Vec<&JoinHandle<T>> = self.tasks.iter().map(H::borrow).collect();
            let things = tasks.iter().map(|task| (task.is_finished(), task.watchers()));
            watch(things, self.limit, |index| {
                order.push(index);
                order.len() >= self.count || (self.fail_fast && !tasks[index].is_success())
            });
        }
        order
    }
}

impl<T> JoinAll<T> {
    /// As [`wait`](JoinAll::wait), and takes the results of those that have ended.
    ///
    /// # Panics
    /// As [`wait`](JoinAll::wait).
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the tasks go on, without these handles.
    pub fn join(self) -> Joined<T> {
        let order = self.wait();
        let mut tasks: Vec<_> = self.tasks.into_iter().map(Some).collect();
        let ended = order
            .into_iter()
            .filter_map(|index| Some((index, tasks[index].take()?.try_join().ok()?)))
            .collect();
        let tasks = tasks.into_iter().enumerate();
        Joined { ended, left: tasks.filter_map(|(i, task)| Some((i, task?))).collect() }
    }
}

impl<T, H: fmt::Debug> fmt::Debug for JoinAll<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// What [`JoinAll::join`] returns: each task with its place among those that were given.
#[derive(Debug)]
pub struct Joined<T> {
    /// Those that have ended, in the order of their ends, with their results.
    pub ended: Vec<(usize, Result<T, JoinError>)>,
    /// The others, in the order given.
    pub left: Vec<(usize, JoinHandle<T>)>,
}

impl<T> Joined<T> {
    /// The values of those that have ended, in the order in which they were given.
    ///
    /// # Errors
    /// The [`JoinError`] of the first task that ended without a value.
    pub fn values(self) -> Result<Vec<T>, JoinError> {
        let values = self.ended.into_iter().map(|(index, result)| Ok((index, result?)));
        let mut values = values.collect::<Result<Vec<_>, JoinError>>()?;
        values.sort_by_key(|(index, _)| *index);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}
