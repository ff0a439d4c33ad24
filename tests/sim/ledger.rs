//! What was wrong in a run, and what every part has at hand.

use greenlet::{JoinHandle, sim, spawn};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// Shared by all greenlets of one run.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Rc<Inner>);

#[derive(Default)]
struct Inner {
    wrong: RefCell<Vec<String>>,
    steps: Cell<u64>,
}

impl Ledger {
    /// Notes that something is wrong, unless `holds`.
    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.wrong.borrow_mut().push(what());
        }
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.0.wrong.borrow().clone()
    }

    /// One more thing was done by somebody; how many that is.
    pub(crate) fn step(&self) -> u64 {
        let steps = self.0.steps.get() + 1;
        self.0.steps.set(steps);
        steps
    }
}

/// What a part hands to the one who plays it.
pub(crate) struct Played {
    pub(crate) tasks: Vec<Rc<JoinHandle<()>>>,
    /// Closes something under those who use it.
    pub(crate) close: Option<Rc<dyn Fn()>>,
    /// Looks at the results when every task has ended.
    pub(crate) finish: Box<dyn FnOnce(&Ledger)>,
}

pub(crate) fn task(f: impl FnOnce() + 'static) -> Rc<JoinHandle<()>> {
    Rc::new(spawn(f))
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A number that the seed of the world decides.
pub(crate) fn random(end: u64) -> u64 {
    sim::random_below(end)
}

/// May the world, or a greenlet that was killed, be the reason of this error?
pub(crate) fn is_fair(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    let kinds = [
        ConnectionReset,
        BrokenPipe,
        ConnectionRefused,
        ConnectionAborted,
        NotConnected,
        TimedOut,
        OutOfMemory,
        Interrupted,
    ];
    kinds.contains(&error.kind())
        || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EMFILE | libc::ENOMEM))
}

/// A byte of a stream by its place.
pub(crate) fn byte(stream: u64, at: u64) -> u8 {
    let mixed = (stream.wrapping_mul(0x9E37_79B9) ^ (at / 7)).wrapping_mul(0x2545_F491_4F6C_DD1D);
    (mixed >> 32) as u8 ^ at as u8
}
