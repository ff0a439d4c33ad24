//! Greenlets that are spawned and finish.

use crate::bar::Bar;
use crate::growth::Growth;
use crate::{Outcome, must};
use greenlet::{JoinHandle, spawn, spawn_detached, yield_now};
use std::cell::Cell;
use std::rc::Rc;

const AT_ONCE: u64 = 1_000;

/// `count` greenlets, a thousand at a time: with a handle and without, that yield and that do not,
/// that are joined, dropped and killed before and after they begin.
pub(crate) fn run(count: u64) -> Outcome {
    let bar = Bar::new("spawns", count);
    let mut growth = Growth::new();
    let began = Rc::new(Cell::new(0_u64));
    let mut never_began = 0;
    for done in (0..count).step_by(AT_ONCE as usize) {
        let handles: Vec<JoinHandle<u64>> =
            (0..AT_ONCE).map(|number| task(&began, number)).collect();
        // Killed before it began.
        handles[7].kill();
        never_began += 1;
        if done % (2 * AT_ONCE) == 0 {
            yield_now();
        }
        handles[16].kill(); // begun or not
        for (number, handle) in handles.into_iter().enumerate() {
            match (number, handle.join()) {
                (7 | 16, _) => {}
                (_, Ok(value)) => must!(value == number as u64, "{number} returned {value}"),
                (_, Err(error)) => return Err(format!("{number} ended by {error}")),
            }
        }
        growth.at(done, count);
        bar.at(done + AT_ONCE);
    }
    let (spawned, began) = (count + count / 10, began.get());
    let least = spawned - 2 * never_began;
    must!((least..=spawned - never_began).contains(&began), "{began} of {spawned} began");
    Ok(format!("{spawned} spawned, {began} began; {}", growth.checked()?))
}

fn task(began: &Rc<Cell<u64>>, number: u64) -> JoinHandle<u64> {
    let counter = began.clone();
    if number.is_multiple_of(10) {
        let counter = began.clone();
        spawn_detached(move || counter.set(counter.get() + 1));
    }
    spawn(move || {
        counter.set(counter.get() + 1);
        if number.is_multiple_of(16) {
            yield_now();
        }
        number
    })
}
