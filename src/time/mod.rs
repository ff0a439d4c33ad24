//! How a greenlet waits for the clock, and how the clock ends other waits. Level 3.
//!
//! Uses `hub`; used by `net`. Nothing here asks the kernel for a timer: deadlines lie in the hub's wheel, and the
//! nearest bounds how long the hub stays in the kernel.

mod interval;
mod sleep;
mod timeout;

pub use interval::{Interval, interval, sleep_until};
pub use sleep::{idle, sleep, yield_now};
pub use timeout::{Timeout, timeout, timeout_or};
