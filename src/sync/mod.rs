//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task`. Today: waiting for several things at once (`watch`).

mod watch;

pub use watch::{Wait, WaitEach, Waitable, wait, wait_each};
pub(crate) use watch::{Watched, Watchers, watch};
