//! The cell behind a task: what its handles and its greenlet share.
//!
//! | field | written by |
//! |---|---|
//! | `references` | handles and the task, one each |
//! | `block` | spawn; null from the end on |
//! | `phase`, `ended` | the task |
//! | `result` | the task, once, before `phase` is `Finished`; whoever takes it out |
//! | `is_disowned` | the handle, at its end: from then on the result is the task's to drop |
//! | `waiters`, `links` | whoever waits; emptied at the end |
#![expect(unsafe_code, reason = "counted memory of its own, results moved in and out")]

use super::error::JoinError;
use super::handle::TaskState;
use super::link::Slot;
use crate::greenlet::{Block, GreenletExit, GreenletId, Payload, contain, describe, line};
use crate::hub::WaitList;
use crate::hub::{give_back_memory, hub};
use std::alloc::Layout;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;
use std::panic::Location;
use std::ptr::{NonNull, null};
use std::thread::panicking;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Running,
    Finished,
}

/// What was made of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    NotYet,
    Value,
    Raised,
    /// Raised, and its scope sees to it that this is told.
    RaisedInScope,
    Killed,
}

/// The part of a cell that does not depend on the type of the result.
#[repr(C)]
pub(super) struct Head {
    references: Cell<u32>,
    pub(super) phase: Cell<Phase>,
    pub(super) ended: Cell<Ended>,
    /// Nobody has moved the result out yet.
    pub(super) holds_result: Cell<bool>,
    /// Nobody will take the result.
    is_disowned: Cell<bool>,
    block: Cell<*const Block>,
    id: Cell<u64>,
    pub(super) waiters: WaitList,
    pub(super) links: RefCell<Vec<Slot>>,
    pub(super) name: RefCell<Option<Box<str>>>,
    pub(super) created: &'static Location<'static>,
    /// The greenlet that spawned it.
    pub(super) spawner: GreenletId,
    free: unsafe fn(NonNull<Head>),
}

#[repr(C)]
struct Whole<T> {
    head: Head,
    result: UnsafeCell<MaybeUninit<Result<T, Payload>>>,
}

/// A counted reference to the cell of a task with a `T`.
pub(super) struct TaskCell<T> {
    whole: NonNull<Whole<T>>,
}

impl<T> TaskCell<T> {
    /// A cell of a task that is about to begin; this is the only reference to it.
    #[inline]
    pub(super) fn new(created: &'static Location<'static>, spawner: GreenletId) -> TaskCell<T> {
        let whole = hub().take_memory(Layout::new::<Whole<T>>()).cast::<Whole<T>>();
        let head = Head {
            references: Cell::new(1),
            phase: Cell::new(Phase::Waiting),
            ended: Cell::new(Ended::NotYet),
            holds_result: Cell::new(false),
            is_disowned: Cell::new(false),
            block: Cell::new(null()),
            id: Cell::new(0),
            waiters: WaitList::new(),
            links: RefCell::new(Vec::new()),
            name: RefCell::new(None),
            created,
            spawner,
            free: free::<T>,
        };
        // SAFETY: memory of this layout, nobody else's.
        unsafe { (&raw mut (*whole.as_ptr()).head).write(head) };
        TaskCell { whole }
    }

    #[inline(always)]
    pub(super) fn head(&self) -> &Head {
        // SAFETY: counted: it is there while there are references.
        unsafe { &(*self.whole.as_ptr()).head }
    }

    /// Stores how the task ended, unless that was done before.
    #[inline]
    pub(super) fn store(&self, result: Result<T, Payload>) {
        let head = self.head();
        debug_assert!(head.phase.get() != Phase::Finished);
        head.ended.set(match &result {
            Ok(_) => Ended::Value,
            Err(payload) if payload.is::<GreenletExit>() => Ended::Killed,
            Err(_) => Ended::Raised,
        });
        // SAFETY: nothing was stored yet, so nobody looks.
        unsafe { (*self.whole.as_ref().result.get()).write(result) };
        head.holds_result.set(true);
        head.phase.set(Phase::Finished);
        head.block.set(null());
    }

    /// Moves the result out; `None` while there is none, or when it was moved out before.
    pub(super) fn take(&self) -> Option<Result<T, JoinError>> {
        // SAFETY: if it holds one it was stored, and nobody else moves it out.
        let result = self
            .head()
            .holds_result
            .replace(false)
            .then(|| unsafe { (*self.whole.as_ref().result.get()).assume_init_read() })?;
        Some(result.map_err(|payload| self.head().error(payload)))
    }

    /// Nobody will take the result: it is dropped here, or by the task if that has not ended.
    ///
    /// It does not wait for the last reference: it may borrow from what those outlive. What is raised
    /// while it is dropped here is the caller's: a kill, perhaps.
    #[inline]
    pub(super) fn disown(&self) {
        self.head().is_disowned.set(true);
        match self.take_disowned() {
            Some(result) if panicking() => contain(|| drop(result)),
            result => drop(result),
        }
    }

    /// For the task, when it has ended: drops the result if nobody will take it.
    #[inline]
    pub(super) fn drop_disowned(&self) {
        if let Some(result) = self.take_disowned() {
            contain(|| drop(result));
        }
    }

    #[inline]
    fn take_disowned(&self) -> Option<Result<T, Payload>> {
        let head = self.head();
        if !head.is_disowned.get() || !head.holds_result.replace(false) {
            return None;
        }
        // SAFETY: stored, and not moved out.
        let result = unsafe { (*self.whole.as_ref().result.get()).assume_init_read() };
        if let Err(payload) = &result {
            head.report_unseen(payload);
        }
        Some(result)
    }

    /// How the task ended, if it has and nobody has moved that out.
    pub(super) fn result(&self) -> Option<Result<&T, &Payload>> {
        if !self.head().holds_result.get() {
            return None;
        }
        // SAFETY: as in `take`; it stays until somebody takes it, who needs the last handle.
        Some(unsafe { (*self.whole.as_ref().result.get()).assume_init_ref() }.as_ref())
    }
}

impl<T> Clone for TaskCell<T> {
    #[inline(always)]
    fn clone(&self) -> TaskCell<T> {
        self.head().count_reference();
        TaskCell { whole: self.whole }
    }
}

impl<T> Drop for TaskCell<T> {
    #[inline]
    fn drop(&mut self) {
        drop(AnyCell(self.whole.cast()));
    }
}

/// A counted reference to the cell of a task with a result of some type.
pub(super) struct AnyCell(NonNull<Head>);

impl<T> TaskCell<T> {
    /// Another reference, that does not know the type of the result.
    pub(super) fn any(&self) -> AnyCell {
        std::mem::forget(self.clone());
        AnyCell(self.whole.cast())
    }
}

impl AnyCell {
    #[inline]
    pub(super) fn head(&self) -> &Head {
        // SAFETY: counted: it is there while there are references.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for AnyCell {
    fn clone(&self) -> AnyCell {
        self.head().count_reference();
        AnyCell(self.0)
    }
}

impl Drop for AnyCell {
    #[inline]
    fn drop(&mut self) {
        let head = self.head();
        head.references.set(head.references.get() - 1);
        if head.references.get() == 0 {
            // SAFETY: the last reference.
            unsafe { (head.free)(self.0) }
        }
    }
}

/// Drops a cell that nobody refers to any more.
///
/// # Safety
/// It is the cell of a task with a `T`, without references.
unsafe fn free<T>(head: NonNull<Head>) {
    let mut whole = head.cast::<Whole<T>>();
    // SAFETY: nobody else refers to it.
    let cell = unsafe { whole.as_mut() };
    if cell.head.holds_result.get() {
        // SAFETY: stored, and not moved out.
        let result = unsafe { cell.result.get_mut().assume_init_read() };
        contain(|| drop(result));
    }
    // SAFETY: nobody uses it again.
    unsafe {
        (&raw mut cell.head).drop_in_place();
        give_back_memory(whole.cast(), Layout::new::<Whole<T>>());
    }
}

impl Head {
    #[inline(always)]
    fn count_reference(&self) {
        let references = self.references.get();
        assert!(references < u32::MAX, "too many handles of one task");
        self.references.set(references + 1);
    }

    /// The greenlet that runs it, until it ends or is given up with its hub.
    pub(super) fn block(&self) -> Option<&Block> {
        // SAFETY: null once the task has ended; a task's block stays its own until then, and for ever
        // if it is given up.
        unsafe { self.block.get().as_ref() }.filter(|block| block.is_in_use())
    }

    /// Is this its greenlet?
    pub(super) fn runs_in(&self, block: &Block) -> bool {
        std::ptr::eq(self.block.get(), block)
    }

    pub(super) fn set_block(&self, block: &Block, id: GreenletId) {
        self.block.set(block);
        self.id.set(id.get());
    }

    /// The number of its greenlet.
    pub(super) fn id(&self) -> GreenletId {
        GreenletId::from_number(self.id.get())
    }

    pub(super) fn is_finished(&self) -> bool {
        self.phase.get() == Phase::Finished
    }

    pub(super) fn state(&self) -> TaskState {
        match (self.phase.get(), self.ended.get()) {
            (Phase::Waiting, _) => TaskState::Waiting,
            (Phase::Running, _) => TaskState::Running,
            (Phase::Finished, Ended::Value) => TaskState::Succeeded,
            (Phase::Finished, Ended::Killed) => TaskState::Killed,
            (Phase::Finished, _) => TaskState::Failed,
        }
    }

    /// What is to be said of a payload that it has raised; nothing of an exit.
    pub(super) fn failure(&self, payload: &Payload) -> Option<String> {
        if payload.is::<GreenletExit>() {
            return None;
        }
        let name = self.name.borrow();
        let quoted = name.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default();
        let (id, created, text) = (self.id(), self.created, describe(&**payload));
        Some(format!("{id}{quoted}, spawned at {created}, failed: {text}"))
    }

    fn error(&self, payload: Payload) -> JoinError {
        JoinError { id: self.id(), name: self.name.borrow().clone(), payload: payload.into() }
    }

    /// Nobody will take what was raised: a panic is reported.
    #[cold]
    fn report_unseen(&self, payload: &Payload) {
        if self.ended.get() == Ended::Raised
            && let Some(text) = self.failure(payload)
        {
            line(format_args!("{text} (nobody asked for its result)"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn handles_beyond_what_can_be_counted_are_refused() {
        let cell = TaskCell::<()>::new(Location::caller(), crate::greenlet::current().id());
        cell.head().references.set(u32::MAX);
        assert!(catch_unwind(AssertUnwindSafe(|| cell.clone())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| cell.any())).is_err());
        let any = AnyCell(cell.whole.cast());
        assert!(catch_unwind(AssertUnwindSafe(|| any.clone())).is_err());
        std::mem::forget(any);
        cell.head().references.set(1);
    }
}
