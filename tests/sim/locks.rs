//! Locks: as many inside as may be, never more, and none is lost.

use super::ledger::{Ledger, Played, millis, random, task};
use super::plan::Part;
use greenlet::sync::{Condvar, Mutex, RwLock, Semaphore};
use greenlet::{sleep, timeout, yield_now};
use std::cell::Cell;
use std::rc::Rc;

struct Room {
    semaphore: Semaphore,
    mutex: Mutex<u64>,
    lock: RwLock<u64>,
    changed: Condvar,
    readers: Cell<usize>,
    writers: Cell<usize>,
}

/// Counts somebody who is inside.
struct Inside<'a>(&'a Cell<usize>);

impl<'a> Inside<'a> {
    fn new(count: &'a Cell<usize>) -> Inside<'a> {
        count.set(count.get() + 1);
        Inside(count)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Room {
    fn use_it(&self, kind: u8, places: usize, hold: u8, is_calm: bool, ledger: &Ledger) {
        let stay = || match hold {
            0 => {}
            1 => yield_now(),
            _ => sleep(millis(random(4))),
        };
        match kind {
            0 => {
                let permit = match random(3) {
                    0 => self.semaphore.acquire_timeout(millis(random(6))),
                    _ => Some(self.semaphore.acquire()),
                };
                if permit.is_some() {
                    let _inside = Inside::new(&self.writers);
                    let inside = self.writers.get();
                    ledger.check(inside <= places, || format!("{inside} inside, {places} may be"));
                    stay();
                }
            }
            1 => {
                let guard = match random(3) {
                    0 => timeout(millis(random(6)), || self.mutex.lock()).ok(),
                    _ => Some(self.mutex.lock()),
                };
                if let Some(mut guard) = guard {
                    let before = *guard;
                    let _inside = Inside::new(&self.writers);
                    ledger.check(self.writers.get() == 1, || "two hold a mutex".to_owned());
                    stay();
                    ledger.check(*guard == before, || "a locked value was changed".to_owned());
                    *guard += 1;
                }
            }
            2 if random(3) == 0 => {
                let mut guard = self.lock.write();
                let _inside = Inside::new(&self.writers);
                let alone = self.writers.get() == 1 && self.readers.get() == 0;
                ledger.check(alone, || "somebody writes, and is not alone".to_owned());
                stay();
                *guard += 1;
            }
            2 => {
                let Some(_guard) = self.lock.read_timeout(millis(1 + random(50))) else { return };
                let _inside = Inside::new(&self.readers);
                ledger.check(self.writers.get() == 0, || "read while one writes".to_owned());
                stay();
            }
            _ => {
                let mut guard = self.mutex.lock();
                if random(2) == 0 {
                    *guard += 1;
                    match random(2) {
                        0 => drop(self.changed.notify_one()),
                        _ => self.changed.notify_all(),
                    }
                } else {
                    let seen = *guard;
                    let woken = self.changed.wait_timeout(&mut guard, millis(random(10)));
                    let _inside = Inside::new(&self.writers);
                    ledger.check(self.writers.get() == 1, || {
                        "a condition without its lock".to_owned()
                    });
                    // One who is killed when it is notified passes that on, perhaps to a later one.
                    let fair = !woken || *guard != seen || !is_calm;
                    ledger.check(fair, || "notified without a change".to_owned());
                }
            }
        }
    }
}

pub(crate) fn play(part: &Part, _: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Locks { kind, places, users, turns, hold } = *part else { return None };
    let room = Rc::new(Room {
        semaphore: Semaphore::new(places),
        mutex: Mutex::new(0),
        lock: RwLock::new(0),
        changed: Condvar::new(),
        readers: Cell::new(0),
        writers: Cell::new(0),
    });
    let tasks = (0..users)
        .map(|_| {
            let (room, ledger) = (room.clone(), ledger.clone());
            task(move || {
                for _ in 0..turns {
                    room.use_it(kind, places, hold, is_calm, &ledger);
                    ledger.step();
                }
            })
        })
        .collect();
    let finish = Box::new(move |ledger: &Ledger| {
        let available = room.semaphore.available();
        ledger.check(available == places, || format!("{available} permits of {places} are left"));
        let is_free = !room.mutex.is_locked() && !room.lock.is_locked();
        ledger.check(is_free, || "a lock is held by nobody".to_owned());
        let inside = room.readers.get() + room.writers.get();
        ledger.check(inside == 0, || format!("{inside} are inside for ever"));
    });
    Some(Played { tasks, close: None, finish })
}
