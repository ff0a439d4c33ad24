//! Resting, and what tasks inherit, under many seeds.

use greenlet::sim::{self, Sim};
use greenlet::{
    inherited_local, run_until_idle, run_until_idle_timeout, sleep, spawn, spawn_detached,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const SEEDS: u64 = 300;

inherited_local! {
    static PATH: Vec<u64> = Vec::new();
}

fn a_while() -> Duration {
    Duration::from_micros(1 + sim::random_below(5_000))
}

/// Spawns a tree of tasks; each notes the way to it, which it has inherited.
fn grow(depth: u64, seen: &Rc<RefCell<Vec<Vec<u64>>>>) {
    let way = PATH.with(Vec::clone);
    for branch in 0..=sim::random_below(2) {
        let (seen, mut here) = (seen.clone(), way.clone());
        here.push(branch);
        let expected = here.clone();
        PATH.scope(here, || {
            spawn_detached(move || {
                sleep(a_while());
                PATH.with(|path| assert_eq!(*path, expected));
                if depth > 0 {
                    grow(depth - 1, &seen);
                }
                PATH.with(|path| assert_eq!(*path, expected, "as before the scopes in `grow`"));
                seen.borrow_mut().push(expected);
            });
        });
    }
    PATH.with(|path| assert_eq!(*path, way));
}

#[test]
fn who_rests_goes_on_when_the_last_of_a_tree_has_ended() {
    for seed in 0..SEEDS {
        Sim::new(seed).run(|| {
            let (seen, ended) = (Rc::default(), Rc::new(Cell::new(0)));
            grow(4, &seen);
            let others: Vec<_> = (0..3)
                .map(|_| {
                    let (seen, ended) = (seen.clone(), ended.clone());
                    spawn(move || {
                        run_until_idle();
                        ended.set(ended.get() + 1);
                        seen.borrow().len()
                    })
                })
                .collect();
            run_until_idle();
            let count = seen.borrow().len();
            assert!(count >= 5);
            for other in others {
                assert_eq!(other.join().unwrap(), count);
            }
            assert_eq!(ended.get(), 3);
        });
    }
}

#[test]
fn a_limit_of_rest_is_kept_and_keeps_nobody_else_from_resting() {
    for seed in 0..SEEDS {
        Sim::new(seed).run(|| {
            let (work, limit) = (a_while(), a_while());
            let far = limit.abs_diff(work) > Duration::from_micros(200);
            let began = sim::elapsed();
            let worker = spawn(move || sleep(work));
            let patient = spawn(|| run_until_idle_timeout(Duration::from_secs(3600)));
            let rested = run_until_idle_timeout(limit);
            let took = sim::elapsed() - began;
            if far {
                assert_eq!(rested, work < limit);
            }
            assert!(rested || took >= limit);
            assert!(patient.join().unwrap());
            assert!(worker.is_finished());
            assert!(sim::elapsed() - began < Duration::from_secs(1), "nobody waited for the hour");
        });
    }
}
