//! The seam for a scheduler: how it parks the current greenlet and resumes another.
//!
//! What the rest of the tree knows of the parked is in `scheduler.rs`.
#![expect(unsafe_code, reason = "hands control to greenlets by address")]

use super::control::{Block, END_UNSEEN, EXIT_SENT, UNTRACED};
use super::current::{EXITING, KILLING, Thread, thread, thread_or_none};
use super::error::{Payload, Thrown};
use super::handle::Greenlet;
use super::kill;
use super::scheduler::{Scheduler, WOKEN, Woken, deliver, is_parked, woken};
use super::state::GreenletId;
use super::switch::{Cargo, Raised, depart, received};
use crate::arch::{self, Word, prefetch};

/// Makes `scheduler` that of this thread; null for none.
///
/// # Safety
/// It stays where it is until another one is set, or its `close` was called.
pub(crate) unsafe fn set_scheduler(scheduler: *const Scheduler) {
    thread().scheduler.set(scheduler);
}

/// The greenlet that runs.
#[inline(always)]
pub(crate) fn current_block<'a>() -> &'a Block {
    thread().current()
}

/// The greenlet that runs, on a thread that has a scheduler.
#[inline(always)]
pub(crate) fn current_scheduled<'a>() -> &'a Block {
    thread_or_none().current()
}

/// May the current greenlet hand over? Not while its thread unwinds, somebody is killed by drop, or
/// the thread's locals are being destroyed, which others may borrow.
#[inline]
pub(crate) fn may_hand_over() -> bool {
    let thread = thread_or_none();
    if thread.has(KILLING | EXITING) || std::thread::panicking() {
        return false;
    }
    // Destructors of thread-locals run in the root greenlet, or in one that it has switched to.
    root_is_parked() || !thread_ends()
}

/// Does the root greenlet wait for its scheduler? Then the thread does not end, as far as anybody knows: the root of
/// one that was seen to end is not parked.
#[inline(always)]
pub(crate) fn root_is_parked() -> bool {
    is_parked(&thread_or_none().root)
}

/// Are this thread's locals being destroyed?
pub(crate) fn thread_ends() -> bool {
    thread_or_none().is_ending()
}

/// Something has shown that this thread's locals are being destroyed.
pub(crate) fn note_end_of_thread() {
    thread_or_none().ends();
}

/// The greenlet that runs, where nothing is out of the ordinary: it may hand over, and plainly. Nobody
/// traces, unwinds, kills by drop, or runs without a handle, and the root greenlet is parked: so the
/// thread does not end.
///
/// Asked for once in each wait, and of use until something else has run.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    thread: &'a Thread,
    me: &'a Block,
}

impl<'a> Plain<'a> {
    /// `None` if something is out of the ordinary, perhaps.
    #[inline(always)]
    pub(crate) fn now() -> Option<Plain<'a>> {
        let thread = thread_or_none();
        let plain = thread.flags.get() == 0 && is_parked(&thread.root) && !std::thread::panicking();
        plain.then(|| Plain { thread, me: thread.current() })
    }

    /// The greenlet that runs.
    #[inline(always)]
    pub(crate) fn me(self) -> &'a Block {
        self.me
    }

    /// The scheduler of its thread; null if that was taken away since the root greenlet has parked.
    #[inline(always)]
    pub(crate) fn scheduler(self) -> *const Scheduler {
        self.thread.scheduler.get()
    }

    /// As [`hand_over`].
    ///
    /// # Safety
    /// - `next` is parked, and not the current greenlet.
    /// - Nothing has run since this was made, and the thread has a scheduler.
    #[inline(always)]
    pub(crate) unsafe fn hand_over(self, next: &Block) {
        // SAFETY: forwarded; nobody is to be told.
        unsafe { hand_over_plainly(self.thread, self.me, next) }
    }
}

/// Parks the current greenlet and resumes `next`; returns when somebody hands over to this one.
///
/// Never unwinds: what a trace callback raises on the way is given to the scheduler.
///
/// # Safety
/// - `next` is parked, and not the current greenlet.
/// - This thread has a scheduler; [`may_hand_over`].
#[inline]
pub(crate) unsafe fn hand_over(next: &Block) {
    let thread = thread_or_none();
    if thread.flags.get() != 0 {
        // SAFETY: forwarded.
        return unsafe { hand_over_slowly(thread, next) };
    }
    // SAFETY: forwarded; by the flags, nobody is to be told.
    unsafe { hand_over_plainly(thread, thread.current(), next) }
}

/// # Safety
/// As [`hand_over`]; the thread's flags are all clear, and `me` is the current greenlet.
#[inline(always)]
unsafe fn hand_over_plainly(thread: &Thread, me: &Block, next: &Block) {
    me.expect.set(Some(woken));
    next.expect.set(None);
    thread.set_current(next);
    // SAFETY: `next` is suspended or unstarted (**Saved frame**) and awaits a `Woken`; `me` runs.
    let arrival = unsafe { arch::switch(&me.header, &next.header, Word::uninit(), 0) };
    if arrival.tag != 0 {
        // SAFETY: it came to the current greenlet, which awaited a `Woken`.
        unsafe { arrive_woken(arrival.payload, arrival.tag) }
    }
}

/// # Safety
/// As [`hand_over`].
#[cold]
#[inline(never)]
unsafe fn hand_over_slowly(thread: &Thread, next: &Block) {
    let cargo = Cargo::Value { kind: &WOKEN, word: Word::uninit() };
    let mut woken = Woken;
    let to = (&raw mut woken).cast();
    // SAFETY: `next` awaits a `Woken`, which has no bytes.
    raise_later(unsafe { depart(thread, next, cargo, &WOKEN, to) });
    kill::note_orphan(thread.current());
}

/// # Safety
/// Word and tag came to the current greenlet, which awaited a `Woken`.
#[cold]
pub(super) unsafe fn arrive_woken(payload: Word, tag: usize) {
    // SAFETY: forwarded.
    raise_later(unsafe { received::<Woken>(payload, tag) }.map(drop));
}

fn raise_later(outcome: Result<(), Raised>) {
    match outcome {
        Ok(()) => {}
        Err(Raised::Throw(thrown)) => deliver(thread().current(), thrown.payload),
        Err(Raised::Exit(_)) => unreachable!("no death is delivered to a parked greenlet"),
    }
}

/// Nobody will be told how this greenlet ends.
pub(crate) fn let_end_unseen(block: &Block) {
    block.set(EXIT_SENT | END_UNSEEN);
}

/// Nobody will be told of transfers to this greenlet, which is the scheduler's own.
pub(crate) fn leave_untraced(block: &Block) {
    block.set(UNTRACED);
}

/// Raises `payload` in a greenlet that waits for a switch, and parks the current one.
///
/// # Safety
/// - `target` is suspended and not parked; the current greenlet is the scheduler's own.
pub(crate) unsafe fn raise_in_suspended(target: &Block, payload: Payload) {
    let mut woken = Woken;
    let to = (&raw mut woken).cast();
    let cargo = Cargo::Throw(Thrown::by_panic(payload));
    // SAFETY: suspended; a `Woken` has no bytes.
    raise_later(unsafe { depart(thread(), target, cargo, &WOKEN, to) });
}

/// Calls `visit` with every living greenlet of this thread but the root.
pub(crate) fn for_each_alive(mut visit: impl FnMut(&Block)) {
    thread().for_each_alive(|node| node.block().into_iter().for_each(&mut visit));
}

/// A handle to the living greenlet of this block.
pub(crate) fn handle_of(block: &Block) -> Greenlet {
    Greenlet::of(block.record())
}

/// The number of a living greenlet.
pub(crate) fn id_of(block: &Block) -> GreenletId {
    GreenletId::new(block.label.id.get())
}

impl Block {
    /// Begins to load the frames in which it stopped, which may lie far below the block.
    #[inline]
    pub(crate) fn prefetch_frames(&self) {
        const LINES: usize = 10;
        let sp = self.header.saved_sp.get().cast::<u8>();
        for line in 0..LINES {
            prefetch(sp.wrapping_add(line * 64));
        }
    }
}

/// The block of a greenlet, while it lives.
pub(crate) fn block_of(greenlet: &Greenlet) -> Option<&Block> {
    greenlet.alive()
}

#[cfg(test)]
mod tests {
    use super::super::task::TaskStack;
    use super::super::{Greenlet, Received, SwitchError, Why, current, root};
    use super::*;
    use crate::greenlet::value::ValueType;
    use std::cell::{Cell, RefCell};
    use std::ptr::null;
    use std::rc::Rc;

    #[repr(C)]
    struct Delivered {
        seam: Scheduler,
        payloads: RefCell<Vec<Payload>>,
    }

    fn deliver_to_list(seam: &Scheduler, _: &Block, payload: Payload) {
        // SAFETY: the tests set no scheduler but this one, whose first field it is.
        unsafe { &*(&raw const *seam).cast::<Delivered>() }.payloads.borrow_mut().push(payload);
    }

    /// Sets a scheduler that only collects what is delivered.
    fn collect() -> &'static Delivered {
        let delivered: &Delivered = Box::leak(Box::new(Delivered {
            seam: Scheduler {
                deliver: deliver_to_list,
                wind_up: |_| {},
                ends: |_| {},
                close: |_| {},
                fallback: Cell::new(null()),
            },
            payloads: RefCell::default(),
        }));
        // SAFETY: leaked.
        unsafe { set_scheduler(&raw const delivered.seam) };
        delivered
    }

    type Log = Rc<RefCell<Vec<String>>>;

    /// A greenlet that parks once, handing over to `next`.
    fn parker(next: &Greenlet, name: &'static str, log: &Log) -> Greenlet {
        let (next, log) = (next.clone(), log.clone());
        Greenlet::new(move |()| {
            // SAFETY: the tests see to it that `next` is parked.
            unsafe { hand_over(next.alive().unwrap()) };
            log.borrow_mut().push(format!("{name} woken"));
        })
    }

    /// A parked greenlet that goes back to `root` whenever it is resumed.
    fn idle() -> Greenlet {
        let root = root();
        let body = move || {
            loop {
                let () = root.switch(());
            }
        };
        let here = std::panic::Location::caller();
        // SAFETY: the body never ends.
        handle_of(unsafe {
            TaskStack::take(None).unwrap().occupy(current_block(), here, body, null::<Block>)
        })
    }

    fn resume(greenlet: &Greenlet) {
        let target = greenlet.alive().unwrap();
        assert!(is_parked(target));
        let cargo = Cargo::Value { kind: &WOKEN, word: Word::uninit() };
        let mut back = ();
        // SAFETY: it is parked; `()` has no bytes.
        let back = unsafe {
            depart(thread(), target, cargo, ValueType::of::<()>(), (&raw mut back).cast())
        };
        assert!(back.is_ok());
    }

    #[test]
    fn a_parked_greenlet_is_resumed_by_its_scheduler_alone() {
        let (delivered, log) = (collect(), Log::default());
        let parked = parker(&idle(), "it", &log);
        let () = parked.switch(());
        let refused = parked.try_switch::<i32, ()>(1);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, value: 1 })));
        let refused = parked.try_throw::<i32>(2_i32);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, .. })));
        resume(&parked);
        assert!(parked.is_dead());
        assert_eq!(*log.borrow(), ["it woken"]);
        assert!(delivered.payloads.borrow().is_empty());
    }

    #[test]
    fn a_throw_at_the_parked_is_given_to_the_scheduler() {
        let (delivered, log) = (collect(), Log::default());
        let parked = parker(&idle(), "it", &log);
        let () = parked.switch(());
        let () = parked.throw(7_i32);
        assert!(!parked.is_dead(), "only given");
        assert_eq!(delivered.payloads.take().pop().unwrap().downcast_ref(), Some(&7));
        resume(&parked);
        assert!(parked.is_dead());
    }

    #[test]
    fn a_death_under_the_parked_goes_to_the_fallback() {
        let (delivered, log) = (collect(), Log::default());
        let fallback = parker(&idle(), "fallback", &log);
        let () = fallback.switch(());
        delivered.seam.fallback.set(fallback.alive().unwrap());
        let parked = parker(&idle(), "parent", &log);
        let () = parked.switch(());
        let child = Greenlet::builder().parent(&parked).create(|x: i32| assert_eq!(x, 1)).unwrap();
        // The fallback is resumed, ends, and hands its own end to the root, its parent.
        let end: Received = child.switch_any(1);
        assert!(end.is::<()>());
        assert!(child.is_dead() && fallback.is_dead() && !parked.is_dead());
        let failing = Greenlet::builder()
            .parent(&parked)
            .create(|()| std::panic::resume_unwind(Box::new(9_i32)));
        let again = parker(&idle(), "again", &log);
        let () = again.switch(());
        delivered.seam.fallback.set(again.alive().unwrap());
        let _ = failing.unwrap().switch_any(());
        assert_eq!(delivered.payloads.take().pop().unwrap().downcast_ref(), Some(&9));
        resume(&parked);
        assert_eq!(*log.borrow(), ["fallback woken", "again woken", "parent woken"]);
        assert_eq!(current(), root());
    }
}
