//! A thread that notices greenlets which do not let others run.
//!
//! A greenlet that computes for long, or blocks in a call that the hub knows nothing of, stops all others
//! of its thread. The monitor looks at every hub of the process several times within its
//! [limit](Monitor::limit). If a hub has neither switched to another greenlet nor waited in the kernel for
//! that long, the monitor reports once which greenlet runs there, and where. A hub that waits for the kernel
//! is idle, not stuck.
//!
//! ```
//! use greenlet::monitor::Monitor;
//! use std::sync::mpsc::channel;
//! use std::time::Duration;
//!
//! let (said, heard) = channel();
//! let monitor = Monitor::new().limit(Duration::from_millis(200));
//! monitor.on_stall(move |stall| said.send(stall.name().map(str::to_owned)).unwrap()).start()?;
//! let spinner = greenlet::TaskBuilder::new().name("spinner").spawn(move || {
//!     // Blocks the thread until somebody complains of it.
//!     while heard.recv().unwrap().as_deref() != Some("spinner") {}
//! }).unwrap();
//! spinner.join().unwrap();
//! # greenlet::monitor::stop();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! `GREENLET_MONITOR=100` in the environment starts one with the first hub, with a limit of 100
//! milliseconds; 0 starts none. Without a callback the report goes to standard error:
//!
//! ```text
//! greenlet: greenlet 7 'spinner' has kept its thread 'main' to itself for 104ms, created at src/x.rs:3:5
//!    0: x::spin
//!              at src/x.rs:9
//! ```
//!
//! # What it costs
//!
//! Switches cost nothing more: the hub counts its rounds and hand-overs anyway, and the monitor reads them. The
//! monitor is a thread that wakes four times within its limit. Only a greenlet that is reported is disturbed:
//! the signal `SIGURG` interrupts it once. The handler copies its registers and its stack (at
//! most a megabyte, some ten microseconds) and calls nothing, so it cannot hang whatever it interrupts;
//! the monitor's thread then walks the copy and looks up names. System calls that the signal interrupts
//! are restarted by the kernel where `signal(7)` says so, and otherwise return `EINTR` (`nanosleep`,
//! `poll`). A handler of `SIGURG` that the program had installed before gets all other signals.
//!
//! # What it cannot tell
//!
//! - A thread that the machine is too busy to run looks the same as one that is stuck.
//! - A root greenlet is not reported while no other greenlet could run; but a thread that blocks `SIGURG` does
//!   not say which greenlet runs there, and is reported in any case.
//! - The backtrace needs the unwind tables that Rust and C compilers make by default. It ends early where there
//!   are none (code made at run time, some assembly), and is empty if the thread is in the middle of a switch or
//!   on a stack of its own making. A library must not be unloaded at that very moment.
//! - In the child of a fork nothing is watched until [`Monitor::start`] is called there, or the first hub of the
//!   child starts it because of the environment.

mod capture;
mod report;
mod walk;
mod watch;

pub use report::Stall;
pub(super) use watch::start_by_environment;
pub use watch::{Monitor, start, stop};
