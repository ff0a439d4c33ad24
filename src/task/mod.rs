//! Tasks: greenlets that the hub runs, whose results others wait for. Level 5.
//!
//! Uses `hub`, `sync` (waiting for several) and `stack` (shapes); used by `pool`.
//!
//! ```text
//!  spawn ──▶ cell { phase, waiters, links, result }  ◀── JoinHandle
//!              ▲ one reference                            join, wait, kill, links
//!              └── greenlet below the hub: body under catch_unwind ──▶ store, wake, call links
//! ```
//!
//! Files: `cell` (what handles and task share), `error`, `handle` and `task_ref`, `link`, `spawn` and
//! `builder` (how tasks begin and run), `kill`, `join_all`, `scope`, `remote` and `remote_error` (for
//! hubs of other threads), `workers` (a hub per processor). Handles and spawning know one
//! another.
//!
//! - **One owner of the result**: the task writes it once, before it is finished; the handle that takes
//!   it moves it out. What nobody took is dropped with the handle, or by the task if the handle goes first;
//!   never with a [`TaskRef`], which may outlive what the result borrows.
//! - A panic ends in the cell, never in the hub. If nobody takes it, it is reported.

mod builder;
mod cell;
mod error;
mod handle;
mod join_all;
mod kill;
mod link;
mod remote;
mod remote_error;
mod scope;
mod spawn;
mod task_ref;
mod workers;

pub use builder::TaskBuilder;
pub use error::JoinError;
pub use handle::{JoinHandle, TaskState};
pub use join_all::{JoinAll, Joined, join_all};
pub use kill::{KillAll, kill_all};
pub use link::{Link, TaskEnd};
pub use remote::RemoteJoin;
pub use remote_error::{HubEnded, RemoteJoinError};
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use spawn::{spawn, spawn_detached, spawn_later, try_spawn};
pub use task_ref::TaskRef;
pub use workers::{Worker, Workers, workers};
