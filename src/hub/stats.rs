//! What a hub has done, in numbers.

use super::{Hub, HubKind, hub};

/// What this thread's hub has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The kind of the hub.
    pub hub: HubKind,
    /// How often it has looked at the clock and the kernel.
    pub rounds: u64,
    /// System calls that submit operations or wait for them.
    pub enters: u64,
    /// Further system calls that operations needed.
    pub calls: u64,
    /// Operations (a read, an accept) that were begun.
    pub operations: u64,
    /// Answers that came back, including those of operations that ended at once.
    pub completions: u64,
    /// Operations that were cancelled.
    pub cancels: u64,
    /// How often io_uring's completion queue was too short.
    pub overflows: u64,
    /// Operations that the kernel has not answered yet.
    pub in_flight: usize,
    /// Sleeps and time limits that have not passed.
    pub deadlines: usize,
    /// Greenlets that are ready to run.
    pub ready: usize,
}

/// What this thread's hub has done; one is made if there is none.
///
/// ```
/// let before = greenlet::stats();
/// greenlet::sleep(std::time::Duration::from_millis(1));
/// assert!(greenlet::stats().rounds > before.rounds);
/// ```
#[doc(alias = "get_hub")]
pub fn stats() -> Stats {
    let hub: &Hub = hub();
    let driver = hub.driver.borrow();
    let counters = driver.counters();
    Stats {
        hub: driver.kind().into(),
        rounds: hub.pulse.rounds(),
        enters: counters.enters,
        calls: counters.calls,
        operations: counters.pushed,
        completions: counters.completions,
        cancels: counters.cancels,
        overflows: counters.overflows,
        in_flight: hub.in_flight.get(),
        deadlines: hub.wheel.len(),
        ready: hub.ready.len(),
    }
}
