//! A simulated world for tests: seeded, with virtual time, sockets in memory, and faults.
//!
//! A program that uses this crate for waiting and for sockets runs in it unchanged: greenlets, sleeps and time
//! limits, TCP, UDP and UNIX sockets. There is no kernel behind it and no real clock. An hour of sleeping passes
//! in microseconds. A seed decides about order, delays, short reads and broken connections: the same seed gives the
//! same run. Needs the feature `sim`.
//!
//! ```
//! use greenlet::net::{TcpListener, TcpStream};
//! use greenlet::sim;
//! use std::io::{Read, Write};
//! use std::time::Duration;
//!
//! let (text, report) = sim::run(42, || -> std::io::Result<String> {
//!     let listener = TcpListener::bind("10.0.0.1:80")?; // any address can be bound
//!     let server = greenlet::spawn(move || {
//!         let (mut stream, _) = listener.accept().unwrap();
//!         greenlet::sleep(Duration::from_secs(3600));
//!         stream.write_all(b"an hour later").unwrap();
//!     });
//!     let mut text = String::new();
//!     TcpStream::connect("10.0.0.1:80")?.read_to_string(&mut text)?;
//!     server.join().unwrap();
//!     Ok(text)
//! });
//! assert_eq!(text.unwrap(), "an hour later");
//! assert!(report.virtual_time >= Duration::from_secs(3600));
//! ```
//!
//! Run a test under many seeds; when one fails, [`Failure`] names it, and running that seed again fails
//! in the same way:
//!
//! ```
//! use greenlet::sim::{Faults, Sim};
//! for seed in 0..20 {
//!     let sim = Sim::new(seed).faults(Faults::all());
//!     if let Err(failure) = sim.try_run(|| greenlet::sleep(std::time::Duration::from_secs(1))) {
//!         panic!("{failure}");
//!     }
//! }
//! ```
//!
//! ```text
//!   Sim ──▶ a thread of its own: hub on the driver `sim` ──▶ greenlet::run(program)
//!                                                        └──▶ value, Report  or  Failure
//! ```
//!
//! # What differs from the real world
//!
//! - Time passes when every greenlet waits, and by a microsecond for each round of the hub.
//!   `std::time::Instant` still shows real time: use [`elapsed`].
//! - Every internet address can be bound and connected to; `0.0.0.0` stands for all of them.
//!   Names (`"localhost:80"`) are still looked up by std: use numeric addresses. A UNIX socket's path makes no
//!   file, and is free again when the socket is closed.
//! - Sockets have no descriptors: `AsRawFd`, `AsFd` and conversions to and from std's types panic, and
//!   [`readable`](crate::net::readable) fails. Multicast options are refused.
//! - When nothing can happen any more, [`Deadlock`](crate::Deadlock) is raised in the root greenlet, even
//!   if a greenlet waits for a socket.
//! - Other threads are real, and so is their time: waiting for them ([`offload`](crate::offload())) does not depend
//!   on the seed. Meanwhile the world's clock stands still, for at most 5 s each time.

mod report;
mod runner;

pub use crate::driver::sim::Faults;
pub use report::{Failure, Report};
pub use runner::{Sim, run};

use crate::hub::hub;
use std::time::Duration;

/// The time since this thread's world began, by its own clock. Returns at once.
///
/// ```
/// use greenlet::sim;
/// use std::time::Duration;
/// let (took, _) = sim::run(1, || {
///     let began = sim::elapsed();
///     greenlet::sleep(Duration::from_secs(86_400));
///     sim::elapsed() - began
/// });
/// assert!(took >= Duration::from_secs(86_400) && took < Duration::from_secs(86_401));
/// ```
///
/// # Panics
/// Outside of a simulated world.
pub fn elapsed() -> Duration {
    Duration::from_nanos(in_world(|sim| sim.age_ns()))
}

/// A number below `end` that the seed decides. Returns at once.
///
/// ```
/// let roll = || greenlet::sim::run(3, || greenlet::sim::random_below(6)).0;
/// assert_eq!(roll(), roll());
/// ```
///
/// # Panics
/// Outside of a simulated world; when `end` is 0.
pub fn random_below(end: u64) -> u64 {
    assert!(end > 0, "there is no number below 0");
    in_world(|sim| sim.random_below(end))
}

/// Adds a line to the record of this run, which also changes its [hash](Report::hash). Returns at once.
///
/// ```
/// use greenlet::sim::{self, Sim};
/// let (_, report) = Sim::new(1).keep_lines().run(|| sim::note("here"));
/// assert!(report.lines.iter().any(|line| line.ends_with("here")));
/// ```
///
/// # Panics
/// Outside of a simulated world.
pub fn note(text: &str) {
    in_world(|sim| sim.say(text));
}

/// Ends all faults in this world, for a last phase in which everything must end. Returns at once.
///
/// # Panics
/// Outside of a simulated world.
pub fn calm() {
    in_world(|sim| sim.calm());
}

/// Plants one of the crate's bugs in this process, by its name; none: takes it out again. Says which names
/// there are.
#[cfg(planted)]
#[doc(hidden)]
pub fn plant(name: &str) -> Vec<&'static str> {
    use crate::driver::planted::{NAMES, choose};
    choose(NAMES.iter().find(|(known, _)| *known == name).map(|(_, bug)| *bug));
    NAMES.iter().map(|(known, _)| *known).collect()
}

fn in_world<R>(f: impl FnOnce(&mut crate::driver::sim::Sim) -> R) -> R {
    let inside = hub().simulated(f);
    inside.unwrap_or_else(|| panic!("this thread is in no simulated world: see greenlet::sim::run"))
}
