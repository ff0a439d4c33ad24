//! Raising something in another greenlet, and raising here what arrived.
#![expect(unsafe_code, reason = "throws across stacks")]

use super::SwitchError;
use super::control::{Node, ROOT, STARTED, TAKES_THROWS, UNBOUND};
use super::current::{Thread, thread};
use super::death::{Route, end_unstarted, exit_of, quieten, route};
use super::error::{ChildExit, Payload, Why};
use super::park;
use super::report;
use super::switch::{Cargo, Raised, allowed, depart, received_slowly, take};
use super::trace::{self, TraceKind};
use super::value::{Received, ValueType};
use crate::arch::Word;
use std::any::{Any, type_name};
use std::mem::MaybeUninit;

/// Throws `payload` at `target` and waits for a `B`.
pub(super) fn throw_at<B: 'static, P: Any + Send>(
    thread: &Thread,
    target: &Node,
    payload: P,
) -> Result<B, SwitchError<Payload>> {
    let payload: Payload = Box::new(payload);
    thread.last_throw.set(Some((address(&payload), type_name::<P>())));
    let mut value = MaybeUninit::<B>::uninit();
    // SAFETY: `value` has room for a `B`, and is filled if the answer is `Ok`.
    unsafe {
        throw_boxed(thread, target, payload, ValueType::of::<B>(), value.as_mut_ptr().cast())?;
        Ok(value.assume_init())
    }
}

/// # Safety
/// `to` is writable for the type `awaited`; it is filled iff this returns `Ok`.
unsafe fn throw_boxed(
    thread: &Thread,
    target: &Node,
    payload: Payload,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), SwitchError<Payload>> {
    let refused = |why, value| Err(SwitchError::Refused { why, value });
    if let Err(why) = allowed(thread) {
        return refused(why, payload);
    }
    let me = thread.current();
    let mut exit = exit_of(target, None);
    if let Some(block) = target.block() {
        if std::ptr::eq(block, me) {
            // SAFETY: forwarded.
            return unsafe { raise_here(thread, Raised::Throw(payload), awaited, to) };
        }
        if block.has(UNBOUND) {
            return refused(Why::NoBody, payload);
        }
        if park::is_parked(block) {
            // Its scheduler ends the wait first, so nobody answers: only `()` can.
            if !awaited.is::<()>() {
                return refused(Why::Parked, payload);
            }
            park::deliver(block, payload);
            return Ok(());
        }
        if block.has(STARTED) {
            if cfg!(panic = "abort") && !block.has(TAKES_THROWS) {
                return refused(Why::CannotUnwind, payload);
            }
            // SAFETY: started and not current, so suspended.
            return flatten(unsafe { depart(thread, block, Cargo::Throw(payload), awaited, to) });
        }
        exit = exit_of(target, block.label.name());
        end_unstarted(thread, block);
    }
    match route(thread, target, quieten(Cargo::Throw(payload)), &exit, Some(awaited)) {
        // SAFETY: `route` found one that takes the cargo.
        Route::To(block, cargo) => flatten(unsafe { depart(thread, block, cargo, awaited, to) }),
        Route::Here(Cargo::Value { kind, word }) => {
            // SAFETY: `awaited` takes the value.
            unsafe { take(kind, word, awaited, to) };
            // SAFETY: the value is there.
            let drop_value = || unsafe { awaited.drop_at(to) };
            flatten(trace::call_for_oneself(thread, TraceKind::Switch, drop_value))
        }
        // SAFETY: forwarded.
        Route::Here(Cargo::Throw(payload)) => unsafe {
            raise_here(thread, Raised::Throw(payload), awaited, to)
        },
        // SAFETY: forwarded.
        Route::Here(Cargo::Exit(exit)) => unsafe {
            raise_here(thread, Raised::Exit(exit), awaited, to)
        },
    }
}

/// A transfer that ends where it began, with something other than a value.
///
/// # Safety
/// As [`throw_boxed`].
unsafe fn raise_here(
    thread: &Thread,
    raised: Raised,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), SwitchError<Payload>> {
    match raised {
        Raised::Exit(exit) if awaited.is::<Received>() => {
            // SAFETY: `to` takes a `Received`.
            unsafe { to.cast::<Received>().write(Received::from_exit(exit)) };
            // SAFETY: the value is there.
            let drop_value = || unsafe { awaited.drop_at(to) };
            flatten(trace::call_for_oneself(thread, TraceKind::Switch, drop_value))
        }
        Raised::Exit(exit) => {
            flatten(trace::call_for_oneself(thread, TraceKind::Switch, || ()))?;
            Err(SwitchError::ChildExited(exit))
        }
        Raised::Throw(payload) => {
            let mut payload = Some(payload);
            let drop_payload = || drop(payload.take());
            flatten(trace::call_for_oneself(thread, TraceKind::Throw, drop_payload))?;
            let Some(payload) = payload else { unreachable!("dropped only with an error") };
            Err(SwitchError::Thrown(payload))
        }
    }
}

impl<A> SwitchError<A> {
    pub(super) fn from_raised(raised: Raised) -> SwitchError<A> {
        match raised {
            Raised::Throw(payload) => SwitchError::Thrown(payload),
            Raised::Exit(exit) => SwitchError::ChildExited(exit),
        }
    }
}

fn flatten(back: Result<(), Raised>) -> Result<(), SwitchError<Payload>> {
    back.map_err(SwitchError::from_raised)
}

/// What [`received`](super::switch::received) needs of one that raises what it did not await.
///
/// # Safety
/// As [`received_slowly`].
#[cold]
#[inline(never)]
#[track_caller]
pub(super) unsafe fn value_or_raise<B: 'static>(payload: Word, tag: usize) -> B {
    // SAFETY: forwarded.
    match unsafe { received_slowly(payload, tag) } {
        Ok(value) => value,
        Err(raised) => raise::<B>(raised),
    }
}

/// What [`received`](super::switch::received) needs of one that takes errors as values.
///
/// # Safety
/// As [`received_slowly`].
#[cold]
#[inline(never)]
pub(super) unsafe fn value_or_error<A, B: 'static>(
    payload: Word,
    tag: usize,
) -> Result<B, SwitchError<A>> {
    // SAFETY: forwarded.
    unsafe { received_slowly(payload, tag) }.map_err(SwitchError::from_raised)
}

/// The value, or what [`switch`](crate::Greenlet::switch) does without one.
#[track_caller]
pub(super) fn value_or_panic<A, B>(
    result: Result<B, SwitchError<A>>,
    target: impl std::fmt::Display,
) -> B {
    match result {
        Ok(value) => value,
        Err(SwitchError::Thrown(payload)) => raise::<B>(Raised::Throw(payload)),
        Err(SwitchError::ChildExited(exit)) => raise::<B>(Raised::Exit(exit)),
        Err(SwitchError::Refused { why, .. }) => panic!("cannot switch to {target}: {why}"),
    }
}

/// Raises in the current greenlet, which waited for a `B`, what came instead.
///
/// Nothing is printed for a payload: a panic was reported where it began. What was thrown and gets
/// as far as the root leaves one line, because the process may end of it without another word.
///
/// Inlined: every frame that is unwound costs as much as twenty switches.
#[inline(always)]
#[track_caller]
pub(super) fn raise<B>(raised: Raised) -> ! {
    match raised {
        Raised::Throw(payload) => {
            note_at_root(&payload);
            std::panic::resume_unwind(payload)
        }
        Raised::Exit(exit) => child_exited(&exit, type_name::<B>()),
    }
}

#[cold]
fn note_at_root(payload: &Payload) {
    let thread = thread();
    if thread.current().has(ROOT)
        && let Some((thrown, name)) = thread.last_throw.get()
        && std::ptr::eq(thrown, address(payload))
    {
        report::line(format_args!("a thrown {name} is raised in the root greenlet"));
    }
}

#[cold]
#[track_caller]
fn child_exited(exit: &ChildExit, awaited: &str) -> ! {
    panic!("{exit}, awaited {awaited}")
}

/// Where the payload is: the same for as long as it lives, wherever its box is moved.
fn address(payload: &Payload) -> *const () {
    (&raw const **payload).cast()
}
