//! The wheel against an ordered map, in virtual time: every firing, its order, and every answer of
//! `next_deadline` are compared.

#![expect(unsafe_code, reason = "timers are linked by promise")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr::null;

use super::{Timer, Wheel};

/// splitmix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Any number of bits, all equally likely.
    fn magnitude(&mut self) -> u64 {
        let bits = self.below(64);
        self.next() >> bits
    }

    /// A moment worth trying: near now, near the next multiple of a power of two, or far.
    fn moment(&mut self, now_ns: u64) -> u64 {
        let below_power = (1 << self.below(64)) - 1;
        match self.below(16) {
            0 => u64::MAX,
            1 => u64::MAX - self.magnitude(),
            2 => now_ns.saturating_sub(self.magnitude()),
            3..=5 => (now_ns | below_power).saturating_add(self.below(3)).saturating_sub(1),
            6 | 7 => now_ns.saturating_add(self.below(2_000_000)),
            // Few moments and many timers: ties.
            8 => now_ns.saturating_add(self.below(4) << 21),
            _ => now_ns.saturating_add(self.magnitude()),
        }
    }
}

/// Says at a failure how to repeat it.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed: {:#x}", self.0);
        }
    }
}

/// A wheel, and what it should be. The wheel stands first, so that it ends before its timers.
pub(super) struct Pair {
    wheel: Wheel,
    timers: Vec<Timer>,
    now_ns: Cell<u64>,
    inserted: Cell<u64>,
    /// Timers that will fire, in the order in which they must.
    waiting: RefCell<BTreeMap<(u64, u64), usize>>,
    /// Where each timer is in `waiting`; those that never fire are only here.
    keys: RefCell<Vec<Option<(u64, u64)>>>,
}

impl Pair {
    pub(super) fn new(now_ns: u64, timers: usize) -> Pair {
        Pair {
            wheel: Wheel::new(now_ns),
            timers: std::iter::repeat_with(|| Timer::new(null())).take(timers).collect(),
            now_ns: Cell::new(now_ns),
            inserted: Cell::new(0),
            waiting: RefCell::default(),
            keys: RefCell::new(vec![None; timers]),
        }
    }

    /// Inserts the timer, or gives it another deadline.
    pub(super) fn insert(&self, i: usize, deadline_ns: u64) {
        self.remove(i);
        // SAFETY: it was removed, and stays in the vector until the wheel has ended.
        unsafe { self.wheel.insert(&self.timers[i], deadline_ns) };
        self.inserted.set(self.inserted.get() + 1);
        let key = (deadline_ns, self.inserted.get());
        self.keys.borrow_mut()[i] = Some(key);
        if deadline_ns != u64::MAX {
            self.waiting.borrow_mut().insert(key, i);
        }
        assert!(self.timers[i].is_linked());
        assert_eq!(self.timers[i].deadline_ns(), deadline_ns);
    }

    pub(super) fn remove(&self, i: usize) {
        assert_eq!(self.timers[i].is_linked(), self.keys.borrow()[i].is_some(), "timer {i}");
        // SAFETY: there is one wheel here.
        unsafe { self.wheel.remove(&self.timers[i]) };
        if let Some(key) = self.keys.borrow_mut()[i].take() {
            self.waiting.borrow_mut().remove(&key);
        }
        assert!(!self.timers[i].is_linked());
    }

    /// Advances both, in steps of 1 to 16 timers. `then` is called at the end of each firing, and may use all methods.
    pub(super) fn advance(&self, to_ns: u64, mut then: impl FnMut(&Pair)) {
        self.now_ns.set(self.now_ns.get().max(to_ns));
        let now_ns = self.now_ns.get();
        let most = 1 + self.inserted.get() as usize % 16;
        let fired = Cell::new(0);
        let mut fire = |timer: &Timer| {
            fired.set(fired.get() + 1);
            let i = self.timers.iter().position(|t| std::ptr::eq(t, timer)).unwrap();
            let (key, due) = self.waiting.borrow_mut().pop_first().expect("nothing is waiting");
            assert_eq!((i, timer.deadline_ns()), (due, key.0), "at {now_ns}");
            assert!(key.0 <= now_ns, "{key:?} fired early, at {now_ns}");
            assert!(!timer.is_linked());
            self.keys.borrow_mut()[i] = None;
            then(self);
        };
        while self.wheel.advance(to_ns, most, &mut fire) {
            assert_eq!(fired.replace(0), most);
            let (goes_on, mut ahead) = (self.wheel.looks_ahead(), Vec::new());
            self.wheel.look_ahead(4, |timer, _| ahead.push(timer));
            let waiting = self.waiting.borrow();
            let mut in_order = waiting.values().map(|i| &raw const self.timers[*i]);
            if goes_on {
                let of_those = |timer: &*const Timer| in_order.any(|waits| waits == *timer);
                assert!(ahead.iter().all(of_those), "behind one another, and none of them is gone");
            } else {
                assert!(!ahead.is_empty(), "something is due");
                assert!(ahead.into_iter().zip(in_order).all(|(timer, waits)| timer == waits));
            }
        }
        let late = self.first().filter(|first| *first <= now_ns);
        assert_eq!(late, None, "not fired at {now_ns}");
        self.check();
    }

    fn first(&self) -> Option<u64> {
        self.waiting.borrow().first_key_value().map(|((deadline_ns, _), _)| *deadline_ns)
    }

    /// Compares what the wheel says of itself.
    pub(super) fn check(&self) {
        assert_eq!(self.wheel.len(), self.keys.borrow().iter().flatten().count());
        let (now_ns, said) = (self.now_ns.get(), self.wheel.next_deadline());
        let Some(first) = self.first() else { return assert_eq!(said, None) };
        let said = said.expect("next_deadline forgets a timer");
        assert!(said <= first, "next_deadline says {said}, too late for {first}, at {now_ns}");
        if first <= now_ns || (first ^ now_ns) >> 26 == 0 {
            assert_eq!(said, first, "next_deadline is not exact at {now_ns}");
        } else {
            assert!(said > now_ns, "next_deadline says {said} for {first}, already at {now_ns}");
        }
    }

    /// Follows `next_deadline` to the end, as a hub does.
    pub(super) fn drain(&self) {
        let mut steps = 0;
        while let Some(next_ns) = self.wheel.next_deadline() {
            self.advance(next_ns, |_| {});
            steps += 1;
            assert!(steps <= 256 + 7 * self.timers.len(), "no progress at {next_ns}");
        }
        self.advance(u64::MAX, |_| panic!("a timer was left"));
        for i in 0..self.timers.len() {
            assert!(self.keys.borrow()[i].is_none_or(|key| key.0 == u64::MAX));
            self.remove(i);
        }
        assert_eq!(self.wheel.len(), 0);
    }
}

/// Random deeds from outside and from within firings; then everything fires that is left.
fn fuzz(start_ns: u64, seed: u64, steps: usize) {
    const TIMERS: u64 = 24;
    let shown = Seed(seed);
    let pair = Pair::new(start_ns, TIMERS as usize);
    let mut random = Random(seed);
    for _ in 0..steps {
        let (i, now_ns) = (random.below(TIMERS) as usize, pair.now_ns.get());
        match random.below(8) {
            0..=3 => pair.insert(i, random.moment(now_ns)),
            4 => pair.remove(i),
            5 => pair.check(),
            kind => {
                let to_ns = match (kind, pair.wheel.next_deadline()) {
                    (6, Some(next_ns)) => next_ns.saturating_add(random.below(3)).saturating_sub(1),
                    (7, Some(next_ns)) => next_ns.saturating_add(random.magnitude() >> 20),
                    _ => now_ns.saturating_add(random.magnitude() >> 12),
                };
                // Not more than this, because what is due already fires in the same call.
                let mut deeds = 16;
                pair.advance(to_ns, |pair| {
                    let i = random.below(TIMERS) as usize;
                    match random.below(6) {
                        0 | 1 if deeds > 0 => {
                            deeds -= 1;
                            pair.insert(i, random.moment(to_ns));
                        }
                        2 if deeds > 0 => {
                            deeds -= 1;
                            pair.insert(i, to_ns.saturating_sub(random.below(1 << 22)));
                        }
                        3 => pair.remove(i),
                        _ => {}
                    }
                });
            }
        }
    }
    pair.drain();
    drop(shown);
}

/// Each power of two with its neighbours, and both ends.
fn powers() -> impl Iterator<Item = u64> {
    let near = |n: u32| [(1 << n) - 1, 1 << n, (1 << n) + 1];
    (0..u64::BITS).flat_map(near).chain([0, u64::MAX - 1, u64::MAX])
}

#[test]
fn the_wheel_does_what_an_ordered_map_does() {
    for seed in 0..300 {
        fuzz(Random(seed).magnitude(), seed, 250);
    }
}

#[test]
fn it_does_so_from_the_neighbours_of_every_power_of_two() {
    for (seed, start_ns) in powers().enumerate() {
        fuzz(start_ns, seed as u64, 200);
        fuzz(!start_ns, !seed as u64, 200);
    }
}

/// Many timers in few slots, some of which are emptied by removing, some by firing, a few at a time.
#[test]
fn crowds_fire_in_order_too() {
    const TIMERS: u64 = 600;
    for seed in 0..20 {
        let shown = Seed(seed);
        let mut random = Random(seed);
        let pair = Pair::new(random.magnitude() >> 8, TIMERS as usize);
        for _ in 0..40 {
            let now_ns = pair.now_ns.get();
            let (inserts, removals) = (random.below(500), random.below(800));
            let span_ns = [1 << 18, 1 << 21, 1 << 23, 1 << 27][random.below(4) as usize];
            for _ in 0..inserts {
                let coarse = random.below(2) * 0xfff;
                let after_ns = random.below(span_ns) & !coarse;
                pair.insert(random.below(TIMERS) as usize, now_ns + after_ns);
            }
            for _ in 0..removals {
                pair.remove(random.below(TIMERS) as usize);
            }
            pair.check();
            let mut deeds = 32;
            pair.advance(now_ns + random.below(span_ns), |pair| {
                if deeds > 0 && random.below(4) == 0 {
                    deeds -= 1;
                    let deadline_ns = pair.now_ns.get().saturating_sub(random.below(1 << 20));
                    pair.insert(random.below(TIMERS) as usize, deadline_ns);
                    pair.remove(random.below(TIMERS) as usize);
                }
            });
        }
        pair.drain();
        drop(shown);
    }
}

#[test]
fn deadlines_at_every_boundary_fire_at_their_nanosecond() {
    let delays: Vec<_> = powers().collect();
    for start_ns in powers().step_by(2) {
        let pair = Pair::new(start_ns, delays.len());
        for (i, delay_ns) in delays.iter().enumerate() {
            pair.insert(i, start_ns.saturating_add(*delay_ns));
        }
        // Step to the last moment before the first deadline, then to it.
        while let Some(first) = pair.first() {
            if first > start_ns {
                pair.advance(first - 1, |_| panic!("early"));
            }
            let mut fired = 0;
            pair.advance(first, |_| fired += 1);
            assert!(fired > 0);
        }
        pair.drain();
    }
}

#[test]
fn after_twelve_days_of_uptime() {
    // Where a slot of the top level ends, here after 13 days, in a decimal wheel after 12.4.
    const DAY_NS: u64 = 86_400_000_000_000;
    for uptime_ns in [12 * DAY_NS, 64u64.pow(5) * 1_000_000, 1 << 50, 13 * DAY_NS, 800 * DAY_NS] {
        for early_ns in [0, 1, 1_000_000, 1 << 20, 1 << 26] {
            let pair = Pair::new(0, 4);
            pair.insert(0, uptime_ns + DAY_NS);
            pair.advance(uptime_ns - early_ns, |_| panic!("early"));
            // A short one, one across the boundary, one that was there, one of a year.
            pair.insert(1, uptime_ns - early_ns + 10_000_000);
            pair.insert(2, uptime_ns + 70_000_000);
            pair.insert(3, uptime_ns + 365 * DAY_NS);
            pair.drain();
        }
    }
}
