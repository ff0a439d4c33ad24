//! Channels and events between threads, with greenlets or without.
//!
//! Everything else in [`sync`](crate::sync) stays on its thread. Here, a greenlet that waits parks, and the
//! others of its thread run; a thread that has no hub sleeps. Waking another thread's hub costs one system call
//! if that hub sleeps, and none if it does not.
//!
//! ```
//! use greenlet::{sleep, spawn, sync::thread::unbounded};
//! use std::{thread, time::Duration};
//!
//! let (sender, receiver) = unbounded();
//! let thread = thread::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap())); // no hub there
//! let ticks = spawn(|| sleep(Duration::from_millis(1))); // runs while the current greenlet waits
//! assert_eq!(receiver.iter().sum::<u32>(), 6);
//! # ticks.join().unwrap();
//! # thread.join().unwrap();
//! ```
//!
//! Nothing here is [`Waitable`](crate::Waitable). To wait for it beside tasks and queues, spawn a task that
//! receives, and give its handle to [`wait`](crate::wait()):
//!
//! ```
//! use greenlet::{spawn, sync::{Event, thread::one_shot}, wait};
//!
//! let (stop, (sender, receiver)) = (Event::new(), one_shot());
//! let thread = std::thread::spawn(move || sender.send("answer"));
//! let answer = spawn(move || receiver.recv());
//! assert_eq!(wait(&[&stop, &answer]).first(), Some(1));
//! assert_eq!(answer.join().unwrap(), Ok("answer"));
//! # thread.join().unwrap().unwrap();
//! ```
//!
//! - **In order**: the greenlet or thread that waits longest is served first.
//! - **A result wins**: what was handed to a greenlet that waits is received, even if a kill or a time limit
//!   comes in that moment; that is raised at the next wait.
//! - While a greenlet waits here no [`Deadlock`](crate::Deadlock) is raised on its hub: another thread may act.
//! - A greenlet that waits on a thread that has ended without [`run`](crate::run) stays parked for ever: it is
//!   passed over, gets nothing, and what it was to send is not sent.
//! - A destructor that waits here while its thread unwinds lets no other greenlet of its thread run. If only
//!   one of those could end the wait, it never ends.
//! - **Without allocation**: waiting allocates nothing.
//!
//! What must stay on its thread is refused by the compiler:
//!
//! ```compile_fail,E0277
//! let queue = std::rc::Rc::new(greenlet::sync::queue::Queue::<u32>::unbounded());
//! std::thread::spawn(move || queue.put(1)); // use sync::thread::unbounded
//! ```
//! ```compile_fail,E0277
//! let event = greenlet::sync::Event::new();
//! std::thread::scope(|scope| { scope.spawn(|| event.set()); }); // use sync::thread::Event
//! ```
//! ```compile_fail,E0277
//! let (sender, _receiver) = greenlet::sync::thread::unbounded();
//! sender.send(std::rc::Rc::new(1)); // what is sent must be `Send`
//! ```
//!
//! Inside: `waits` is the wait behind all of them.

mod channel;
mod event;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
mod one_shot;
mod waits;

pub use channel::{IntoIter, Iter, Receiver, Sender, bounded, unbounded};
pub use event::Event;
pub use one_shot::{OneReceiver, OneSender, one_shot};
pub(crate) use waits::{Served, Waits, lock, wait};
