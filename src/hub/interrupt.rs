//! Interrupts: kills, throws and elapsed time limits that wait to be raised in a greenlet.
//!
//! Whoever interrupts leaves the payload in the seat of the greenlet's block and wakes it; the
//! greenlet raises it itself, when what it waited for is settled: at the wait that it interrupts, or
//! at its next one. An interrupt stays until it is raised, and only one is raised at a time.
#![expect(unsafe_code, reason = "the seat holds a vector by address")]

use super::Hub;
use super::deadline::Interrupting;
use super::ready::{DOOMED, INTERRUPTED, SWALLOWED, clear, has, set};
use crate::greenlet::{
    Block, Called, GreenletExit, Payload, current_block, current_scheduled, fatal, note_orphan,
};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::thread::panicking;
use std::time::Duration;

/// So many exits may be swallowed by one that has to end.
const PATIENCE: u32 = 8;

/// A wait was given up because something is to be raised in the current greenlet. Whoever gets one
/// puts its own affairs in order and then calls [`raise`](Interrupted::raise). Nobody else runs in between, and
/// nothing of the user's is dropped: what is to be raised might be gone.
#[must_use = "an interrupt is to be raised"]
#[derive(Debug)]
pub(crate) struct Interrupted(PhantomData<*mut ()>);

impl Interrupted {
    /// Raises the oldest interrupt of the current greenlet.
    #[cold]
    pub(crate) fn raise(self) -> ! {
        let me = current_block();
        let payload = take(me);
        resume_unwind(payload)
    }
}

/// What is raised when a time limit has passed.
///
/// [`timeout`](crate::timeout) catches its own and returns it; that of an outer limit passes through to
/// its owner. Two are equal if they come from the same start of the same limit.
///
/// ```
/// use greenlet::{sleep, timeout};
/// use std::time::Duration;
/// let late = timeout(Duration::from_millis(2), || sleep(Duration::from_secs(60))).unwrap_err();
/// assert_eq!(late.to_string(), "the time limit of 2ms has passed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias = "Timeout")]
pub struct Elapsed {
    pub(crate) number: u64,
    pub(crate) limit: Duration,
    pub(crate) label: Option<&'static str>,
}

impl Elapsed {
    /// The length of the limit that has passed.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The label of the limit, if it has one.
    pub fn label(&self) -> Option<&'static str> {
        self.label
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time limit of {:?} has passed", self.limit)?;
        self.label.map_or(Ok(()), |label| write!(f, ": {label}"))
    }
}

impl std::error::Error for Elapsed {}

/// Of the kind [`TimedOut`](io::ErrorKind::TimedOut), with the `Elapsed` inside.
impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

impl Hub {
    /// Leaves `payload` to be raised in a greenlet, and wakes it.
    pub(crate) fn interrupt(&self, block: &Block, payload: Payload) {
        let seat = &block.seat;
        match seat.raised.take() {
            None => seat.raised.set(Some(payload)),
            first => {
                seat.raised.set(first);
                if seat.raised_later.get().is_null() {
                    seat.raised_later.set(Box::into_raw(Box::default()));
                }
                // SAFETY: made by `Box::into_raw`; freed only when it is taken out of the seat.
                unsafe { (*seat.raised_later.get()).push(payload) };
            }
        }
        block.must_be_vacated();
        self.mark_interrupted(block);
    }

    /// From now on [`GreenletExit`] is raised in a task at each of its waits, until it has ended.
    ///
    /// One that swallows it too often ends the process: whoever calls this cannot go on before.
    pub(crate) fn doom(&self, block: &Block) {
        set(block, DOOMED);
        block.must_be_vacated();
        self.mark_interrupted(block);
    }

    /// There is something to be raised in `block`, which is woken unless it holds interrupts back.
    pub(super) fn mark_interrupted(&self, block: &Block) {
        set(block, INTERRUPTED);
        if block.seat.shields.get() == 0 {
            self.wake(block);
        }
    }

    /// Is anything to be raised in the current greenlet, which `me` is?
    #[inline(always)]
    pub(crate) fn interrupted(&self, me: &Block) -> Option<Interrupted> {
        (has(me, INTERRUPTED) && may_raise(me)).then_some(Interrupted(PhantomData))
    }

    /// Takes what is to be raised in the current greenlet, which `me` is.
    #[inline(always)]
    pub(crate) fn take_interrupt(&self, me: &Block) -> Option<Payload> {
        self.interrupted(me).map(|_| take(me))
    }

    /// Raises what is to be raised in the current greenlet: the beginning of whatever may block.
    #[inline(always)]
    pub(crate) fn raise_pending(&self) {
        if let Some(interrupted) = self.interrupted(current_scheduled()) {
            interrupted.raise()
        }
    }
}

/// Is anything to be raised in the current greenlet, on a thread that has a hub?
#[inline(always)]
pub(crate) fn interrupted() -> Option<Interrupted> {
    let me = current_scheduled();
    (has(me, INTERRUPTED) && may_raise(me)).then_some(Interrupted(PhantomData))
}

/// May something be raised in the current greenlet, which `me` is and for which something waits?
///
/// Not in a shield. Nor in a destructor while the thread unwinds, where it would end the process;
/// but for a time limit that was set in there, and is caught in there.
#[cold]
fn may_raise(me: &Block) -> bool {
    me.seat.shields.get() == 0
        && is_marked_rightly(me)
        && (!panicking() || Interrupting::is_any_of_cleanup(me))
}

/// Is there anything to be raised in the current greenlet, which `me` is and which is marked so? The tree empties
/// the seat of one that ends, and leaves the mark; destructors that run then may wait.
fn is_marked_rightly(me: &Block) -> bool {
    unmark_if_quiet(me);
    has(me, INTERRUPTED)
}

/// Takes the first payload out of a seat that is marked as interrupted.
fn take(block: &Block) -> Payload {
    let seat = &block.seat;
    if panicking()
        && let Some(elapsed) = Interrupting::take_first(block, true)
    {
        unmark_if_quiet(block);
        return Box::new(elapsed);
    }
    let later = seat.raised_later.get();
    let payload = match seat.raised.take() {
        Some(payload) => {
            // SAFETY: null, or made by `Box::into_raw` and not freed yet.
            if let Some(queue) = unsafe { later.as_mut() } {
                seat.raised.set(Some(queue.remove(0)));
                if queue.is_empty() {
                    seat.raised_later.set(null_mut());
                    // SAFETY: as above, and no longer to be found.
                    drop(unsafe { Box::from_raw(later) });
                }
            }
            payload
        }
        None => match Interrupting::take_first(block, false) {
            Some(elapsed) => Box::new(elapsed),
            None if has(block, DOOMED) => next_exit(block),
            None => unreachable!("a seat that is marked as interrupted holds something"),
        },
    };
    unmark_if_quiet(block);
    payload
}

/// One more exit for one that has to end.
fn next_exit(block: &Block) -> Payload {
    let marks = block.marks.get();
    if marks / SWALLOWED >= PATIENCE {
        fatal(format_args!(
            "{} does not die: it has swallowed {PATIENCE} exits, and a scope that it borrows from \
             cannot end before it",
            Called(block)
        ));
    }
    block.marks.set(marks + SWALLOWED);
    Box::new(GreenletExit)
}

/// Takes the mark away when nothing is left to be raised.
pub(super) fn unmark_if_quiet(block: &Block) {
    let seat = &block.seat;
    let raised = seat.raised.take();
    let quiet = raised.is_none() && seat.elapsed.get().is_null() && !has(block, DOOMED);
    seat.raised.set(raised);
    if quiet {
        clear(block, INTERRUPTED);
    }
}

/// Empties the seat of a task that ends: what nobody will raise any more is handed to `drop_it`.
#[inline(always)]
pub(crate) fn vacate(block: &Block, drop_it: impl FnMut(Payload)) {
    if has(block, INTERRUPTED) {
        vacate_slowly(block, drop_it);
    }
}

#[cold]
#[inline(never)]
fn vacate_slowly(block: &Block, mut drop_it: impl FnMut(Payload)) {
    loop {
        // Whoever dooms it wants its body to end, which it has. It may be doomed also while something is dropped,
        // for that may wait; then there would be one more exit for ever.
        clear(block, DOOMED);
        unmark_if_quiet(block);
        if !has(block, INTERRUPTED) {
            return;
        }
        drop_it(take(block));
    }
}

/// Runs `f` while kills, throws and time limits are held back from the current greenlet.
///
/// Waits inside `f` are not interrupted. What arrives meanwhile is raised at the first wait after it. Shields
/// nest.
///
/// Destructors that run while the thread unwinds are shielded anyway; only time limits that are set in
/// there are raised there.
///
/// ```
/// use greenlet::{shield, sleep, timeout};
/// use std::time::Duration;
/// let mut done = false;
/// let late = timeout(Duration::from_millis(1), || {
///     shield(|| {
///         sleep(Duration::from_millis(5)); // not cut short
///         done = true;
///     });
///     sleep(Duration::from_secs(5)); // cut short at once
/// });
/// assert!(done && late.is_err());
/// ```
///
/// # Panics
/// As `f` does.
pub fn shield<R>(f: impl FnOnce() -> R) -> R {
    struct Lower<'a>(&'a Block);
    impl Drop for Lower<'_> {
        fn drop(&mut self) {
            let shields = &self.0.seat.shields;
            shields.set(shields.get() - 1);
            if has(self.0, INTERRUPTED) {
                note_orphan(self.0);
            }
        }
    }
    let me = current_block();
    me.seat.shields.set(me.seat.shields.get() + 1);
    let _lower = Lower(me);
    f()
}

/// Whether a kill, a throw or a time limit will be raised at the next wait of the current greenlet.
///
/// For long computations, which can stop early, and for code inside a [`shield`].
///
/// ```
/// assert!(!greenlet::is_interrupted());
/// ```
pub fn is_interrupted() -> bool {
    let me = current_block();
    has(me, INTERRUPTED) && is_marked_rightly(me)
}
