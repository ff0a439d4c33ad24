//! Deadlines: moments at which a greenlet is woken, or interrupted.
//!
//! - **Parked memory stays**: a [`Deadline`] is taken out of the wheel when it is dropped, in the
//!   frame of the greenlet that waits for it. An [`Interrupting`] one is taken out by whoever owns it.
#![expect(unsafe_code, reason = "finds deadlines by the address of their timers")]

use super::Hub;
use super::interrupt::{Elapsed, unmark_if_quiet};
use super::life::hub_as_it_is;
use crate::arch::prefetch;
use crate::driver::planted::{self, Bug};
use crate::greenlet::{Block, WeakGreenlet};
use crate::list::Timer;
use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::null;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So many alarms ring at one look at the world; then those run whom they wake, and the others who are
/// ready. When all rang at once, thousands came to stand in the ready list, which did not get shorter again,
/// and each waited for memory twice. A million sleeps over 10,000 greenlets: 980 ns each without, 265 with it.
pub(super) const ALARMS_AT_ONCE: usize = 16;

/// So many at a time if nobody else is ready: what was loaded to wake a greenlet is still near when it runs,
/// and what it needs beside that was asked for so many alarms before ([`Coming`](super::coming::Coming)).
pub(super) const ALARMS_ALONE: usize = super::coming::LEAD;

/// When more than [`ALARMS_AT_ONCE`] were due, the next ones are gathered for so long: waiting for each by
/// itself would cost more than all that they wake. A wait for the kernel is not held up by it. A million sleeps of
/// 1 to 10 ms by ten thousand greenlets: 21,000 waits without, 170 with it.
const GATHERING_NS: u64 = 1_000_000;

/// How every timer of the wheel begins: what to do when its moment has come.
#[repr(C)]
pub(super) struct Alarm {
    timer: Timer,
    ring: fn(&Hub, &Alarm),
}

impl Alarm {
    #[inline]
    fn new(whom: &Block, ring: fn(&Hub, &Alarm)) -> Alarm {
        Alarm { timer: Timer::new((&raw const *whom).cast()), ring }
    }

    /// Who is concerned; may be gone.
    #[inline]
    fn whom(&self) -> *const Block {
        self.timer.beside().cast()
    }

    /// Asks memory for what is touched when one rings, and when the greenlet then runs: two lines of its
    /// block, and those around the alarm, which in a sleep lies close to where the greenlet stopped.
    #[inline(always)]
    pub(super) fn prefetch(timer: *const Timer, block: *const ()) {
        let (frame, block) = (timer.cast::<u8>(), block.cast::<u8>());
        prefetch(block);
        prefetch(block.wrapping_add(64));
        for line in 0..5 {
            prefetch(frame.wrapping_sub(128).wrapping_add(line * 64));
        }
    }
}

/// Wakes a greenlet at a moment.
#[repr(C)]
pub(crate) struct Deadline {
    alarm: Alarm,
    passed: Cell<bool>,
}

const _: () = assert!(offset_of!(Alarm, timer) == 0 && offset_of!(Deadline, alarm) == 0);
const _: () = assert!(offset_of!(Interrupting, alarm) == 0);

impl Deadline {
    /// One that wakes `block`, once it was [set](Hub::set_deadline).
    #[inline]
    pub(crate) fn new(block: &Block) -> Deadline {
        let alarm = Alarm::new(block, Deadline::ring);
        Deadline { alarm, passed: Cell::new(false) }
    }

    /// Has the moment come?
    #[inline]
    pub(crate) fn has_passed(&self) -> bool {
        self.passed.get()
    }

    fn ring(hub: &Hub, alarm: &Alarm) {
        // SAFETY: only `Deadline::new` makes alarms with this function; it is their first field.
        let deadline = unsafe { &*(&raw const *alarm).cast::<Deadline>() };
        deadline.passed.set(true);
        // SAFETY: **Parked memory stays**: the deadline lies in a frame of this greenlet.
        let block = unsafe { &*alarm.whom() };
        hub.wake(block);
    }
}

/// Raises an [`Elapsed`] in a greenlet at a moment.
#[repr(C)]
pub(crate) struct Interrupting {
    alarm: Alarm,
    /// A greenlet that has died in the meantime is left alone.
    whom: WeakGreenlet,
    number: Cell<u64>,
    limit: Duration,
    label: Option<&'static str>,
    passed: Cell<bool>,
    /// Set in a destructor while the thread unwound, and so caught in there.
    of_cleanup: Cell<bool>,
    /// In the list of those that are still to be raised.
    queued: Cell<bool>,
    next: Cell<*const Interrupting>,
}

impl Interrupting {
    /// One that interrupts the greenlet of `block`, once it was [set](Hub::set_interrupting).
    #[inline]
    pub(crate) fn new(block: &Block, limit: Duration, label: Option<&'static str>) -> Interrupting {
        Interrupting {
            alarm: Alarm::new(block, Interrupting::ring),
            whom: WeakGreenlet::of(block),
            number: Cell::new(0),
            limit,
            label,
            passed: Cell::new(false),
            of_cleanup: Cell::new(false),
            queued: Cell::new(false),
            next: Cell::new(null()),
        }
    }

    /// What it raises.
    pub(crate) fn elapsed(&self) -> Elapsed {
        Elapsed { number: self.number.get(), limit: self.limit, label: self.label }
    }

    /// Has the moment come?
    pub(crate) fn has_passed(&self) -> bool {
        self.passed.get()
    }

    /// Is its moment still to come, or has it not been raised yet?
    pub(crate) fn is_pending(&self) -> bool {
        self.alarm.timer.is_linked() || self.queued.get()
    }

    fn ring(hub: &Hub, alarm: &Alarm) {
        // SAFETY: only `Interrupting::new` makes alarms with this function; it is their first field.
        let this = unsafe { &*(&raw const *alarm).cast::<Interrupting>() };
        this.passed.set(true);
        let Some(block) = this.whom.block() else { return };
        // Behind those that passed before.
        let mut place = block.seat.elapsed.as_ptr().cast::<*const Interrupting>();
        // SAFETY: the list holds deadlines that are still owned (`unqueue`), and ends with null.
        unsafe {
            while let Some(other) = (*place).as_ref() {
                place = other.next.as_ptr();
            }
            *place = this;
        }
        this.next.set(null());
        this.queued.set(true);
        block.must_be_vacated();
        hub.mark_interrupted(block);
    }

    /// Is any to be raised in `block` that was set in a destructor while the thread unwound?
    pub(super) fn is_any_of_cleanup(block: &Block) -> bool {
        Interrupting::first(block, true).is_some()
    }

    /// Takes the first that is to be raised in `block` out of its list; `of_cleanup`: the first that
    /// was set in a destructor while the thread unwound.
    pub(super) fn take_first(block: &Block, of_cleanup: bool) -> Option<Elapsed> {
        let first = Interrupting::first(block, of_cleanup)?;
        first.unlink(block);
        first.queued.set(false);
        Some(first.elapsed())
    }

    fn first(block: &Block, of_cleanup: bool) -> Option<&Interrupting> {
        let mut place = block.seat.elapsed.get().cast::<Interrupting>();
        // SAFETY: as in `ring`.
        while let Some(this) = unsafe { place.as_ref() } {
            if !of_cleanup || this.of_cleanup.get() {
                return Some(this);
            }
            place = this.next.get();
        }
        None
    }

    /// It will not be raised any more, whether its moment has come or not. Also where the hub is gone, or
    /// is the parent's: it may be dropped there all the same.
    pub(crate) fn take_back(&self) {
        match hub_as_it_is() {
            Some(hub) => hub.take_back_interrupting(self),
            None => self.unqueue(), // a wheel that has ended has unlinked all
        }
    }

    /// Takes it out of the list of those that are to be raised.
    fn unqueue(&self) {
        if !self.queued.replace(false) {
            return;
        }
        let Some(block) = self.whom.block() else { return };
        self.unlink(block);
        unmark_if_quiet(block);
    }

    fn unlink(&self, block: &Block) {
        let mut place = block.seat.elapsed.as_ptr().cast::<*const Interrupting>();
        // SAFETY: as in `ring`.
        unsafe {
            while let Some(other) = (*place).as_ref() {
                if std::ptr::eq(other, self) {
                    *place = self.next.get();
                    break;
                }
                place = other.next.as_ptr();
            }
        }
    }
}

/// A number that no other limit of the process has.
fn fresh_number(next: &Cell<u64>) -> u64 {
    const AT_ONCE: u64 = 1 << 12;
    static NEXT: AtomicU64 = AtomicU64::new(AT_ONCE);
    if planted::is(Bug::WrongGeneration) {
        return 1;
    }
    let mut number = next.get();
    if number.is_multiple_of(AT_ONCE) {
        number = NEXT.fetch_add(AT_ONCE, Ordering::Relaxed);
    }
    next.set(number + 1);
    number
}

impl Hub {
    /// The time now, in nanoseconds of a clock that never goes back.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        // The clock is read without borrowing the driver's queues.
        self.driver.borrow().now()
    }

    /// The moment that lies `after` from now, or some microseconds later. Where `after` is long it may be later
    /// by a hundredth, which saves most of the price of a look at the clock (20 ns); and earlier by as much as the
    /// kernel's next tick is late. Of two of the same length, the one that was asked for first is not the later.
    /// Sleeps are measured like limits, so that a limit is not later than a sleep of its length.
    #[inline]
    pub(crate) fn moment(&self, after: Duration) -> u64 {
        let ns = after.as_secs().saturating_mul(1_000_000_000);
        self.moment_ns(ns.saturating_add(u64::from(after.subsec_nanos())))
    }

    /// As [`moment`](Hub::moment), of so many nanoseconds.
    #[inline]
    pub(crate) fn moment_ns(&self, ns: u64) -> u64 {
        let now = match ns >= self.coarse_from_ns {
            true => self.driver.borrow().soon(self.coarse_from_ns / 100),
            false => self.driver.borrow().just_now(&self.counter),
        };
        now.saturating_add(ns)
    }

    /// Sets a deadline. It must be [taken back](Hub::take_back) before its frame is left.
    ///
    /// # Safety
    /// - It stays where it is until then, and is not set already.
    /// - No other hub ever had it.
    #[inline]
    pub(crate) unsafe fn set_deadline(&self, deadline: &Deadline, moment: u64) {
        deadline.passed.set(false);
        // SAFETY: forwarded.
        unsafe { self.wheel.insert(&deadline.alarm.timer, moment) };
    }

    #[inline]
    pub(crate) fn take_back(&self, deadline: &Deadline) {
        // SAFETY: it is in this wheel or in none: a thread has one hub at a time.
        unsafe { self.wheel.remove(&deadline.alarm.timer) };
    }

    /// Sets one that interrupts; it gets a number of its own. A limit of 0 has passed at once, one of
    /// `Duration::MAX` never will.
    ///
    /// # Safety
    /// - It stays where it is until it is taken back, and is not set already.
    #[inline]
    pub(crate) unsafe fn set_interrupting(&self, this: &Interrupting) {
        this.number.set(fresh_number(&self.next_number));
        this.passed.set(false);
        this.of_cleanup.set(std::thread::panicking());
        if this.limit.is_zero() {
            return Interrupting::ring(self, &this.alarm);
        }
        // SAFETY: forwarded.
        unsafe { self.wheel.insert(&this.alarm.timer, self.moment(this.limit)) };
    }

    /// It will not be raised any more, whether its moment has come or not.
    #[inline]
    pub(crate) fn take_back_interrupting(&self, this: &Interrupting) {
        // SAFETY: it is in this wheel or in none.
        unsafe { self.wheel.remove(&this.alarm.timer) };
        this.unqueue();
    }

    /// Wakes and interrupts those whose moment has come, `most` of them; says whether more may be left.
    pub(super) fn ring_alarms(&self, most: usize) -> bool {
        self.rung.set(0);
        if self.wheel.len() == 0 {
            self.due_until.set(0);
            return false;
        }
        let early_ns = if planted::is(Bug::EarlyTimer) { 2_000_000 } else { 0 };
        self.due_until.set(self.now() + early_ns);
        self.ring(most)
    }

    /// Rings some more that were due at the last look at the world; says whether it did. Not if others are ready,
    /// the round is over, or as many have rung as do at one look.
    pub(super) fn ring_next_alarms(&self) -> bool {
        let rings = self.due_until.get() != 0
            && self.rung.get() < ALARMS_AT_ONCE
            && self.ready.is_empty()
            && self.pulse.round_left() > 0;
        if rings {
            self.ring(ALARMS_ALONE);
        }
        rings
    }

    fn ring(&self, most: usize) -> bool {
        let due_until = self.due_until.get();
        let more = self.wheel.advance(due_until, most, |timer| {
            self.coming.step(&self.wheel);
            // SAFETY: every timer of this wheel is the first field of an alarm.
            let alarm = unsafe { &*(&raw const *timer).cast::<Alarm>() };
            (alarm.ring)(self, alarm);
        });
        self.rung.set(self.rung.get() + most);
        if !more {
            self.due_until.set(0);
            self.coming.end();
        } else {
            self.coming.begin(&self.wheel);
            if self.rung.get() >= ALARMS_AT_ONCE {
                self.alarms_gathered_until.set(due_until.saturating_add(GATHERING_NS));
            }
        }
        more
    }
}
