//! Waiting for a moment, or for one's turn.
#![expect(unsafe_code, reason = "a deadline in the sleeper's frame")]

use crate::greenlet::current_block;
use crate::hub::{Deadline, hub, set_waits_for};
use std::time::Duration;

/// Suspends the current greenlet for at least `duration`; others run meanwhile.
///
/// Nothing is rounded but what the kernel's clock and the hub's other work add, and a few microseconds; from a
/// hundred of the kernel's ticks on (0.1 to 1 s) it may be a hundredth more, and behind more than 16 others whose
/// time came together up to 1 ms. It is never less. `Duration::ZERO` is
/// [`yield_now`]; `Duration::MAX` sleeps until it is interrupted. Works in any greenlet, that of `main`
/// included.
///
/// ```
/// use std::time::{Duration, Instant};
/// let began = Instant::now();
/// greenlet::sleep(Duration::from_millis(2));
/// assert!(began.elapsed() >= Duration::from_millis(2));
/// ```
///
/// # Panics
/// When the environment asks for a hub that cannot be made.
///
/// # Cancellation
/// A kill, throw or time limit ends the sleep at once and is raised here, also when both are found to be
/// due at the same time.
pub fn sleep(duration: Duration) {
    if duration.is_zero() {
        return yield_now();
    }
    let hub = hub();
    let me = current_block();
    let deadline = Deadline::new(me);
    set_waits_for(me, &"a sleep");
    // SAFETY: taken back below; no park unwinds.
    unsafe { hub.set_deadline(&deadline, hub.moment(duration)) };
    let slept = hub.wait_until(|| deadline.has_passed() && hub.interrupted(me).is_none());
    hub.take_back(&deadline);
    if let Err(interrupted) = slept {
        interrupted.raise();
    }
}

/// Lets every other greenlet that is ready run once, then goes on.
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
// each yield waits for a line of the stack that it has just switched to before it knows who is next.
#[inline(never)]
pub fn yield_now() {
    let hub = hub();
    hub.yield_now();
    hub.raise_pending();
}

/// Lets the others run until none of them is ready: everybody else waits for the kernel, the clock,
/// or someone who does.
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
