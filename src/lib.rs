//! Blocking code at asynchronous scale: greenlets, and a hub that resumes them as the kernel's
//! completions arrive.
//!
//! A greenlet is a body with a stack of its own. Here each connection has one, and reads and writes
//! as if it could block; others run meanwhile, on the same thread:
//!
//! ```
//! # #[cfg(feature = "hub")] {
//! use greenlet::net::{TcpListener, TcpStream};
//! use std::io::{Read, Write};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = greenlet::spawn(move || {
//!     for stream in listener.incoming().flatten() {
//!         greenlet::spawn_detached(move || {
//!             let mut buffer = [0; 1024];
//!             while let Ok(read @ 1..) = (&stream).read(&mut buffer) {
//!                 let _ = (&stream).write_all(&buffer[..read]);
//!             }
//!         });
//!     }
//! });
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"hello")?;
//! let mut answer = [0; 5];
//! client.read_exact(&mut answer)?;
//! assert_eq!(&answer, b"hello");
//! server.kill();
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! There is no `async`, no colouring of functions, no `Send` bound, no macro and no set-up: the first
//! call that waits makes the thread's hub, on io_uring, or on epoll where that is refused (or poll, or select).
//!
//! | to do | see |
//! |---|---|
//! | run something beside oneself, wait for it, end it | [`spawn`], [`JoinHandle`], [`join_all`], [`kill_all`], [`scope`] |
//! | wait for a moment, limit a wait | [`sleep`], [`timeout`], [`Timeout`], [`shield`] |
//! | sockets | [`net`] |
//! | locks, events, queues | [`sync`], [`sync::queue`] |
//! | other threads; a hub on each processor | [`HubHandle`], [`sync::thread`], [`workers()`] |
//! | many at once, but not too many | [`pool`] |
//! | serve connections and datagrams, and stop with grace | [`server`] |
//! | call what can only block | [`offload()`], [`pool::ThreadPool`] |
//! | test it: virtual time, a seeded network, faults (feature `sim`) | `sim` |
//! | run the hub inside another event loop | [`turn`], [`turn_fd`], [`next_turn`] |
//! | find who keeps all others waiting | [`monitor`] |
//! | see what a hub does, and choose how | [`config`], [`Config`], [`stats`] |
//! | hand control over oneself | the tree, below |
//! | build a runtime of one's own | [`context`] |
//! | come from greenlet, gevent, eventlet, tokio, may or Go | [`porting`] |
//!
//! # Waiting
//!
//! - Whatever may wait *parks* the greenlet: [`sleep`], a join, a lock, a read. The others that are ready
//!   run, in the order in which they became so; when nobody is, the hub waits for the kernel.
//! - A kill, a throw or a time limit ends a wait at once, and is raised there; code that does not wait
//!   is not ended. An operation that had brought something by then returns it: nothing is lost. Every
//!   call that parks says so under *Cancellation*.
//! - A task's panic ends in its [`JoinHandle`]; if nobody takes it, it is reported.
//! - When every greenlet waits and nothing can wake one, [`Deadlock`] is raised in the root greenlet.
//!
//! # Switching by hand
//!
//! A switch saves three words, takes another stack and jumps: a few nanoseconds, also when the
//! suspension lies deep inside nested calls. Each greenlet costs one page of memory while it has
//! touched no more. The semantics are those of Python's `greenlet` (see [`rules`]): `switch`,
//! `throw`, a parent that receives the end, a quiet exit.
//!
//! ```
//! use greenlet::{Greenlet, suspend};
//!
//! // A parser of lines that is fed piece by piece, written as if it could wait for its input.
//! fn next_line(buffer: &mut String) -> String {
//!     loop {
//!         if let Some(end) = buffer.find('\n') {
//!             return buffer.drain(..=end).collect();
//!         }
//!         buffer.push_str(&suspend::<Option<String>, String>(None));
//!     }
//! }
//!
//! let parser = Greenlet::new(|mut buffer: String| -> Option<String> {
//!     loop {
//!         let line = next_line(&mut buffer);
//!         buffer.push_str(&suspend::<Option<String>, String>(Some(line)));
//!     }
//! });
//! let feed = |piece: &str| parser.switch::<String, Option<String>>(piece.to_owned());
//! assert_eq!(feed("GET / HT"), None);
//! assert_eq!(feed("TP/1.1\nHost: x"), Some("GET / HTTP/1.1\n".to_owned()));
//! assert_eq!(feed("\n"), Some("Host: x\n".to_owned()));
//! ```
//!
//! # The tree
//!
//! - [`Greenlet::new`] makes a greenlet; the current one becomes its parent. [`Greenlet::switch`]
//!   runs it with a value and waits for one; [`suspend`] hands a value to the parent.
//! - Values are checked by type when they are sent, and moved, never boxed. A value of the wrong
//!   type is refused and comes back ([`SwitchError`]); [`Greenlet::switch_any`] waits for any type.
//! - [`Greenlet::throw`] raises a payload in another greenlet, [`Greenlet::kill`] ends it quietly,
//!   and dropping the last handle of a suspended greenlet does the same, then and there.
//! - A panic that a body does not catch is raised in its parent.
//! - [`Coroutine`] and [`generator`] are the same with fixed types.
//! - Greenlets stay on their thread. Nothing here is `Send`.
//! - Code that runs on a small stack must fit it: [`Greenlet::builder`] chooses the size, and an
//!   overflow ends the process with the name of the greenlet.
//!
//! # What it is built on
//!
//! [`context`] is the bare switch, for authors of other runtimes. Features: `hub` (default) brings all
//! that waits, `uring` (default) its io_uring driver; without them this is the tree alone. `fpenv` saves
//! the floating-point control words of each greenlet; `valgrind` announces stacks to valgrind;
//! `sim` is a simulated world for tests.
//!
//! # What to know
//!
//! - `std::thread::panicking` is per thread. While a thread unwinds, or a greenlet is being killed
//!   by drop, switches are refused ([`Why::Unwinding`], [`Why::Dying`]). A destructor that waits for the
//!   kernel or the clock then waits alone: nobody else runs. One that waits for another greenlet panics.
//! - A lock guard or a borrow of a thread-local that is held across a switch is held against every
//!   other greenlet of the thread.
//! - Threads that use greenlets should do their work inside [`run`]. What a thread leaves suspended
//!   without it is leaked and never unwound. If that stands in a [`std::thread::scope`] whose threads
//!   borrow a thread-local of the thread that has ended, they use it after its end: nothing here can
//!   see or hinder that. So does the operation of one that waits with a buffer which lies in a thread-local,
//!   if a destructor of another thread-local waits after that one's end.
//! - Greenlets are no security boundary: all of a process share one address space.

mod arch;
#[cfg(feature = "hub")]
mod driver;
#[cfg(feature = "hub")]
mod list;
mod stack;
#[cfg(feature = "hub")]
mod worker;

pub mod context;
mod greenlet;
mod one_thread;
pub mod rules;

#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
pub mod net;
#[cfg(feature = "hub")]
mod offload;
#[cfg(feature = "hub")]
mod op;
#[cfg(feature = "hub")]
pub mod pool;
#[cfg(feature = "hub")]
pub mod porting;
#[cfg(feature = "hub")]
pub mod server;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "hub")]
pub mod sync;
#[cfg(feature = "hub")]
mod task;
#[cfg(feature = "hub")]
mod time;

pub use greenlet::*;
#[cfg(feature = "hub")]
pub use hub::monitor;
#[cfg(feature = "hub")]
pub use hub::{
    Config, ConfigError, Deadlock, Elapsed, HubHandle, HubKind, Stats, config, is_interrupted,
    next_turn, reinit, shield, stats, turn, turn_fd,
};
#[cfg(feature = "hub")]
pub use offload::{WorkersBusy, offload, try_offload};
#[cfg(feature = "hub")]
pub use server::{StopServe, connect, listen, serve};
pub use stack::{StackError, StackReuse};
#[cfg(feature = "hub")]
pub use sync::{Wait, WaitEach, Waitable, run_until_idle, run_until_idle_timeout, wait, wait_each};
#[cfg(feature = "hub")]
pub use task::{
    HubEnded, JoinAll, JoinError, JoinHandle, Joined, KillAll, Link, RemoteJoin, RemoteJoinError,
    Scope, ScopedJoinHandle, TaskBuilder, TaskEnd, TaskRef, TaskState, Worker, Workers, join_all,
    kill_all, scope, spawn, spawn_detached, spawn_later, try_spawn, workers,
};
#[cfg(feature = "hub")]
pub use time::{Timeout, idle, sleep, timeout, timeout_or, yield_now};
