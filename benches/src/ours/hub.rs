//! How greenlets of the hub wait for one another.

use std::hint::black_box;

use greenlet::sync::Mutex;
use greenlet::sync::queue::Queue;
use greenlet::{spawn, yield_now};
use std::rc::Rc;

use super::HUB;
use crate::measure::{Case, Stopwatch};

/// An item from one task to another; both of them park for each.
pub(super) fn hand_off(capacity: usize) -> Case {
    Case::new(HUB, 1, move |laps| {
        let queue = Queue::bounded(capacity);
        let items = queue.clone();
        let began = Stopwatch::start();
        let getter = spawn(move || (0..laps).map(|_| items.get().expect("not closed")).sum());
        let putter = spawn(move || {
            (0..laps).for_each(|lap| queue.put(lap).expect("not closed"));
            laps
        });
        join([getter, putter]);
        began.elapsed()
    })
}

/// A mutex that so many contend for, each of which yields while it has it; for as many laps in all.
pub(super) fn contended_mutex(tasks: usize) -> Case {
    Case::new(HUB, 1, move |laps| {
        let laps = laps / tasks as u64;
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
        let began = Stopwatch::start();
        join((0..tasks).map(task).collect::<Vec<_>>());
        began.elapsed()
    })
}

fn join(tasks: impl IntoIterator<Item = greenlet::JoinHandle<u64>>) {
    for task in tasks {
        black_box(task.join().expect("it does not panic"));
    }
}
