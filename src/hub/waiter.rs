//! Park and wake: the one door through which greenlets block.
#![expect(unsafe_code, reason = "hands over to parked greenlets, keeps errno")]

use super::Hub;
use super::interrupt::Interrupted;
use super::ready::{FROZEN, IN_PLACE, INTERRUPTED, READY, WOKEN_IN_PLACE, clear, has, set};
use crate::greenlet::{
    Block, Plain, current_block, current_scheduled, fatal, hand_over, is_parked, may_hand_over,
    note_orphan,
};

impl Hub {
    /// Suspends the current greenlet until it is woken; perhaps without cause, so ask again.
    ///
    /// Never unwinds. While the thread unwinds, or kills by drop, nobody else runs: then this waits
    /// in place for the kernel and the clock.
    #[inline]
    pub(crate) fn park(&self) {
        match Plain::now() {
            // SAFETY: it was just made.
            Some(plain) => unsafe { self.park_plainly(plain) },
            None => self.park_unusually(),
        }
    }

    /// Begins to load what the greenlet will touch that runs after this one. For those who go on for longer than that
    /// takes: where each of 500 connections has something, a stack has left the caches when its turn comes.
    #[inline]
    pub(crate) fn prefetch_next(&self) {
        self.ready.prefetch_first();
    }

    /// As [`park`](Hub::park), where all is plain.
    ///
    /// # Safety
    /// - This is the hub of the thread, and nothing else has run since `plain` was made.
    #[inline(always)]
    pub(crate) unsafe fn park_plainly(&self, plain: Plain<'_>) {
        let errno = self.errno();
        let (me, next) = (plain.me(), self.successor());
        if !std::ptr::eq(next, me) {
            // SAFETY: `next` was taken off the ready list or is the hub's greenlet: parked. All is
            // plain, as the caller promises.
            unsafe { plain.hand_over(next) };
        }
        self.set_errno(errno);
        notice_exit(me);
    }

    #[cold]
    #[inline(never)]
    fn park_unusually(&self) {
        let me = current_scheduled();
        if !may_hand_over() {
            return self.wait_in_place(me);
        }
        let errno = self.errno();
        let next = self.successor();
        if !std::ptr::eq(next, me) {
            // SAFETY: `next` as above; this thread's scheduler is this hub.
            unsafe { hand_over(next) };
        }
        self.set_errno(errno);
        notice_exit(me);
    }

    /// Lets every other ready greenlet run once before the current one goes on.
    #[inline(always)]
    pub(crate) fn yield_now(&self) {
        if let Some(plain) = Plain::now() {
            self.ready.push(plain.me());
            // SAFETY: it was just made.
            unsafe { self.park_plainly(plain) };
        } else if may_hand_over() {
            self.ready.push(current_scheduled());
            self.park_unusually();
        }
    }

    /// `errno` belongs to the thread, but between its system call and the look at it a greenlet may be
    /// parked (by a C library's callback, say) while others make system calls.
    #[inline(always)]
    fn errno(&self) -> i32 {
        // SAFETY: the address of this thread's `errno`, as long as the thread lives.
        unsafe { *self.errno }
    }

    #[inline(always)]
    fn set_errno(&self, errno: i32) {
        // SAFETY: as above.
        unsafe { *self.errno = errno }
    }

    /// Parks until `done` holds, or something is to be raised in the current greenlet.
    ///
    /// # Errors
    /// [`Interrupted`]; `done` did not hold then.
    #[inline]
    pub(crate) fn wait_until(&self, mut done: impl FnMut() -> bool) -> Result<(), Interrupted> {
        let me = current_block();
        loop {
            if done() {
                return Ok(());
            }
            if let Some(interrupted) = self.interrupted(me) {
                return Err(interrupted);
            }
            self.park();
        }
    }

    /// Makes a parked greenlet ready. Whoever is not parked, or is ready already, is left alone. False if it is
    /// frozen, which looks like being ready, and will not go on.
    #[inline]
    pub(crate) fn wake(&self, block: &Block) -> bool {
        if is_parked(block) {
            if has(block, READY) {
                return !has(block, FROZEN);
            }
            self.ready.push(block);
            return true;
        }
        if has(block, IN_PLACE) {
            set(block, WOKEN_IN_PLACE);
        }
        !has(block, FROZEN) // the root greenlet, at the end of its thread
    }

    /// Makes a task ready that has not begun.
    #[inline(always)]
    pub(crate) fn start(&self, block: &Block) {
        self.ready.push(block);
    }

    /// Whoever runs next: the first that is ready, or the hub's greenlet when nobody is or the round
    /// is over.
    #[inline(always)]
    pub(crate) fn successor<'a>(&self) -> &'a Block {
        let left = self.pulse.round_left();
        if left > 0
            && let Some(block) = self.ready.pop()
        {
            self.pulse.set_round_left(left - 1);
            return block;
        }
        // SAFETY: the hub's greenlet lives as long as the hub, and is parked while others run.
        unsafe { &*self.greenlet.get() }
    }

    /// Is nobody ready, also after a look at the clock and the kernel?
    pub(crate) fn is_idle(&self) -> bool {
        if self.ready.is_empty() {
            self.glance();
        }
        self.ready.is_empty()
    }

    /// Can the current greenlet wait for others? Not from a destructor while the thread unwinds, nor
    /// from a body that is being killed by drop: nobody else would run.
    #[inline]
    pub(crate) fn others_can_run(&self) -> bool {
        may_hand_over()
    }

    /// Enters the kernel until `me` is woken, and runs nobody.
    #[cold]
    #[inline(never)]
    fn wait_in_place(&self, me: &Block) {
        debug_assert!(!has(me, READY), "whoever runs was taken off the ready list");
        let unwinds = NoUnwind;
        set(me, IN_PLACE);
        while !has(me, WOKEN_IN_PLACE) {
            self.look_at_the_world(Some(me));
        }
        clear(me, IN_PLACE | WOKEN_IN_PLACE);
        std::mem::forget(unwinds);
    }
}

/// Ends the process when it is dropped: lists lead to frames that a panic of the driver would leave.
struct NoUnwind;

impl Drop for NoUnwind {
    fn drop(&mut self) {
        fatal(format_args!("the hub failed while somebody waited in place"));
    }
}

/// Back from a wait, to which an exit may have come because nobody holds `me` any more. It may go on all the same, if
/// what it waited for came, too. A shield sees to that itself at its end.
#[inline(always)]
fn notice_exit(me: &Block) {
    if has(me, INTERRUPTED) && me.seat.shields.get() == 0 {
        note_orphan(me);
    }
}
