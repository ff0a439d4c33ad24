//! Sleeping, and time limits. Waits of `LONG` are ended by something else.
#![cfg(feature = "hub")]

#[path = "../support/trace.rs"]
mod trace;

mod interval;
mod limits;
mod nesting;
mod sleeping;

use std::time::Duration;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(2);
