//! Peer benches of the hub of `greenlet`: servers, idle memory, tasks and timers.
//!
//! Three kinds of programs share this library:
//!
//! - `serve_<peer>`: the same server on every peer (echo and a keep-alive HTTP hello), see [`serve`];
//! - `load`: closed-loop clients on one thread, verifying what comes back, see [`load`];
//! - `hub` and `tasks`: the two commands that measure and print. How to run them stands in their files.

pub mod cpu;
pub mod harness;
pub mod http;
pub mod load;
pub mod raw;
pub mod serve;
#[path = "../../src/stats.rs"]
pub mod stats;
pub mod tasks;
