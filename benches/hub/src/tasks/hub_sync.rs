//! How the greenlets of this crate wait for one another.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use greenlet::pool::Pool;
use greenlet::sync::queue::Queue;
use greenlet::sync::{Event, Mutex, Semaphore};
use greenlet::{spawn, yield_now};

use super::hub::join;
use super::{MEMBERS, permits};

/// The loop for a question about this.
pub(super) fn measured(what: &str, size: usize) -> Option<fn(usize, u64)> {
    Some(match (what, size) {
        ("queue", _) => hand_off,
        ("mutex", 1) => free_mutex,
        ("mutex", _) => contended_mutex,
        ("semaphore", 1) => free_semaphore,
        ("semaphore", _) => contended_semaphore,
        ("event", _) => broadcast,
        ("pool", _) => mapped,
        _ => return None,
    })
}

fn hand_off(capacity: usize, laps: u64) {
    let queue = Queue::bounded(capacity);
    let items = queue.clone();
    let getter = spawn(move || (0..laps).map(|_| items.get().expect("not closed")).sum());
    let putter = spawn(move || {
        (0..laps).for_each(|lap| queue.put(lap).expect("not closed"));
        laps
    });
    join([getter, putter]);
}

fn free_mutex(_: usize, laps: u64) {
    let mutex = black_box(Mutex::new(0));
    for lap in 0..laps {
        *mutex.lock() += lap;
    }
    black_box(mutex.into_inner());
}

fn contended_mutex(size: usize, laps: u64) {
    let mutex = Rc::new(Mutex::new(0));
    let task = |_| {
        let mutex = mutex.clone();
        spawn(move || {
            for lap in 0..laps {
                let mut locked = mutex.lock();
                *locked += lap;
                yield_now();
            }
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

fn free_semaphore(size: usize, laps: u64) {
    let semaphore = black_box(Semaphore::new(permits(size)));
    for _ in 0..laps {
        drop(black_box(semaphore.acquire()));
    }
}

fn contended_semaphore(size: usize, laps: u64) {
    let semaphore = Rc::new(Semaphore::new(permits(size)));
    let task = |_| {
        let semaphore = semaphore.clone();
        spawn(move || {
            for _ in 0..laps {
                let _permit = semaphore.acquire();
                yield_now();
            }
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

#[derive(Default)]
struct Hall {
    here: Cell<usize>,
    all_here: Event,
    told: Event,
}

fn broadcast(size: usize, laps: u64) {
    let hall = Rc::new(Hall::default());
    let task = |_| {
        let hall = hall.clone();
        spawn(move || {
            for _ in 0..laps {
                hall.here.set(hall.here.get() + 1);
                if hall.here.get() == size {
                    hall.all_here.set();
                }
                hall.told.wait();
            }
            laps
        })
    };
    let tasks: Vec<_> = (0..size).map(task).collect();
    for _ in 0..laps {
        hall.all_here.wait();
        hall.all_here.clear();
        hall.here.set(0);
        hall.told.set();
        hall.told.clear();
    }
    join(tasks);
}

fn mapped(size: usize, laps: u64) {
    let pool = Pool::new(MEMBERS);
    for _ in 0..laps {
        black_box(pool.map(0..size, |item| item).expect("it does not panic"));
    }
}
