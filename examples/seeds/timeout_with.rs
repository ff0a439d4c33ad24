//! The gevent tutorial, "Timeouts": a limit on a block, which ends with an error of the program's own.
//! Nobody catches it: after 5 seconds it is on standard error.

use greenlet::{sleep, timeout};
use std::time::Duration;

const TIME_TO_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct TooLong;

fn main() -> Result<(), TooLong> {
    timeout(TIME_TO_WAIT, || {
        sleep(Duration::from_secs(10));
    })
    .map_err(|_| TooLong)
}
