//! How tasks are ended from outside.

use super::cell::{Head, Phase};
use super::handle::JoinHandle;
use crate::greenlet::{GreenletExit, Payload, current_block};
use crate::hub::hub_at_hand;
use crate::sync::{Watched, watch};
use std::any::Any;
use std::fmt;
use std::time::Duration;

impl<T> JoinHandle<T> {
    /// Raises [`GreenletExit`] in the task, at its current or next wait, and parks until it has
    /// ended. A task that has not begun will not begin.
    ///
    /// If the task catches the exit and goes on, this waits until it ends for another reason. Nothing happens
    /// to one that has ended. If a task kills itself, the exit is raised here. While the thread
    /// unwinds this is [`kill_soon`](JoinHandle::kill_soon), so that a destructor may call it.
    ///
    /// If the task has switched to another greenlet, and that one waits, the exit is raised at the task's first wait
    /// after the switch back.
    ///
    /// ```
    /// use std::time::Duration;
    /// let task = greenlet::spawn(|| greenlet::sleep(Duration::MAX));
    /// task.kill();
    /// assert!(task.join().unwrap_err().is_killed());
    /// ```
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task is killed nevertheless.
    pub fn kill(&self) {
        self.kill_with(GreenletExit);
    }

    /// As [`kill`](JoinHandle::kill), but raises `reason` instead of [`GreenletExit`]: the task fails with it.
    ///
    /// ```
    /// use std::time::Duration;
    /// let task = greenlet::spawn(|| greenlet::sleep(Duration::MAX));
    /// task.kill_with("over budget");
    /// assert_eq!(task.join().unwrap_err().payload_as_str(), Some("over budget"));
    /// ```
    ///
    /// # Cancellation
    /// As [`kill`](JoinHandle::kill).
    pub fn kill_with(&self, reason: impl Any + Send) {
        self.kill_soon_with(reason);
        if !self.head().raise_in_self() && hub_at_hand().others_can_run() {
            self.wait();
        }
    }

    /// As [`kill`](JoinHandle::kill), but waits at most `limit`; returns whether the task has ended.
    ///
    /// # Cancellation
    /// As [`kill`](JoinHandle::kill).
    pub fn kill_timeout(&self, limit: Duration) -> bool {
        self.kill_soon();
        if !self.head().raise_in_self() && hub_at_hand().others_can_run() {
            self.wait_timeout(limit);
        }
        self.is_finished()
    }

    /// As [`kill`](JoinHandle::kill), but returns at once.
    pub fn kill_soon(&self) {
        self.kill_soon_with(GreenletExit);
    }

    /// As [`kill_soon`](JoinHandle::kill_soon), with another reason.
    #[doc(alias = "throw")]
    pub fn kill_soon_with(&self, reason: impl Any + Send) {
        self.head().kill_soon(|| Box::new(reason));
    }

    /// Ends the task if it has not begun; returns at once, with `false` if it had begun.
    ///
    /// ```
    /// let task = greenlet::spawn(|| unreachable!());
    /// assert!(task.cancel());
    /// assert!(task.join().unwrap_err().is_killed());
    /// ```
    pub fn cancel(&self) -> bool {
        let is_waiting = self.head().phase.get() == Phase::Waiting;
        if is_waiting {
            self.kill_soon();
        }
        is_waiting
    }
}

impl Head {
    pub(super) fn kill_soon(&self, reason: impl FnOnce() -> Payload) {
        if self.is_finished() {
            return;
        }
        let reason = reason(); // perhaps by code of the user's, in which the task may end
        if let Some(block) = self.block() {
            hub_at_hand().interrupt(block, reason);
        }
    }

    pub(super) fn is_current(&self) -> bool {
        self.runs_in(current_block())
    }

    /// Raises what is pending, if it is the current task, and nothing holds it back.
    pub(super) fn raise_in_self(&self) -> bool {
        let is_current = self.is_current();
        if is_current {
            hub_at_hand().raise_pending();
        }
        is_current
    }
}

/// Ends several tasks, once [`wait`](KillAll::wait) or [`soon`](KillAll::soon) is called.
///
/// ```
/// use greenlet::{kill_all, sleep, spawn};
/// use std::time::Duration;
/// let tasks: Vec<_> = (0..3).map(|_| spawn(|| sleep(Duration::MAX))).collect();
/// assert!(kill_all(&tasks).wait());
/// assert!(tasks.iter().all(|task| task.is_finished()));
/// ```
#[doc(alias = "killall")]
pub fn kill_all<'a, T: 'a>(tasks: impl IntoIterator<Item = &'a JoinHandle<T>>) -> KillAll<'a, T> {
    let reason = Box::new(|| Box::new(GreenletExit) as Payload);
    KillAll { tasks: tasks.into_iter().collect(), reason, limit: None }
}

/// Which tasks to end, and how; see [`kill_all`].
#[must_use = "nobody is killed before `wait` or `soon`"]
pub struct KillAll<'a, T> {
    tasks: Vec<&'a JoinHandle<T>>,
    reason: Box<dyn Fn() -> Payload>,
    limit: Option<Duration>,
}

impl<T> KillAll<'_, T> {
    /// Raises a copy of this in each task, instead of [`GreenletExit`].
    pub fn reason(mut self, reason: impl Any + Send + Clone) -> Self {
        self.reason = Box::new(move || Box::new(reason.clone()));
        self
    }

    /// Waits at most `limit`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Raises the reason in each task, and parks until all have ended or the time is over; returns whether
    /// all have ended. Tasks that have not begun will not begin; those that catch the reason are waited for.
    ///
    /// If the current task is among them it is the last: the reason is raised here. While the thread
    /// unwinds, this does not wait.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; all are killed nevertheless.
    pub fn wait(self) -> bool {
        let (own, others): (Vec<&JoinHandle<T>>, Vec<_>) =
            self.tasks.iter().copied().partition(|task| task.head().is_current());
        others.iter().for_each(|task| task.head().kill_soon(&self.reason));
        let last = own.first().map(|own| KilledLast(own.head(), Some((self.reason)())));
        if hub_at_hand().others_can_run() {
            let things = others.iter().map(|task| (task.is_finished(), task.watchers()));
            watch(things, self.limit, |_| false);
        }
        drop(last);
        for own in own {
            own.head().raise_in_self();
        }
        self.tasks.iter().all(|task| task.is_finished())
    }

    /// As [`wait`](KillAll::wait), but returns at once.
    pub fn soon(self) {
        self.tasks.iter().for_each(|task| task.head().kill_soon(&self.reason));
    }
}

/// The current task, and why it is to end: once the others have, or whatever else ends the wait for them.
struct KilledLast<'a>(&'a Head, Option<Payload>);

impl Drop for KilledLast<'_> {
    fn drop(&mut self) {
        if let Some(reason) = self.1.take() {
            self.0.kill_soon(|| reason);
        }
    }
}

impl<T> fmt::Debug for KillAll<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillAll").field("tasks", &self.tasks).finish_non_exhaustive()
    }
}
