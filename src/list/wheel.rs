//! A hierarchical timer wheel over nodes that live in their owners' frames.
//!
//! A moment is a number in base 64, of ticks of 2^20 ns. A timer is filed by the highest digit in which
//! its deadline differs from now: that digit's place is the level, the digit the slot. When time enters
//! a slot of a higher level, its timers are filed anew, each further down (**Ahead of now**).
//!
//! ```text
//!  deadline_ns   63    56 55   50 49   44 43   38 37   32 31   26 25   20 19            0
//!               │  far   │  5    │  4    │  3    │  2    │  1    │  0    │ within a tick │
//! ```
//!
//! The tick is no decimal millisecond, so that filing takes a shift and no division, and every digit
//! lies within a `u64`: what does not fit six digits waits in one list and is filed anew when the far
//! bits change. Nobody sees the tick, because deadlines are kept to the nanosecond.
//!
//! Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 7.

#![expect(unsafe_code, reason = "holds timers that it does not own")]

mod ahead;
mod clear;

use std::{cell::Cell, ptr::NonNull};

use super::near::{NEAR, NONE, Near};
use super::ring::Rings;
use super::timer::Timer;

const TICK_BITS: u32 = 20;
const DIGIT_BITS: u32 = 6;
const LEVELS: usize = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// Where the far bits begin.
const FAR_BITS: u32 = TICK_BITS + LEVELS as u32 * DIGIT_BITS;

/// Lists are numbered through: level by level, slot by slot, then these three. The first are in `near`;
/// the rest are in `lists`, where the numbers begin anew.
const FAR: usize = LEVELS * SLOTS;
const NEVER: usize = FAR + 1;
/// A list whose timers are being filed anew.
const REFILED: usize = NEVER + 1;
const LISTS: usize = REFILED + 1;

/// How far from its end a list of level 0 is searched for the place of a timer, so that it stays in order.
const STEPS: usize = 8;

/// Timers in order of their deadlines. Times are nanoseconds from any one origin; `u64::MAX` is never.
///
/// It takes memory when there are more near timers than ever before, and looks at no clock. Dropped,
/// it unlinks what is in it.
pub(crate) struct Wheel {
    /// Time as far as it has come. Within `advance`, not past the slot that is being emptied.
    now_ns: Cell<u64>,
    /// Which lists have timers: a bit for each, a word for each level.
    occupied: [Cell<u64>; LISTS.div_ceil(SLOTS)],
    /// Which lists of level 0 may not be in order of deadline.
    mixed: Cell<u64>,
    len: Cell<usize>,
    /// The place that is looked at next; [`NONE`] while nobody looks ahead.
    ahead: Cell<u32>,
    near: Near,
    lists: Rings<{ LISTS - NEAR }>,
}

impl Wheel {
    pub(crate) fn new(now_ns: u64) -> Wheel {
        Wheel {
            now_ns: Cell::new(now_ns),
            occupied: [const { Cell::new(0) }; _],
            mixed: Cell::new(0),
            len: Cell::new(0),
            ahead: Cell::new(NONE),
            near: Near::new(),
            lists: Rings::new(),
        }
    }

    /// How many timers are in it, those that never fire included.
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// How many of them will fire; counts the others.
    pub(crate) fn len_of_those_that_fire(&self) -> usize {
        self.len() - self.lists.count(NEVER - NEAR)
    }

    /// Lets `advance` fire the timer when time has reached `deadline_ns`; at the next call, if that is
    /// past. With `u64::MAX` it never fires, whatever the time.
    ///
    /// # Safety
    /// - The timer is not linked.
    /// - It stays where it is, and no `&mut` reference to it is made or used, until it was removed, or
    ///   until the `fire` that it was given to has returned, or the wheel was dropped.
    #[inline]
    pub(crate) unsafe fn insert(&self, timer: &Timer, deadline_ns: u64) {
        debug_assert!(!timer.is_linked(), "a timer is inserted twice");
        timer.deadline_ns.set(deadline_ns);
        self.len.set(self.len.get() + 1);
        // SAFETY: it is not linked and stays where it is, by the caller's promise.
        unsafe { self.file(NonNull::from(timer)) };
    }

    /// Takes the timer out, so that it does not fire; nothing if it is not linked.
    ///
    /// # Safety
    /// If the timer is linked, then in this wheel.
    #[inline]
    pub(crate) unsafe fn remove(&self, timer: &Timer) {
        if !timer.is_linked() {
            return;
        }
        let number = usize::from(timer.list.get());
        self.len.set(self.len.get() - 1);
        if number < NEAR {
            timer.link.unmark();
            return self.take_out(timer.place.get());
        }
        // SAFETY: it is linked, in this wheel by the caller's promise (**Linked where it says**).
        if unsafe { timer.link.unlink() } {
            self.vacate(number);
        }
    }

    /// When to look again: the earliest deadline, to the nanosecond, if it lies in the same turn of
    /// level 0 as now (67 ms); else a moment that is not later, and later than now. `None` if nothing
    /// will ever fire.
    ///
    /// Costs a look at each level; and sorts the timers of the first slot, if some were filed there
    /// against the order of their deadlines since the last call (6 us for 1000).
    #[inline]
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let (number, start_ns) = self.first()?;
        if number >= SLOTS {
            return Some(start_ns);
        }
        Some(self.near.deadline_ns(self.earliest(number)))
    }

    /// Moves time to `now_ns` and gives `fire` all timers whose deadlines are not later: by deadline,
    /// equal ones in the order of their insertion, each already unlinked. An earlier `now_ns` than
    /// before counts as the one before.
    ///
    /// `fire` may insert and remove timers; what it inserts with a deadline up to `now_ns` fires in
    /// this call too, so it must not do that for ever. If it panics, what has not fired fires next time.
    ///
    /// Ends after `most` timers, and says whether more are due; then time has not moved past them.
    pub(crate) fn advance(&self, now_ns: u64, most: usize, mut fire: impl FnMut(&Timer)) -> bool {
        let now_ns = now_ns.max(self.now_ns.get());
        let mut left = most;
        while let Some((number, start_ns)) = self.first() {
            if start_ns > now_ns {
                break;
            }
            // The present slot began before now.
            self.now_ns.set(start_ns.max(self.now_ns.get()));
            if number >= SLOTS {
                self.refile(number);
                continue;
            }
            let place = self.earliest(number);
            if self.near.deadline_ns(place) > now_ns {
                break;
            }
            if left == 0 {
                return true;
            }
            left -= 1;
            // SAFETY: **Linked where it says**; it stays until `fire` has returned.
            let timer = unsafe { &*self.near.timer(place) };
            self.len.set(self.len.get() - 1);
            timer.link.unmark();
            self.take_out(place);
            fire(timer);
        }
        self.now_ns.set(now_ns.max(self.now_ns.get()));
        self.ahead.set(NONE);
        false
    }

    /// Puts a timer into the list of its deadline.
    ///
    /// # Safety
    /// It is in no list, and stays where it is until it is unlinked.
    #[inline(always)]
    unsafe fn file(&self, node: NonNull<Timer>) {
        // SAFETY: it is there, by the caller's promise.
        let timer = unsafe { node.as_ref() };
        let number = self.number(timer.deadline_ns());
        timer.list.set(number as u16);
        let (level, bit) = bit(number);
        self.occupied[level].set(self.occupied[level].get() | bit);
        if number < NEAR {
            // SAFETY: forwarded.
            unsafe { self.file_near(number, timer) };
        } else {
            // SAFETY: forwarded; a timer begins with its link.
            unsafe { self.lists.push_back(number - NEAR, node.cast()) };
        }
    }

    /// Puts a timer into a near list. By itself, so that it costs the others no registers.
    ///
    /// # Safety
    /// As [`file`](Wheel::file).
    #[inline(never)]
    unsafe fn file_near(&self, number: usize, timer: &Timer) {
        // SAFETY: forwarded.
        let place = unsafe { self.near.take(number as u32, timer) };
        self.link_near(number, place);
    }

    /// Puts a place into its list: on level 0 where it belongs; where that takes long, behind all others.
    #[inline]
    fn link_near(&self, number: usize, place: u32) {
        let (near, slot) = (&self.near, number as u32);
        if number < SLOTS && self.mixed.get() & (1 << number) == 0 {
            let mut before = near.back(slot);
            for _ in 0..STEPS {
                // The head at the latest.
                if near.deadline_ns(before) <= near.deadline_ns(place) {
                    return near.link_behind(before, place);
                }
                before = near.before(before);
            }
            self.mixed.set(self.mixed.get() | 1 << number);
        }
        near.push_back(slot, place);
    }

    /// Takes a place out of a near list. By itself likewise.
    #[inline(never)]
    fn take_out(&self, place: u32) {
        if self.ahead.get() == place {
            self.ahead.set(self.near.next(place));
        }
        if let Some(slot) = self.near.remove(place) {
            self.vacate(slot as usize);
        }
    }

    /// The list for a deadline, by **Ahead of now**. What is past belongs to the present.
    #[inline]
    fn number(&self, deadline_ns: u64) -> usize {
        let now_ns = self.now_ns.get();
        let moment = deadline_ns.max(now_ns);
        let differs = moment ^ now_ns;
        if deadline_ns == u64::MAX {
            return NEVER;
        }
        if differs >> FAR_BITS != 0 {
            return FAR;
        }
        let level = ((differs >> TICK_BITS) | 1).ilog2() / DIGIT_BITS;
        let slot = (moment >> (TICK_BITS + level * DIGIT_BITS)) as usize % SLOTS;
        level as usize * SLOTS + slot
    }

    /// The first list that has timers which will fire, and the moment at which it begins.
    #[inline]
    fn first(&self) -> Option<(usize, u64)> {
        let now_ns = self.now_ns.get();
        for level in 0..LEVELS {
            let occupied = self.occupied[level].get();
            if occupied != 0 {
                let slot = occupied.trailing_zeros();
                let shift = TICK_BITS + level as u32 * DIGIT_BITS;
                let above = shift + DIGIT_BITS;
                let start_ns = (now_ns >> above << above) | (u64::from(slot) << shift);
                return Some((level * SLOTS + slot as usize, start_ns));
            }
        }
        let (level, bit) = bit(FAR);
        // Far timers differ from now in the far bits, so these have room for one more.
        (self.occupied[level].get() & bit != 0)
            .then(|| (FAR, ((now_ns >> FAR_BITS) + 1) << FAR_BITS))
    }

    /// The first to fire in a list of level 0 that is not empty.
    #[inline]
    fn earliest(&self, number: usize) -> u32 {
        let mixed = self.mixed.get();
        if mixed & (1 << number) != 0 {
            self.near.sort(number as u32); // **In order of arrival**
            self.mixed.set(mixed & !(1 << number));
        }
        self.near.front(number as u32)
    }

    /// Files all timers of a list anew, after time has entered it. In their order, and the lists that
    /// they come to were empty of such deadlines (**In order of arrival**).
    fn refile(&self, number: usize) {
        if number < NEAR {
            return self.refile_near(number);
        }
        self.lists.transfer(number - NEAR, REFILED - NEAR);
        self.vacate(number);
        while let Some(node) = self.lists.pop_front(REFILED - NEAR) {
            // SAFETY: it came from a list and stays until its owner takes it out.
            unsafe { self.file(node.cast()) };
        }
    }

    /// Likewise, without a look at the timers: what is near stays there.
    fn refile_near(&self, number: usize) {
        let mut place = self.near.detach(number as u32);
        self.vacate(number);
        while place != NONE {
            let next = self.near.next(place);
            let number = self.number(self.near.deadline_ns(place));
            let (level, bit) = bit(number);
            self.occupied[level].set(self.occupied[level].get() | bit);
            self.link_near(number, place);
            place = next;
        }
    }

    /// Notes that a list has become empty.
    #[inline]
    fn vacate(&self, number: usize) {
        let (level, bit) = bit(number);
        self.occupied[level].set(self.occupied[level].get() & !bit);
        if level == 0 {
            self.mixed.set(self.mixed.get() & !bit);
        }
    }
}

/// Word and bit of a list in the bitmaps.
#[inline]
fn bit(number: usize) -> (usize, u64) {
    (number / SLOTS, 1 << (number % SLOTS))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr::null;

    use super::*;

    const MS: u64 = 1_000_000;

    fn timers<const N: usize>() -> [Timer; N] {
        [const { Timer::new(null()) }; N]
    }

    /// For timers that are declared before their wheel.
    fn insert(wheel: &Wheel, timer: &Timer, deadline_ns: u64) {
        // SAFETY: wheels end before their timers in these tests.
        unsafe { wheel.insert(timer, deadline_ns) }
    }

    fn remove(wheel: &Wheel, timer: &Timer) {
        // SAFETY: each of these tests has one wheel.
        unsafe { wheel.remove(timer) }
    }

    /// Deadlines, in milliseconds, in the order of their firing.
    fn fired(wheel: &Wheel, now_ns: u64) -> Vec<u64> {
        let mut fired = Vec::new();
        wheel.advance(now_ns, usize::MAX, |timer| fired.push(timer.deadline_ns() / MS));
        fired
    }

    #[test]
    fn what_is_fired_or_removed_is_out() {
        let timers = timers::<3>();
        let wheel = Wheel::new(0);
        timers.iter().zip([3, 1, 2]).for_each(|(timer, ms)| insert(&wheel, timer, ms * MS));
        assert_eq!((wheel.len(), wheel.next_deadline()), (3, Some(MS)));
        remove(&wheel, &timers[2]);
        remove(&wheel, &timers[2]);
        assert_eq!(fired(&wheel, 3 * MS - 1), [1]);
        assert_eq!(timers.each_ref().map(Timer::is_linked), [true, false, false]);
        assert_eq!((wheel.len(), wheel.next_deadline()), (1, Some(3 * MS)));
        assert_eq!(fired(&wheel, 3 * MS), [3]);
        assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
    }

    #[test]
    fn the_greatest_deadline_never_comes() {
        let timers = timers::<2>();
        for now_ns in [0, 1 << FAR_BITS, u64::MAX - 1, u64::MAX] {
            let wheel = Wheel::new(now_ns);
            insert(&wheel, &timers[0], u64::MAX);
            assert_eq!((wheel.len(), wheel.next_deadline()), (1, None));
            insert(&wheel, &timers[1], u64::MAX - 1);
            assert_eq!((wheel.len(), wheel.len_of_those_that_fire()), (2, 1));
            assert!(wheel.next_deadline().is_some());
            assert_eq!(fired(&wheel, u64::MAX), [(u64::MAX - 1) / MS]);
            assert_eq!((wheel.len(), wheel.next_deadline()), (1, None));
            remove(&wheel, &timers[0]);
            assert_eq!(wheel.len(), 0);
        }
    }

    #[test]
    fn equal_deadlines_fire_in_order_of_insertion_whenever_they_were_inserted() {
        let timers = timers::<40>();
        let wheel = Wheel::new(0);
        let deadline_ns = 500_000 * MS;
        // From ever nearer, so that each level has some; and a later one between them.
        for (i, pair) in timers.chunks(2).enumerate() {
            insert(&wheel, &pair[0], deadline_ns);
            insert(&wheel, &pair[1], deadline_ns + (20 - i as u64));
            wheel.advance(deadline_ns - (deadline_ns >> (i * 3 / 2)), usize::MAX, |_| {
                panic!("early")
            });
        }
        let mut order = Vec::new();
        let number = |timer: &Timer| timers.iter().position(|t| std::ptr::eq(t, timer)).unwrap();
        wheel.advance(deadline_ns + MS, usize::MAX, |timer| order.push(number(timer)));
        let expected: Vec<_> = (0..40).step_by(2).chain((1..40).step_by(2).rev()).collect();
        assert_eq!(order, expected);
    }

    #[test]
    fn firing_may_insert_and_remove() {
        let timers = timers::<6>();
        let [first, again, due, past, victim, later] = &timers;
        let wheel = Wheel::new(0);
        insert(&wheel, first, 10 * MS);
        insert(&wheel, again, 20 * MS);
        insert(&wheel, victim, 30 * MS);
        let mut trace = Vec::new();
        wheel.advance(100 * MS, usize::MAX, |timer| {
            trace.push(timer.deadline_ns() / MS);
            if std::ptr::eq(timer, first) {
                insert(&wheel, due, 15 * MS);
                insert(&wheel, past, 5 * MS);
                insert(&wheel, later, 101 * MS);
                remove(&wheel, victim);
            }
            if std::ptr::eq(timer, again) && timer.deadline_ns() < 90 * MS {
                insert(&wheel, again, timer.deadline_ns() + 30 * MS);
            }
        });
        assert_eq!(trace, [10, 5, 15, 20, 50, 80]);
        assert_eq!(
            timers.each_ref().map(Timer::is_linked),
            [false, true, false, false, false, true]
        );
        assert_eq!(fired(&wheel, 200 * MS), [101, 110]);
    }

    #[test]
    fn firing_may_advance() {
        let timers = timers::<4>();
        let wheel = Wheel::new(0);
        timers.iter().zip([1, 2, 90, 5_000]).for_each(|(t, ms)| insert(&wheel, t, ms * MS));
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        wheel.advance(MS, usize::MAX, |timer| {
            outer.push(timer.deadline_ns() / MS);
            inner = fired(&wheel, 100 * MS);
        });
        assert_eq!((outer, inner), (vec![1], vec![2, 90]));
        assert_eq!(fired(&wheel, 5_000 * MS), [5_000]);
    }

    #[test]
    fn time_does_not_go_back() {
        let timers = timers::<1>();
        let wheel = Wheel::new(1_000 * MS);
        wheel.advance(0, usize::MAX, |_| {});
        insert(&wheel, &timers[0], 999 * MS);
        assert_eq!(wheel.next_deadline(), Some(999 * MS));
        assert_eq!(fired(&wheel, 0), [999]);
    }

    #[test]
    fn a_panic_in_firing_leaves_the_others_for_the_next_time() {
        let timers = timers::<3>();
        let wheel = Wheel::new(0);
        timers.iter().zip([1, 2, 200]).for_each(|(t, ms)| insert(&wheel, t, ms * MS));
        let advance =
            || wheel.advance(300 * MS, usize::MAX, |_| std::panic::resume_unwind(Box::new(())));
        assert!(catch_unwind(AssertUnwindSafe(advance)).is_err());
        assert_eq!(fired(&wheel, 300 * MS), [2, 200]);
    }

    #[test]
    fn a_wheel_that_ends_unlinks_its_timers() {
        let timers = timers::<3>();
        let wheel = Wheel::new(0);
        timers.iter().zip([0, 1 << 60, u64::MAX]).for_each(|(t, ns)| insert(&wheel, t, ns));
        drop(wheel);
        assert_eq!(timers.each_ref().map(Timer::is_linked), [false; 3]);
    }

    // `first` and `file` rely on the numbers.
    const _: () = assert!(NEAR.is_multiple_of(SLOTS));
    const _: () = assert!(FAR_BITS < u64::BITS && LISTS <= u16::MAX as usize);
}
