//! Places: who gets one, in which order, and what becomes of one that is not wanted any more.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{GreenPool, Pile, Pool, PoolFull};
use greenlet::sync::Event;
use greenlet::{Deadlock, idle, sleep, spawn, wait, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn never_more_run_than_there_are_places() {
    let (pool, most, now) = (Pool::new(3), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for turns in 0..20 {
        let (most, now) = (most.clone(), now.clone());
        pool.spawn_detached(move || {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            (0..turns % 4).for_each(|_| yield_now());
            now.set(now.get() - 1);
        });
    }
    pool.join();
    assert_eq!((most.get(), now.get(), pool.running()), (3, 0, 0));
}

#[test]
fn green_pools_and_piles_have_the_size_of_eventlets() {
    assert_eq!(GreenPool::default().size(), 1000);
    assert_eq!(Pile::<()>::default().pool().free(), 1000);
}

#[test]
fn spawn_parks_while_it_is_full() {
    let (pool, trace) = (Pool::new(2), Trace::default());
    for name in 0..4 {
        let log = trace.clone();
        pool.spawn_detached(move || {
            log.add(format!("begin {name}"));
            yield_now();
            log.add(format!("end {name}"));
        });
        trace.add(format!("spawned {name}"));
    }
    pool.join();
    assert_eq!(
        trace.take(),
        "spawned 0, spawned 1, begin 0, begin 1, end 0, end 1, spawned 2, spawned 3, \
         begin 2, begin 3, end 2, end 3"
    );
}

#[test]
fn a_full_pool_is_told_and_gives_the_function_back() {
    let pool = Pool::new(1);
    let blocker = pool.spawn(|| sleep(LONG));
    assert!(pool.is_full() && pool.free() == 0);
    let PoolFull(f) = pool.try_spawn(|| 7).unwrap_err();
    assert_eq!(f(), 7);
    let PoolFull(f) = pool.spawn_timeout(ms(1), || 8).unwrap_err();
    assert_eq!((f(), pool.waiting()), (8, 0));
    assert!(!pool.wait_available_timeout(ms(1)));
    blocker.kill();
    pool.wait_available();
    assert_eq!(pool.try_spawn(|| 9).unwrap().join().unwrap(), 9);
    assert_eq!(pool.spawn_timeout(LONG, || 10).unwrap().join().unwrap(), 10);
}

#[test]
fn three_callers_of_a_pool_of_one() {
    let (pool, trace) = (GreenPool::new(1), Trace::default());
    let go = Rc::new(Event::new());
    let callers: Vec<_> = (0..3)
        .map(|name| {
            let (pool, log, go) = (pool.clone(), trace.clone(), go.clone());
            spawn(move || {
                pool.spawn_detached(move || go.wait());
                log.add(name);
            })
        })
        .collect();
    idle();
    assert_eq!((pool.waiting(), pool.running(), pool.free()), (2, 1, 0));
    go.set();
    callers.into_iter().for_each(|task| task.join().unwrap());
    pool.join();
    assert_eq!((trace.take().as_str(), pool.waiting(), pool.free()), ("0, 1, 2", 0, 1));
}

#[test]
fn a_smaller_pool_has_fewer_than_no_places() {
    let pool = GreenPool::new(4);
    let tasks: Vec<_> = (0..4).map(|_| pool.spawn(|| sleep(LONG))).collect();
    pool.resize(2);
    assert_eq!((pool.free(), pool.running(), pool.size()), (-2, 4, 2));
    let other = pool.clone();
    let waiting = spawn(move || other.spawn(|| ()).join());
    idle();
    tasks[0].kill();
    tasks[1].kill();
    idle();
    assert_eq!((pool.free(), waiting.is_finished()), (0, false));
    tasks[2].kill();
    idle();
    assert!(waiting.is_finished());
    tasks[3].kill();
    assert_eq!(pool.free(), 2);
}

#[test]
fn a_larger_pool_lets_those_in_who_wait() {
    let pool = Pool::new(0);
    let tasks: Vec<_> = (0..3)
        .map(|name| {
            let pool = pool.clone();
            spawn(move || pool.apply(move || name).unwrap())
        })
        .collect();
    idle();
    assert_eq!(pool.waiting(), 3);
    pool.resize(2);
    let results: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(results, [0, 1, 2]);
}

#[test]
fn a_pool_without_places_is_a_deadlock_that_says_so() {
    let pool = Pool::new(0);
    let spawning = || {
        pool.spawn_detached(|| ());
    };
    let payload = catch_unwind(AssertUnwindSafe(spawning)).unwrap_err();
    let deadlock = payload.downcast::<Deadlock>().unwrap();
    assert_eq!(deadlock.waiting(), ["the root greenlet waits for a place in a pool"]);
}

#[test]
fn one_that_is_killed_while_it_waits_takes_no_place() {
    let (pool, trace) = (Pool::new(1), Trace::default());
    let blocker = pool.spawn(|| sleep(LONG));
    let callers: Vec<_> = (0..3)
        .map(|name| {
            let (pool, log) = (pool.clone(), trace.clone());
            spawn(move || pool.apply(move || log.add(name)).unwrap())
        })
        .collect();
    idle();
    callers[0].kill();
    pool.discard(&blocker); // promises its place to the second,
    callers[1].kill_soon(); // which is killed before it runs
    idle();
    blocker.kill();
    assert_eq!((trace.take().as_str(), pool.running(), pool.waiting()), ("2", 0, 0));
}

#[test]
fn apply_waits_and_apply_async_does_not() {
    let (pool, trace) = (Pool::new(1), Trace::default());
    assert_eq!(pool.apply(|| 1).unwrap(), 1);
    assert!(pool.apply(|| std::panic::resume_unwind(Box::new(()))).is_err());
    let tasks: Vec<_> = (0..3)
        .map(|name| {
            let log = trace.clone();
            pool.apply_async(move || {
                log.add(format!("begin {name}"));
                yield_now();
                log.add(format!("end {name}"));
            })
        })
        .collect();
    assert_eq!((pool.len(), pool.running()), (3, 1));
    tasks[1].cancel();
    pool.join();
    assert_eq!(trace.take(), "begin 0, end 0, begin 2, end 2");
    assert_eq!((pool.running(), pool.waiting()), (0, 0));
}

#[test]
fn one_that_waits_to_begin_can_be_killed_or_discarded() {
    let pool = Pool::new(1);
    let blocker = pool.spawn(|| sleep(LONG));
    let (killed, discarded) = (pool.apply_async(|| 1), pool.apply_async(|| 2));
    idle();
    assert_eq!(pool.waiting(), 2);
    killed.kill();
    assert!(pool.discard(&discarded));
    blocker.kill();
    assert_eq!(discarded.join().unwrap(), 2);
    assert_eq!((pool.running(), pool.len()), (0, 0));
}

#[test]
fn one_that_begins_later_takes_a_place_that_became_free_before_it_asked() {
    let pool = Pool::new(1);
    let (first, second) = (pool.apply_async(|| 1), pool.apply_async(|| 2));
    first.kill_soon(); // it never begins
    assert_eq!((second.join().unwrap(), first.is_finished()), (2, true));
}

#[test]
fn kill_reaches_those_that_wait_to_begin() {
    let pool = Pool::new(1);
    let blocker = pool.spawn(|| sleep(LONG));
    let pending = pool.apply_async(|| unreachable!());
    idle();
    pool.kill();
    assert!(blocker.join().unwrap_err().is_killed() && pending.join().unwrap_err().is_killed());
    assert_eq!((pool.running(), pool.len()), (0, 0));
}

#[test]
fn a_place_can_be_waited_for_with_other_things() {
    let pool = Pool::new(1);
    let task = pool.spawn(|| sleep(ms(2)));
    let slow = spawn(|| sleep(LONG));
    assert_eq!(wait(&[&slow, &pool]).first(), Some(1));
    assert!(task.is_finished() || pool.running() == 0);
    slow.kill();
}

#[test]
fn added_tasks_take_places() {
    let pool = Pool::new(1);
    let task = spawn(|| sleep(ms(2)));
    pool.add(&task);
    assert!(pool.try_spawn(|| ()).is_err());
    pool.spawn(|| ()).join().unwrap();
    assert!(task.is_finished());
    let late = spawn(|| ());
    late.wait();
    pool.add(&late);
    assert_eq!(pool.running(), 0);
}
