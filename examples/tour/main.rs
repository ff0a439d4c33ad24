//! A tour of the crate on real sockets in about 20 seconds: which hub there is and why, what a switch
//! costs, what a parked greenlet weighs, thousands of connections, how running code is ended.
//!
//! ```text
//! cargo run --release --example tour
//! ```
//!
//! `GREENLET_TOUR_SECONDS=2` makes it shorter (and its figures rougher), `GREENLET_HUB=epoll` or
//! `GREENLET_DISABLE=uring` does without io_uring. It makes do with few open files (`ulimit -n`),
//! and says so.

mod ends;
mod histogram;
mod load;
mod machine;
mod parked;
mod screen;
mod switches;

use screen::{headline, wrapped};
use std::time::{Duration, Instant};

fn main() {
    if ends::is_child() {
        return ends::overflow();
    }
    let began = Instant::now();
    let size = Size::wanted();
    println!("greenlet: a tour of about {:.0} seconds", size.seconds);
    let files = machine::introduce();

    headline("the hub of this thread, and why it is that one");
    greenlet::config().to_string().lines().for_each(wrapped);

    headline("a switch into a greenlet and back, which suspends below so many calls");
    switches::round_trips(size);
    headline("what the hub adds, beside threads of the system");
    switches::tasks(size);

    headline("greenlets that are parked, each in a sleep of its own with something to drop");
    parked::tour(size);

    headline("64 bytes there and back over loopback: a server and its clients, a thread each");
    load::tour(size, files);

    headline("code that runs is ended from outside: destructors run, files are closed");
    ends::tour();

    println!("\nThe tour took {:.1} s.", began.elapsed().as_secs_f64());
    println!("Next: examples/README.md; `cargo doc --open`; ARCHITECTURE.md.");
}

/// How much time there is.
#[derive(Debug, Clone, Copy)]
struct Size {
    seconds: f64,
}

impl Size {
    const USUAL_SECONDS: f64 = 20.0;

    fn wanted() -> Size {
        let wanted = std::env::var("GREENLET_TOUR_SECONDS").ok().and_then(|text| text.parse().ok());
        Size { seconds: wanted.unwrap_or(Size::USUAL_SECONDS).clamp(0.5, 600.0) }
    }

    /// A part of a tour of usual length, made shorter or longer.
    fn time(self, usual_seconds: f64) -> Duration {
        Duration::from_secs_f64(usual_seconds * self.seconds / Size::USUAL_SECONDS)
    }

    /// A number that is made smaller for a short tour.
    fn count(self, usual: usize) -> usize {
        (usual as f64 * (self.seconds / Size::USUAL_SECONDS).min(1.0)) as usize
    }
}
