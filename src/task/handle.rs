//! Handles of tasks: waiting for them, taking their result, ending them.
#![expect(unsafe_code, reason = "waits in lists by address")]

use super::cell::{Head, Phase, TaskCell};
use super::error::JoinError;
use super::task_ref::TaskRef;
use crate::greenlet::{Greenlet, GreenletId, current_block, handle_of, text_of};
use crate::hub::{Deadline, WaitNode, hub, set_waits_for};
use crate::sync::{Waitable, Watched, Watchers};
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Spawned, not begun.
    Waiting,
    /// Begun, not finished: it runs, is ready, or is parked.
    Running,
    /// It returned a value.
    Succeeded,
    /// It panicked, was killed with a reason, or something was thrown into it.
    Failed,
    /// It was ended quietly.
    Killed,
}

/// The handle of a task, to wait for it, take its result, or end it. The task goes on if this is dropped.
///
/// ```
/// use std::time::Duration;
/// let task = greenlet::spawn(|| { greenlet::sleep(Duration::from_millis(1)); "done" });
/// assert!(!task.is_finished());
/// assert_eq!(task.join().unwrap(), "done");
/// ```
#[must_use = "a task goes on without its handle; greenlet::spawn_detached says so"]
#[doc(alias = "GreenThread")]
#[doc(alias = "gevent.Greenlet")]
pub struct JoinHandle<T> {
    cell: TaskCell<T>,
}

impl<T> JoinHandle<T> {
    #[inline]
    pub(super) fn new(cell: TaskCell<T>) -> JoinHandle<T> {
        JoinHandle { cell }
    }

    pub(super) fn head(&self) -> &Head {
        self.cell.head()
    }

    /// Parks until the task has ended, and takes its result.
    ///
    /// # Errors
    /// [`JoinError`]: the task panicked, was killed, or was thrown at.
    ///
    /// ```
    /// let error = greenlet::spawn(|| panic!("out of tea")).join().unwrap_err();
    /// assert!(!error.is_killed());
    /// assert_eq!(error.payload_as_str(), Some("out of tea"));
    /// ```
    ///
    /// # Panics
    /// If the task is the current one, and if called by a destructor while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the task goes on, without this handle.
    #[doc(alias = "get")]
    pub fn join(self) -> Result<T, JoinError> {
        self.wait();
        self.taken()
    }

    /// As [`join`](JoinHandle::join), for at most `limit`.
    ///
    /// # Errors
    /// The handle, when the task has not ended in time.
    ///
    /// # Panics
    /// As [`join`](JoinHandle::join).
    ///
    /// # Cancellation
    /// As [`join`](JoinHandle::join).
    pub fn join_timeout(self, limit: Duration) -> Result<Result<T, JoinError>, JoinHandle<T>> {
        if self.wait_timeout(limit) { Ok(self.taken()) } else { Err(self) }
    }

    /// Takes the result if the task has ended; never waits.
    ///
    /// # Errors
    /// The handle, when it has not.
    pub fn try_join(self) -> Result<Result<T, JoinError>, JoinHandle<T>> {
        if self.is_finished() { Ok(self.taken()) } else { Err(self) }
    }

    pub(super) fn taken(self) -> Result<T, JoinError> {
        match self.cell.take() {
            Some(result) => result,
            None => unreachable!("a finished task holds its result until its handle takes it"),
        }
    }

    /// Parks until the task has ended; the result stays.
    ///
    /// # Panics
    /// As [`join`](JoinHandle::join).
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait(&self) {
        self.head().wait_until(None);
    }

    /// As [`wait`](JoinHandle::wait), for at most `limit`; returns whether the task has ended.
    ///
    /// # Panics
    /// As [`join`](JoinHandle::join).
    ///
    /// # Cancellation
    /// As [`wait`](JoinHandle::wait).
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.head().wait_until(Some(hub().moment(limit)))
    }

    /// A reference to the task without the type of its result, to keep beside those of other tasks.
    pub fn task(&self) -> TaskRef {
        TaskRef::new(self.cell.any())
    }

    /// The value, once the task has ended with one.
    pub fn value(&self) -> Option<&T> {
        self.cell.result()?.ok()
    }

    /// What ended the task, if it has ended without a value: a panic's payload, the reason of a
    /// kill, what was thrown. It stays in the handle; a panic that was not joined is reported when the
    /// handle is dropped.
    ///
    /// ```
    /// let task = greenlet::spawn(|| panic!("out of tea"));
    /// task.wait();
    /// assert_eq!(task.payload().unwrap().downcast_ref(), Some(&"out of tea"));
    /// assert_eq!(task.payload_as_str(), Some("out of tea"));
    /// # let _ = task.join();
    /// ```
    #[doc(alias("exception", "exc_info"))]
    pub fn payload(&self) -> Option<&(dyn Any + Send)> {
        self.cell.result()?.err().map(|payload| &**payload)
    }

    /// The text of the panic that ended the task, if there is one.
    #[doc(alias = "exception")]
    pub fn payload_as_str(&self) -> Option<&str> {
        text_of(self.payload()?)
    }

    /// How far it has come.
    pub fn state(&self) -> TaskState {
        self.head().state()
    }

    /// Whether its body has begun.
    ///
    /// gevent's `started` is also true of a task that was spawned and has not begun: for that, check
    /// that it is not [finished](JoinHandle::is_finished).
    #[doc(alias = "started")]
    pub fn is_started(&self) -> bool {
        self.cell.head().phase.get() != Phase::Waiting
    }

    /// Whether it has ended, in whatever way.
    #[doc(alias("ready", "dead"))]
    pub fn is_finished(&self) -> bool {
        self.cell.head().is_finished()
    }

    /// Whether it has ended with a value.
    #[doc(alias = "successful")]
    pub fn is_success(&self) -> bool {
        self.state() == TaskState::Succeeded
    }

    /// Its greenlet; `None` once it has ended.
    pub fn greenlet(&self) -> Option<Greenlet> {
        self.cell.head().block().map(handle_of)
    }

    /// The number of its greenlet.
    #[doc(alias = "minimal_ident")]
    pub fn id(&self) -> GreenletId {
        self.cell.head().id()
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<String> {
        self.cell.head().name.borrow().as_deref().map(str::to_owned)
    }

    /// Where it was spawned.
    #[doc(alias = "spawning_stack")]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.cell.head().created
    }

    /// The greenlet that spawned it.
    #[doc(alias = "spawning_greenlet")]
    pub fn spawned_by(&self) -> GreenletId {
        self.cell.head().spawner
    }
}

impl Head {
    /// Parks until the task has ended, or the moment has come; says whether it has ended.
    pub(super) fn wait_until(&self, moment: Option<u64>) -> bool {
        let (hub, head, me) = (hub(), self, current_block());
        if head.is_finished() {
            return true;
        }
        assert!(!head.runs_in(me), "a task cannot wait for itself");
        assert!(
            hub.others_can_run(),
            "a task cannot be waited for while the thread unwinds: it could not run"
        );
        set_waits_for(me, &"the end of a task");
        let node = WaitNode::new();
        let deadline = Deadline::new(me);
        // SAFETY: both are taken out below, before this frame is left; no park unwinds.
        unsafe {
            head.waiters.add(&node);
            if let Some(moment) = moment {
                hub.set_deadline(&deadline, moment);
            }
        }
        let waited = hub.wait_until(|| head.is_finished() || deadline.has_passed());
        hub.take_back(&deadline);
        // SAFETY: in this list, or fired.
        unsafe { head.waiters.remove(&node) };
        if let Err(interrupted) = waited {
            interrupted.raise();
        }
        head.is_finished()
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.disown();
    }
}

/// Ready when the task has ended.
impl<T> Waitable for JoinHandle<T> {
    fn is_ready(&self) -> bool {
        self.is_finished()
    }
}

impl<T> Watched for JoinHandle<T> {
    fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.head().waiters)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id().get())
            .field("name", &self.name())
            .field("state", &self.state())
            .finish()
    }
}
