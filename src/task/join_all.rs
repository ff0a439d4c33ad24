//! Joining several tasks.

use super::error::JoinError;
use super::handle::JoinHandle;
use crate::sync::{Watched, watch};
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Joins several tasks: takes their results, or, by reference, waits for their ends.
///
/// Nothing happens before [`join`](JoinAll::join) or [`wait`](JoinAll::wait) is called. For tasks with
/// results of several types there is [`wait`](crate::wait()).
///
/// ```
/// use greenlet::{join_all, sleep, spawn};
/// use std::time::Duration;
/// let tasks = (0..3).map(|n| spawn(move || { sleep(Duration::from_millis(3 - n)); n }));
/// let joined = join_all(tasks).join();
/// let order: Vec<_> = joined.ended.iter().map(|(index, _)| *index).collect();
/// assert_eq!(order, [2, 1, 0]); // in the order of their ends
/// assert_eq!(joined.values().unwrap(), [0, 1, 2]); // in the order given
///
/// let tasks = [spawn(|| "first"), spawn(|| "second")];
/// join_all(&tasks).timeout(Duration::from_secs(5)).wait();
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

/// The join of several tasks that is about to begin; see [`join_all`].
#[must_use = "nobody is joined before `join` or `wait`"]
pub struct JoinAll<T, H = JoinHandle<T>> {
    tasks: Vec<H>,
    limit: Option<Duration>,
    count: usize,
    fail_fast: bool,
    result: PhantomData<T>,
}

impl<T, H: Borrow<JoinHandle<T>>> JoinAll<T, H> {
    /// Waits at most so long.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Waits only until so many have ended.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Waits no longer once one has failed or was killed: it is the last in `ended`.
    #[doc(alias = "raise_error")]
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// Parks until all have ended, or as many as wanted, or the time is over; returns which have, by
    /// their places, in the order of their ends. Their results stay in their handles.
    ///
    /// # Panics
    /// When called by a destructor while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.tasks.len());
        if self.count > 0 {
            let tasks = self.tasks.iter().map(H::borrow);
            watch(tasks.map(|task| (task.is_finished(), task.watchers())), self.limit, |index| {
                order.push(index);
                order.len() >= self.count
                    || (self.fail_fast && !self.tasks[index].borrow().is_success())
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

/// What [`JoinAll::join`] brought: each task with its place among those that were given.
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
    /// That of the first one that ended without a value.
    pub fn values(self) -> Result<Vec<T>, JoinError> {
        let values = self.ended.into_iter().map(|(index, result)| Ok((index, result?)));
        let mut values = values.collect::<Result<Vec<_>, JoinError>>()?;
        values.sort_by_key(|(index, _)| *index);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}
