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
//! There is no `async`, no `Send` bound, no macro and no set-up: the first call that waits makes the thread's
//! hub, on io_uring, or on epoll where that is refused (or poll, or select).
//!
//! | to do | see |
//! |---|---|
//! | run tasks, wait for them, end them | [`spawn`], [`JoinHandle`], [`join_all`], [`kill_all`], [`scope`] |
//! | sleep, tick, limit a wait, hold interrupts back | [`sleep`], [`interval`], [`timeout`], [`Timeout`], [`shield`] |
//! | sockets | [`net`] |
//! | locks, events, queues; wait for several things at once | [`sync`], [`sync::queue`], [`wait()`] |
//! | values of each greenlet, or inherited by tasks | [`greenlet_local!`], [`inherited_local!`] |
//! | other threads; a hub on each processor | [`HubHandle`], [`sync::thread`], [`workers()`] |
//! | limit how many tasks run at once | [`pool`] |
//! | serve connections and datagrams, and stop gracefully | [`server`] |
//! | call what can only block | [`offload()`], [`pool::ThreadPool`] |
//! | end a thread cleanly | [`run`] |
//! | go on in the child of a fork | [`reinit`] |
//! | test: virtual time, a seeded network, faults (feature `sim`) | `sim` |
//! | run the hub inside another event loop | [`turn`], [`turn_fd`], [`next_turn`] |
//! | find greenlets that keep all others waiting | [`monitor`] |
//! | see what a hub does, and configure it | [`config`], [`Config`], [`stats`] |
//! | switch between greenlets by hand | the tree, below |
//! | build another runtime | [`context`] |
//! | come from greenlet, gevent, eventlet, tokio, may or Go | [`porting`] |
//!
//! # Waiting
//!
//! - Every call that may wait *parks* the greenlet: [`sleep`], a join, a lock, a read. The others that are ready
//!   run, in the order in which they became ready; when none is, the hub waits for the kernel.
//! - A kill, a throw or a time limit (an *interrupt*) ends a wait at once, and is raised there as a panic is;
//!   code that does not wait is not interrupted. An operation that had brought something by then returns it:
//!   nothing is lost. Every call that parks has a section *Cancellation* that says what happens.
//! - A task's panic ends in its [`JoinHandle`]; if it is not joined, the panic is reported.
//! - When every greenlet waits and nothing can wake one, [`Deadlock`] is raised in the root greenlet.
//! - A thread's hub is made by the first call that needs it. That call panics if no hub can be made: when a
//!   `GREENLET_*` variable (see [`Config`]) has a bad value or names a hub that is refused here, or when
//!   there is no memory or descriptor left. It also panics in the child of a fork, until [`reinit`].
//!
//! # Switching by hand
//!
//! A switch saves three words, takes another stack and jumps: a few nanoseconds, from however deep inside
//! nested calls. A greenlet costs one page of memory as long as it has touched no more. The semantics are
//! those of Python's `greenlet` (see [`rules`]).
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
//! - A greenlet has a small stack, 64 KiB by default: [`Greenlet::builder`] chooses another size. An overflow
//!   ends the process with the name of the greenlet.
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
//!   kernel or the clock then keeps the whole thread waiting. One that waits for another greenlet panics.
//! - A lock guard of std, or a borrow of a thread-local, that is held across a switch blocks every other
//!   greenlet of the thread that wants the same.
//! - Greenlets are no security boundary: all of a process share one address space.
//! - It is linked into programs and libraries for C (`staticlib`, `cdylib`), not into a Rust `dylib`: the assembly's
//!   symbols stay inside, and what is inlined elsewhere would not find them.
//!
//! # The end of a thread
//!
//! Threads that use greenlets should do their work inside [`run`], which ends all greenlets before it returns.
//! Greenlets that a thread leaves suspended without it are leaked: they are never unwound, and never run again.
//! Destructors of thread-locals may use new greenlets, but a switch to one that had begun before is refused
//! ([`Why::ThreadEnds`]), because it may borrow a thread-local that is gone. What a destructor gives up (an item, a
//! permit, a lock) is handed to nobody who is left; but a thread-local that was initialised after the thread's first
//! use of this crate has to call [`yield_now`] before, by which the end is noticed. A destructor that waits ends
//! the process if operations were under way and there is no descriptor or memory left for another hub.
//!
//! Safe code is sound but for these five cases, which this crate can neither see nor prevent. If all greenlets of a
//! thread have ended inside [`run`], only the second one is left:
//!
//! - A thread-local that was initialised after the thread's first use of this crate has a destructor that, before
//!   any other use of this crate, switches by [`Greenlet::switch`] to a greenlet that had begun before.
//!   That one runs on, and may use a thread-local that is gone.
//! - `exit` is called in the middle of the thread's work, also inside of [`run`], and the destructor of such a
//!   thread-local runs or ends a greenlet that borrows another thread-local, for example by dropping its last
//!   handle; or it waits, or closes a socket, while a greenlet reads into another thread-local.
//! - On aarch64, where the thread's first calls have no unwind information, and on the main thread of an executable
//!   that is not position-independent, the end of a thread may be noticed only after such thread-locals are destroyed. Until then their destructors can run or end greenlets that had
//!   begun before.
//! - The threads of a [`std::thread::scope`] in a leaked greenlet go on, with what they borrow from the thread that
//!   has ended.
//! - Before Linux 6.1, io_uring itself writes into the buffer of a read that is left, even if that buffer lies in a
//!   thread-local.

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
pub use offload::{OffloadBusy, offload, try_offload};
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
pub use time::{
    Interval, Timeout, idle, interval, sleep, sleep_until, timeout, timeout_or, yield_now,
};

/// Its Rust code runs as tests of the documentation do.
#[cfg(all(doctest, feature = "hub"))]
#[doc = include_str!("../README.md")]
struct Readme;
