//! A hub inside somebody else's loop: that one waits for the hub's descriptor among its own, and gives
//! the hub a turn.

use super::deadline::ALARMS_AT_ONCE;
use super::{Hub, hub};
use crate::driver::Wait;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Lets every greenlet that is ready run once, and looks at the kernel: for programs that have an event loop
/// of their own. If no greenlet is ready, waits until one is, for at most `limit`; zero never waits. Returns
/// whether any has run.
///
/// Your loop asks [`next_turn`] for a time-out, waits that long or until [`turn_fd`] is readable, then calls
/// `turn(Duration::ZERO)`; `examples/embedded.rs` shows it. Greenlets run only in here, or when the caller
/// itself waits for something.
///
/// ```
/// use std::time::Duration;
/// let task = greenlet::spawn(|| greenlet::sleep(Duration::from_millis(2)));
/// while !task.is_finished() {
///     greenlet::turn(Duration::from_secs(1));
/// }
/// ```
///
/// Called by a destructor while the thread unwinds, it runs no greenlet.
///
/// # Cancellation
/// Nothing is raised here.
#[doc(alias("loop.run", "poll"))]
pub fn turn(limit: Duration) -> bool {
    let hub = hub();
    hub.look_until(0);
    if !limit.is_zero() {
        let moment = hub.moment(limit);
        while hub.ready.is_empty() && hub.now() < moment {
            hub.look_until(moment);
        }
    }
    let ran = !hub.ready.is_empty() && hub.others_can_run();
    if ran {
        hub.yield_now();
        hub.glance(); // what they have begun is submitted
    }
    ran
}

/// How long your loop may wait for [`turn_fd`] before the next [`turn`]: zero if there is something to do,
/// `None` for as long as it takes.
///
/// Ask right before every such wait. What other threads or the kernel bring afterwards makes the descriptor
/// readable; what your own code does afterwards (a spawn, an event that it sets) does not. For a complete
/// loop see `examples/embedded.rs`.
pub fn next_turn() -> Option<Duration> {
    let hub = hub();
    // From now on whoever has something for us makes the descriptor readable.
    let is_due = hub.driver.borrow_mut().hush() || !hub.lie_down();
    if is_due || !hub.ready.is_empty() {
        return Some(Duration::ZERO);
    }
    hub.pulse.set_sleeps(true); // until its next turn
    let again = hub.driver.borrow().tries_again_at();
    let deadline = hub.wheel.next_deadline().into_iter().chain(again).min()?;
    Some(Duration::from_nanos(deadline.saturating_sub(hub.now())))
}

/// A descriptor that is readable when the hub wants a [`turn`], for poll(2) or epoll(7). It belongs to the
/// hub and is closed with it, at the end of the thread.
///
/// For a complete loop see `examples/embedded.rs`.
///
/// On io_uring with Linux 6.11 and later it may not become readable when an eventfd(2) for which a greenlet
/// waits does. No other case is known. Source: Linux, commit 60b6c075e8eb: signals that are put off are put
/// off only once.
///
/// # Errors
/// `Unsupported` where the hub has none: on poll, on select, and in a simulated world. Those of
/// eventfd(2).
pub fn turn_fd() -> io::Result<RawFd> {
    hub().driver.borrow_mut().pollable()
}

impl Hub {
    /// A look at the world that waits until `moment` at most, from any greenlet. The kernel is asked in
    /// any case: what nobody waits for would keep the descriptor readable.
    fn look_until(&self, moment: u64) {
        self.pulse.begin_round();
        let more_alarms = self.ring_alarms(ALARMS_AT_ONCE);
        let first = match self.wheel.next_deadline() {
            _ if more_alarms || !self.ready.is_empty() => 0,
            Some(deadline) => deadline.max(self.alarms_gathered_until.get()).min(moment),
            None => moment,
        };
        self.enter(Wait::Until(first));
    }
}
