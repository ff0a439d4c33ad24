//! Accepting while the process, or the machine, is short of what a connection needs.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Accepts; waits and tries again while there is no descriptor or memory for one more connection.
/// It stays in the kernel's queue meanwhile, so that the listener would be ready, and accepting again
/// at once would only burn the processor.
pub(crate) fn accept_patiently<T>(mut accept: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        match accept() {
            Err(error) if is_want(&error) => {
                say(&error);
                crate::time::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

/// Is it our own want, which passes when others give something back? All else concerns the one
/// connection, or the listener.
fn is_want(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// A line on standard error, once a second in a process.
#[cold]
fn say(error: &io::Error) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    // Whoever holds it is about to say the same.
    let Ok(mut last) = LAST.try_lock() else { return };
    if last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
        *last = Some(Instant::now());
        drop(last);
        crate::greenlet::line(format_args!("accepting connections waits: {error}"));
    }
}
