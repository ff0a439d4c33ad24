//! How a task begins, runs and ends.
#![expect(unsafe_code, reason = "occupies stacks")]

use super::cell::{Phase, TaskCell};
use super::handle::JoinHandle;
use crate::greenlet::{
    Block, LARGEST_IN_PLACE, TaskStack, contain, current_block, drop_noted, id_of,
};
use crate::hub::{hub, vacate};
use crate::stack::{Shape, StackError};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// Runs `f` in a greenlet of its own, beside the current one, once that waits; the handle gives its
/// result.
///
/// The first call makes this thread's hub. The task stays on this thread, so `f` may hold what is
/// not [`Send`]. It goes on when its handle is dropped.
///
/// ```
/// let answer = greenlet::spawn(|| 6 * 7);
/// assert_eq!(answer.join().unwrap(), 42);
/// ```
///
/// # Panics
/// When there is no memory for its stack ([`try_spawn`] returns that), or the environment asks for a
/// hub that cannot be made.
#[track_caller]
#[inline]
pub fn spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    match try_spawn(f) {
        Ok(handle) => handle,
        Err(error) => no_stack(&error),
    }
}

/// As [`spawn`], where a missing stack is no reason to panic.
///
/// # Errors
/// [`StackError`], with nothing changed; `f` is dropped.
///
/// # Panics
/// When the environment asks for a hub that cannot be made.
#[track_caller]
#[inline]
pub fn try_spawn<T: 'static>(f: impl FnOnce() -> T + 'static) -> Result<JoinHandle<T>, StackError> {
    let cell = occupy(Location::caller(), hub().task_shape(), f)?;
    if let Some(block) = cell.head().block() {
        hub().start(block);
    }
    Ok(JoinHandle::new(cell))
}

/// Runs `f` in a greenlet of its own that nobody waits for.
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
fn no_stack(error: &StackError) -> ! {
    panic!("greenlet::spawn: {error}")
}

/// Makes a task that is not ready yet.
#[inline]
pub(super) fn occupy<T: 'static>(
    created: &'static Location<'static>,
    shape: Option<Shape>,
    f: impl FnOnce() -> T + 'static,
) -> Result<TaskCell<T>, StackError> {
    let stack = TaskStack::take(shape)?;
    let cell = TaskCell::new(created, id_of(current_block()));
    let block = occupy_stack(stack, &cell, created, f);
    cell.head().set_block(block, id_of(block));
    block.seat.task.set((&raw const *cell.head()).cast());
    Ok(cell)
}

#[inline(always)]
fn occupy_stack<'a, T: 'static, F: FnOnce() -> T + 'static>(
    stack: TaskStack,
    cell: &TaskCell<T>,
    created: &'static Location<'static>,
    f: F,
) -> &'a Block {
    let (hub, cell) = (hub(), cell.clone());
    let next = || -> *const Block { hub_successor() };
    if size_of::<F>() + size_of::<TaskCell<T>>() > LARGEST_IN_PLACE || align_of::<F>() > 64 {
        let f = Box::new(f);
        // SAFETY: `run` catches what `f` raises; the successor is parked, and not the dying one,
        // which is neither ready nor the hub's greenlet.
        unsafe { stack.occupy(hub.greenlet(), created, move || run(cell, f), next) }
    } else {
        // SAFETY: as above.
        unsafe { stack.occupy(hub.greenlet(), created, move || run(cell, f), next) }
    }
}

#[inline(always)]
fn hub_successor() -> *const Block {
    hub().successor()
}

/// The whole life of a task, on its own stack.
#[inline]
fn run<T: 'static>(cell: TaskCell<T>, f: impl FnOnce() -> T) {
    let head = cell.head();
    let me = current_block();
    head.phase.set(Phase::Running);
    let result = match hub().take_interrupt(me) {
        None => catch_unwind(AssertUnwindSafe(f)),
        Some(payload) => {
            contain(|| drop(f)); // killed before it began
            Err(payload)
        }
    };
    cell.store(result);
    head.waiters.wake_all();
    if !head.links.borrow().is_empty() {
        call_links(&cell);
    }
    drop(cell);
    me.seat.task.set(std::ptr::null());
    vacate(me, drop_noted);
}

/// Calls those who wanted to be told, in the order in which they asked.
#[cold]
fn call_links<T>(cell: &TaskCell<T>) {
    let head = cell.head();
    loop {
        let mut links = head.links.borrow_mut();
        if links.is_empty() {
            return;
        }
        let link = links.remove(0);
        drop(links);
        contain(|| (link.call)(head));
    }
}
