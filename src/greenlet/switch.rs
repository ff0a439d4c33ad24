//! The one place that crosses stacks.
//!
//! A plain switch costs one comparison of types and one test of the thread's flags on the way
//! out, and one test of the tag on the way in. Everything else is a *transfer*: a record in the
//! sender's frame whose address is the tag.
//!
//! - **Arrive, then act**: [`arrive`] moves the value into the receiver's frame before any user
//!   code runs there; then it kills an origin without handles, then it calls the trace callback,
//!   and then the receiver returns or raises.
//!
//! ```text
//!  tag             meaning
//!  0               a value of exactly the awaited type, packed in the word
//!  ValueType | 1   a value of this type, packed in the word, for one that waits for Received
//!  Thrown | 2      a throw and nothing else; it lies in the sender's frame
//!  *Transfer       anything else
//! ```
#![expect(unsafe_code, reason = "crosses stacks and moves values between them")]

use super::control::{Block, IN_TRACE, Node, TAKES_THROWS, UNTRACED};
use super::current::{KILLING, ORPHAN, TRACED, Thread, UNINITIALISED, thread, thread_or_none};
use super::error::{ChildExit, Payload, Thrown};
use super::handle::Greenlet;
use super::kill;
use super::report;
use super::scheduler;
use super::trace::{self, TraceKind};
use super::value::{Received, ValueType, pack};
use super::{RaisedPayload, SwitchError, Why};
use crate::arch::{self, Arrival, Word};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::null;

/// What a transfer carries.
pub(super) enum Cargo {
    /// A value, packed; its storage is the sender's frame.
    Value {
        kind: &'static ValueType,
        word: Word,
    },
    Throw(Thrown),
    Exit(ChildExit),
}

/// What is raised in the receiver instead of a value.
pub(super) enum Raised {
    Throw(Thrown),
    Exit(ChildExit),
}

/// Why a transfer brought no value of the awaited type; becomes a [`SwitchError`], or is raised.
pub(super) enum Failed<A> {
    Refused(Why, A),
    Raised(Raised),
}

impl<A> From<Failed<A>> for SwitchError<A> {
    fn from(failed: Failed<A>) -> SwitchError<A> {
        match failed {
            Failed::Refused(why, value) => SwitchError::Refused { why, value },
            Failed::Raised(raised) => raised.into(),
        }
    }
}

impl<A> From<Raised> for SwitchError<A> {
    fn from(raised: Raised) -> SwitchError<A> {
        match raised {
            Raised::Throw(thrown) => SwitchError::Thrown(thrown.payload.into()),
            Raised::Exit(exit) => SwitchError::ChildExited(exit),
        }
    }
}

/// For what could not be thrown.
impl From<Failed<Payload>> for SwitchError<RaisedPayload> {
    fn from(failed: Failed<Payload>) -> SwitchError<RaisedPayload> {
        match failed {
            Failed::Refused(why, value) => SwitchError::Refused { why, value: value.into() },
            Failed::Raised(raised) => raised.into(),
        }
    }
}

/// Lies in the frame of the sender, which does not use it again: the receiver moves it out.
struct Transfer {
    cargo: Cargo,
    /// The sender, if it is to be killed: suspended without a handle.
    orphan: *const Block,
    trace: Option<(TraceKind, Greenlet)>,
}

pub(super) const ANY: usize = 1;
pub(super) const THROW: usize = 2;
const _: () = assert!(align_of::<ValueType>() > 1 && align_of::<Thrown>() > 2);
const _: () = assert!(align_of::<Transfer>() > 2);

/// The first act of a receiver that waits for a `B` and got a tag that is not 0: more than the word
/// arrived. (With tag 0 it is exactly a `B`, and unpacking it is all there is to do.)
///
/// Two words and no [`Arrival`]: they stay in registers, which a plain switch would pay for.
///
/// # Safety
/// The word and the tag came to the current greenlet, which awaited a `B`.
#[inline(always)]
pub(super) unsafe fn received<B: 'static>(payload: Word, tag: usize) -> Result<B, Raised> {
    let mut value = MaybeUninit::<B>::uninit();
    // SAFETY: `value` has room for a `B`; `arrive` fills it or says that it did not.
    unsafe {
        arrive(thread(), payload, tag, ValueType::of::<B>(), value.as_mut_ptr().cast())?;
        Ok(value.assume_init())
    }
}

/// Sends `cargo` to `target` as a transfer, and waits for a value of the type `awaited`, which is
/// moved to `to`.
///
/// # Safety
/// - `target` is suspended or unstarted; a value in `cargo` is one that it awaits.
/// - `to` is writable for the type `awaited`.
pub(super) unsafe fn depart(
    thread: &Thread,
    target: &Block,
    cargo: Cargo,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), Raised> {
    let me = thread.current();
    // The flag may be older than a handle that was made since.
    let orphan = thread.has(ORPHAN) && me.record().handles().get() == 0;
    let orphan = if orphan { &raw const *me } else { null() };
    thread.clear(ORPHAN);
    let trace =
        is_traced(thread, me, target).then(|| (TraceKind::of(&cargo), Greenlet::of(me.record())));
    me.expect.set(Some(awaited.itself())); // nothing unwinds from here on: who runs awaits nothing
    // SAFETY: `me` runs; `target` is as the caller promises.
    let arrival = unsafe { send(thread, me, target, Transfer { cargo, orphan, trace }) };
    if arrival.tag == 0 {
        // SAFETY: tag 0 means exactly the awaited type, for which `to` has room.
        unsafe { awaited.unpack_to(arrival.payload, to) };
        return Ok(());
    }
    // SAFETY: we expected `awaited`.
    unsafe { arrive(thread, arrival.payload, arrival.tag, awaited, to) }
}

/// Sends the last cargo of a greenlet that is already retired; `origin` names it to the tracer.
///
/// # Safety
/// - The current greenlet is dead and its slot given back, or leaked.
/// - `target` as for [`depart`].
pub(super) unsafe fn depart_for_ever(
    thread: &Thread,
    target: &Block,
    cargo: Cargo,
    origin: Option<Greenlet>,
) -> ! {
    let me = thread.current();
    let trace = origin
        .filter(|_| is_traced(thread, me, target))
        .map(|origin| (TraceKind::of(&cargo), origin));
    // SAFETY: nobody resumes the dead: its node is gone, so no handle finds its saved frame.
    unsafe { send(thread, me, target, Transfer { cargo, orphan: null(), trace }) };
    unreachable!("a dead greenlet was resumed")
}

/// Is there a callback to be told? Not of what happens out of and back into a running one.
fn is_traced(thread: &Thread, me: &Block, target: &Block) -> bool {
    thread.has(TRACED) && !me.has(IN_TRACE) && !target.has(IN_TRACE | UNTRACED)
}

/// # Safety
/// As for [`depart`]; `me` is the current greenlet, or was until it died.
unsafe fn send(thread: &Thread, me: &Block, target: &Block, transfer: Transfer) -> Arrival {
    target.expect.set(None);
    thread.set_current(target);
    // Nothing that is dropped may be left in this frame: it may never be resumed.
    let transfer = ManuallyDrop::new(transfer);
    let (word, tag) = match &*transfer {
        Transfer { cargo: Cargo::Value { kind, word }, orphan, trace: None }
            if orphan.is_null() =>
        {
            (*word, (&raw const **kind).expose_provenance() | ANY)
        }
        Transfer { cargo: Cargo::Throw(thrown), orphan, trace: None } if orphan.is_null() => {
            (Word::uninit(), (&raw const *thrown).expose_provenance() | THROW)
        }
        _ => (Word::uninit(), (&raw const transfer).expose_provenance()),
    };
    // SAFETY: by the caller's promise; `arrive` understands the tag, and moves the transfer out
    // before all else.
    unsafe { arch::switch(&me.header, &target.header, word, tag) }
}

/// Decodes an arrival whose tag is not 0.
///
/// # Safety
/// - The word and the tag came to the current greenlet, which awaited `awaited`.
/// - `to` is writable for that type.
#[inline(always)]
pub(super) unsafe fn arrive(
    thread: &Thread,
    payload: Word,
    tag: usize,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), Raised> {
    if tag & ANY != 0 {
        // SAFETY: the tag is the address of a promoted constant plus the mark.
        let kind = unsafe { &*std::ptr::with_exposed_provenance::<ValueType>(tag & !ANY) };
        // SAFETY: the sender packed a value of this type, and `to` takes it.
        unsafe { take(kind, payload, awaited, to) };
        return Ok(());
    }
    if tag & THROW != 0 {
        let thrown = std::ptr::with_exposed_provenance::<Thrown>(tag & !THROW);
        // SAFETY: the tag is the address of what the sender gives away, plus the mark.
        return Err(Raised::Throw(unsafe { thrown.read() }));
    }
    // SAFETY: forwarded.
    unsafe { arrive_by_transfer(thread, tag, awaited, to) }
}

/// # Safety
/// As [`arrive`]; the tag is the address of a transfer.
#[cold]
#[inline(never)]
unsafe fn arrive_by_transfer(
    thread: &Thread,
    tag: usize,
    awaited: &'static ValueType,
    to: *mut u8,
) -> Result<(), Raised> {
    // (1) Move everything into this frame.
    // SAFETY: the tag is the address of a transfer in the sender's frame, which it gives away.
    let transfer = unsafe { std::ptr::with_exposed_provenance::<Transfer>(tag).read() };
    let mut outcome = match transfer.cargo {
        Cargo::Value { kind, word } => {
            // SAFETY: as above.
            unsafe { take(kind, word, awaited, to) };
            Ok(())
        }
        Cargo::Exit(exit) if awaited.is::<Received>() => {
            // SAFETY: `to` takes a `Received`.
            unsafe { to.cast::<Received>().write(Received::from_exit(exit)) };
            Ok(())
        }
        Cargo::Exit(exit) => Err(Raised::Exit(exit)),
        Cargo::Throw(payload) => Err(Raised::Throw(payload)),
    };
    // (2) Kill the sender if nobody holds it.
    // SAFETY: it was alive when it left us this transfer, and nothing has run since.
    if let Some(orphan) = unsafe { transfer.orphan.as_ref() } {
        kill::kill_now(thread, orphan);
    }
    // (3) Trace.
    if let Some((kind, origin)) = transfer.trace
        && let Err(payload) = trace::call(thread, kind, origin)
    {
        match outcome {
            // SAFETY: the value is there, and nobody will look at it.
            Ok(()) => report::contain(|| unsafe { awaited.drop_at(to) }),
            Err(raised) => report::contain(|| drop(raised)),
        }
        outcome = Err(Raised::Throw(Thrown::by_panic(payload)));
    }
    // (4) The caller acts.
    outcome
}

/// # Safety
/// `word` carries a value of `kind`, which fits one that awaits `awaited`; `to` takes that.
#[inline]
pub(super) unsafe fn take(
    kind: &'static ValueType,
    word: Word,
    awaited: &'static ValueType,
    to: *mut u8,
) {
    if awaited.is::<Received>() && !kind.is::<Received>() {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Received>().write(Received::from_packed(kind, word)) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { kind.unpack_to(word, to) }
    }
}

/// May anything be sent at all? Counts against a victim that does not want to die.
pub(super) fn allowed(thread: &Thread) -> Result<(), Why> {
    if thread.has(KILLING) {
        kill::refuse_the_dying(thread);
        return Err(Why::Dying);
    }
    if std::thread::panicking() { Err(Why::Unwinding) } else { Ok(()) }
}

/// Does one that awaits `awaited` take a value of `kind`?
pub(super) fn takes(awaited: &ValueType, kind: &ValueType) -> bool {
    awaited.same(kind) || awaited.is::<Received>()
}

/// Why `target`, which does not take `kind`, refuses it.
pub(super) fn reason(target: &Block, kind: &ValueType) -> Why {
    match target.awaited() {
        _ if scheduler::is_parked(target) => Why::Parked,
        Some(awaited) => Why::WrongType { sent: kind.name(), awaited: awaited.name() },
        None => Why::NoBody,
    }
}

/// Everything that [`cross`](super::cross::cross) and its like are too narrow for: the dead, oneself, tracing, orphans,
/// refusals.
#[cold]
#[inline(never)]
pub(super) fn switch_slowly<A: 'static, B: 'static>(
    thread: &Thread,
    target: &Node,
    value: A,
) -> Result<B, Failed<A>> {
    let (kind, awaited) = (ValueType::of::<A>(), ValueType::of::<B>());
    let me = thread.current();
    if let Err(why) = allowed(thread) {
        return Err(Failed::Refused(why, value));
    }
    let target = target.nearest_alive();
    let mut value = ManuallyDrop::new(value);
    let mut result = MaybeUninit::<B>::uninit();
    let to = result.as_mut_ptr().cast::<u8>();
    let outcome = if std::ptr::eq(target, me) {
        if !takes(awaited, kind) {
            let why = Why::WrongType { sent: kind.name(), awaited: awaited.name() };
            return Err(Failed::Refused(why, ManuallyDrop::into_inner(value)));
        }
        // SAFETY: `awaited` takes `kind`.
        unsafe { take(kind, pack(&mut value), awaited, to) };
        // SAFETY: the value is there.
        trace::call_for_oneself(thread, TraceKind::Switch, || unsafe { awaited.drop_at(to) })
    } else {
        if !thread.may_resume(target) {
            return Err(Failed::Refused(Why::ThreadEnds, ManuallyDrop::into_inner(value)));
        }
        if !target.awaited().is_some_and(|awaited| takes(awaited, kind)) {
            let why = reason(target, kind);
            return Err(Failed::Refused(why, ManuallyDrop::into_inner(value)));
        }
        let cargo = Cargo::Value { kind, word: pack(&mut value) };
        // SAFETY: the target awaits this value; `to` takes a `B`.
        unsafe { depart(thread, target, cargo, awaited, to) }
    };
    match outcome {
        // SAFETY: filled, as `Ok` says.
        Ok(()) => Ok(unsafe { result.assume_init() }),
        Err(raised) => Err(Failed::Raised(raised)),
    }
}

/// Whether the current frame takes throws as values, for programs that cannot unwind; afterwards it is as
/// before.
pub(super) struct TakesThrows<'a>(Option<(&'a Block, u32)>);

impl TakesThrows<'_> {
    #[inline(always)]
    pub(super) fn in_current() -> TakesThrows<'static> {
        if cfg!(panic = "unwind") {
            return TakesThrows(None);
        }
        TakesThrows::marked(thread(), TAKES_THROWS)
    }

    /// Not what runs now: it is no part of the transfer that is under way.
    #[inline(always)]
    pub(super) fn set_aside() -> TakesThrows<'static> {
        let thread = thread_or_none();
        if cfg!(panic = "unwind") || thread.has(UNINITIALISED) {
            return TakesThrows(None);
        }
        TakesThrows::marked(thread, 0)
    }

    fn marked(thread: &Thread, mark: u32) -> TakesThrows<'_> {
        let me = thread.current();
        let before = me.flags.get() & TAKES_THROWS;
        me.clear(TAKES_THROWS);
        me.set(mark);
        TakesThrows(Some((me, before)))
    }
}

impl Drop for TakesThrows<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some((me, before)) = self.0 {
            me.clear(TAKES_THROWS);
            me.set(before);
        }
    }
}
