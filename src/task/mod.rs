//! Tasks: greenlets that the hub runs, whose results others wait for. Level 5.
//!
//! Uses `hub`, `sync` (wait lists) and `time`.
//!
//! ```text
//!  spawn ──▶ cell { phase, waiters, links, result }  ◀── JoinHandle (any number)
//!              ▲ one reference                            join, wait, kill, links
//!              └── greenlet below the hub: body under catch_unwind ──▶ finish: store, wake, links
//! ```
//!
//! - **One owner of the result**: the task writes it once, before it is finished; the one handle that
//!   takes it moves it out. What nobody took is dropped with the last handle.
//! - A panic ends in the cell, never in the hub. If nobody takes it, it is reported.

mod cell;
mod error;
mod handle;
mod spawn;

pub use error::JoinError;
pub use handle::{JoinHandle, TaskState};
pub use spawn::{spawn, spawn_detached, try_spawn};
