//! Links: what is called when a task has ended.

use super::cell::Head;
use super::handle::{JoinHandle, TaskState};
use super::spawn::spawn_at;
use crate::greenlet::{GreenletId, contain, current_block, drop_noted, line};
use crate::hub::{shield, vacate};
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// How a task ended: the argument of callbacks that were linked to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskEnd {
    /// The greenlet that it ran in.
    pub id: GreenletId,
    /// The name that it was given.
    pub name: Option<Box<str>>,
    /// [`Succeeded`](TaskState::Succeeded), [`Failed`](TaskState::Failed) or
    /// [`Killed`](TaskState::Killed).
    pub state: TaskState,
}

/// `greenlet 7 'name' succeeded`.
impl fmt::Display for TaskEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        f.write_str(match self.state {
            TaskState::Succeeded => " succeeded",
            TaskState::Killed => " was killed",
            _ => " failed",
        })
    }
}

type Callback = Box<dyn FnOnce(TaskEnd)>;

/// A callback that waits for a task's end, until it is called or taken away.
pub(super) type Slot = Rc<Cell<Option<Callback>>>;

/// A callback that was linked to a task, to take it away again. Dropping this changes nothing.
///
/// ```
/// let task = greenlet::spawn(|| ());
/// let link = task.on_done(|_| unreachable!());
/// assert!(link.unlink());
/// task.join().unwrap();
/// ```
pub struct Link {
    slot: Slot,
}

impl Link {
    /// Takes the callback away; false if it was called already, or was spawned and is about to be
    /// called. A callback may unlink later ones.
    #[doc(alias = "unlink_all")]
    pub fn unlink(self) -> bool {
        self.slot.take().is_some()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl<T> JoinHandle<T> {
    /// Calls `f` in a task of its own when this one has ended, in whatever way; if it has ended already,
    /// soon. Returns at once.
    ///
    /// Callbacks are spawned in the order in which they were linked, after greenlets in
    /// [`wait`](JoinHandle::wait) were woken.
    ///
    /// ```
    /// let task = greenlet::spawn(|| 7);
    /// task.on_done(|end| println!("{end}"));
    /// task.on_err(|end| eprintln!("{end}"));
    /// # task.join().unwrap();
    /// ```
    #[doc(alias = "link")]
    #[track_caller]
    pub fn on_done(&self, f: impl FnOnce(TaskEnd) + 'static) -> Link {
        self.link(spawning(|_| true, f))
    }

    /// As [`on_done`](JoinHandle::on_done), but only if the task ends with a value.
    #[doc(alias = "link_value")]
    #[track_caller]
    pub fn on_ok(&self, f: impl FnOnce(TaskEnd) + 'static) -> Link {
        self.link(spawning(|state| state == TaskState::Succeeded, f))
    }

    /// As [`on_done`](JoinHandle::on_done), but only if the task fails or is killed.
    #[doc(alias = "link_exception")]
    #[track_caller]
    pub fn on_err(&self, f: impl FnOnce(TaskEnd) + 'static) -> Link {
        self.link(spawning(|state| state != TaskState::Succeeded, f))
    }

    /// As [`on_done`](JoinHandle::on_done), without another task: `f` is called by the task that ends, or
    /// right here if it has ended already.
    ///
    /// While `f` waits, later links wait too. A panic in it is reported and goes no further.
    ///
    /// # Cancellation
    /// What arrives while `f` is called here is raised at the caller's next wait.
    #[doc(alias = "rawlink")]
    pub fn on_done_inline(&self, f: impl FnOnce(TaskEnd) + 'static) -> Link {
        self.link(Box::new(f))
    }

    /// Whether callbacks are linked that were not called yet.
    pub fn has_links(&self) -> bool {
        self.head().links.borrow().iter().any(is_there)
    }

    fn link(&self, f: Callback) -> Link {
        let (head, slot) = (self.head(), Slot::new(Cell::new(Some(f))));
        if head.is_finished() && head.links.borrow().is_empty() {
            shield(|| call(head, &slot));
        } else {
            let mut links = head.links.borrow_mut();
            if !head.is_finished() && links.len() == links.capacity() {
                links.retain(is_there);
            }
            links.push(slot.clone());
        }
        Link { slot }
    }
}

/// Calls `f` in a task of its own, which is spawned where this is called, if the end is `wanted`.
#[track_caller]
fn spawning(
    wanted: impl FnOnce(TaskState) -> bool + 'static,
    f: impl FnOnce(TaskEnd) + 'static,
) -> Callback {
    let here = Location::caller();
    Box::new(move |end| {
        if wanted(end.state)
            && let Err(error) = spawn_at(here, move || f(end))
        {
            line(format_args!("a link made at {here} is not called: {error}"));
        }
    })
}

/// Was it neither called nor taken away?
fn is_there(slot: &Slot) -> bool {
    let callback = slot.take();
    let is_there = callback.is_some();
    slot.set(callback);
    is_there
}

fn call(head: &Head, slot: &Slot) {
    let Some(callback) = slot.take() else { return };
    let (id, name) = (head.id(), head.name.borrow().clone());
    let end = TaskEnd { id, name, state: head.state() };
    contain(|| callback(end));
}

/// Calls those who wanted to be told, in the order in which they asked.
#[cold]
#[inline(never)]
pub(super) fn call_links(head: &Head) {
    let mut next = 0;
    loop {
        // Whoever links meanwhile comes behind these.
        let Some(slot) = head.links.borrow().get(next).cloned() else { break };
        // What came too late is not for those who are told.
        vacate(current_block(), drop_noted);
        call(head, &slot);
        next += 1;
    }
    head.links.borrow_mut().clear();
}
