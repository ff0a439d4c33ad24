//! Every way greenlets wait for one another: uncontended, contended, timed out, killed and thrown at
//! while waiting and in the moment of being served, shielded, dropped with waiters, and at random.
//!
//! `cases` holds what must be so for all of them, queues and pools too; each file has what is particular to
//! one. Orders under random kills and limits are compared with models in `tests/sim/traces`.
#![cfg(feature = "hub")]

#[path = "../support/counting.rs"]
mod counting;
#[path = "../support/random.rs"]
mod random;

mod allocations;
mod async_result;
mod barrier;
mod bounded_semaphore;
mod capped_semaphore;
mod cases;
mod condvar;
mod event;
mod holders;
mod mutex;
mod once_cell;
mod one_shot_event;
mod pools;
mod queues;
mod reentrant_mutex;
mod rwlock;
mod semaphore;
mod trace;
mod traits;
mod wait_group;
