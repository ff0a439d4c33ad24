//! References to tasks, whatever their results.

use super::cell::AnyCell;
use super::handle::{JoinHandle, TaskState};
use crate::greenlet::{GreenletExit, GreenletId};
use crate::hub::{hub, hub_at_hand, is_frozen};
use crate::sync::{Waitable, Watched, Watchers};
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// A task without its result, to watch it or end it; made by [`JoinHandle::task`](crate::JoinHandle::task).
/// Cheap to clone. It does not keep the result.
///
/// ```
/// let (number, text) = (greenlet::spawn(|| 7), greenlet::spawn(|| "seven"));
/// for task in [number.task(), text.task()] {
///     task.wait();
///     assert!(task.is_finished());
/// }
/// ```
#[derive(Clone)]
pub struct TaskRef(AnyCell);

impl TaskRef {
    pub(super) fn new(cell: AnyCell) -> TaskRef {
        TaskRef(cell)
    }

    /// Parks until the task has ended.
    ///
    /// # Panics
    /// If the task is the current one, and if called by a destructor while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) {
        self.0.head().wait_until(None);
    }

    /// As [`wait`](TaskRef::wait), for at most `limit`; returns whether the task has ended.
    ///
    /// # Panics
    /// As [`wait`](TaskRef::wait).
    ///
    /// # Cancellation
    /// As [`wait`](TaskRef::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.0.head().wait_until(Some(hub().moment(limit)))
    }

    /// Raises [`GreenletExit`] in the task, and parks until it has ended; see
    /// [`JoinHandle::kill`](crate::JoinHandle::kill).
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task is killed nevertheless.
    pub fn kill(&self) {
        self.kill_with(GreenletExit);
    }

    /// As [`kill`](TaskRef::kill), with another reason than [`GreenletExit`]: the task fails with it.
    ///
    /// # Cancellation
    /// As [`kill`](TaskRef::kill).
    pub fn kill_with(&self, reason: impl Any + Send) {
        self.kill_soon_with(reason);
        if !self.0.head().raise_in_self() && hub_at_hand().others_can_run() {
            self.wait();
        }
    }

    /// As [`kill`](TaskRef::kill), but waits at most `limit`; returns whether the task has ended.
    ///
    /// # Cancellation
    /// As [`kill`](TaskRef::kill).
    pub fn kill_timeout(&self, limit: Duration) -> bool {
        self.kill_soon();
        if !self.0.head().raise_in_self() && hub_at_hand().others_can_run() {
            self.wait_timeout(limit);
        }
        self.is_finished()
    }

    /// As [`kill`](TaskRef::kill), but returns at once.
    pub fn kill_soon(&self) {
        self.kill_soon_with(GreenletExit);
    }

    /// As [`kill_soon`](TaskRef::kill_soon), with another reason.
    pub fn kill_soon_with(&self, reason: impl Any + Send) {
        self.0.head().kill_soon(|| Box::new(reason));
    }

    /// How far it has come.
    pub fn state(&self) -> TaskState {
        self.0.head().state()
    }

    /// Whether it has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.0.head().is_finished()
    }

    /// Whether it is the current task.
    pub fn is_current(&self) -> bool {
        self.0.head().is_current()
    }

    /// Does it wait in a hub of the process that has forked? It never ends here then.
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.head().block().is_some_and(is_frozen)
    }

    /// The number of its greenlet.
    pub fn id(&self) -> GreenletId {
        self.0.head().id()
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<String> {
        self.0.head().name.borrow().as_deref().map(str::to_owned)
    }
}

impl<T> From<&JoinHandle<T>> for TaskRef {
    fn from(task: &JoinHandle<T>) -> TaskRef {
        task.task()
    }
}

impl From<&TaskRef> for TaskRef {
    fn from(task: &TaskRef) -> TaskRef {
        task.clone()
    }
}

/// The same task?
impl PartialEq for TaskRef {
    fn eq(&self, other: &TaskRef) -> bool {
        std::ptr::eq(self.0.head(), other.0.head())
    }
}

impl Eq for TaskRef {}

impl Hash for TaskRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// Ready when the task has ended.
impl Waitable for TaskRef {
    fn is_ready(&self) -> bool {
        self.is_finished()
    }
}

impl Watched for TaskRef {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.0.head().waiters)
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef")
            .field("id", &self.id().get())
            .field("name", &self.name())
            .field("state", &self.state())
            .finish()
    }
}
