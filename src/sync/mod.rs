//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task`. Today: the list that everything above waits in (`wait_list`), and
//! waiting for several things at once (`watch`).

mod wait_list;
mod watch;

pub(crate) use wait_list::{WaitList, WaitNode};
pub use watch::{Wait, WaitEach, Waitable, wait, wait_each};
pub(crate) use watch::{Watched, Watchers, watch};
