//! Members that spawn in their own full pool: it never hangs.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{GreenPool, Limited, Pool, PoolOf};
use greenlet::sync::Event;
use greenlet::sync::queue::Queue;
use greenlet::{JoinHandle, TaskRef, idle, kill_all, sleep, spawn, timeout, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

#[test]
fn a_green_pool_lends_the_spawners_place() {
    let (pool, trace) = (GreenPool::new(1), Trace::default());
    let (inner, log) = (pool.clone(), trace.clone());
    pool.spawn_detached(move || {
        log.add("outer begins");
        let other = log.clone();
        let task = inner.spawn(move || {
            other.add("inner");
            yield_now();
        });
        assert!(task.is_finished());
        log.add("outer ends");
    });
    pool.join();
    assert_eq!(trace.take(), "outer begins, inner, outer ends");
    assert_eq!((pool.running(), pool.free()), (0, 1));
}

/// Spawns below itself, `depth` deep, and counts them all.
fn below<P: Limited>(pool: PoolOf<P>, depth: u32) -> u32 {
    if depth == 0 {
        return 1;
    }
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let inner = pool.clone();
            pool.spawn(move || below(inner, depth - 1))
        })
        .collect();
    1 + tasks.into_iter().map(|task| task.join().unwrap()).sum::<u32>()
}

#[test]
fn nested_spawns_end_in_pools_of_every_kind_and_size() {
    for size in 1..5 {
        let (pool, green) = (Pool::new(size), GreenPool::new(size));
        let (inner, green_inner) = (pool.clone(), green.clone());
        // In a Pool whose members all *join* others that wait, nobody can go on: spawning alone is safe.
        let task = green.spawn(move || below(green_inner, 4));
        assert_eq!(task.join().unwrap(), 31);
        let task = pool.spawn(move || {
            for _ in 0..3 {
                let other = inner.clone();
                inner.spawn_detached(move || {
                    other.spawn_detached(yield_now);
                });
            }
        });
        task.join().unwrap();
        pool.join();
        assert_eq!((pool.running(), green.running()), (0, 0));
    }
}

#[test]
fn a_pool_waits_while_another_member_can_leave() {
    let (pool, trace, queue) = (Pool::new(2), Trace::default(), Queue::unbounded());
    let (inner, log, putter) = (pool.clone(), trace.clone(), queue.clone());
    pool.spawn_detached(move || {
        let other = log.clone();
        inner.spawn_detached(move || other.add(format!("inner got {}", queue.get().unwrap())));
        // With a lent place this would come too late.
        log.add("outer puts");
        putter.put(1).unwrap();
    });
    let log = trace.clone();
    pool.spawn_detached(move || {
        yield_now();
        log.add("other leaves");
    });
    pool.join();
    assert_eq!(trace.take(), "other leaves, outer puts, inner got 1");
}

#[test]
fn the_last_that_could_leave_lends_its_place() {
    let (pool, trace) = (Pool::new(2), Trace::default());
    for name in ["a", "b"] {
        let (inner, log) = (pool.clone(), trace.clone());
        pool.spawn_detached(move || {
            let other = log.clone();
            log.add(name);
            inner.spawn_detached(move || other.add(format!("below {name}")));
            log.add(format!("{name} ends"));
        });
    }
    pool.join();
    assert_eq!(trace.take(), "a, b, below b, b ends, a ends, below a");
}

#[test]
fn one_that_has_lent_its_place_can_be_killed() {
    let pool = GreenPool::new(1);
    let (inner, handed) = (pool.clone(), Queue::unbounded());
    let putter = handed.clone();
    let outer = pool.spawn(move || {
        inner.spawn_detached(move || {
            putter.put(()).unwrap();
            sleep(LONG);
        });
    });
    handed.get().unwrap();
    outer.kill();
    assert_eq!((pool.len(), pool.running()), (1, 1), "the borrower keeps the place");
    let other = pool.clone();
    let task = spawn(move || other.spawn(|| 7).join().unwrap());
    idle();
    assert!(!task.is_finished());
    pool.tasks()[0].kill();
    assert_eq!(task.join().unwrap(), 7);
    assert_eq!((pool.len(), pool.running(), pool.free()), (0, 0, 1));
}

#[test]
fn a_map_inside_a_member_of_a_full_pool_ends() {
    let pool = Pool::new(1);
    let inner = pool.clone();
    let task = pool.spawn(move || inner.map(0..5, |n| n * n).unwrap());
    assert_eq!(task.join().unwrap(), [0, 1, 4, 9, 16]);
    let (green, trace) = (GreenPool::new(2), Trace::default());
    let tasks: Vec<_> = (0..3)
        .map(|name| {
            let (inner, log) = (green.clone(), trace.clone());
            green.spawn(move || {
                let sum: i32 = inner.imap_unordered(0..4, |n| n).map(Result::unwrap).sum();
                log.add(format!("{name}: {sum}"));
            })
        })
        .collect();
    green.join();
    assert!(!kill_all(&tasks).wait() || tasks.iter().all(|task| task.is_success()));
    assert_eq!(trace.take().matches(": 6").count(), 3);
}

#[test]
fn a_borrower_whose_lender_was_killed_leaves_its_place_to_others() {
    let (pool, lender) = (Pool::new(1), Queue::unbounded());
    let (inner, waiting) = (pool.clone(), pool.clone());
    let task = pool.spawn(move || {
        let deep = inner.clone();
        inner.spawn_detached(move || {
            yield_now();
            deep.spawn_detached(|| ()); // lends the place on
        });
    });
    yield_now();
    task.kill_soon();
    let outsider = lender.clone();
    waiting.spawn_detached(move || outsider.put("begun").unwrap());
    assert_eq!(lender.get(), Ok("begun"));
    pool.join();
    assert_eq!((pool.running(), pool.free()), (0, 1));
}

#[test]
fn a_pool_that_becomes_smaller_does_not_hang_those_that_wait_in_it() {
    let (pool, trace) = (Pool::new(3), Trace::default());
    for name in ["a", "b"] {
        let (inner, log) = (pool.clone(), trace.clone());
        pool.spawn_detached(move || {
            inner.spawn_detached(move || log.add(format!("below {name}")));
        });
    }
    let inner = pool.clone();
    pool.spawn_detached(move || {
        yield_now();
        inner.resize(1); // two wait in spawn, this one could leave its place
    });
    pool.join();
    assert_eq!((trace.take().as_str(), pool.running(), pool.free()), ("below a, below b", 0, 1));
}

#[test]
fn an_imap_that_is_left_leaves_the_place_to_what_it_has_begun() {
    let pool = Pool::new(1);
    let own = pool.clone();
    let member = pool.spawn(move || {
        let left = timeout(ms(1), || own.imap([()], |()| sleep(LONG)).next().is_some());
        (left.is_err(), own.spawn_timeout(ms(1), || ()).is_err())
    });
    assert_eq!(member.join().unwrap(), (true, true));
    pool.kill();
}

/// In a pool of one place, `outer` spawns one that spawns `f`; returns that in the middle, once `f` runs.
fn chain(
    pool: &GreenPool,
    outer: impl FnOnce(&GreenPool) + 'static,
    middle: impl FnOnce(&GreenPool) + 'static,
    f: impl FnOnce() + 'static,
) -> (JoinHandle<()>, TaskRef) {
    let (own, tasks) = (pool.clone(), Queue::unbounded());
    let teller = tasks.clone();
    let first = pool.spawn(move || {
        let deep = own.clone();
        own.spawn_detached(move || {
            let me = deep.tasks().into_iter().find(TaskRef::is_current).unwrap();
            let lent_on = catch_unwind(AssertUnwindSafe(|| {
                deep.spawn_detached(move || {
                    teller.put(me).unwrap();
                    f();
                });
            }));
            middle(&deep);
            lent_on.unwrap_or_else(|payload| resume_unwind(payload));
        });
        outer(&own);
    });
    (first, tasks.get().unwrap())
}

#[test]
fn a_place_that_was_lent_on_has_one_user_when_the_one_between_is_killed() {
    let (pool, trace, gate) = (GreenPool::new(1), Trace::default(), Rc::new(Event::new()));
    let (opened, log, last) = (gate.clone(), trace.clone(), trace.clone());
    let goes_on = move |_: &GreenPool| log.add("outer goes on");
    let (outer, middle) = chain(
        &pool,
        goes_on,
        |_| (),
        move || {
            opened.wait();
            last.add("innermost ends");
        },
    );
    middle.kill();
    idle();
    assert_eq!((pool.len(), pool.running()), (2, 1), "the outer one waits on");
    gate.set();
    outer.join().unwrap();
    assert_eq!(trace.take(), "innermost ends, outer goes on");
    assert_eq!((pool.len(), pool.running(), pool.free()), (0, 0, 1));
}

#[test]
fn one_that_lost_a_lent_place_has_it_again_before_its_lender_goes_on() {
    let (pool, trace) = (GreenPool::new(1), Trace::default());
    let (log, inner) = (trace.clone(), trace.clone());
    let goes_on = move |_: &GreenPool| log.add("outer ends");
    let again = move |pool: &GreenPool| pool.spawn_detached(move || inner.add("spawned once more"));
    let (outer, middle) = chain(&pool, goes_on, again, || sleep(ms(2)));
    middle.kill_soon();
    outer.join().unwrap();
    pool.join();
    assert_eq!(trace.take(), "spawned once more, outer ends");
    assert!(middle.is_finished());
    assert_eq!((pool.running(), pool.free()), (0, 1));
}

#[test]
fn one_that_passed_a_lent_place_on_has_it_again_when_it_is_given_back() {
    let (pool, trace) = (GreenPool::new(1), Trace::default());
    let (own, log) = (pool.clone(), trace.clone());
    let outer = pool.spawn(move || {
        let (inner, other) = (own.clone(), log.clone());
        // It joins, and keeps the place.
        let applied = own.apply(move || {
            let deep = inner.clone();
            let last = other.clone();
            let late = timeout(ms(1), move || {
                deep.spawn_detached(move || {
                    sleep(ms(5));
                    last.add("innermost ends");
                });
            });
            assert!(late.is_err());
            let last = other.clone();
            inner.spawn_detached(move || last.add("spawned once more"));
            other.add("middle ends");
        });
        applied.unwrap();
        log.add("outer goes on");
    });
    outer.join().unwrap();
    assert_eq!(trace.take(), "innermost ends, spawned once more, middle ends, outer goes on");
    assert_eq!((pool.len(), pool.running(), pool.free()), (0, 0, 1));
}

#[test]
fn the_outermost_owner_is_followed_by_the_innermost_user() {
    let (pool, gate) = (GreenPool::new(1), Rc::new(Event::new()));
    let opened = gate.clone();
    let (outer, middle) = chain(&pool, |_| (), |_| (), move || opened.wait());
    middle.kill();
    outer.kill();
    assert_eq!((pool.len(), pool.running(), pool.free()), (1, 1, 0));
    gate.set();
    pool.join();
    assert_eq!((pool.running(), pool.free()), (0, 1));
}

#[test]
fn a_discarded_lender_leaves_the_place_to_the_borrower() {
    let (pool, gate) = (GreenPool::new(1), Rc::new(Event::new()));
    let (own, opened) = (pool.clone(), gate.clone());
    let outer = pool.spawn(move || own.spawn_detached(move || opened.wait()));
    idle();
    assert!(pool.discard(&outer));
    outer.join().unwrap();
    assert_eq!((pool.len(), pool.running(), pool.free()), (1, 1, 0));
    gate.set();
    pool.join();
    assert_eq!((pool.running(), pool.free()), (0, 1));
}

#[test]
fn what_a_member_of_a_full_pool_adds_uses_no_place() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let (own, opened, trace) = (pool.clone(), gate.clone(), Trace::default());
    let log = trace.clone();
    let member = pool.spawn(move || {
        let (inner, adder) = (own.clone(), log.clone());
        let added = spawn(move || inner.spawn_detached(move || adder.add("below the added one")));
        own.add(&added);
        yield_now();
        opened.wait();
        log.add("the owner ends");
    });
    idle();
    gate.set();
    member.join().unwrap();
    pool.join();
    assert_eq!(trace.take(), "the owner ends, below the added one");
}

#[test]
fn a_place_is_counted_once_also_of_what_was_discarded_and_added_again() {
    let pool = Pool::new(1);
    let first = pool.spawn(yield_now);
    let later = pool.apply_async(yield_now);
    assert!(pool.discard(&later));
    pool.resize(3);
    pool.add(&later);
    first.join().unwrap();
    later.join().unwrap();
    pool.join();
    assert_eq!((pool.running(), pool.free()), (0, 3));
}

#[test]
fn one_that_was_discarded_while_it_waited_is_not_waited_for() {
    let (pool, trace, queue) = (Pool::new(2), Trace::default(), Queue::unbounded());
    let (outside, (inner, log)) = (pool.clone(), (pool.clone(), trace.clone()));
    let waits = pool.spawn(move || {
        yield_now();
        inner.spawn_detached(move || log.add("spawned by the discarded one"));
    });
    let (own, log, putter) = (pool.clone(), trace.clone(), queue.clone());
    pool.spawn_detached(move || {
        sleep(ms(2));
        // The outsider's task has a place now, and will leave it: no reason to lend.
        let other = log.clone();
        own.spawn_detached(move || other.add(format!("got {}", queue.get().unwrap())));
        log.add("puts");
        putter.put(1).unwrap();
    });
    let log = trace.clone();
    let outsider = spawn(move || {
        outside.spawn_detached(move || {
            sleep(ms(4));
            log.add("the outsider's ends");
        })
    });
    yield_now();
    yield_now();
    assert!(pool.discard(&waits));
    outsider.join().unwrap();
    pool.join();
    waits.join().unwrap();
    let trace = trace.take();
    assert!(trace.find("puts") < trace.find("got 1"), "{trace}");
}

#[test]
fn what_a_member_that_never_began_has_captured_is_dropped_while_it_is_a_member() {
    let (pool, trace) = (Pool::new(1), Trace::default());
    let (captured, own) = (OnDrop(trace.clone(), pool.clone()), pool.clone());
    let task = pool.spawn(move || drop(captured));
    task.kill();
    own.join();
    assert_eq!(trace.take(), "dropped among 1");
}

/// Says how many members there are when it is dropped.
struct OnDrop(Trace, Pool);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(format!("dropped among {}", self.1.len()));
    }
}
