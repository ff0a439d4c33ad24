//! The loop.
#![expect(unsafe_code, reason = "hands over to parked greenlets")]

use super::Hub;
use super::completion::INLINE_ENDS;
use super::deadline::{ALARMS_ALONE, ALARMS_AT_ONCE};
use super::ready::{WOKEN_IN_PLACE, has};
use crate::driver::Wait;
use crate::greenlet::{Block, hand_over};

/// A round in which greenlets run longer than this is made shorter.
const LONGEST_ROUND_NS: u64 = 200_000;

impl Hub {
    /// The body of the hub's greenlet: never returns, owns nothing.
    pub(super) fn run(&self) -> ! {
        loop {
            self.look_at_the_world(None);
            let Some(first) = self.ready.pop() else { continue };
            let round = self.round.get();
            self.pulse.set_round_left(round);
            let began = self.is_sampled().then(|| self.now());
            // SAFETY: it was taken off the ready list, so it is parked; we are the scheduler, in
            // whose greenlet nothing unwinds.
            unsafe { hand_over(first) };
            while self.ring_next_alarms() {
                let Some(next) = self.ready.pop() else { continue };
                self.pulse.set_round_left(self.pulse.round_left() - 1);
                // SAFETY: as above.
                unsafe { hand_over(next) };
            }
            if let Some(began) = began {
                self.adapt_round(round, self.now() - began);
            }
        }
    }

    /// Is this one of the rounds whose length is measured?
    fn is_sampled(&self) -> bool {
        self.pulse.rounds().is_multiple_of(8)
    }

    /// Rounds that take long are made shorter, so that the kernel is looked at often enough. A look at the clock at
    /// every hand-over instead would cost 20 ns each.
    fn adapt_round(&self, round: u32, took_ns: u64) {
        if took_ns > LONGEST_ROUND_NS {
            self.round.set((round / 2).max(1));
        } else if took_ns < LONGEST_ROUND_NS / 4 {
            self.round.set((round * 2).min(self.in_force.wanted.round.value));
        }
    }

    /// Deadlines, then the kernel: submits what was begun, waits if nobody is ready (or until the one
    /// that waits `in_place` is woken), and makes ready whomever the answers concern.
    pub(super) fn look_at_the_world(&self, in_place: Option<&Block>) {
        self.pulse.begin_round();
        let more_alarms = self.ring_alarms(match in_place {
            None if self.ready.is_empty() => ALARMS_ALONE,
            _ => ALARMS_AT_ONCE,
        });
        let goes_on = more_alarms
            || match in_place {
                Some(block) => has(block, WOKEN_IN_PLACE), // the alarms may have done it
                None => !self.ready.is_empty(),
            };
        let wait = if goes_on {
            Wait::No
        } else {
            match self.wheel.next_deadline() {
                Some(_) if self.only_limits_of_rest_are_left(in_place) => {
                    return self.report_deadlock(in_place);
                }
                Some(moment) => Wait::Until(moment.max(self.alarms_gathered_until.get())),
                None if self.awaits_anything() => Wait::ForEver,
                None => return self.report_deadlock(in_place),
            }
        };
        self.enter(wait);
        #[cfg(feature = "sim")]
        self.judge(wait, in_place);
    }

    /// As a look at the world that never waits, from any greenlet.
    pub(super) fn glance(&self) {
        self.ring_alarms(ALARMS_AT_ONCE);
        self.enter(Wait::No);
    }

    pub(super) fn enter(&self, wait: Wait) {
        self.inline_left.set(INLINE_ENDS);
        let mut driver = self.driver.borrow_mut();
        if wait != Wait::No && self.lie_down() {
            #[cfg(feature = "sim")]
            self.tell_of_others(&mut driver);
            self.pulse.set_sleeps(true);
            driver.enter(wait);
            self.pulse.set_sleeps(false);
            self.get_up();
        } else if driver.is_due() {
            driver.enter(Wait::No);
        }
        driver.reap(|completion| self.complete(completion));
        drop(driver);
        self.open_mail();
        if !self.full.get().is_null() {
            self.stop_full();
        }
    }
}
