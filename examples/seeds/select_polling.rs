//! The gevent tutorial, "Synchronous & Asynchronous Execution": `select` lets the others run.
//! Also the third program of the notes on monkey patching.

use greenlet::net::{readable, writable};
use greenlet::sync::Event;
use greenlet::{join_all, scope, sleep, spawn};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

fn main() {
    let start = Instant::now();
    let tic = move || format!("at {:.1} seconds", start.elapsed().as_secs_f64());

    let gr1 = move || {
        // Busy waits for a second, but we don't want to stick around...
        println!("Started Polling: {}", tic());
        select(&[], &[], &[], Duration::from_secs(2));
        println!("Ended Polling: {}", tic());
    };

    let gr2 = move || {
        // Busy waits for a second, but we don't want to stick around...
        println!("Started Polling: {}", tic());
        select(&[], &[], &[], Duration::from_secs(2));
        println!("Ended Polling: {}", tic());
    };

    let gr3 = move || {
        println!("Hey lets do some stuff while the greenlets poll, at {}", tic());
        sleep(Duration::from_secs(1));
    };

    join_all([spawn(gr1), spawn(gr2), spawn(gr3)]).join();
}

type Fds<'a> = &'a [BorrowedFd<'a>];

/// `select.select`, made of what is there: parks until one of the descriptors can be read or written,
/// or the time is over. Says whether one can.
fn select(rlist: Fds<'_>, wlist: Fds<'_>, _xlist: Fds<'_>, limit: Duration) -> bool {
    let ready = &Event::new();
    scope(|s| {
        let reading = rlist.iter().map(|fd| s.spawn(move || readable(fd).map(|()| ready.set())));
        let writing = wlist.iter().map(|fd| s.spawn(move || writable(fd).map(|()| ready.set())));
        let watching: Vec<_> = reading.chain(writing).collect();
        let is_ready = ready.wait_timeout(limit);
        watching.iter().for_each(|task| task.kill_soon());
        is_ready
    })
}
