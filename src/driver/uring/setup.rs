//! How a ring is made: the best flags first, the wanted size first, and patience.

use crate::driver::{Capabilities, Settings};
use io_uring::IoUring;
use std::io;
use std::thread;
use std::time::Duration;

/// No ring is made smaller than this for want of memory.
const SMALLEST: u32 = 32;
/// Completion entries for each submission entry: what is in flight is more than what is submitted
/// at once.
const COMPLETIONS: u32 = 16;
/// A ring that was closed gives its memory back some time later.
const PATIENCE: Duration = Duration::from_millis(100);

/// How completions reach user space, best first. With `DEFER_TASKRUN` (6.1) the kernel never
/// interrupts the running thread, which costs half of what a plain ring costs under HTTP load;
/// `COOP_TASKRUN` (5.19) at least sends no interrupt to another processor.
const WAYS: [Capabilities; 4] = [
    Capabilities::SINGLE_ISSUER.with(Capabilities::DEFER_TASKRUN),
    Capabilities::SINGLE_ISSUER.with(Capabilities::COOP_TASKRUN),
    Capabilities::COOP_TASKRUN,
    Capabilities::NONE,
];

/// What does not depend on the way: 6.6 and 5.18, 5.18, older.
const EXTRAS: [Capabilities; 3] = [
    Capabilities::NO_SQARRAY.with(Capabilities::SUBMIT_ALL),
    Capabilities::SUBMIT_ALL,
    Capabilities::NONE,
];

/// Makes a ring, and says which of the flags it has.
///
/// # Errors
/// Those of io_uring_setup(2) and of mapping its memory. `EINVAL` means an unknown flag, and is tried
/// again with fewer; `ENOMEM` is tried again smaller and then later.
pub(super) fn make(settings: &Settings) -> io::Result<(IoUring, Capabilities)> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(1);
    loop {
        let mut entries = settings.ring_entries;
        loop {
            match climb_down(entries, settings.disabled) {
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                    if entries / 2 >= SMALLEST {
                        entries /= 2;
                    } else if waited < PATIENCE {
                        break;
                    } else {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
        pause = pause.min(PATIENCE - waited);
        thread::sleep(pause);
        waited += pause;
        pause *= 2;
    }
}

/// Tries one set of flags after the other.
fn climb_down(entries: u32, disabled: Capabilities) -> io::Result<(IoUring, Capabilities)> {
    let mut refused = io::Error::from_raw_os_error(libc::EINVAL);
    for flags in ladder(disabled) {
        match build(entries, flags) {
            Ok(ring) => return Ok((ring, flags)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// The sets of flags to try, in order; each once.
fn ladder(disabled: Capabilities) -> impl Iterator<Item = Capabilities> {
    let allowed = move |flags: &Capabilities| flags.without(disabled) == *flags;
    WAYS.into_iter()
        .filter(allowed)
        .flat_map(move |way| EXTRAS.into_iter().filter(allowed).map(move |extra| way.with(extra)))
}

fn build(entries: u32, flags: Capabilities) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    // A forked child has no use for the ring; with it, it could take the parent's completions.
    builder.dontfork().setup_clamp().setup_cqsize(entries.saturating_mul(COMPLETIONS));
    if flags.has(Capabilities::SINGLE_ISSUER) {
        builder.setup_single_issuer();
    }
    if flags.has(Capabilities::DEFER_TASKRUN) {
        builder.setup_defer_taskrun().setup_taskrun_flag();
    }
    if flags.has(Capabilities::COOP_TASKRUN) {
        builder.setup_coop_taskrun().setup_taskrun_flag();
    }
    if flags.has(Capabilities::SUBMIT_ALL) {
        builder.setup_submit_all();
    }
    if flags.has(Capabilities::NO_SQARRAY) {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// Keeps the kernel from starting a thread for each operation on a file that it cannot poll: four for
/// files, sixteen for the rest (5.15; before, there is no such limit to set).
pub(super) fn limit_workers(ring: &IoUring) {
    let _ = ring.submitter().register_iowq_max_workers(&mut [4, 16]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rungs(disabled: Capabilities) -> Vec<String> {
        ladder(disabled).map(|flags| flags.to_string()).collect()
    }

    #[test]
    fn ladder_begins_with_the_best_and_ends_with_none() {
        let rungs = rungs(Capabilities::NONE);
        assert_eq!(rungs.len(), 12);
        assert_eq!(rungs[0], "single_issuer defer_taskrun submit_all no_sqarray");
        assert_eq!(rungs[1], "single_issuer defer_taskrun submit_all");
        assert_eq!(rungs[3], "single_issuer coop_taskrun submit_all no_sqarray");
        assert_eq!(rungs[6], "coop_taskrun submit_all no_sqarray");
        assert_eq!(rungs[11], "none");
    }

    #[test]
    fn ladder_leaves_out_what_is_disabled() {
        let disabled = Capabilities::SINGLE_ISSUER.with(Capabilities::NO_SQARRAY);
        let rungs = rungs(disabled);
        assert_eq!(rungs, ["coop_taskrun submit_all", "coop_taskrun", "submit_all", "none"]);
    }

    #[test]
    fn kernel_threads_are_limited() {
        let Ok((ring, _)) = make(&Settings::default()) else { return }; // refused here
        limit_workers(&ring);
        // Zero changes nothing and tells what there is.
        let mut limits = [0, 0];
        ring.submitter().register_iowq_max_workers(&mut limits).unwrap();
        assert_eq!(limits, [4, 16]);
    }
}
