//! How coroutines of may wait for one another. It has no queue with a capacity and no pool.

use std::hint::black_box;
use std::sync::Arc;

use may::coroutine::yield_now;
use may::go;
use may::sync::{Condvar, Mutex, Semphore};

use super::may_tasks::join;
use super::permits;

/// The loop for a question about this.
pub(super) fn measured(what: &str, size: usize) -> Option<fn(usize, u64)> {
    Some(match (what, size) {
        ("mutex", 1) => free_mutex,
        ("mutex", _) => contended_mutex,
        ("semaphore", 1) => free_semaphore,
        ("semaphore", _) => contended_semaphore,
        ("event", _) => broadcast,
        _ => return None,
    })
}

fn free_mutex(_: usize, laps: u64) {
    let mutex = black_box(Mutex::new(0));
    for lap in 0..laps {
        *mutex.lock().expect("not poisoned") += lap;
    }
    black_box(mutex.into_inner().expect("not poisoned"));
}

fn contended_mutex(size: usize, laps: u64) {
    let mutex = Arc::new(Mutex::new(0));
    let task = |_| {
        let mutex = mutex.clone();
        go!(move || {
            for lap in 0..laps {
                let mut locked = mutex.lock().expect("not poisoned");
                *locked += lap;
                yield_now();
            }
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

fn free_semaphore(size: usize, laps: u64) {
    let semaphore = black_box(Semphore::new(permits(size)));
    for _ in 0..laps {
        semaphore.wait();
        semaphore.post();
    }
}

fn contended_semaphore(size: usize, laps: u64) {
    let semaphore = Arc::new(Semphore::new(permits(size)));
    let task = |_| {
        let semaphore = semaphore.clone();
        go!(move || {
            for _ in 0..laps {
                semaphore.wait();
                yield_now();
                semaphore.post();
            }
            laps
        })
    };
    join((0..size).map(task).collect::<Vec<_>>());
}

struct Hall {
    /// How many are here, and how often they were told.
    state: Mutex<(usize, u64)>,
    told: Condvar,
    all_here: Semphore,
}

fn broadcast(size: usize, laps: u64) {
    let hall = Hall { state: Mutex::new((0, 0)), told: Condvar::new(), all_here: Semphore::new(0) };
    let hall = Arc::new(hall);
    let task = |_| {
        let hall = hall.clone();
        go!(move || {
            for lap in 0..laps {
                let mut state = hall.state.lock().expect("not poisoned");
                state.0 += 1;
                if state.0 == size {
                    hall.all_here.post();
                }
                while state.1 == lap {
                    state = hall.told.wait(state).expect("not poisoned");
                }
            }
            laps
        })
    };
    let tasks: Vec<_> = (0..size).map(task).collect();
    for lap in 0..laps {
        hall.all_here.wait();
        *hall.state.lock().expect("not poisoned") = (0, lap + 1);
        hall.told.notify_all();
    }
    join(tasks);
}
