//! Threads for what can only block: system calls and C libraries that know no other way, and long
//! computations. Level 0.
//!
//! Uses `std` and libc; used by `hub` (what a process has one of), `offload` and `pool`. No greenlets here: a job is a closure, and whoever
//! gives one sees to it himself that he hears of its end.
//!
//! ```text
//!  submit ──▶ queue ──▶ an idle thread, else a new one, else whoever is done first
//!                          │ no job for a while: the thread ends
//! ```
//!
//! Files: `per_process` (what a forked child must not share with its parent), `latest` (what it may), `signals`,
//! `workers`.
//!
//! - **First come, first run**: jobs begin in the order in which they were given.
//! - **A thread outlives its jobs**: a job that panics ends alone.
//! - **A child starts anew**: no lock of the parent's is touched in the child of a fork, for the thread
//!   that held it is not there.

mod latest;
mod per_process;
mod signals;
mod workers;

pub(crate) use latest::Latest;
pub(crate) use per_process::{PerProcess, forks, watch_forks};
pub(crate) use signals::without_signals;
pub(crate) use workers::{Job, Workers};

use std::sync::atomic::{AtomicU32, Ordering};

/// How many threads the process has for all its hubs, if nobody says otherwise: as eventlet's. (gevent has 10 for
/// each hub. One set is shared by several hubs, which then use what is idle.)
pub(crate) const DEFAULT_MOST: u32 = 20;

/// The most that may be asked for.
pub(crate) const LARGEST_MOST: u32 = 4096;

/// What the program asked for; 0 while it did not.
static BY_CODE: AtomicU32 = AtomicU32::new(0);

/// What holds if it did not.
static OTHERWISE: AtomicU32 = AtomicU32::new(DEFAULT_MOST);

/// The threads that everybody shares.
pub(crate) fn shared() -> &'static Workers {
    SHARED.get(|| {
        let most = most_by_code().unwrap_or(OTHERWISE.load(Ordering::Relaxed));
        Workers::new(most as usize)
    })
}

static SHARED: PerProcess<Workers> = PerProcess::new();

/// How many threads `shared` may have, if the program has said.
pub(crate) fn most_by_code() -> Option<u32> {
    Some(BY_CODE.load(Ordering::Relaxed)).filter(|most| *most > 0)
}

/// The program says how many threads `shared` may have.
pub(crate) fn set_most(most: u32) {
    BY_CODE.store(most, Ordering::Relaxed);
    if let Some(made) = SHARED.get_if_made() {
        made.set_most(most as usize);
    }
}

/// Says how many threads `shared` may have if the program does not say, and it was not made yet.
pub(crate) fn set_most_otherwise(most: u32) {
    OTHERWISE.store(most, Ordering::Relaxed);
}
