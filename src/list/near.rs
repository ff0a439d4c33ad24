//! The timers of levels 0 and 1, those that may fire soon: a circular list for each slot, all in one array.
//! First the heads of the lists, then a place for each timer that is in one.
//!
//! ```text
//!   0 .. 128                               128 ..
//!   ┌──────┬──────┬──────┬───┬──────┬───────┬───────┬──────┬───────┬───
//!   │ head │ head │ head │ … │ head │ timer │ timer │ free │ timer │ …
//!   └──┬───┴──────┴──────┴───┴──────┴───────┴───▲───┴──────┴───▲───┴───
//!      └──────────────── next ──────────────────┘──── next ────┘   and back to the head
//! ```
//!
//! Filing, sorting and filing anew touch the array alone. Linked through the timers themselves, which lie
//! in frames of parked greenlets, each on a page of its own, each step waited for such a page. (Timers of
//! the other levels are in such lists: most of them never fire, and in here a re-arm took 5 ns more.)
//!
//! Places are handed out in runs, to each slot its own, so that what will be sorted and fire together lies
//! together. A run is handed out again when all its timers have left. The array doubles when no run is
//! free, and is kept; at worst each run has one timer.
//!
//! - **Places are numbers**: heads, links and what [`Near::take`] gave are places of the array, which
//!   never gets smaller. No method calls anybody, so that no reference into it meets its growth.
#![expect(unsafe_code, reason = "an array without checks, of timers that it does not own")]

use std::cell::Cell;
use std::ptr::{self, NonNull, null};

use super::timer::Timer;

/// How many slots they have.
pub(super) const NEAR: usize = 128;

/// No place: that of the first head, which no timer ever has.
pub(super) const NONE: u32 = 0;

/// Places are handed out in runs of so many.
const RUN: u32 = 16;
/// Places that there are from the beginning.
const AT_FIRST: u32 = 512;

#[derive(Clone)]
struct Place {
    /// Of a head 0: not later than anything.
    deadline_ns: Cell<u64>,
    /// Null: a head, or free.
    timer: Cell<*const Timer>,
    /// [`Timer::beside`].
    beside: Cell<*const ()>,
    next: Cell<u32>,
    prev: Cell<u32>,
}

// Two in a cache line.
const _: () = assert!(size_of::<Place>() == 32);

impl Place {
    fn new(next: u32) -> Place {
        Place {
            deadline_ns: Cell::new(0),
            timer: Cell::new(null()),
            beside: Cell::new(null()),
            next: Cell::new(next),
            prev: Cell::new(next),
        }
    }
}

/// A run of places, handed out one after another, and again when all of them are free.
#[derive(Clone)]
struct Run {
    /// How many of its places are in lists, and one more while it is handed out.
    users: Cell<u32>,
    /// The next free run, by its first place.
    next: Cell<u32>,
}

/// Some lists, in order of arrival each. Not `Send`, and ends by unlinking all timers.
pub(super) struct Near {
    /// An owned array, but no `Box`: it grows behind a shared reference.
    places: Cell<NonNull<Place>>,
    runs: Cell<NonNull<Run>>,
    len: Cell<u32>,
    /// The first free run, by its first place.
    free: Cell<u32>,
    /// The place that the next timer of a list gets; at the start of a run: a run is to be begun.
    coming: [Cell<u32>; NEAR],
    /// Where a list is sorted; kept for its capacity.
    scratch: Cell<Vec<(u64, u32)>>,
}

impl Near {
    pub(super) fn new() -> Near {
        let near = Near {
            places: Cell::new(NonNull::dangling()),
            runs: Cell::new(NonNull::dangling()),
            len: Cell::new(0),
            free: Cell::new(NONE),
            coming: [const { Cell::new(NONE) }; _],
            scratch: Cell::default(),
        };
        near.extend(AT_FIRST);
        near
    }

    #[inline(always)]
    fn at(&self, place: u32) -> &Place {
        debug_assert!(place < self.len.get());
        // SAFETY: **Places are numbers**.
        unsafe { self.places.get().add(place as usize).as_ref() }
    }

    #[inline(always)]
    fn run_of(&self, place: u32) -> &Run {
        debug_assert!(place < self.len.get());
        // SAFETY: as above; there is a run for each so many places.
        unsafe { self.runs.get().add((place / RUN) as usize).as_ref() }
    }

    /// A place for a timer that will be in this slot, but is in no list yet.
    ///
    /// # Safety
    /// It is not linked, and stays where it is until it is not linked any more.
    #[inline]
    pub(super) unsafe fn take(&self, slot: u32, timer: &Timer) -> u32 {
        let coming = &self.coming[slot as usize];
        let mut place = coming.get();
        if place.is_multiple_of(RUN) {
            place = self.begin_run(place);
        }
        coming.set(place + 1);
        let users = &self.run_of(place).users;
        users.set(users.get() + 1);
        let taken = self.at(place);
        taken.deadline_ns.set(timer.deadline_ns());
        taken.timer.set(timer);
        taken.beside.set(timer.beside());
        timer.place.set(place);
        timer.link.mark();
        place
    }

    /// Begins a run, where one ended before this place or none was begun; gives its first place.
    #[cold]
    #[inline(never)]
    fn begin_run(&self, end: u32) -> u32 {
        if end != NONE {
            self.leave_run(end - 1);
        }
        if self.free.get() == NONE {
            self.extend(self.len.get().checked_mul(2).expect("too many timers"));
        }
        let first = self.free.get();
        let run = self.run_of(first);
        self.free.set(run.next.get());
        run.users.set(1);
        first
    }

    #[inline]
    fn leave_run(&self, place: u32) {
        let run = self.run_of(place);
        let users = run.users.get() - 1;
        run.users.set(users);
        if users == 0 {
            run.next.set(self.free.replace(place / RUN * RUN));
        }
    }

    /// Makes new places, up to `len`; no run is free.
    fn extend(&self, len: u32) {
        let (mut places, mut runs) = self.take_arrays();
        let from = (places.len() as u32).max(NEAR as u32);
        places.reserve_exact(len as usize - places.len());
        places.extend((places.len() as u32..len).map(Place::new));
        let free = (from + RUN..len).step_by(RUN as usize).chain([NONE]);
        let run = |next| Run { users: Cell::new(0), next: Cell::new(next) };
        runs.reserve_exact((len / RUN) as usize - runs.len());
        runs.resize((from / RUN) as usize, run(NONE));
        runs.extend(free.map(run));
        self.free.set(from);
        self.len.set(len);
        self.places.set(NonNull::from(Box::leak(places.into_boxed_slice())).cast());
        self.runs.set(NonNull::from(Box::leak(runs.into_boxed_slice())).cast());
    }

    /// Takes all timers out of all lists.
    pub(super) fn clear(&self) {
        self.unlink_all();
        self.coming.iter().for_each(|coming| coming.set(NONE));
        self.extend(AT_FIRST);
    }

    /// Unlinks all timers, and gives the memory back.
    fn unlink_all(&self) {
        for place in self.take_arrays().0 {
            // SAFETY: **Linked where it says**: it is in a list, so it is there.
            if let Some(timer) = unsafe { place.timer.get().as_ref() } {
                timer.link.unmark();
            }
        }
    }

    /// The arrays; the caller puts others in their place.
    fn take_arrays(&self) -> (Vec<Place>, Vec<Run>) {
        let len = self.len.replace(0);
        if len == 0 {
            return Default::default();
        }
        let places = ptr::slice_from_raw_parts_mut(self.places.get().as_ptr(), len as usize);
        let runs = ptr::slice_from_raw_parts_mut(self.runs.get().as_ptr(), (len / RUN) as usize);
        // SAFETY: `extend` leaked them, with these lengths; no reference into them is left (**Places are
        // numbers**), and nobody finds them here any more.
        unsafe { (Box::from_raw(places).into_vec(), Box::from_raw(runs).into_vec()) }
    }

    /// Puts a place into a list, behind `before`, which is in it or is its head.
    #[inline]
    pub(super) fn link_behind(&self, before: u32, place: u32) {
        self.link(before, place, self.at(before).next.get());
    }

    /// Puts a place into a list, behind all others.
    #[inline]
    pub(super) fn push_back(&self, slot: u32, place: u32) {
        self.link(self.at(slot).prev.get(), place, slot);
    }

    #[inline(always)]
    fn link(&self, before: u32, place: u32, next: u32) {
        let this = self.at(place);
        this.next.set(next);
        this.prev.set(before);
        self.at(before).next.set(place);
        self.at(next).prev.set(place);
    }

    /// Takes a timer's place out of its slot; gives that if it is empty now.
    #[inline]
    pub(super) fn remove(&self, place: u32) -> Option<u32> {
        let this = self.at(place);
        let (next, prev) = (this.next.get(), this.prev.get());
        self.at(next).prev.set(prev);
        self.at(prev).next.set(next);
        this.timer.set(null());
        self.leave_run(place);
        if next != prev {
            return None;
        }
        self.vacate(next);
        Some(next)
    }

    /// The last timer has left a slot: its run need not wait for another one.
    #[inline]
    fn vacate(&self, slot: u32) {
        let coming = self.coming[slot as usize].replace(NONE);
        if coming != NONE {
            self.leave_run(coming - 1);
        }
    }

    /// The first place of a list; the head if there is none.
    #[inline]
    pub(super) fn front(&self, slot: u32) -> u32 {
        self.at(slot).next.get()
    }

    /// The last one, likewise.
    #[inline]
    pub(super) fn back(&self, slot: u32) -> u32 {
        self.at(slot).prev.get()
    }

    #[inline]
    pub(super) fn next(&self, place: u32) -> u32 {
        self.at(place).next.get()
    }

    #[inline]
    pub(super) fn before(&self, place: u32) -> u32 {
        self.at(place).prev.get()
    }

    #[inline]
    pub(super) fn deadline_ns(&self, place: u32) -> u64 {
        self.at(place).deadline_ns.get()
    }

    #[inline]
    pub(super) fn timer(&self, place: u32) -> *const Timer {
        self.at(place).timer.get()
    }

    #[inline]
    pub(super) fn beside(&self, place: u32) -> *const () {
        self.at(place).beside.get()
    }

    /// Empties a slot: its first place, from which [`next`](Near::next) leads to the others, then to [`NONE`].
    pub(super) fn detach(&self, slot: u32) -> u32 {
        self.vacate(slot);
        let head = self.at(slot);
        self.at(head.prev.replace(slot)).next.set(NONE);
        head.next.replace(slot)
    }

    /// Sorts a list by deadline, stably.
    #[cold]
    pub(super) fn sort(&self, slot: u32) {
        let mut scratch = self.scratch.take();
        let mut place = self.front(slot);
        while place != slot {
            let this = self.at(place);
            scratch.push((this.deadline_ns.get(), place));
            place = this.next.get();
        }
        scratch.sort_by_key(|(deadline_ns, _)| *deadline_ns);
        let mut last = slot;
        for (_, place) in scratch.drain(..) {
            self.at(last).next.set(place);
            self.at(place).prev.set(last);
            last = place;
        }
        self.at(last).next.set(slot);
        self.at(slot).prev.set(last);
        self.scratch.set(scratch);
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.unlink_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deadlines in a slot, read forwards; backwards must be the same.
    fn order(near: &Near, slot: u32) -> Vec<u64> {
        let walk = |step: fn(&Near, u32) -> u32| {
            let places = std::iter::successors(Some(slot), |place| Some(step(near, *place)));
            let places = places.skip(1).take_while(|place| *place != slot);
            places.map(|place| near.deadline_ns(place)).collect::<Vec<_>>()
        };
        let (forwards, mut backwards) = (walk(Near::next), walk(Near::before));
        backwards.reverse();
        assert_eq!(forwards, backwards);
        forwards
    }

    fn timer(deadline_ns: u64) -> Timer {
        let timer = Timer::new(null());
        timer.deadline_ns.set(deadline_ns);
        timer
    }

    fn push(near: &Near, slot: u32, timer: &Timer) {
        // SAFETY: these tests leave their timers where they are.
        let place = unsafe { near.take(slot, timer) };
        near.push_back(slot, place);
    }

    fn remove(near: &Near, timer: &Timer) -> Option<u32> {
        timer.link.unmark();
        near.remove(timer.place.get())
    }

    #[test]
    fn timers_come_and_go_in_order() {
        let timers = [7, 5, 5, 1].map(timer);
        let near = Near::new();
        timers.iter().for_each(|timer| push(&near, 1, timer));
        assert_eq!(order(&near, 1), [7, 5, 5, 1]);
        near.sort(1);
        assert_eq!(order(&near, 1), [1, 5, 5, 7]);
        let second = near.next(near.front(1));
        assert_eq!(second, timers[1].place.get(), "equal ones keep their order");
        assert_eq!(remove(&near, &timers[3]), None);
        timers[3].deadline_ns.set(6);
        // SAFETY: as above.
        near.link_behind(timers[2].place.get(), unsafe { near.take(1, &timers[3]) });
        assert_eq!(order(&near, 1), [5, 5, 6, 7]);
        let first = near.detach(1);
        assert_eq!((first, order(&near, 1)), (timers[1].place.get(), vec![]));
        let mut place = first;
        while place != NONE {
            let next = near.next(place);
            near.push_back(9, place);
            place = next;
        }
        assert_eq!(order(&near, 9), [5, 5, 6, 7]);
        assert_eq!([1, 2, 0, 3].map(|i| remove(&near, &timers[i])), [None, None, None, Some(9)]);
        assert_eq!((order(&near, 9), order(&near, 0)), (vec![], vec![]));
    }

    #[test]
    fn an_array_that_ends_unlinks_its_timers() {
        let timers = [1, 2, 3].map(timer);
        let near = Near::new();
        timers.iter().for_each(|timer| push(&near, 63, timer));
        assert_eq!(timers.each_ref().map(Timer::is_linked), [true; 3]);
        drop(near);
        assert_eq!(timers.each_ref().map(Timer::is_linked), [false; 3]);
    }

    #[test]
    fn places_are_used_again() {
        let near = Near::new();
        let mut stay = [0, 1, 63].map(|_| timer(0));
        for (slot, timer) in [0, 1, 63].into_iter().zip(&stay) {
            push(&near, slot, timer);
        }
        for lap in 0..1000 {
            for (slot, stays) in [0, 1, 63].into_iter().zip(&mut stay) {
                // One stays always, so that runs end while they are in use.
                let comes = Box::new(timer(lap));
                push(&near, slot, &comes);
                assert_eq!(remove(&near, &comes), None);
                push(&near, slot, &comes);
                assert_eq!(remove(&near, stays), None);
                push(&near, slot, stays);
                assert_eq!(remove(&near, &comes), None);
            }
            let alone = timer(lap);
            push(&near, lap as u32 % 60 + 2, &alone);
            assert!(remove(&near, &alone).is_some());
        }
        assert_eq!(near.len.get(), AT_FIRST);
        assert!(stay.iter().all(|timer| remove(&near, timer).is_some()));
    }

    #[test]
    fn the_array_grows_and_keeps_what_is_in_it() {
        let timers: Vec<_> = (0..1000).map(timer).collect();
        let near = Near::new();
        timers.iter().for_each(|timer| push(&near, 2, timer));
        assert_eq!(order(&near, 2), (0..1000).collect::<Vec<_>>());
        let places: std::collections::BTreeSet<_> = timers.iter().map(|t| t.place.get()).collect();
        assert_eq!(places.len(), 1000);
    }
}
