//! Raising something in another greenlet, and raising here what arrived.
#![expect(unsafe_code, reason = "throws across stacks")]

use super::SwitchError;
use super::control::{Block, Node, ROOT, STARTED, TAKES_THROWS, UNBOUND};
use super::cross::cross_throw;
use super::current::{Thread, thread, thread_or_none};
use super::death::{Route, end_unstarted, exit_of, quieten, route};
use super::error::{ChildExit, GreenletExit, Payload, Thrown, Why};
use super::report::{self, Called};
use super::scheduler;
use super::switch::{Cargo, Failed, Raised, allowed, arrive, depart, received, take, takes};
use super::trace::{self, TraceKind};
use super::value::{Received, ValueType, pack, unpack};
use crate::arch::{Arrival, Word};
use std::any::{Any, type_name};
use std::mem::{ManuallyDrop, MaybeUninit};

/// Throws `payload` at `target` and waits for a `B`.
pub(super) fn throw_at<B: 'static, P: Any + Send>(
    thread: &Thread,
    target: &Node,
    payload: P,
) -> Result<B, Failed<Payload>> {
    let thrown = Thrown::by_throw(payload);
    if let Some(target) = plain_target(thread, target) {
        // SAFETY: `plain_target` found no flag set, and that the target is suspended; we await a `B`.
        return unsafe {
            let arrival = cross_throw::<B>(thread, target, thrown);
            match arrival.tag {
                0 => Ok(unpack(arrival.payload)),
                tag => received(arrival.payload, tag).map_err(Failed::Raised),
            }
        };
    }
    let mut value = MaybeUninit::<B>::uninit();
    // SAFETY: `value` has room for a `B`, and is filled if the answer is `Ok`.
    unsafe {
        throw_boxed(thread, target, thrown, ValueType::of::<B>(), value.as_mut_ptr().cast())?;
        Ok(value.assume_init())
    }
}

/// The target's block, if a switch to it is all there is to do: it is suspended by a switch.
#[inline(always)]
fn plain_target<'a>(thread: &Thread, target: &'a Node) -> Option<&'a Block> {
    let block = target.block()?;
    let plain = thread.flags.get() == 0
        && !thread.is_ending()
        && block.has(STARTED)
        && block.expect.get().is_some() // not the current one
        && !scheduler::is_parked(block)
        && !std::thread::panicking()
        && (cfg!(panic = "unwind") || block.has(TAKES_THROWS));
    plain.then_some(block)
}

/// # Safety
/// `to` is writable for the type `awaited`; it is filled iff this returns `Ok`.
#[cold]
#[inline(never)]
unsafe fn throw_boxed(
    thread: &Thread,
    target: &Node,
    thrown: Thrown,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), Failed<Payload>> {
    let refused = |why, thrown: Thrown| Err(Failed::Refused(why, thrown.payload));
    if let Err(why) = allowed(thread) {
        return refused(why, thrown);
    }
    if let Some(block) = target.block() {
        if std::ptr::eq(block, thread.current()) {
            // SAFETY: forwarded.
            return unsafe { raise_here(thread, Raised::Throw(thrown), awaited, to) };
        }
        if block.has(UNBOUND) {
            return refused(Why::NoBody, thrown);
        }
        if scheduler::is_parked(block) {
            // Its scheduler ends the wait first, so nobody answers: only `()` can.
            if !awaited.is::<()>() {
                return refused(Why::Parked, thrown);
            }
            scheduler::deliver(block, thrown.payload);
            return Ok(());
        }
        if !thread.may_resume(block) {
            return refused(Why::ThreadEnds, thrown);
        }
        if block.has(STARTED) {
            if cfg!(panic = "abort") && !block.has(TAKES_THROWS) {
                return refused(Why::CannotUnwind, thrown);
            }
            // SAFETY: started and not current, so suspended.
            return unsafe { depart(thread, block, Cargo::Throw(thrown), awaited, to) }
                .map_err(Failed::Raised);
        }
    }
    let exit = exit_of(target, target.block().and_then(|block| block.label.name()));
    if cfg!(panic = "abort") && !thrown.payload.is::<GreenletExit>() && !takes_end(thread, target) {
        return refused(Why::CannotUnwind, thrown);
    }
    if let Some(unstarted) = target.block() {
        end_unstarted(thread, unstarted);
    }
    let quiet = thrown.payload.is::<GreenletExit>();
    let kind = ValueType::of::<GreenletExit>();
    let route = match route(thread, target, quieten(Cargo::Throw(thrown)), &exit, Some(awaited)) {
        Some(route) => route,
        // A parked ancestor has it. If we waited for an answer nobody would give one: we are told ourselves.
        None if quiet && takes(awaited, kind) => {
            Route::Here(Cargo::Value { kind, word: Word::uninit() })
        }
        None if awaited.is::<()>() => return Ok(()),
        None => Route::Here(Cargo::Exit(exit)),
    };
    // The drops of closures may have switched away, and then we may be in the middle of being
    // killed: whoever waits for our death must not be handed this instead.
    if let Err(why) = allowed(thread) {
        let (Route::To(_, cargo) | Route::Here(cargo)) = route;
        return Err(Failed::Refused(why, payload_of(cargo)));
    }
    match route {
        Route::To(block, cargo) => {
            // SAFETY: `route` found one that takes the cargo.
            unsafe { depart(thread, block, cargo, awaited, to) }.map_err(Failed::Raised)
        }
        Route::Here(Cargo::Value { kind, word }) => {
            // SAFETY: `awaited` takes the value.
            unsafe { take(kind, word, awaited, to) };
            // SAFETY: the value is there.
            let drop_value = || unsafe { awaited.drop_at(to) };
            trace::call_for_oneself(thread, TraceKind::Switch, drop_value).map_err(Failed::Raised)
        }
        // SAFETY: forwarded.
        Route::Here(Cargo::Throw(thrown)) => unsafe {
            raise_here(thread, Raised::Throw(thrown), awaited, to)
        },
        // SAFETY: forwarded.
        Route::Here(Cargo::Exit(exit)) => unsafe {
            raise_here(thread, Raised::Exit(exit), awaited, to)
        },
    }
}

/// The payload that a throw began with.
fn payload_of(cargo: Cargo) -> Payload {
    match cargo {
        Cargo::Throw(thrown) => thrown.payload,
        Cargo::Value { .. } | Cargo::Exit(_) => Box::new(GreenletExit),
    }
}

/// Does the one who would receive a throw at `target`, which never ran or is dead, take it as a value?
/// The current greenlet decides for itself.
fn takes_end(thread: &Thread, target: &Node) -> bool {
    let parents = std::iter::successors(target.parent(), |node| node.parent());
    let receiver = parents.filter_map(Node::block).find(|block| block.has(STARTED));
    receiver.is_some_and(|it| std::ptr::eq(it, thread.current()) || it.has(TAKES_THROWS))
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
) -> Result<(), Failed<Payload>> {
    match raised {
        Raised::Exit(exit) if awaited.is::<Received>() => {
            // SAFETY: `to` takes a `Received`.
            unsafe { to.cast::<Received>().write(Received::from_exit(exit)) };
            // SAFETY: the value is there.
            let drop_value = || unsafe { awaited.drop_at(to) };
            trace::call_for_oneself(thread, TraceKind::Switch, drop_value).map_err(Failed::Raised)
        }
        Raised::Exit(exit) => {
            trace::call_for_oneself(thread, TraceKind::Switch, || ()).map_err(Failed::Raised)?;
            Err(Failed::Raised(Raised::Exit(exit)))
        }
        Raised::Throw(thrown) => {
            let mut thrown = Some(thrown);
            let drop_payload = || drop(thrown.take());
            trace::call_for_oneself(thread, TraceKind::Throw, drop_payload)
                .map_err(Failed::Raised)?;
            let Some(thrown) = thrown else { unreachable!("dropped only with an error") };
            Err(Failed::Raised(Raised::Throw(thrown)))
        }
    }
}

/// What arrived for one that raises what it did not await.
///
/// A payload is raised from here, which is inlined: every frame that is unwound costs as much as twenty switches.
///
/// # Safety
/// It came to the current greenlet, which awaited a `B`.
#[inline(always)]
#[track_caller]
pub(super) unsafe fn arrived<B: 'static>(arrival: Arrival) -> B {
    if arrival.tag == 0 {
        // SAFETY: tag 0 means exactly a `B`.
        return unsafe { unpack(arrival.payload) };
    }
    // SAFETY: forwarded; there is a value if there is no payload.
    unsafe {
        if ValueType::of::<B>().fits_word() {
            return match word_or_payload::<B>(arrival.payload, arrival.tag) {
                None => unpack(thread_or_none().word.get()),
                Some(payload) => std::panic::resume_unwind(payload),
            };
        }
        let mut value = MaybeUninit::<B>::uninit();
        match value_or_payload(arrival.payload, arrival.tag, &mut value) {
            None => value.assume_init(),
            Some(payload) => std::panic::resume_unwind(payload),
        }
    }
}

/// What arrived for one that takes errors as values.
///
/// # Safety
/// As [`arrived`].
#[inline]
pub(super) unsafe fn try_arrived<A, B: 'static>(arrival: Arrival) -> Result<B, SwitchError<A>> {
    // SAFETY: as in `arrived`.
    unsafe {
        match arrival.tag {
            0 => Ok(unpack(arrival.payload)),
            tag => value_or_error(arrival.payload, tag),
        }
    }
}

/// Fills `value`, or returns what is to be raised instead.
///
/// # Safety
/// As [`received`].
#[cold]
#[inline(never)]
#[track_caller]
unsafe fn value_or_payload<B: 'static>(
    payload: Word,
    tag: usize,
    value: &mut MaybeUninit<B>,
) -> Option<Payload> {
    // SAFETY: as in `received`, but the value is made where it is used, and not moved once more.
    match unsafe { arrive(thread(), payload, tag, ValueType::of::<B>(), value.as_mut_ptr().cast()) }
    {
        Ok(()) => None,
        Err(raised) => Some(to_be_raised::<B>(raised)), // no closure: that would hide the caller's place
    }
}

/// As [`value_or_payload`], for a value that fits into a word, which is left in the thread's state: the frame of every
/// function that switches has no room for it then, which would else be there for nothing.
///
/// # Safety
/// As [`received`].
#[cold]
#[inline(never)]
#[track_caller]
unsafe fn word_or_payload<B: 'static>(payload: Word, tag: usize) -> Option<Payload> {
    let mut value = MaybeUninit::<B>::uninit();
    // SAFETY: forwarded.
    unsafe {
        let payload = value_or_payload(payload, tag, &mut value);
        if payload.is_none() {
            thread_or_none().word.set(pack(&mut ManuallyDrop::new(value.assume_init())));
        }
        payload
    }
}

/// # Safety
/// As [`received`].
#[cold]
#[inline(never)]
unsafe fn value_or_error<A, B: 'static>(payload: Word, tag: usize) -> Result<B, SwitchError<A>> {
    // SAFETY: forwarded.
    unsafe { received(payload, tag) }.map_err(|raised| Failed::Raised(raised).into())
}

/// The value, or what [`switch`](crate::Greenlet::switch) does without one; `attempt` says what was
/// refused.
#[track_caller]
pub(super) fn value_or_panic<A, B>(
    result: Result<B, Failed<A>>,
    attempt: std::fmt::Arguments<'_>,
) -> B {
    match result {
        Ok(value) => value,
        Err(Failed::Raised(raised)) => std::panic::resume_unwind(to_be_raised::<B>(raised)),
        Err(Failed::Refused(why, _)) => panic!("cannot {attempt}: {why}"),
    }
}

/// What is to be raised in the current greenlet, which waited for a `B`; a child's exit panics here.
///
/// Nothing is printed for a payload: a panic was reported where it began. What was thrown and gets
/// as far as the root leaves one line, because the process may end of it without another word.
#[inline(always)]
#[track_caller]
fn to_be_raised<B>(raised: Raised) -> Payload {
    match raised {
        Raised::Throw(thrown) => {
            note(&thrown);
            thrown.payload
        }
        Raised::Exit(exit) => child_exited(&exit, type_name::<B>()),
    }
}

/// Sees to it that a payload from `throw` does not end the process without a word.
#[cold]
fn note(thrown: &Thrown) {
    let me = thread().current();
    if cfg!(panic = "abort") {
        report::fatal(format_args!(
            "a thrown {} is raised in {}, and this program is built with panic = \"abort\"",
            thrown.name.unwrap_or("payload"),
            Called(me)
        ));
    }
    match thrown.name {
        Some(name) if me.has(ROOT) => {
            report::line(format_args!("a thrown {name} is raised in the root greenlet"));
        }
        // It may leave the body, and reach the root at last.
        Some(name) if !thrown.payload.is::<GreenletExit>() => {
            me.extra().raised = Some((thrown.address(), name));
        }
        _ => {}
    }
}

/// What left a body: a panic, or what [`note`] saw being raised there.
pub(super) fn caught(me: &Block, payload: Payload) -> Thrown {
    let mut thrown = Thrown::by_panic(payload);
    if !me.extra.get().is_null()
        && let Some((address, name)) = me.extra().raised
        && std::ptr::eq(address, thrown.address())
    {
        thrown.name = Some(name);
    }
    thrown
}

#[cold]
#[track_caller]
fn child_exited(exit: &ChildExit, awaited: &str) -> ! {
    panic!("{exit}, awaited {awaited}")
}
