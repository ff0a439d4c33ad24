//! Random programs: no place is lost or given twice, whoever is killed or timed out meanwhile. A
//! failure names its seed.

use super::ms;
use crate::random::{Random, seeds};
use greenlet::pool::{GreenPool, Limited, ObjectPool, Pool, PoolOf};
use greenlet::{JoinHandle, idle, sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::rc::Rc;

/// Counts itself while it lives.
struct Busy(Rc<Cell<usize>>);

impl Busy {
    fn new(count: &Rc<Cell<usize>>) -> Busy {
        count.set(count.get() + 1);
        Busy(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn work<P: Limited>(pool: PoolOf<P>, seed: u64, depth: u64, busy: Rc<Cell<usize>>) {
    let random = Random::new(seed);
    for _ in 0..random.below(4) {
        match random.below(5) {
            0 => yield_now(),
            1 => sleep(ms(random.below(2))),
            2 if depth > 0 => {
                let (inner, seed, busy) = (pool.clone(), random.next(), busy.clone());
                // Its own place is lent or idle meanwhile.
                pool.spawn_detached(move || work(inner, seed, depth - 1, busy));
            }
            3 if depth > 0 => {
                let (inner, seed, busy) = (pool.clone(), random.next(), busy.clone());
                drop(pool.apply_async(move || work(inner, seed, depth - 1, busy)));
            }
            _ => {
                let _busy = Busy::new(&busy);
                yield_now();
            }
        }
    }
}

fn storm<P: Limited>(pool: PoolOf<P>, seed: u64) {
    let random = Random::new(seed);
    let busy = Rc::new(Cell::new(0));
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    let mut largest = pool.size();
    for _ in 0..40 {
        match random.below(8) {
            0..4 => {
                let (inner, seed, busy) = (pool.clone(), random.next(), busy.clone());
                tasks.push(spawn(move || {
                    let outer = inner.clone();
                    let body = move || work(inner, seed, 2, busy);
                    let limit = ms(seed % 3);
                    match seed % 4 {
                        0 => drop(timeout(limit, || outer.spawn(body))),
                        1 => drop(outer.spawn_timeout(limit, body)),
                        2 => drop(outer.try_spawn(body)),
                        _ => drop(outer.spawn(body)),
                    }
                }));
            }
            4 if !tasks.is_empty() => tasks[random.below(tasks.len() as u64) as usize].kill_soon(),
            5 => {
                let members = pool.tasks();
                if !members.is_empty() {
                    members[random.below(members.len() as u64) as usize].kill_soon();
                }
            }
            6 => {
                let size = random.below(4) as usize + 1;
                largest = largest.max(size);
                pool.resize(size);
            }
            _ => (0..random.below(4)).for_each(|_| yield_now()),
        }
    }
    for task in tasks {
        task.wait();
    }
    pool.join();
    idle();
    let counts = (pool.running(), pool.waiting(), pool.len(), busy.get());
    assert_eq!(counts, (0, 0, 0, 0), "seed {seed}");
    assert_eq!(pool.free(), pool.size() as isize, "seed {seed}");
}

#[test]
fn no_place_is_lost() {
    seeds(200, |seed| {
        storm(Pool::new(seed as usize % 4 + 1), seed);
        storm(GreenPool::new(seed as usize % 4 + 1), seed);
    });
}

#[test]
fn no_more_than_the_places_are_taken_from_outside() {
    seeds(100, |seed| {
        let (random, busy) = (Random::new(seed), Rc::new(Cell::new(0)));
        let size = random.below(4) as usize + 1;
        let pool = Pool::new(size);
        let mut tasks = Vec::new();
        for _ in 0..30 {
            let (busy, seed) = (busy.clone(), random.next());
            let task = pool.apply_async(move || {
                let _busy = Busy::new(&busy);
                assert!(busy.get() <= size);
                (0..seed % 3).for_each(|_| yield_now());
            });
            if random.below(4) == 0 {
                task.kill_soon();
            }
            tasks.push(task);
        }
        pool.join();
        for task in tasks {
            assert!(task.join().map_or_else(|error| error.is_killed(), |()| true), "seed {seed}");
        }
    });
}

#[test]
fn no_object_is_lost_or_shared() {
    seeds(200, |seed| {
        let random = Random::new(seed);
        let max = random.below(3) as usize + 1;
        let in_use = Rc::new(Cell::new(0));
        let slow = random.below(2) == 0;
        let pool = ObjectPool::new(max, move || {
            if slow {
                yield_now();
            }
            Cell::new(false)
        });
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (pool, seed, in_use) = (pool.clone(), random.next(), in_use.clone());
                spawn(move || {
                    let object = match seed % 3 {
                        0 => pool.get_timeout(ms(seed / 3 % 2)),
                        1 => pool.try_get(),
                        _ => Some(pool.get()),
                    };
                    let Some(object) = object else { return };
                    let _busy = Busy::new(&in_use);
                    assert!(!object.replace(true) && in_use.get() <= max);
                    (0..seed % 4).for_each(|_| yield_now());
                    object.set(false);
                })
            })
            .collect();
        for task in &tasks {
            if random.below(3) == 0 {
                yield_now();
                task.kill_soon();
            }
        }
        for task in tasks {
            // A killed user leaves its mark in the object.
            let _ = task.join();
        }
        assert_eq!((pool.free(), pool.waiting(), in_use.get()), (max, 0, 0), "seed {seed}");
    });
}
