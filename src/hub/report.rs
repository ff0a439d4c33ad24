//! What must not pass in silence: payloads that nobody takes, and waits that nothing can end.
#![expect(unsafe_code, reason = "raises in the root greenlet")]

use super::Hub;
use super::interrupt::Elapsed;
use super::ready::{FROZEN, has};
use crate::greenlet::{
    Block, Called, Payload, block_of, contain, describe, fatal, is_parked, line,
    raise_in_suspended, root,
};
use std::any::Any;
use std::fmt;

/// Raised in the root greenlet when every greenlet waits, and neither the kernel, the clock nor another
/// thread can wake one.
///
/// ```
/// use greenlet::{Deadlock, sync::Event};
/// use std::panic::catch_unwind;
/// let payload = catch_unwind(|| Event::new().wait()).unwrap_err(); // nobody will set it
/// let deadlock = payload.downcast_ref::<Deadlock>().unwrap();
/// assert!(deadlock.waiting()[0].contains("an event"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "LoopExit")]
pub struct Deadlock {
    waiting: Vec<String>,
}

impl Deadlock {
    /// One line for each parked greenlet: which it is and what it waits for.
    pub fn waiting(&self) -> &[String] {
        &self.waiting
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: every greenlet waits, and nothing can wake one")?;
        self.waiting.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Deadlock {}

/// What a parked greenlet waits for: a text that lives as long as the program.
pub(crate) type WaitsFor = &'static &'static str;

/// Says what the greenlet of `block` waits for, until the next call.
#[inline(always)]
pub(crate) fn set_waits_for(block: &Block, what: WaitsFor) {
    block.seat.waits_for.set((&raw const *what).cast());
}

/// What a parked greenlet waits for.
pub(crate) fn waits_for(block: &Block) -> &'static str {
    // SAFETY: null, or what `set_waits_for` left.
    unsafe { block.seat.waits_for.get().cast::<&'static str>().as_ref() }.unwrap_or(&"to run")
}

/// The text of what hubs raise.
pub(super) fn text_of_ours(payload: &(dyn Any + Send)) -> Option<String> {
    let elapsed = payload.downcast_ref::<Elapsed>().map(Elapsed::to_string);
    elapsed.or_else(|| payload.downcast_ref::<Deadlock>().map(Deadlock::to_string))
}

impl Hub {
    /// Nothing can happen any more, unless there is a letter: tells those who wait for that, or else the
    /// root greenlet. One that waits `in_place` cannot be told anything, for its thread unwinds.
    #[cold]
    pub(super) fn report_deadlock(&self, in_place: Option<&Block>) {
        // Whoever had the last handle may have sent something before it went.
        if self.open_mail() || self.tell_of_rest(in_place) {
            return;
        }
        if let Some(block) = in_place {
            fatal(format_args!(
                "{} waits for {} in a destructor, where nothing can wake it",
                Called(block),
                waits_for(block)
            ));
        }
        let mut waiting = Vec::new();
        crate::greenlet::for_each_alive(|block| {
            if is_parked(block) && !std::ptr::eq(block, self.greenlet.get()) {
                waiting.push(format!("{} waits for {}", Called(block), waits_for(block)));
            }
        });
        let root = root();
        let Some(root) = block_of(&root) else { unreachable!("the root lives") };
        if is_parked(root) {
            waiting.insert(0, format!("the root greenlet waits for {}", waits_for(root)));
        }
        let deadlock = Deadlock { waiting };
        line(format_args!("{deadlock}"));
        self.tell_root(Box::new(deadlock));
    }

    /// Raises in the root greenlet; nobody else runs.
    pub(super) fn tell_root(&self, payload: Payload) {
        let root = root();
        let Some(root) = block_of(&root) else { unreachable!("the root lives") };
        if is_parked(root) {
            if root.seat.shields.get() > 0 {
                fatal(format_args!("the root greenlet cannot be told: it is in a shield"));
            }
            if has(root, FROZEN) {
                fatal(format_args!("the root greenlet cannot be told: it waits before the fork"));
            }
            self.interrupt(root, payload);
        } else {
            // SAFETY: it does not run, for we do; not parked, so it waits for a switch. We are the
            // scheduler, and nothing of ours unwinds.
            unsafe { raise_in_suspended(root, payload) };
        }
    }

    /// Notes a payload that nobody will be told of, and drops it.
    pub(crate) fn unraisable(&self, block: &Block, payload: Payload) {
        line(format_args!(
            "{} was raised in nobody's name: {}",
            Called(block),
            describe(&*payload)
        ));
        contain(|| drop(payload));
    }
}
