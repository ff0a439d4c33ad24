//! How greenlets wait for one another: events, locks, semaphores, queues.
//!
//! | to wait for | see |
//! |---|---|
//! | something that happens | [`Event`], [`OneShotEvent`], [`AsyncResult`], [`Condvar`] |
//! | exclusive or shared access to a value | [`Mutex`], [`ReentrantMutex`], [`RwLock`] |
//! | one of several permits | [`Semaphore`], [`BoundedSemaphore`], [`CappedSemaphore`] |
//! | other greenlets to get to the same point, or to be done | [`Barrier`], [`WaitGroup`] |
//! | a value that is made once | [`OnceCell`] |
//! | the next item | [`queue`] |
//! | several of these, and tasks, at once | [`wait`], [`wait_each`] |
//! | another thread | [`thread`] |
//!
//! - **In order**: the greenlet that waits longest is served first. What is released (a lock, a permit) is
//!   handed to it directly, so that no other one gets in between.
//! - **Nothing is lost**: a greenlet that is interrupted while it waits (a kill, a throw, a time limit) takes
//!   nothing; what it was handed in that very moment goes to the next.
//! - **Without allocation**: waiting allocates nothing. As long as no greenlet has to wait, no hub is made.
//! - **One thread**: all but [`thread`] is for the greenlets of one thread, tasks or not, including the root
//!   greenlet. Share it by reference or by [`Rc`](std::rc::Rc).
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
//! Inside: level 4, uses `hub`. `park_in` is the wait behind all of them, `lock` what the mutexes are made of,
//! `turns` what queues and pools are made of, `watch` waits for several things at once.

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
mod owned_permit;
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
pub use owned_permit::OwnedPermit;
pub use reentrant_mutex::{NotOwner, ReentrantMutex, ReentrantMutexGuard};
pub use rest::{run_until_idle, run_until_idle_timeout};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore, TooManyReleases};
pub(crate) use turns::Turns;
pub use wait_group::{Entered, OwnedEntered, WaitGroup};
pub use watch::{Wait, WaitEach, Waitable, wait, wait_each};
pub(crate) use watch::{Watched, Watchers, watch};
