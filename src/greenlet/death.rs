//! How a greenlet ends, and to whom its end goes.
//!
//! ```text
//!  finish: locals dropped ─▶ killed? ─yes─▶ result dropped, back to the killer
//!                              │no
//!                              ▼
//!  route:  nearest living ancestor ─ takes the value ─▶ a plain switch
//!             ▲            │ awaits another type: value dropped, now it is an exit
//!             └────────────┤ unstarted, and this is a throw or an exit: dies unrun
//!          chosen again after every drop, because drops run user code
//! ```
#![expect(unsafe_code, reason = "retires the stack that it stands on")]

#[cfg(feature = "hub")]
use super::control::UNCOMMON;
use super::control::{Block, END_UNSEEN, NESTED_KILL, Node, STARTED, UNBOUND};
use super::current::{ORPHAN, TRACED, Thread};
use super::error::{ChildExit, GreenletExit};
use super::handle::Greenlet;
use super::report;
use super::scheduler::{self, WOKEN};
use super::state::GreenletId;
use super::switch::{Cargo, depart_for_ever, takes};
use super::value::{Received, ValueType};
use super::{kill, local};
use crate::arch::Word;
use std::ptr::{NonNull, null};

/// Where an end goes.
pub(super) enum Route<'a> {
    /// To this greenlet, which takes the cargo.
    To(&'a Block, Cargo),
    /// The nearest living ancestor is the current greenlet.
    Here(Cargo),
}

/// Finds who receives `cargo` above the dead greenlet `from`, whose end is described by `exit`.
/// `here`: what the current greenlet awaits, if it may be the receiver.
///
/// `None` if the receiver is parked: then it has been given the cargo, and goes on when its scheduler lets it.
pub(super) fn route<'a>(
    thread: &'a Thread,
    from: &'a Node,
    mut cargo: Cargo,
    exit: &ChildExit,
    here: Option<&'static ValueType>,
) -> Option<Route<'a>> {
    loop {
        let ancestor = nearest_with_body(thread, from);
        let is_here = here.is_some() && std::ptr::eq(ancestor, thread.current());
        let awaited = if is_here { here } else { ancestor.awaited() };
        if scheduler::is_parked(ancestor) {
            match cargo {
                Cargo::Throw(thrown) => scheduler::deliver(ancestor, thrown.payload),
                other => {
                    report_value(&other, exit, ancestor);
                    discard(other);
                }
            }
            return None;
        }
        match cargo {
            Cargo::Value { kind, .. } if awaited.is_some_and(|awaited| takes(awaited, kind)) => {}
            Cargo::Value { kind, .. } => {
                discard(cargo);
                let type_name = Some(kind.name()).filter(|_| !kind.is::<GreenletExit>());
                cargo = Cargo::Exit(ChildExit { type_name, ..exit.clone() });
                continue;
            }
            // Whoever waits for `Received` is told of an exit, also as the argument of its body.
            Cargo::Exit(_) if awaited.is_some_and(ValueType::is::<Received>) => {}
            Cargo::Throw(_) | Cargo::Exit(_) if !is_here && !ancestor.has(STARTED) => {
                end_unstarted(thread, ancestor);
                continue;
            }
            Cargo::Throw(_) | Cargo::Exit(_) => {}
        }
        return Some(if is_here { Route::Here(cargo) } else { Route::To(ancestor, cargo) });
    }
}

/// The scheduler's own greenlet, which is parked while others run: it goes on where nobody takes an end.
fn fallback(thread: &Thread) -> &Block {
    // SAFETY: null, or a scheduler, which stays where it is.
    let Some(scheduler) = (unsafe { thread.scheduler.get().as_ref() }) else {
        report::fatal(format_args!(
            "deadlock: a greenlet has ended whose parent waits for ever, in the process that has forked"
        ));
    };
    // SAFETY: it has its greenlet as long as it is there.
    unsafe { &*scheduler.fallback.get() }
}

/// Says what is lost because the one who would receive it waits for something else.
fn report_value(cargo: &Cargo, exit: &ChildExit, ancestor: &Block) {
    let Cargo::Value { kind, .. } = cargo else { return };
    if kind.is::<()>() || kind.is::<GreenletExit>() || kind.same(&WOKEN) {
        return;
    }
    report::line(format_args!(
        "{} ended with a {}, which is dropped: {}, its parent, is parked",
        exit.id(),
        kind.name(),
        report::Called(ancestor),
    ));
}

/// The nearest living ancestor of a dead or dying greenlet, passing over those without a body, and those
/// that may not run on.
fn nearest_with_body<'a>(thread: &'a Thread, from: &'a Node) -> &'a Block {
    let mut node = from;
    while let Some(parent) = node.parent() {
        match parent.block() {
            Some(block) if !block.has(UNBOUND) && thread.may_resume(block) => return block,
            _ => node = parent,
        }
    }
    thread.survivor() // parents reach the root: it may not run on, for the thread ends
}

/// Drops what nobody takes.
fn discard(cargo: Cargo) {
    report::contain(|| match cargo {
        // SAFETY: the value was packed by the sender, who does not use it again.
        Cargo::Value { kind, word } => unsafe { kind.drop_packed(word) },
        Cargo::Throw(thrown) => drop(thrown.payload),
        Cargo::Exit(exit) => drop(exit),
    });
}

/// Drops the end of one whose last handle was dropped: a panic is noted.
fn drop_unseen(cargo: Cargo) {
    match cargo {
        Cargo::Throw(thrown) => report::drop_noted(thrown.payload),
        other => discard(other),
    }
}

/// How the end of `node` is announced to one who awaits another type.
pub(super) fn exit_of(node: &Node, name: Option<&str>) -> ChildExit {
    ChildExit { id: GreenletId::new(node.id.get()), name: name.map(str::to_owned), type_name: None }
}

/// A quiet exit is a value for the parent.
pub(super) fn quieten(cargo: Cargo) -> Cargo {
    match cargo {
        Cargo::Throw(thrown) if thrown.payload.is::<GreenletExit>() => {
            Cargo::Value { kind: ValueType::of::<GreenletExit>(), word: Word::uninit() }
        }
        other => other,
    }
}

/// Ends the current greenlet with `cargo`: its own stack is given back, and left for ever.
///
/// # Safety
/// - The body has returned or was caught: nothing of it is left on the stack but the value that
///   `cargo` may point to.
#[cold]
#[inline(never)]
pub(super) unsafe fn finish(thread: &Thread, me: &Block, cargo: Cargo) -> ! {
    local::drop_all(me);
    let mut cargo = quieten(cargo);
    let node = me.record();
    let mut target = null::<Block>();
    // The end was given to a parked ancestor, which may wait for something else meanwhile, or to nobody.
    let mut is_settled = false;
    // User code in here may switch away, and then we may be killed: ask for the killer last.
    while me.killer.get().is_null() {
        let exit = exit_of(node, me.label.name());
        let route = if is_settled {
            None
        } else if me.has(END_UNSEEN) || kill::is_given_up(me) {
            drop_unseen(cargo);
            None
        } else {
            route(thread, node, cargo, &exit, None)
        };
        is_settled = route.is_none();
        (target, cargo) = match route {
            Some(Route::To(ancestor, cargo)) => (ancestor, cargo),
            Some(Route::Here(_)) => unreachable!("the current greenlet is not its own ancestor"),
            None => (fallback(thread), Cargo::Value { kind: &WOKEN, word: Word::uninit() }),
        };
        if !local::has_any(me) {
            break;
        }
        local::drop_all(me); // came while something was dropped; this may change the route again
    }
    // SAFETY: a victim's killer waits in `kill_now` until the victim is dead.
    if let Some(killer) = unsafe { me.killer.get().as_ref() } {
        drop_unseen(cargo);
        local::drop_all(me); // made by the drop above
        let nested = me.has(NESTED_KILL);
        let origin = origin(thread, node);
        me.killer.set(null());
        thread.clear(ORPHAN);
        // SAFETY: nothing is left on this stack.
        unsafe { retire(thread, me) };
        // SAFETY: retired.
        unsafe { kill::return_to_killer(thread, killer, nested, origin) }
    }
    let origin = origin(thread, node);
    thread.clear(ORPHAN);
    // SAFETY: only the value is left on this stack, and the receiver's first act is to move it.
    unsafe { retire(thread, me) };
    // SAFETY: chosen by `route`, and no user code has run since; retired.
    unsafe { depart_for_ever(thread, &*target, cargo, origin) }
}

pub(super) fn origin(thread: &Thread, node: &Node) -> Option<Greenlet> {
    thread.has(TRACED).then(|| Greenlet::of(node))
}

/// Makes the current greenlet dead and gives its slot back, without writing to the stack that it
/// still stands on.
///
/// # Safety
/// - Nobody will resume it, and nothing on its stack is needed after the next switch.
/// - The thread's flag `ORPHAN` is clear, and so is the block's `killer`.
pub(super) unsafe fn retire(thread: &Thread, me: &Block) {
    let node = me.record();
    forget_block(me);
    // SAFETY: the slot's user is dead, and leaves with its next instruction but a few.
    unsafe { thread.stacks.put(NonNull::from(&me.label)) };
    if node.handles().get() == 0 {
        release(thread, node);
    }
}

/// As [`retire`], for one that is not [`UNCOMMON`]. Its node, which is not released.
///
/// # Safety
/// As [`retire`].
#[inline(always)]
pub(super) unsafe fn retire_common<'a>(thread: &Thread, me: &'a Block) -> &'a Node {
    let node = me.record();
    node.retire();
    me.node.set(null());
    // SAFETY: as in `retire`; the slot is of the default shape.
    unsafe { thread.stacks.put_default(NonNull::from(&me.label)) };
    node
}

/// Cuts a block from its node, leaving a **Clean slot** (but for `killer`, which only a victim has).
/// It awaits nothing: it runs, or was never bound, or its caller sees to that.
pub(super) fn forget_block(block: &Block) {
    block.record().retire();
    block.node.set(null());
    if !block.user.get().is_null() {
        block.user.set(std::ptr::null_mut());
    }
    #[cfg(feature = "hub")]
    if block.has(UNCOMMON) {
        block.seat.clear();
        block.marks.set(0);
    }
    block.label.clear_name();
}

/// Drops the closure of a greenlet that never ran, and makes it dead.
pub(super) fn end_unstarted(thread: &Thread, block: &Block) {
    let node = block.record();
    let drop_closure = block.drop_closure.get().filter(|_| !block.has(UNBOUND));
    forget_block(block);
    block.expect.set(None);
    // SAFETY: nobody ever ran on it; called when the closure is gone.
    let give_back = || unsafe { thread.stacks.put(NonNull::from(&block.label)) };
    if let Some(drop_closure) = drop_closure {
        // The closure's drop may let go of our children, which must not release the node under us.
        let _keep = Greenlet::of(node);
        // SAFETY: unstarted and bound: the closure is there, and nobody else finds the block now.
        report::contain(|| unsafe { drop_closure(block) });
        give_back();
    } else {
        give_back();
        release(thread, node);
    }
}

/// Gives a dead node back if nobody names it any more, and then its parents likewise.
#[inline]
pub(super) fn release(thread: &Thread, node: &Node) {
    if let Some(parent) = release_one(thread, node)
        && parent.is_nameless()
    {
        release_upwards(thread, parent);
    }
}

#[cold]
#[inline(never)]
fn release_upwards(thread: &Thread, node: &Node) {
    let mut node = node;
    while let Some(parent) = release_one(thread, node) {
        node = parent;
    }
}

/// Gives a node back if it is dead and nobody names it any more; its parent, which it no longer names.
#[inline(always)]
fn release_one<'a>(thread: &Thread, node: &'a Node) -> Option<&'a Node> {
    if !node.is_nameless() || node.block().is_some() {
        return None;
    }
    // A node is taken for one that has a parent; the root is held by its thread.
    let parent = node.parent()?;
    thread.put_node(node);
    parent.edges().set(parent.edges().get() - 1);
    Some(parent)
}
