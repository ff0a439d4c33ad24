//! Moments: one to wait for, or one after another.

use super::sleep::{sleep, sleep_until_ns, yield_now};
use crate::hub::hub;
use std::fmt;
use std::time::{Duration, Instant};

/// Parks until `moment`; one that has passed is a [`yield_now`]. As precise as a [`sleep`] for what is left.
///
/// An [`Instant`] is of the real clock: in a simulated world use [`sleep`].
///
/// ```
/// use std::time::{Duration, Instant};
/// let moment = Instant::now() + Duration::from_millis(2);
/// greenlet::sleep_until(moment);
/// assert!(Instant::now() >= moment);
/// ```
///
/// # Panics
/// When no hub can be made: see *Waiting* in the crate's documentation.
///
/// # Cancellation
/// As [`sleep`].
pub fn sleep_until(moment: Instant) {
    sleep(moment.saturating_duration_since(Instant::now()));
}

/// Ticks that are `period` apart, the first of them now: see [`Interval::tick`]. Returns at once; nothing runs
/// between the ticks.
///
/// ```
/// use greenlet::interval;
/// use std::time::{Duration, Instant};
/// let (began, period) = (Instant::now(), Duration::from_millis(2));
/// let mut ticks = interval(period);
/// for _ in 0..3 {
///     ticks.tick(); // at once, after 2 ms, after 4 ms
/// }
/// assert!(began.elapsed() >= 2 * period);
/// ```
///
/// # Panics
/// When `period` is zero, or more than 584 years; and when the environment asks for a hub that cannot be made.
pub fn interval(period: Duration) -> Interval {
    let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    assert!(
        (1..u64::MAX).contains(&period_ns),
        "an interval of {period:?} has no ticks to wait for"
    );
    Interval { period, period_ns, next: hub().now() }
}

/// Ticks that do not drift: each is due a whole number of periods after the first one, or after the last
/// [`reset`](Interval::reset), however late earlier calls came. Made by [`interval`].
pub struct Interval {
    period: Duration,
    period_ns: u64,
    /// The moment of the first tick that was not told.
    next: u64,
}

impl Interval {
    /// Parks until the next tick is due. Returns how many ticks are due: 1, or more if this call is so late
    /// that some were missed. The next tick is due one period after the last of these.
    ///
    /// So missed ticks are skipped, as by tokio's `MissedTickBehavior::Skip`; to make up for them, repeat the
    /// work as often as the number says. If a tick is due already, others that are ready run once.
    ///
    /// # Cancellation
    /// What arrives inside is raised here. No tick is lost: the next call waits for the same one.
    pub fn tick(&mut self) -> u64 {
        let hub = hub();
        match hub.now() < self.next {
            true => sleep_until_ns(hub, self.next, &"the tick of an interval"),
            false => yield_now(),
        }
        let ticks = 1 + hub.now().saturating_sub(self.next) / self.period_ns;
        self.next = self.next.saturating_add(ticks.saturating_mul(self.period_ns));
        ticks
    }

    /// Begins anew: the next tick is due a period from now.
    pub fn reset(&mut self) {
        self.next = hub().now().saturating_add(self.period_ns);
    }

    /// How far apart the ticks are.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("period", &self.period).finish_non_exhaustive()
    }
}
