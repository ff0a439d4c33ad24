//! Waiting for a moment, or for one's turn.
#![expect(unsafe_code, reason = "a deadline in the sleeper's frame")]

use crate::greenlet::current_block;
use crate::hub::{Deadline, Hub, WaitsFor, hub, set_waits_for};
use std::time::Duration;

/// Parks the current greenlet for `duration`; others run meanwhile.
///
/// - It ends late by what the hub's other work and the kernel's clock add: usually microseconds. A sleep of
///   100 of the kernel's ticks or more (0.1 to 1 s) may end up to one tick later, and any sleep up to 1 ms
///   later while more than 16 are due together.
/// - A sleep of less than 100 ticks never ends early. A longer one is measured from the kernel's last tick. It
///   can end early by as much as the next tick is late, which happens on busy virtual machines: check
///   [`Instant`](std::time::Instant) if that matters.
/// - `Duration::ZERO` is [`yield_now`]; `Duration::MAX` sleeps until it is interrupted.
///
/// It works in any greenlet, also in the root greenlet of `main`.
///
/// ```
/// use std::time::{Duration, Instant};
/// let began = Instant::now();
/// greenlet::sleep(Duration::from_millis(2));
/// assert!(began.elapsed() >= Duration::from_millis(2));
/// ```
///
/// # Cancellation
/// A kill, throw or time limit ends the sleep at once and is raised here, also if the sleep is found to be
/// over at the same moment.
pub fn sleep(duration: Duration) {
    if duration.is_zero() {
        return yield_now();
    }
    let hub = hub();
    sleep_until_ns(hub, hub.moment(duration), &"a sleep");
}

/// Parks until a moment of the hub's clock.
#[inline(always)]
pub(super) fn sleep_until_ns(hub: &Hub, moment: u64, what: WaitsFor) {
    let me = current_block();
    let deadline = Deadline::new(me);
    set_waits_for(me, what);
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, moment) };
    let slept = hub.wait_until(|| deadline.has_passed() && hub.interrupted(me).is_none());
    hub.take_back(&deadline);
    if let Err(interrupted) = slept {
        interrupted.raise();
    }
}

/// Lets every other greenlet that is ready run once, then returns.
///
/// ```
/// let other = greenlet::spawn(|| println!("first"));
/// greenlet::yield_now();
/// assert!(other.is_finished());
/// ```
///
/// # Cancellation
/// A kill, throw or time limit that is pending is raised here, after the others ran.
// A call on purpose: inlined into a loop, the address of the thread's state is kept on the stack, and then
// each yield waits for a line of the stack that it has just switched to before it knows who is next: 12.4 to
// 10.7 ns among 100, for 16 instructions more.
#[inline(never)]
pub fn yield_now() {
    let hub = hub();
    hub.yield_now();
    hub.raise_pending();
}

/// Lets the others run until none of them is ready.
///
/// They may still be waiting for I/O or the clock; [`run_until_idle`](crate::run_until_idle) waits for those too.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// let turns = Rc::new(Cell::new(0));
/// let seen = turns.clone();
/// let worker = greenlet::spawn(move || for _ in 0..3 {
///     seen.set(seen.get() + 1);
///     greenlet::yield_now();
/// });
/// greenlet::idle();
/// assert_eq!(turns.get(), 3);
/// # drop(worker);
/// ```
///
/// # Cancellation
/// As [`yield_now`].
pub fn idle() {
    loop {
        yield_now();
        if hub().is_idle() || !hub().others_can_run() {
            return;
        }
    }
}
