//! How a task begins, runs and ends.
#![expect(unsafe_code, reason = "occupies stacks")]

use super::builder::TaskBuilder;
use super::cell::{Phase, TaskCell};
use super::handle::JoinHandle;
use super::link::call_links;
use crate::greenlet::{
    Block, LARGEST_IN_PLACE, Payload, TaskStack, contain, current_block, drop_noted, id_of, inherit,
};
use crate::hub::{Deadline, Hub, hub, set_waits_for, vacate};
use crate::stack::{Shape, StackError};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::Duration;

/// Runs `f` in a greenlet of its own, a *task*, and returns at once with a handle for its result.
///
/// The task first runs when the current greenlet waits. It stays on this thread, so `f` may hold what is
/// not [`Send`]. It goes on when its handle is dropped.
///
/// ```
/// let answer = greenlet::spawn(|| 6 * 7);
/// assert_eq!(answer.join().unwrap(), 42);
/// ```
///
/// # Panics
/// When there is no memory for its stack; [`try_spawn`] returns that.
#[track_caller]
#[inline]
#[doc(alias = "start_new_thread")]
pub fn spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    match try_spawn(f) {
        Ok(handle) => handle,
        Err(error) => no_stack(&error),
    }
}

/// As [`spawn`], but returns an error if there is no memory for a stack.
///
/// # Errors
/// [`StackError`], with nothing changed; `f` is dropped.
#[track_caller]
#[inline]
pub fn try_spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> Result<JoinHandle<T>, StackError> {
    let cell = occupy(Location::caller(), hub().task_shape(), Now, f)?;
    start(&cell);
    Ok(JoinHandle::new(cell))
}

/// As [`try_spawn`], from elsewhere.
pub(super) fn spawn_at<T: 'static>(
    created: &'static Location<'static>,
    f: impl FnOnce() -> T + 'static,
) -> Result<JoinHandle<T>, StackError> {
    let cell = occupy(created, hub().task_shape(), Now, f)?;
    start(&cell);
    Ok(JoinHandle::new(cell))
}

/// As [`spawn`], but the task begins after `delay`. If it is killed before, it never runs.
///
/// ```
/// use std::time::{Duration, Instant};
/// let began = Instant::now();
/// let task = greenlet::spawn_later(Duration::from_millis(2), || 7);
/// assert_eq!(task.join().unwrap(), 7);
/// assert!(began.elapsed() >= Duration::from_millis(2));
/// ```
///
/// # Panics
/// As [`spawn`].
#[doc(alias = "spawn_after")]
#[track_caller]
#[doc(alias = "Timer")]
pub fn spawn_later<T: 'static>(delay: Duration, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    match TaskBuilder::new().spawn_later(delay, f) {
        Ok(handle) => handle,
        Err(error) => no_stack(&error),
    }
}

/// As [`spawn`], without a handle. A panic of `f` is reported.
///
/// ```
/// greenlet::spawn_detached(|| println!("on its own"));
/// greenlet::idle();
/// ```
///
/// # Panics
/// As [`spawn`].
#[doc(alias("spawn_raw", "spawn_n"))]
#[track_caller]
#[inline]
pub fn spawn_detached(f: impl FnOnce() + 'static) {
    drop(spawn(f));
}

#[cold]
#[track_caller]
pub(super) fn no_stack(error: &StackError) -> ! {
    panic!("greenlet::spawn: {error}")
}

/// Makes a task ready that has not begun.
#[inline(always)]
pub(super) fn start<T>(cell: &TaskCell<T>) {
    if let Some(block) = cell.head().block() {
        hub().start(block);
    }
}

/// When a task begins, once it was started.
pub(super) trait When: 'static {
    /// Waits until then. Returns what ends the task before it has begun; does not unwind.
    fn begin(self, hub: &Hub, me: &Block) -> Option<Payload>;
}

/// At its first turn.
pub(super) struct Now;

impl When for Now {
    #[inline(always)]
    fn begin(self, hub: &Hub, me: &Block) -> Option<Payload> {
        hub.take_interrupt(me)
    }
}

/// At a moment.
pub(super) struct At(pub(super) u64);

impl When for At {
    fn begin(self, hub: &Hub, me: &Block) -> Option<Payload> {
        let deadline = Deadline::new(me);
        set_waits_for(me, &"the moment to begin");
        // SAFETY: taken back below; no park unwinds.
        unsafe { hub.set_deadline(&deadline, self.0) };
        // An interrupt stays until it is taken.
        let _ = hub.wait_until(|| deadline.has_passed());
        hub.take_back(&deadline);
        hub.take_interrupt(me)
    }
}

/// Makes a task that is not ready yet.
#[inline]
pub(super) fn occupy<T: 'static>(
    created: &'static Location<'static>,
    shape: Option<Shape>,
    when: impl When,
    f: impl FnOnce() -> T + 'static,
) -> Result<TaskCell<T>, StackError> {
    let stack = TaskStack::take(shape)?;
    let cell = TaskCell::new(created, id_of(current_block()));
    let block = occupy_stack(stack, &cell, created, when, f);
    enter(&cell, block);
    inherit(block);
    Ok(cell)
}

/// Joins a cell and the greenlet that will fill it.
#[inline(always)]
pub(super) fn enter<T>(cell: &TaskCell<T>, block: &Block) {
    cell.head().set_block(block, id_of(block));
    block.seat.task.set((&raw const *cell.head()).cast());
}

#[inline(always)]
fn occupy_stack<'a, T: 'static, F: FnOnce() -> T + 'static, W: When>(
    stack: TaskStack,
    cell: &TaskCell<T>,
    created: &'static Location<'static>,
    when: W,
    f: F,
) -> &'a Block {
    let cell = cell.clone();
    let bytes = size_of::<F>() + size_of::<W>() + size_of::<TaskCell<T>>();
    if bytes > LARGEST_IN_PLACE || align_of::<F>() > 64 {
        let f = Box::new(f);
        let body = move || run(cell, when, f, TaskCell::store);
        // SAFETY: `run` does not unwind.
        unsafe { occupy_with(stack, created, body) }
    } else {
        let body = move || run(cell, when, f, TaskCell::store);
        // SAFETY: as above.
        unsafe { occupy_with(stack, created, body) }
    }
}

/// Makes a greenlet below the hub that calls `body`, and then hands over to the next one.
///
/// # Safety
/// - `body` does not unwind.
#[inline(always)]
pub(super) unsafe fn occupy_with<'a>(
    stack: TaskStack,
    created: &'static Location<'static>,
    body: impl FnOnce() + 'static,
) -> &'a Block {
    let next = || -> *const Block { hub().successor() };
    // SAFETY: forwarded; the successor is parked, and not the dying one, which is neither ready nor
    // the hub's greenlet.
    unsafe { stack.occupy(hub().greenlet(), created, body, next) }
}

/// The whole life of a task, on its own stack: waits until it may begin, unless it is killed before,
/// calls `f`, and gives the result to `store`. Does not unwind if `store` does not.
#[inline]
pub(super) fn run<T>(
    cell: TaskCell<T>,
    when: impl When,
    f: impl FnOnce() -> T,
    store: impl FnOnce(&TaskCell<T>, Result<T, Payload>),
) {
    let head = cell.head();
    let me = current_block();
    let killed = when.begin(hub(), me);
    head.phase.set(Phase::Running);
    let result = match killed {
        None => catch_unwind(AssertUnwindSafe(f)),
        Some(payload) => {
            contain(|| drop(f)); // killed before it began
            Err(payload)
        }
    };
    store(&cell, result);
    head.waiters.wake_all();
    if !head.links.borrow().is_empty() {
        call_links(head);
    }
    cell.drop_disowned();
    drop(cell);
    me.seat.task.set(std::ptr::null());
    vacate(me, drop_noted);
}
