//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task` and `pool`. Files: `watch` (waiting for several things at once), `turns`
//! (those who wait for something that is given to one of them), `queue`.

pub mod queue;
mod turns;
mod watch;

pub(crate) use turns::Turns;
pub use watch::{Wait, WaitEach, Waitable, wait, wait_each};
pub(crate) use watch::{Watched, Watchers, watch};
