//! What can be chosen before a task is spawned.

use super::cell::TaskCell;
use super::handle::JoinHandle;
use super::spawn::{At, Now, occupy, start};
use crate::greenlet::set_name;
use crate::hub::hub;
use crate::stack::{Shape, StackError, StackReuse};
use std::panic::Location;
use std::time::Duration;

/// Chooses name and stack of a task before it is spawned. ([`Builder`](crate::Builder) does so for
/// greenlets without a hub.)
///
/// ```
/// use greenlet::TaskBuilder;
/// let task = TaskBuilder::new().name("adder").stack_size(256 * 1024).spawn(|| 1 + 1)?;
/// assert_eq!(task.name().as_deref(), Some("adder"));
/// assert_eq!(task.join().unwrap(), 2);
/// # Ok::<(), greenlet::StackError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder makes nothing until `spawn`"]
#[doc(alias = "Thread")]
pub struct TaskBuilder {
    name: Option<Box<str>>,
    stack_bytes: Option<usize>,
}

impl TaskBuilder {
    /// A builder with the defaults.
    pub fn new() -> TaskBuilder {
        TaskBuilder::default()
    }

    /// The name that handles, errors and reports use.
    pub fn name(mut self, name: impl Into<Box<str>>) -> TaskBuilder {
        self.name = Some(name.into());
        self
    }

    /// Usable stack, in bytes: 32 KiB to 8 MiB, rounded up to a power of two. Default: what
    /// [`Config`](crate::Config) says.
    pub fn stack_size(mut self, bytes: usize) -> TaskBuilder {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Spawns the task; see [`spawn`](crate::spawn). Returns at once.
    ///
    /// # Errors
    /// [`StackError`], with nothing changed; `f` is dropped.
    #[track_caller]
    pub fn spawn<T: 'static>(
        self,
        f: impl FnOnce() -> T + 'static,
    ) -> Result<JoinHandle<T>, StackError> {
        let cell = occupy(Location::caller(), self.shape()?, Now, f)?;
        Ok(self.finish(cell))
    }

    /// Spawns a task that nobody waits for; see [`spawn_detached`](crate::spawn_detached). Returns at once.
    ///
    /// # Errors
    /// As [`spawn`](TaskBuilder::spawn).
    ///
    /// # Panics
    /// As [`spawn`](TaskBuilder::spawn).
    #[track_caller]
    pub fn spawn_detached(self, f: impl FnOnce() + 'static) -> Result<(), StackError> {
        self.spawn(f).map(drop)
    }

    /// Spawns the task once `delay` has passed; see [`spawn_later`](crate::spawn_later). Returns at
    /// once.
    ///
    /// # Errors
    /// As [`spawn`](TaskBuilder::spawn).
    ///
    /// # Panics
    /// As [`spawn`](TaskBuilder::spawn).
    #[track_caller]
    #[doc(alias = "start_later")]
    pub fn spawn_later<T: 'static>(
        self,
        delay: Duration,
        f: impl FnOnce() -> T + 'static,
    ) -> Result<JoinHandle<T>, StackError> {
        if delay.is_zero() {
            return self.spawn(f);
        }
        let moment = hub().moment(delay);
        let cell = occupy(Location::caller(), self.shape()?, At(moment), f)?;
        Ok(self.finish(cell))
    }

    /// The stack that is wanted; `None` for the default.
    pub(super) fn shape(&self) -> Result<Option<Shape>, StackError> {
        match self.stack_bytes {
            None => Ok(hub().task_shape()),
            Some(bytes) => {
                Shape::new(bytes, Shape::DEFAULT.guard_bytes, StackReuse::default()).map(Some)
            }
        }
    }

    /// Names a task that was just made, and makes it ready.
    pub(super) fn finish<T>(self, cell: TaskCell<T>) -> JoinHandle<T> {
        if let Some(name) = self.name
            && let Some(block) = cell.head().block()
        {
            *cell.head().name.borrow_mut() = Some(name.clone());
            set_name(block, name);
        }
        start(&cell);
        JoinHandle::new(cell)
    }
}
