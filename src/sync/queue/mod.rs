//! Queues between the greenlets of one thread. Those between threads are in [`sync::thread`](super::thread).
//!
//! | | which item is first | when a put waits |
//! |---|---|---|
//! | [`Queue`] | the oldest | while it is full; `unbounded` never, `rendezvous` until the get |
//! | [`LifoQueue`] | the newest | while it is full |
//! | [`PriorityQueue`] | the lowest | while it is full |
//! | [`JoinableQueue`] | the oldest; can wait until all items are done | while it is full |
//! | [`Channel`] | the oldest | until the get |
//! | [`Broadcast`] | the oldest, for each subscriber | never |
//!
//! ```
//! use greenlet::{spawn, sync::queue::Queue};
//!
//! let queue = Queue::bounded(2);
//! let numbers = queue.clone();
//! let sum = spawn(move || numbers.iter().sum::<u32>());
//! for number in 1..=4 {
//!     queue.put(number).unwrap();
//! }
//! queue.close();
//! assert_eq!(sum.join().unwrap(), 10);
//! ```
//!
//! To wait for several queues, tasks and a time limit at once, hand them to [`wait`](crate::wait()):
//!
//! ```
//! use greenlet::{spawn, sync::queue::Queue, wait};
//! use std::time::Duration;
//!
//! let (left, right) = (Queue::<&str>::unbounded(), Queue::unbounded());
//! let sender = right.clone();
//! let task = spawn(move || sender.put("hello"));
//! match wait(&[&left, &right]).timeout(Duration::from_secs(60)).first() {
//!     Some(0) => unreachable!(),
//!     Some(_) => assert_eq!(right.try_get(), Ok("hello")),
//!     None => panic!("nothing came in time"),
//! }
//! # task.join().unwrap().unwrap();
//! ```
//!
//! Inside: part of `sync`, level 4. Files, lowest first: `error`, `store` (which item is first), `shared` (the
//! items, and the greenlets that wait), `queue_of` (the handle), `joinable`, `broadcast`.

mod broadcast;
mod error;
mod joinable;
mod queue_of;
mod shared;
mod store;

pub use broadcast::{Broadcast, BroadcastError, Subscriber};
pub use error::{Closed, GetError, PutError};
pub use queue_of::{IntoIter, Iter, QueueOf, Room};
pub use store::{Buffer, Counted, Fifo, Handover, Lifo, Lowest, Store};

/// A queue from which the oldest item comes first.
///
/// ```
/// use greenlet::sync::queue::{PutError, Queue};
/// let queue = Queue::bounded(1);
/// queue.put("a").unwrap();
/// assert_eq!(queue.try_put("b"), Err(PutError::Full("b")));
/// assert_eq!(queue.get(), Ok("a"));
/// ```
#[doc(alias("LightQueue", "SimpleQueue"))]
pub type Queue<T> = QueueOf<Fifo<T>>;

/// A queue from which the newest item comes first.
///
/// ```
/// use greenlet::sync::queue::LifoQueue;
/// let stack: LifoQueue<_> = [1, 2, 3].into_iter().collect();
/// assert_eq!(stack.get(), Ok(3));
/// ```
pub type LifoQueue<T> = QueueOf<Lifo<T>>;

/// A queue from which the lowest item comes first, by [`Ord`]; of equal ones the oldest.
///
/// For the highest first, put [`Reverse`](std::cmp::Reverse)d items. The comparison must neither use the
/// queue nor wait. If it panics, so does the put or the get; a get loses its item then.
///
/// ```
/// use greenlet::sync::queue::PriorityQueue;
/// let queue: PriorityQueue<_> = [(2, "later"), (1, "soon")].into_iter().collect();
/// assert_eq!(queue.get(), Ok((1, "soon")));
/// ```
pub type PriorityQueue<T> = QueueOf<Lowest<T>>;

/// A queue that can wait until all of its items are done: call [`task_done`](QueueOf::task_done) for each item
/// that you got and have finished; [`join`](QueueOf::join) waits for the last.
///
/// The other kinds of queue can be counted too: `QueueOf<Counted<Lowest<T>>>`.
///
/// ```
/// use greenlet::{spawn, sync::queue::JoinableQueue};
/// let jobs = JoinableQueue::unbounded();
/// let source = jobs.clone();
/// let worker = spawn(move || for job in &source {
///     println!("{job}");
///     source.task_done();
/// });
/// jobs.put("sweep").unwrap();
/// jobs.put("mop").unwrap();
/// jobs.join();
/// assert_eq!(jobs.unfinished(), 0);
/// # worker.kill();
/// ```
pub type JoinableQueue<T> = QueueOf<Counted<Fifo<T>>>;

/// A rendezvous: a put parks until a get has taken its item, and the greenlet that got it goes on first.
///
/// ```
/// use greenlet::{spawn, sync::queue::Channel};
/// let channel = Channel::new();
/// let sender = channel.clone();
/// let task = spawn(move || sender.put(7));
/// assert_eq!(channel.get(), Ok(7));
/// assert!(!task.is_finished());
/// task.join().unwrap().unwrap();
/// ```
pub type Channel<T> = QueueOf<Handover<T>>;
