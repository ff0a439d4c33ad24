//! The gevent tutorial, "Program Shutdown": SIGQUIT ends what would run for ever. Prints nothing; try
//! `kill -QUIT`, or control and backslash.

use greenlet::net::readable;
use greenlet::pool::Group;
use greenlet::{sleep, spawn_detached};
use signal_hook::consts::SIGQUIT;
use std::io;
use std::time::Duration;

fn run_forever() {
    sleep(Duration::from_secs(1000));
}

fn main() -> io::Result<()> {
    let threads = Group::new();
    let shutdown = {
        let threads = threads.clone();
        move || threads.kill()
    };
    signal(SIGQUIT, shutdown)?;
    let thread = threads.spawn(run_forever);
    thread.wait();
    Ok(())
}

/// `gevent.signal`, made of what is there: calls `handler` in a greenlet of its own when the signal
/// comes. What sets it off is a byte that the signal's real handler writes into a pipe.
fn signal(signal: i32, handler: impl FnOnce() + 'static) -> io::Result<()> {
    let (pipe, written) = io::pipe()?;
    signal_hook::low_level::pipe::register(signal, written)?;
    spawn_detached(move || {
        if readable(&pipe).is_ok() {
            handler();
        }
    });
    Ok(())
}
