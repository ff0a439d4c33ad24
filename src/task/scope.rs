//! Tasks that borrow: they end before what they borrow does.
//!
//! - **Children end first**: [`scope`] neither returns nor unwinds while a task of it lives, and the
//!   frame that it stands in is not used for anything else until then.
//!
//! Why that holds, whatever safe code does:
//! - A task is counted (`live`) from before its first turn until the very end of its life, when its
//!   closure, its frames and the result, if that is dropped by it, are gone. Handles are not counted: a
//!   forgotten one leaks its result and changes nothing. References without the result's type
//!   ([`TaskRef`](super::TaskRef)), which may outlive the scope, do not keep it.
//! - The frame of `scope` cannot be skipped: a panic, kill, throw or time limit in `f` is caught, one
//!   that arrives later is raised when the children are gone, and what waits in between (`Hub::park`)
//!   does not unwind. Should anything unwind all the same, the process ends.
//! - A greenlet inside `scope` that is forgotten, or never resumed, keeps its stack for ever: so do the
//!   frames that its children borrow. One that is killed by drop there, where nobody else may run, is
//!   given up in the same way: its stack is leaked with all that is on it.
//! - Nothing outlives `'scope` but by being leaked: handles, the scope itself and what children return
//!   are bound to it, as in [`std::thread::scope`]. Callbacks, names and payloads are `'static`.
#![expect(unsafe_code, reason = "children that borrow from a frame")]

use super::builder::TaskBuilder;
use super::cell::{Ended, TaskCell};
use super::error::JoinError;
use super::handle::JoinHandle;
use super::spawn::{Now, enter, no_stack, occupy_with, run};
use crate::greenlet::{
    Block, Payload, TaskStack, current_block, fatal, give_up_current, id_of, inherit, line,
    may_hand_over,
};
use crate::hub::{hub, set_waits_for};
use crate::stack::StackError;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::null;
use std::time::Duration;

/// Runs `f`, which may spawn tasks that borrow from here, and parks until all of them have ended.
///
/// As [`std::thread::scope`], on one thread. If `f` panics, or the current greenlet is interrupted in here
/// by a kill, a throw or a time limit, the tasks are killed first: a [`GreenletExit`] is raised at each of
/// their waits until they have ended.
///
/// ```
/// use greenlet::{scope, sleep};
/// use std::time::Duration;
/// let mut counts = [1, 2, 3];
/// let sum = std::cell::Cell::new(0);
/// scope(|s| {
///     for count in &mut counts {
///         s.spawn(|| {
///             sleep(Duration::from_millis(*count));
///             *count *= 10;
///             sum.set(sum.get() + *count);
///         });
///     }
/// });
/// assert_eq!((sum.get(), counts), (60, [10, 20, 30]));
/// ```
///
/// Without a scope, a task cannot borrow:
///
/// ```compile_fail,E0373
/// let local = 1;
/// let task = greenlet::spawn(|| local + 1); // borrows `local`
/// ```
///
/// Neither a handle nor the scope itself can leave `f`, and tasks cannot borrow from inside `f`:
///
/// ```compile_fail,E0521
/// let mut stolen = None;
/// greenlet::scope(|s| stolen = Some(s.spawn(|| 1)));
/// ```
///
/// ```compile_fail
/// let stolen = greenlet::scope(|s| s);
/// ```
///
/// ```compile_fail,E0373
/// greenlet::scope(|s| {
///     let inside = 1;
///     s.spawn(|| inside + 1); // `inside` ends with `f`, the task with the scope
/// });
/// ```
///
/// ```compile_fail,E0499
/// let mut buffer = [0];
/// greenlet::scope(|s| {
///     s.spawn(|| buffer[0] += 1);
///     s.spawn(|| buffer[0] += 1);
/// });
/// ```
///
/// # Panics
/// As `f` does; and, after all tasks have ended, if one of them panicked and was not
/// [joined](ScopedJoinHandle::join). A panic of one does not end the others.
///
/// # Cancellation
/// When a kill, throw or time limit arrives while this waits, the tasks are killed; it is raised here when
/// they have ended. A task that catches eight exits and goes on ends the process, with its name.
///
/// [`GreenletExit`]: crate::GreenletExit
#[doc(alias = "nursery")]
pub fn scope<'env, F, R>(f: F) -> R
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    let scope = Scope {
        live: RefCell::default(),
        next: Cell::new(0),
        waiter: Cell::new(null()),
        is_ending: Cell::new(false),
        failures: RefCell::default(),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    let raised = scope.outlive_children(result.is_err());
    let failures = scope.failures.take();
    let payload = match (result, raised) {
        (Ok(result), None) if failures.is_empty() => return result,
        (Ok(_), None) => panic!("a task of a scope failed: {}", failures[0].text),
        (Err(payload), _) | (Ok(_), Some(payload)) => payload,
    };
    for failure in failures {
        line(format_args!("{}", failure.text));
    }
    resume_unwind(payload)
}

/// Spawns tasks that may borrow what lives as long as `'scope`; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    /// Those that have not ended.
    live: RefCell<BTreeMap<u64, *const Block>>,
    next: Cell<u64>,
    /// Who is parked until none lives; null before.
    waiter: Cell<*const Block>,
    /// The tasks are to end.
    is_ending: Cell<bool>,
    failures: RefCell<Vec<Failure>>,
    /// Invariant in both, as in `std::thread::Scope`.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// A task that failed, until somebody joins it.
struct Failure {
    number: u64,
    text: String,
}

impl<'scope> Scope<'scope, '_> {
    /// Runs `f` in a task of its own, which ends before the scope does. Returns at once.
    ///
    /// Tasks may spawn more: `f` may hold this reference. Once the scope is ending because of a panic
    /// or a kill, further tasks are killed before they begin.
    ///
    /// # Panics
    /// If there is no memory for its stack ([`TaskBuilder::spawn_scoped`] returns that), and if
    /// called by a destructor while the thread unwinds.
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &'scope self,
        f: impl FnOnce() -> T + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        match TaskBuilder::new().spawn_scoped(self, f) {
            Ok(handle) => handle,
            Err(error) => no_stack(&error),
        }
    }

    /// Kills all tasks that live, and all that are spawned from now on.
    fn doom_children(&self) {
        self.is_ending.set(true);
        for &block in self.live.borrow().values() {
            // SAFETY: it lives: a child leaves the map in its own greenlet, before its end.
            hub().doom(unsafe { &*block });
        }
    }

    /// Parks until no child lives. Returns what is to be raised instead of a result.
    ///
    /// Never unwinds.
    fn outlive_children(&self, has_failed: bool) -> Option<Payload> {
        if self.live.borrow().is_empty() {
            return None;
        }
        let must_not_unwind = AbortInDrop;
        let me = current_block();
        if !may_hand_over() {
            give_up_current("it is killed by drop inside a scope whose tasks borrow from it");
        }
        let (hub, mut raised) = (hub(), None);
        self.waiter.set(me);
        if has_failed {
            self.doom_children();
        }
        set_waits_for(me, &"the end of the tasks of its scope");
        while !self.is_ending.get() && !self.live.borrow().is_empty() {
            raised = hub.take_interrupt(me);
            match raised {
                Some(_) => self.doom_children(),
                None => hub.park(),
            }
        }
        // Nothing can be raised any more; a deadlock is told at once, and ends the process.
        let shields = me.seat.shields.get();
        me.seat.shields.set(shields + 1);
        while !self.live.borrow().is_empty() {
            hub.park();
        }
        me.seat.shields.set(shields);
        self.waiter.set(null());
        std::mem::forget(must_not_unwind);
        raised
    }
}

struct AbortInDrop;

impl Drop for AbortInDrop {
    fn drop(&mut self) {
        fatal(format_args!("a scope would be left while its tasks live"));
    }
}

impl TaskBuilder {
    /// Spawns a task that may borrow; see [`Scope::spawn`]. Returns at once.
    ///
    /// ```
    /// use greenlet::{TaskBuilder, scope};
    /// let text = String::from("borrowed");
    /// let length = scope(|s| {
    ///     let task = TaskBuilder::new().name("counter").spawn_scoped(s, || text.len());
    ///     task.unwrap().join().unwrap()
    /// });
    /// assert_eq!(length, 8);
    /// ```
    ///
    /// # Errors
    /// As [`spawn`](TaskBuilder::spawn).
    ///
    /// # Panics
    /// If called by a destructor while the thread unwinds.
    #[track_caller]
    pub fn spawn_scoped<'scope, T: 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: impl FnOnce() -> T + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, T>, StackError> {
        let created = Location::caller();
        assert!(may_hand_over(), "a scope cannot spawn while the thread unwinds: nobody would run");
        let stack = TaskStack::take(self.shape()?)?;
        let cell = TaskCell::new(created, id_of(current_block()));
        let number = scope.next.get();
        scope.next.set(number + 1);
        let child = Child { live: &scope.live, waiter: &scope.waiter, number };
        let life = Life { cell: cell.clone(), f, failures: &scope.failures, child };
        let life: Box<dyn FnOnce() + 'scope> = Box::new(move || life.run());
        // SAFETY: only the lifetime changes. The closure and all that it makes are gone when its child
        // leaves `live`, and before that `scope` does not end (**Children end first**).
        let life: Box<dyn FnOnce()> = unsafe { std::mem::transmute(life) };
        // SAFETY: `Life::run` does not unwind.
        let block = unsafe { occupy_with(stack, created, life) };
        enter(&cell, block);
        inherit(block);
        scope.live.borrow_mut().insert(number, block);
        let handle = self.finish(cell);
        if scope.is_ending.get() {
            hub().doom(block);
        }
        Ok(ScopedJoinHandle { handle, failures: &scope.failures, number })
    }
}

/// All that a child is. The fields are dropped in this order if it never runs.
struct Life<'scope, T, F> {
    cell: TaskCell<T>,
    f: F,
    failures: &'scope RefCell<Vec<Failure>>,
    /// The last to go.
    child: Child<'scope>,
}

impl<T, F: FnOnce() -> T> Life<'_, T, F> {
    fn run(self) {
        let Life { cell, f, failures, child } = self;
        run(cell, Now, f, |cell, result| {
            if let Some(text) = result.as_ref().err().and_then(|p| cell.head().failure(p)) {
                failures.borrow_mut().push(Failure { number: child.number, text });
            }
            cell.store(result);
            if cell.head().ended.get() == Ended::Raised {
                cell.head().ended.set(Ended::RaisedInScope); // the scope tells it
            }
        });
        drop(child);
    }
}

/// A child's place among those that live; dropped at its end.
struct Child<'scope> {
    live: &'scope RefCell<BTreeMap<u64, *const Block>>,
    waiter: &'scope Cell<*const Block>,
    number: u64,
}

impl Drop for Child<'_> {
    fn drop(&mut self) {
        let mut live = self.live.borrow_mut();
        live.remove(&self.number);
        let none_lives = live.is_empty();
        drop(live);
        // SAFETY: null, or the greenlet that is parked in `outlive_children`.
        if none_lives && let Some(waiter) = unsafe { self.waiter.get().as_ref() } {
            hub().wake(waiter);
        }
    }
}

/// The handle of a task in a [`scope`]. Dropping it changes nothing: the scope waits for the task anyway.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    failures: &'scope RefCell<Vec<Failure>>,
    number: u64,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Parks until the task has ended, and takes its result. A panic that is returned here is not raised by
    /// the scope.
    ///
    /// # Errors
    /// [`JoinError`]: the task panicked, was killed, or was thrown at.
    ///
    /// # Panics
    /// As [`JoinHandle::join`].
    ///
    /// # Cancellation
    /// What arrives inside is raised here.
    pub fn join(self) -> Result<T, JoinError> {
        self.handle.wait();
        self.taken()
    }

    /// As [`join`](ScopedJoinHandle::join), for at most `limit`.
    ///
    /// # Errors
    /// The handle, when the task has not ended in time.
    ///
    /// # Panics
    /// As [`JoinHandle::join`].
    ///
    /// # Cancellation
    /// As [`join`](ScopedJoinHandle::join).
    pub fn join_timeout(self, limit: Duration) -> Result<Result<T, JoinError>, Self> {
        if self.handle.wait_timeout(limit) { Ok(self.taken()) } else { Err(self) }
    }

    /// Takes the result if the task has ended; never waits.
    ///
    /// # Errors
    /// The handle, when it has not.
    pub fn try_join(self) -> Result<Result<T, JoinError>, Self> {
        if self.handle.is_finished() { Ok(self.taken()) } else { Err(self) }
    }

    fn taken(self) -> Result<T, JoinError> {
        let result = self.handle.taken();
        if result.is_err() {
            self.failures.borrow_mut().retain(|failure| failure.number != self.number);
        }
        result
    }
}

impl<T> Deref for ScopedJoinHandle<'_, T> {
    type Target = JoinHandle<T>;

    fn deref(&self) -> &JoinHandle<T> {
        &self.handle
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("live", &self.live.borrow().len()).finish_non_exhaustive()
    }
}
