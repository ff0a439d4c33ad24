//! What greenlets of several threads, and threads without greenlets, share.
//!
//! Everything else in [`sync`](crate::sync) stays on its thread. This crosses: a greenlet that waits
//! parks, and the others of its thread run; a thread that has no hub sleeps. Whoever is waited for wakes
//! the hub of the other thread, if it sleeps, by one system call, and none if it does not.
//!
//! - **In order**: who waits longest is served first, whatever thread it is on.
//! - **A result wins**: what was handed over to one who waits is received, also if a kill or the end of
//!   a time limit comes in that moment; that is raised at the next wait.
//! - Who waits on a thread that has ended without [`run`](crate::run) stays where it is for ever: it is
//!   passed over, gets nothing, and what it was to send is not sent.
//! - While a greenlet waits here its hub is not in a deadlock: another thread may do something.
//! - A destructor that waits while its thread unwinds lets nobody else of the thread run: what only a
//!   greenlet of the same thread could do is waited for in vain.
//! - **Without allocation**: who waits does so by a node in its own frames.
//!
//! What stays on its thread is refused by the compiler where it would leave it:
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

pub use channel::{IntoIter, Receiver, Sender, bounded, unbounded};
pub use event::Event;
pub use one_shot::{OneReceiver, OneSender, one_shot};
pub(crate) use waits::{Served, Waits, lock, wait};
