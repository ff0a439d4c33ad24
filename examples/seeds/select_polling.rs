//! The gevent tutorial, "Synchronous & Asynchronous Execution": `select` lets the others run.
//! Also the third program of the notes on monkey patching.

use greenlet::net::select;
use greenlet::{join_all, sleep, spawn};
use std::time::{Duration, Instant};

fn main() {
    let start = Instant::now();
    let tic = move || format!("at {:.1} seconds", start.elapsed().as_secs_f64());

    let gr1 = move || {
        // Busy waits for a second, but we don't want to stick around...
        println!("Started Polling: {}", tic());
        let _ = select(&[], &[], Some(Duration::from_secs(2)));
        println!("Ended Polling: {}", tic());
    };

    let gr2 = move || {
        // Busy waits for a second, but we don't want to stick around...
        println!("Started Polling: {}", tic());
        let _ = select(&[], &[], Some(Duration::from_secs(2)));
        println!("Ended Polling: {}", tic());
    };

    let gr3 = move || {
        println!("Hey lets do some stuff while the greenlets poll, at {}", tic());
        sleep(Duration::from_secs(1));
    };

    join_all([spawn(gr1), spawn(gr2), spawn(gr3)]).join();
}
