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

#![expect(unsafe_code, reason = "links nodes that it does not own")]

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::mem::offset_of;
use std::ptr::NonNull;

use super::ring::{Link, Rings};

const TICK_BITS: u32 = 20;
const DIGIT_BITS: u32 = 6;
const LEVELS: usize = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// Where the far bits begin.
const FAR_BITS: u32 = TICK_BITS + LEVELS as u32 * DIGIT_BITS;

/// Lists are numbered through: level by level, slot by slot, then these three.
const FAR: usize = LEVELS * SLOTS;
const NEVER: usize = FAR + 1;
/// A list whose timers are being filed anew.
const REFILED: usize = NEVER + 1;
const LISTS: usize = REFILED + 1;

/// Timers for whose sorting the wheel keeps room.
const SCRATCH: usize = 4096;

/// One wait for a deadline: a node in the frame of whoever waits. Moves freely while it is not linked.
#[repr(C)]
pub(crate) struct Timer {
    link: Link,
    deadline_ns: Cell<u64>,
    /// The number of the list that it is in, if it is linked (**Linked where it says**).
    list: Cell<u16>,
    _pinned: PhantomPinned,
}

// So a pointer to a timer is one to its link, and back.
const _: () = assert!(offset_of!(Timer, link) == 0);

impl Timer {
    pub(crate) const fn new() -> Timer {
        Timer {
            link: Link::new(),
            deadline_ns: Cell::new(u64::MAX),
            list: Cell::new(0),
            _pinned: PhantomPinned,
        }
    }

    /// Whether it is in a wheel. Not any more when it fires.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        self.link.is_linked()
    }

    /// What it was last inserted with; `u64::MAX` if never.
    #[inline]
    pub(crate) fn deadline_ns(&self) -> u64 {
        self.deadline_ns.get()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Not while unwinding: the first panic says more than the abort of a second.
        debug_assert!(
            !self.is_linked() || std::thread::panicking(),
            "a timer ends while it is in a wheel: remove it first"
        );
    }
}

/// Timers in order of their deadlines. Times are nanoseconds from any one origin; `u64::MAX` is never.
///
/// It takes no memory but for sorting, and looks at no clock. Dropped, it unlinks what is in it.
pub(crate) struct Wheel {
    /// Time as far as it has come. Within `advance`, not past the slot that is being emptied.
    now_ns: Cell<u64>,
    /// Which lists have timers: a bit for each, a word for each level.
    occupied: [Cell<u64>; LISTS.div_ceil(SLOTS)],
    /// Which lists of level 0 may not be in order of deadline.
    mixed: Cell<u64>,
    len: Cell<usize>,
    /// Where a list of level 0 is sorted; kept for its capacity.
    scratch: Cell<Vec<(u64, NonNull<Link>)>>,
    lists: Rings<LISTS>,
}

impl Wheel {
    pub(crate) fn new(now_ns: u64) -> Wheel {
        Wheel {
            now_ns: Cell::new(now_ns),
            occupied: [const { Cell::new(0) }; _],
            mixed: Cell::new(0),
            len: Cell::new(0),
            scratch: Cell::default(),
            lists: Rings::new(),
        }
    }

    /// How many timers are in it, those that never fire included.
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// How many of them will fire; counts the others.
    pub(crate) fn len_of_those_that_fire(&self) -> usize {
        self.len() - self.lists.count(NEVER)
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
        // SAFETY: it is linked, in this wheel by the caller's promise (**Linked where it says**).
        if unsafe { timer.link.unlink() } {
            self.vacate(usize::from(timer.list.get()));
        }
        self.len.set(self.len.get() - 1);
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
        self.earliest(number).map(|timer| timer.deadline_ns())
    }

    /// Moves time to `now_ns` and gives `fire` all timers whose deadlines are not later: by deadline,
    /// equal ones in the order of their insertion, each already unlinked. An earlier `now_ns` than
    /// before counts as the one before.
    ///
    /// `fire` may insert and remove timers; what it inserts with a deadline up to `now_ns` fires in
    /// this call too, so it must not do that for ever. If it panics, what has not fired fires next time.
    pub(crate) fn advance(&self, now_ns: u64, mut fire: impl FnMut(&Timer)) {
        let now_ns = now_ns.max(self.now_ns.get());
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
            match self.earliest(number) {
                Some(timer) if timer.deadline_ns() <= now_ns => {
                    // SAFETY: it comes from a list of this wheel.
                    unsafe { self.remove(timer) };
                    fire(timer);
                }
                _ => break,
            }
        }
        self.now_ns.set(now_ns.max(self.now_ns.get()));
    }

    /// Puts a timer into the list of its deadline.
    ///
    /// # Safety
    /// It is in no list, and stays where it is until it is unlinked.
    #[inline]
    unsafe fn file(&self, node: NonNull<Timer>) {
        // SAFETY: it is there, by the caller's promise.
        let timer = unsafe { node.as_ref() };
        let deadline_ns = timer.deadline_ns();
        let number = self.number(deadline_ns);
        timer.list.set(number as u16);
        let (level, bit) = place(number);
        // SAFETY: **Linked where it says**.
        let later = |last: NonNull<Link>| unsafe { timer_of(last) }.deadline_ns() > deadline_ns;
        if level == 0 && self.lists.back(number).is_some_and(later) {
            self.mixed.set(self.mixed.get() | bit);
        }
        // SAFETY: forwarded; a timer begins with its link.
        unsafe { self.lists.push_back(number, node.cast()) };
        self.occupied[level].set(self.occupied[level].get() | bit);
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
        let (level, bit) = place(FAR);
        // Far timers differ from now in the far bits, so these have room for one more.
        (self.occupied[level].get() & bit != 0)
            .then(|| (FAR, ((now_ns >> FAR_BITS) + 1) << FAR_BITS))
    }

    /// The first to fire in a list of level 0.
    #[inline]
    fn earliest(&self, number: usize) -> Option<&Timer> {
        if self.mixed.get() & place(number).1 != 0 {
            self.sort(number);
        }
        // SAFETY: **Linked where it says**; callers drop the reference before anybody else acts, or
        // have unlinked it and give it to `fire`, until whose end it stays.
        self.lists.front(number).map(|node| unsafe { timer_of(node) })
    }

    /// Sorts a list of level 0 by deadline, stably (**In order of arrival**).
    #[cold]
    fn sort(&self, number: usize) {
        let mut scratch = self.scratch.take();
        while let Some(node) = self.lists.pop_front(number) {
            // SAFETY: **Linked where it says**, until now and again below.
            scratch.push((unsafe { timer_of(node) }.deadline_ns(), node));
        }
        scratch.sort_by_key(|(deadline_ns, _)| *deadline_ns);
        for (_, node) in scratch.drain(..) {
            // SAFETY: it came from this list and stays until its owner takes it out.
            unsafe { self.lists.push_back(number, node) };
        }
        if scratch.capacity() <= SCRATCH {
            self.scratch.set(scratch);
        }
        self.mixed.set(self.mixed.get() & !place(number).1);
    }

    /// Files all timers of a list anew, after time has entered it. In their order, and the lists that
    /// they come to were empty of such deadlines (**In order of arrival**).
    fn refile(&self, number: usize) {
        self.lists.transfer(number, REFILED);
        self.vacate(number);
        while let Some(node) = self.lists.pop_front(REFILED) {
            // SAFETY: it came from a list and stays until its owner takes it out.
            unsafe { self.file(node.cast()) };
        }
    }

    /// Notes that a list has become empty.
    #[inline]
    fn vacate(&self, number: usize) {
        let (level, bit) = place(number);
        self.occupied[level].set(self.occupied[level].get() & !bit);
        if level == 0 {
            self.mixed.set(self.mixed.get() & !bit);
        }
    }
}

/// The timer that begins with this link.
///
/// # Safety
/// It is linked, or was until now and still is where it was.
#[inline]
unsafe fn timer_of<'a>(node: NonNull<Link>) -> &'a Timer {
    // SAFETY: lists of a wheel hold pointers to whole timers, and these are there.
    unsafe { node.cast::<Timer>().as_ref() }
}

/// Word and bit of a list in the bitmaps.
#[inline]
fn place(number: usize) -> (usize, u64) {
    (number / SLOTS, 1 << (number % SLOTS))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const MS: u64 = 1_000_000;

    fn timers<const N: usize>() -> [Timer; N] {
        [const { Timer::new() }; N]
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
        wheel.advance(now_ns, |timer| fired.push(timer.deadline_ns() / MS));
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
            wheel.advance(deadline_ns - (deadline_ns >> (i * 3 / 2)), |_| panic!("early"));
        }
        let mut order = Vec::new();
        let number = |timer: &Timer| timers.iter().position(|t| std::ptr::eq(t, timer)).unwrap();
        wheel.advance(deadline_ns + MS, |timer| order.push(number(timer)));
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
        wheel.advance(100 * MS, |timer| {
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
        wheel.advance(MS, |timer| {
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
        wheel.advance(0, |_| {});
        insert(&wheel, &timers[0], 999 * MS);
        assert_eq!(wheel.next_deadline(), Some(999 * MS));
        assert_eq!(fired(&wheel, 0), [999]);
    }

    #[test]
    fn a_panic_in_firing_leaves_the_others_for_the_next_time() {
        let timers = timers::<3>();
        let wheel = Wheel::new(0);
        timers.iter().zip([1, 2, 200]).for_each(|(t, ms)| insert(&wheel, t, ms * MS));
        let advance = || wheel.advance(300 * MS, |_| std::panic::resume_unwind(Box::new(())));
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

    #[test]
    #[cfg(debug_assertions)]
    fn a_timer_that_ends_in_a_wheel_is_reported() {
        let timer = std::mem::ManuallyDrop::new(Timer::new());
        let wheel = Wheel::new(0);
        insert(&wheel, &timer, 1);
        // SAFETY: read once, for its drop alone; the original is never dropped.
        let copy = unsafe { std::ptr::read(&*timer) };
        assert!(catch_unwind(AssertUnwindSafe(|| drop(copy))).is_err());
    }

    // Two fit a cache line, and `first` and `file` rely on the numbers.
    const _: () = assert!(size_of::<Timer>() == 32);
    const _: () = assert!(FAR_BITS < u64::BITS && LISTS <= u16::MAX as usize);
}
