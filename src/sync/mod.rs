//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task`, `pool` and everybody who shares something between greenlets.
//!
//! | to wait for | see |
//! |---|---|
//! | something that happens | [`Event`], [`OneShotEvent`], [`AsyncResult`], [`Condvar`] |
//! | a value's user to be done with it | [`Mutex`], [`ReentrantMutex`], [`RwLock`] |
//! | one of so many permits | [`Semaphore`], [`BoundedSemaphore`], [`CappedSemaphore`] |
//! | others to come as far, or to be done | [`Barrier`], [`WaitGroup`] |
//! | a value that is made once | [`OnceCell`] |
//! | the next item | [`queue`] |
//! | several of these, tasks among them | [`wait`], [`wait_each`] |
//! | another thread | [`thread`] |
//!
//! - **In order**: who waits longest is served first. What is given up (a lock, a permit, a turn) is
//!   handed over to the first that waits, so nobody slips in between.
//! - **Nothing is lost**: a greenlet that is killed, thrown at or timed out while it waits takes
//!   nothing; what it was handed in that very moment goes to the next.
//! - **Without allocation**: who waits does so by a node in its own frames. While nobody has to wait,
//!   there is not even a hub.
//! - **One thread**: all of it, but for [`thread`], is for the greenlets of one thread, tasks or not, the root included;
//!   it is shared by reference or by [`Rc`](std::rc::Rc).
//!
//! ```
//! use greenlet::{spawn, sync::{Event, Mutex}};
//! use std::rc::Rc;
//! let shared = Rc::new((Mutex::new(Vec::new()), Event::new()));
//! let writer = spawn({
//!     let shared = shared.clone();
//!     move || {
//!         shared.0.lock().push("written");
//!         shared.1.set();
//!     }
//! });
//! shared.1.wait();
//! assert_eq!(*shared.0.lock(), ["written"]);
//! # writer.join().unwrap();
//! ```
//!
//! Inside: `park_in` is the wait behind all of them, `lock` what the mutexes are made of, `turns` what
//! queues and pools are made of, `watch` waits for several things at once.

mod async_result;
mod barrier;
mod bounded_semaphore;
mod capped_semaphore;
mod condvar;
mod event;
mod lock;
mod mutex;
mod once_cell;
mod one_shot_event;
mod park_in;
pub mod queue;
mod reentrant_mutex;
mod rest;
mod rwlock;
mod semaphore;
pub mod thread;
mod turns;
mod wait_group;
mod watch;

pub use async_result::{AlreadySet, AsyncResult};
pub use barrier::{Barrier, BarrierWaitResult};
pub use bounded_semaphore::BoundedSemaphore;
pub use capped_semaphore::CappedSemaphore;
pub use condvar::Condvar;
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once_cell::OnceCell;
pub use one_shot_event::{AlreadySent, NotSent, OneShotEvent};
pub use reentrant_mutex::{NotOwner, ReentrantMutex, ReentrantMutexGuard};
pub use rest::{run_until_idle, run_until_idle_timeout};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore, TooManyReleases};
pub(crate) use turns::Turns;
pub use wait_group::{Entered, WaitGroup};
pub use watch::{Wait, WaitEach, Waitable, wait, wait_each};
pub(crate) use watch::{Watched, Watchers, watch};
