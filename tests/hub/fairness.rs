//! Nobody starves: the kernel and the clock are looked at however busy the ready list is.

use crate::in_child::{in_child_with, this_test};
use crate::ms;
use greenlet::net::UnixStream;
use greenlet::{Config, idle, sleep, spawn, spawn_detached, stats, yield_now};
use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Counts the turns that others have while a sleeper's time is over. Turns and no milliseconds: the
/// machine may be busy with something else.
#[derive(Clone, Default)]
struct Turns {
    over_at: Rc<Cell<Option<Instant>>>,
    late: Rc<Cell<usize>>,
    all: Rc<Cell<usize>>,
    stop: Rc<Cell<bool>>,
}

impl Turns {
    /// One turn; false when it is time to end.
    fn take(&self) -> bool {
        self.all.set(self.all.get() + 1);
        if self.over_at.get().is_some_and(|moment| Instant::now() > moment) {
            self.late.set(self.late.get() + 1);
        }
        !self.stop.get()
    }
}

/// How many turns others have when a sleeper should run, beside tasks that never let the ready list
/// become empty. Mostly: once in a while the thread is set aside between the look at the clock here and
/// that in `sleep`, and turns are counted that were not too late.
fn lateness(busy: impl Fn(&Turns)) -> usize {
    let turns = Turns::default();
    busy(&turns);
    let mut late = [0; 11];
    for late in &mut late {
        turns.late.set(0);
        turns.over_at.set(Some(Instant::now() + ms(2)));
        sleep(ms(2));
        *late = turns.late.get();
        turns.over_at.set(None);
    }
    turns.stop.set(true);
    idle();
    late.sort_unstable();
    late[late.len() / 2]
}

/// The most greenlets that run in a round, by default.
const ROUND: usize = 64;

#[test]
fn two_that_yield_for_ever_do_not_starve_a_sleeper() {
    let late = lateness(|turns| {
        for _ in 0..2 {
            let turns = turns.clone();
            spawn_detached(move || {
                while turns.take() {
                    yield_now();
                }
            });
        }
    });
    assert!(late <= 2 * ROUND, "late by {late} turns");
}

/// 100 that run for 200 microseconds each: the sleeper is seen to be ready within a few turns, and
/// then it is the last in the list.
#[test]
fn rounds_become_shorter_where_greenlets_run_long() {
    let late = lateness(|turns| {
        for _ in 0..100 {
            let turns = turns.clone();
            spawn_detached(move || {
                while turns.take() {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_micros(200) {}
                    yield_now();
                }
            });
        }
        // One round in eight is measured, and the next ones are halved: 1016 turns down to one.
        while turns.all.get() < 3000 {
            sleep(ms(10));
        }
    });
    assert!(late <= 100 + 16, "late by {late} turns");
}

#[test]
fn a_task_that_spawns_for_ever_starves_nobody() {
    fn breed(turns: Turns) {
        if turns.take() {
            spawn_detached(move || breed(turns));
        }
    }
    let late = lateness(|turns| breed(turns.clone()));
    assert!(late <= 2 * ROUND, "late by {late} turns");
}

#[test]
fn who_wakes_whom_for_ever_starves_nobody() {
    let late = lateness(|turns| {
        let turns = turns.clone();
        spawn_detached(move || {
            while turns.take() {
                spawn(|| ()).join().unwrap();
            }
        });
    });
    assert!(late <= 2 * ROUND, "late by {late} turns");
}

#[test]
fn a_round_of_one_works() {
    std::thread::spawn(|| {
        Config::new().round(1).apply().unwrap();
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                spawn(move || {
                    yield_now();
                    n
                })
            })
            .collect();
        assert_eq!(tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>(), 4950);
    })
    .join()
    .unwrap();
}

#[test]
fn idle_returns_when_everybody_waits() {
    let turns = Rc::new(Cell::new(0));
    let seen = turns.clone();
    let task = spawn(move || {
        for _ in 0..500 {
            seen.set(seen.get() + 1);
            yield_now();
        }
        sleep(ms(1));
    });
    idle();
    assert_eq!(turns.get(), 500);
    task.join().unwrap();
}

/// On a readiness hub operations end at once as long as there are bytes; nobody else is ready meanwhile.
#[test]
fn operations_that_end_at_once_do_not_hold_up_the_clock() {
    const READS: u64 = 6400;
    let outcome = in_child_with(this_test!(), &[("GREENLET_HUB", "epoll")], || {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        far.write_all(&[0; READS as usize]).unwrap();
        let before = stats().rounds;
        for _ in 0..READS {
            near.read_exact(&mut [0]).unwrap();
        }
        let looks = stats().rounds - before;
        assert!(looks >= READS / 64 - 2, "{looks} looks at the kernel in {READS} reads");
    });
    outcome.exited_with(0);
}
