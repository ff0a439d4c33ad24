//! The gevent tutorial, "Timeouts": a limit that is started, and caught where it strikes.

use greenlet::{Timeout, sleep, spawn};
use std::time::Duration;

fn main() {
    let seconds = Duration::from_secs(10);

    let timeout = Timeout::start(seconds);

    fn wait() {
        sleep(Duration::from_secs(10));
    }

    if timeout.catch(|| spawn(wait).join()).is_err() {
        println!("Could not complete");
    }
}
