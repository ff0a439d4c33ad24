//! Death that is not the body's own end: the last handle is dropped, or the thread is wound up.
//!
//! From the beginning of such a kill until the victim is dead, the thread allows only further
//! kills by drop; every other switch or throw is refused. So the killer needs no temporary parent,
//! nobody is resurrected, and a destructor that runs here cannot be left half-way.
#![expect(unsafe_code, reason = "throws at the victim across stacks")]

use super::control::{Block, EXIT_SENT, NESTED_KILL, Node, REFUSAL, STARTED, UNCOMMON};
use super::current::{KILLING, ORPHAN, Thread, thread_or_none};
use super::death;
use super::error::{GreenletExit, Thrown};
use super::report::{self, Called};
use super::scheduler;
use super::switch::{Cargo, depart, depart_for_ever};
use super::value::ValueType;
use crate::arch::Word;

/// What the death of a victim brings to its killer. Private: nobody else can send one.
struct Killed;

/// How often a victim may try to switch before it is given up.
const PATIENCE: u32 = 8;

/// The last handle of `node` is gone.
#[cold]
#[inline(never)]
pub(super) fn last_handle_dropped(node: &Node) {
    let thread = thread_or_none(); // there is one: it has handles
    match node.block() {
        None => death::release(thread, node),
        Some(block) => last_handle_of_living_dropped(thread, block),
    }
}

/// Out of line, so that the drop of a handle of the dead needs no frame.
#[inline(never)]
fn last_handle_of_living_dropped(thread: &Thread, block: &Block) {
    if std::ptr::eq(block, thread.current()) {
        thread.set(ORPHAN);
    } else if !block.has(STARTED) || !is_killing(block) {
        kill_now(thread, block);
    }
    // Else it waits for one that it kills itself; it is asked again when that is done.
}

/// Was it told to exit because nobody holds it, and is that still so?
pub(super) fn is_given_up(block: &Block) -> bool {
    block.has(EXIT_SENT) && block.record().handles().get() == 0
}

/// The current greenlet comes back from a wait. If it was told to exit and goes on, whoever it switches
/// to kills it: nobody else would find it again.
#[cfg(feature = "hub")]
pub(crate) fn note_orphan(me: &Block) {
    if is_given_up(me) {
        thread_or_none().set(ORPHAN);
    }
}

fn is_killing(block: &Block) -> bool {
    block.awaited().is_some_and(ValueType::is::<Killed>)
}

/// Ends `victim`, which is suspended or has not started, before this returns; one that is parked is
/// told to exit, once, and ends when it is its turn.
pub(super) fn kill_now(thread: &Thread, victim: &Block) {
    if scheduler::is_parked(victim) {
        // What it borrows may be gone already: then it stays where it is.
        if !victim.has(EXIT_SENT) && !thread.is_ending() {
            victim.set(EXIT_SENT);
            scheduler::deliver(victim, Box::new(GreenletExit));
        }
        return;
    }
    if !victim.has(STARTED) {
        return death::end_unstarted(thread, victim);
    }
    if !thread.may_resume(victim) {
        return leak(
            thread,
            victim,
            "the thread's locals, which it may borrow, are being destroyed",
        );
    }
    if cfg!(panic = "abort") {
        return leak(thread, victim, "the program is built with panic = \"abort\"");
    }
    let me = thread.current();
    victim.killer.set(me);
    victim.set(UNCOMMON);
    victim.clear(!(REFUSAL - 1));
    if thread.has(KILLING) {
        victim.set(NESTED_KILL);
    }
    thread.set(KILLING);
    // Whether we are an orphan ourselves is looked at again below.
    thread.clear(ORPHAN);
    let cargo = Cargo::Throw(Thrown::by_throw(GreenletExit));
    let mut killed = Killed;
    // SAFETY: the victim is suspended; `Killed` has no bytes to be written.
    let end = unsafe {
        depart(thread, victim, cargo, ValueType::of::<Killed>(), (&raw mut killed).cast())
    };
    if me.record().handles().get() == 0 {
        thread.set(ORPHAN);
    }
    if let Err(super::switch::Raised::Throw(thrown)) = end {
        // Only a trace callback that panics in our context can raise anything here.
        report::drop_noted(thrown.payload);
    }
}

/// Goes back from a victim, which is retired or leaked, to its killer.
///
/// # Safety
/// As [`depart_for_ever`]; `killer` waits in [`kill_now`].
pub(super) unsafe fn return_to_killer(
    thread: &Thread,
    killer: &Block,
    nested: bool,
    origin: Option<super::Greenlet>,
) -> ! {
    if !nested {
        thread.clear(KILLING);
    }
    let cargo = Cargo::Value { kind: ValueType::of::<Killed>(), word: Word::uninit() };
    // SAFETY: the killer awaits a `Killed`.
    unsafe { depart_for_ever(thread, killer, cargo, origin) }
}

/// The running greenlet, or one that it runs for, is being killed and wanted to switch.
pub(super) fn refuse_the_dying(thread: &Thread) {
    let me = thread.current();
    // SAFETY: a victim's killer waits in `kill_now` until the victim is dead.
    let Some(killer) = (unsafe { me.killer.get().as_ref() }) else { return };
    me.flags.set(me.flags.get() + REFUSAL);
    if me.flags.get() / REFUSAL < PATIENCE {
        return;
    }
    if std::thread::panicking() {
        // Its destructors run in the middle of unwinding: leaving it would leave the thread's
        // panic count raised for good.
        report::fatal(format_args!(
            "{} does not die: it goes on switching while the thread unwinds",
            Called(me)
        ));
    }
    give_up(thread, me, killer, "it swallows its exit and goes on switching")
}

/// Leaks the current greenlet, which is being killed by drop, and goes back to its killer.
fn give_up(thread: &Thread, me: &Block, killer: &Block, why: &str) -> ! {
    let nested = me.has(NESTED_KILL);
    leak(thread, me, why);
    thread.clear(ORPHAN);
    // SAFETY: leaked: nobody resumes it, and its stack stays as it is for ever.
    unsafe { return_to_killer(thread, killer, nested, None) }
}

/// As `give_up`, for the level above: others borrow from the frames of the current greenlet, so that
/// it must not end. Where it cannot be left behind, the process ends.
#[cfg(feature = "hub")]
pub(crate) fn give_up_current(why: &str) -> ! {
    let thread = thread_or_none();
    let me = thread.current();
    // SAFETY: a victim's killer waits in `kill_now` until the victim is dead.
    match unsafe { me.killer.get().as_ref() } {
        Some(killer) if !std::thread::panicking() => give_up(thread, me, killer, why),
        _ => report::fatal(format_args!("{} cannot go on: {why}", Called(me))),
    }
}

/// Gives `victim` up: dead for everybody, its stack never unwound, reused or unmapped.
pub(super) fn leak(thread: &Thread, victim: &Block, why: &str) {
    report::line(format_args!("{} is leaked with all that it owns: {why}", Called(victim)));
    leak_silently(thread, victim);
}

/// As [`leak`]; the end of the thread tells how many there were.
pub(super) fn leak_silently(thread: &Thread, victim: &Block) {
    thread.leaked.set(thread.leaked.get() + 1);
    let node = victim.record();
    death::forget_block(victim);
    victim.expect.set(None);
    death::release(thread, node);
}

/// Ends every greenlet of this thread that waits for a switch. Returns how many others there are,
/// but for the root, which runs, and the scheduler's own.
pub(super) fn kill_all(thread: &Thread) -> usize {
    const ROUNDS: u32 = 64; // destructors may create new greenlets
    for _ in 0..ROUNDS {
        let mut left = Vec::new();
        thread.for_each_alive(|node| {
            if node.block().is_some_and(|block| !scheduler::is_parked(block)) {
                left.push(super::Greenlet::of(node));
            }
        });
        if left.is_empty() {
            break;
        }
        for greenlet in left {
            if let Some(block) = greenlet.node().block() {
                kill_now(thread, block);
            }
        }
    }
    let mut count = 0;
    thread.for_each_alive(|node| count += usize::from(!scheduler::is_fallback(node)));
    count
}
