//! A thread that notices greenlets which do not let others run.
//!
//! A greenlet that computes for long, or blocks in a call that the hub knows nothing of, stops all others
//! of its thread. The monitor looks at every hub of the process some times in its [limit](Monitor::limit);
//! when one has neither handed over to another greenlet nor waited in the kernel for that long, it says
//! once which greenlet runs there, and where. A hub that waits for the kernel is idle, not stuck.
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
//!     heard.recv().unwrap() // blocks the thread until somebody complains
//! }).unwrap();
//! assert_eq!(spinner.join().unwrap().as_deref(), Some("spinner"));
//! # greenlet::monitor::stop();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! `GREENLET_MONITOR=100` in the environment starts one with the first hub, with a limit of so many
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
//! Switches pay nothing: the hub counts its rounds and hand-overs anyway, and the monitor reads them. The
//! monitor is a thread that wakes four times in its limit. Only a greenlet that is reported notices
//! anything: a signal, `SIGURG`, interrupts it once. The handler copies its registers and its stack (at
//! most a megabyte, some ten microseconds) and calls nothing, so it cannot hang whatever it interrupts;
//! the copy is walked, and names are looked up, in the monitor's thread. System calls in which the signal
//! arrives are restarted by the kernel where `signal(7)` says so, and otherwise return `EINTR` (`nanosleep`,
//! `poll`); a program's own handler of `SIGURG` hears of all but these signals, if it was there first.
//!
//! A thread that the machine is too busy to run looks the same as one that is stuck: what the monitor sees
//! is a greenlet that ran at two moments and never waited in between. A root greenlet is not reported while
//! there is nobody else to run; but a thread that blocks `SIGURG` does not say who runs there, and is
//! reported in any case.
//!
//! The walk needs the unwind tables that Rust and C compilers make by default. It ends early where there are
//! none (code made at run time, some assembly), and the report has no calls at all where a thread is in the
//! middle of a switch or on a stack of its own making. A library that is unloaded at that very moment is not
//! provided for.
//!
//! In the child of a fork nobody watches until [`Monitor::start`] is called there, or the environment
//! starts it again with the first hub.

mod capture;
mod report;
mod walk;
mod watch;

pub use report::Stall;
pub(super) use watch::start_by_environment;
pub use watch::{Monitor, start, stop};
