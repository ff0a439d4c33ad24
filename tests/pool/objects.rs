//! Pools of objects.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{ObjectPool, Pooled};
use greenlet::{idle, sleep, spawn, wait};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// Numbers, each made once.
fn counter() -> impl Fn() -> u32 + 'static {
    let made = Cell::new(0);
    move || {
        made.set(made.get() + 1);
        made.get()
    }
}

#[test]
fn objects_are_made_when_needed_and_used_again() {
    let pool = ObjectPool::new(2, counter());
    assert_eq!((pool.len(), pool.free()), (0, 2));
    let first = pool.get();
    let second = pool.try_get().unwrap();
    assert_eq!((*first, *second, pool.free()), (1, 2, 0));
    assert!(pool.try_get().is_none() && pool.get_timeout(ms(1)).is_none());
    drop(second);
    assert_eq!(*pool.get(), 2);
    drop(first);
    assert_eq!((pool.len(), pool.free()), (2, 2));
}

#[test]
fn the_oldest_or_the_newest_is_used_first() {
    let (fifo, lifo) = (ObjectPool::builder(3), ObjectPool::builder(3).newest_first());
    for (builder, expected) in [(fifo, [1, 2, 3]), (lifo, [3, 2, 1])] {
        let pool = builder.min(3).build(counter());
        let objects = [pool.get(), pool.get(), pool.get()];
        let mut made: Vec<_> = objects.into_iter().collect();
        made.sort_by_key(|object| **object);
        made.into_iter().for_each(drop);
        let objects = [pool.get(), pool.get(), pool.get()];
        assert_eq!(objects.each_ref().map(|object| **object), expected);
    }
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    let (pool, trace) = (ObjectPool::new(1, counter()), Trace::default());
    let object = pool.get();
    for name in 0..3 {
        let (pool, log) = (pool.clone(), trace.clone());
        greenlet::spawn_detached(move || {
            let object = pool.get();
            log.add(format!("{name} has {}", *object));
            sleep(ms(1));
        });
    }
    idle();
    assert_eq!(pool.waiting(), 3);
    drop(object);
    assert!(pool.try_get().is_none(), "it was promised to the first");
    let last = pool.get_timeout(LONG).unwrap();
    assert_eq!(trace.take(), "0 has 1, 1 has 1, 2 has 1");
    drop(last);
}

#[test]
fn what_a_killed_one_was_promised_goes_to_the_next() {
    let pool = ObjectPool::new(1, counter());
    let object = pool.get();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            spawn(move || *pool.get())
        })
        .collect();
    idle();
    tasks[0].kill();
    drop(object);
    tasks[1].kill_soon();
    idle();
    let results: Vec<_> = tasks.into_iter().map(|task| task.join().ok()).collect();
    assert_eq!((results, pool.free()), (vec![None, None, Some(1)], 1));
}

#[test]
fn a_failure_to_make_one_leaves_the_right_to_the_next() {
    let pool = ObjectPool::<u32>::new(1, || resume_unwind(Box::new("refused")));
    let waiting = pool.clone();
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    assert_eq!(pool.get_or_try(|| Err("refused")).unwrap_err(), "refused");
    assert_eq!((pool.len(), pool.free()), (0, 1));
    // One is being made, slowly, and fails; then the one that waits makes its own.
    let other = pool.clone();
    let slow = spawn(move || {
        let made = other.get_or_try(|| {
            sleep(ms(2));
            Err("refused")
        });
        made.is_err()
    });
    idle();
    let task = spawn(move || *waiting.get_or_try(|| Ok::<_, ()>(7)).unwrap());
    assert_eq!((task.join().unwrap(), slow.join().unwrap()), (7, true));
}

#[test]
fn one_that_is_killed_while_it_makes_one_leaves_its_right() {
    let pool = ObjectPool::new(1, || sleep(LONG));
    let maker = pool.clone();
    let task = spawn(move || drop(maker.get()));
    idle();
    assert_eq!((pool.len(), pool.free()), (1, 0));
    task.kill();
    assert_eq!((pool.len(), pool.free()), (0, 1));
}

#[test]
fn objects_can_be_discarded_and_detached() {
    let pool = ObjectPool::new(1, counter());
    Pooled::discard(pool.get());
    assert_eq!(pool.len(), 0);
    assert_eq!(Pooled::detach(pool.get()), 2);
    assert_eq!((*pool.get(), pool.len()), (3, 1));
    let object = pool.get();
    let other = pool.clone();
    let task = spawn(move || *other.get());
    idle();
    Pooled::discard(object);
    assert_eq!(task.join().unwrap(), 4, "who waits makes its own");
}

#[test]
fn idle_and_old_objects_are_dropped() {
    let pool = ObjectPool::builder(3).min(1).max_idle(ms(2)).build(counter());
    drop((pool.get(), pool.get(), pool.get()));
    assert_eq!(pool.len(), 3);
    sleep(ms(3));
    pool.trim();
    assert_eq!(pool.len(), 1, "as many as wanted stay");
    let pool = ObjectPool::builder(3).max_age(LONG).build(counter());
    for _ in 0..2 {
        assert_eq!(*pool.get(), 1);
    }
    let pool = ObjectPool::builder(3).max_age(ms(3)).build(counter());
    drop(pool.get());
    sleep(ms(4));
    let object = pool.get();
    assert_eq!((*object, pool.len()), (2, 1));
    sleep(ms(4));
    drop(object);
    assert_eq!(pool.len(), 0, "it became too old in use");
    let pool = ObjectPool::new(2, counter());
    drop((pool.get(), pool.get()));
    pool.clear();
    assert_eq!((pool.len(), pool.is_empty(), pool.free()), (0, true, 2));
}

#[test]
fn those_that_are_never_used_are_dropped_while_the_newest_is_used() {
    for (min, left) in [(0, 1), (2, 2)] {
        let builder = ObjectPool::builder(3).newest_first().min(min).max_idle(ms(2));
        let pool = builder.build(counter());
        let (used, second, third) = (pool.get(), pool.get(), pool.get());
        drop((second, third));
        sleep(ms(3));
        drop(used);
        // Where that takes so long that this one is over, too, it is dropped as well, and another one made.
        drop(pool.get());
        assert_eq!(pool.len(), left);
    }
}

/// Its drop raises, or waits.
struct Last(Box<dyn FnMut()>);

impl Drop for Last {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn raises() {
    resume_unwind(Box::new("in a drop"));
}

/// A pool with one place and an object in it, whose time is over.
fn with_an_old_one(drops: fn()) -> ObjectPool<Last> {
    let made = Cell::new(0);
    let pool = ObjectPool::builder(1).max_idle(ms(1)).build(move || {
        made.set(made.get() + 1);
        Last(Box::new(if made.get() == 1 { drops } else { || () }))
    });
    drop(pool.get());
    sleep(ms(2));
    pool
}

#[test]
fn an_old_object_whose_drop_raises_takes_no_place_with_it() {
    let pool = with_an_old_one(raises);
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get())).is_err());
    assert_eq!((pool.len(), pool.free()), (1, 1), "the new one is there");
    drop(pool.try_get().unwrap());
}

#[test]
fn one_that_is_killed_while_an_old_object_is_dropped_leaves_its_place() {
    let pool = with_an_old_one(|| sleep(LONG));
    let other = pool.clone();
    let task = spawn(move || drop(other.get()));
    idle();
    assert_eq!((pool.len(), pool.free()), (1, 0));
    task.kill();
    assert_eq!((pool.len(), pool.free()), (1, 1));
}

#[test]
fn what_would_have_made_an_object_may_raise_in_its_drop() {
    let pool = ObjectPool::new(1, counter());
    drop(pool.get());
    let unused = Last(Box::new(raises));
    let make = move || {
        let _used = unused;
        Ok::<_, ()>(2)
    };
    assert!(catch_unwind(AssertUnwindSafe(|| pool.get_or_try(make))).is_err());
    assert_eq!((pool.len(), pool.free()), (1, 1));
    assert_eq!(*pool.get(), 1);
}

#[test]
fn the_size_can_be_changed() {
    let pool = ObjectPool::new(2, counter());
    let (first, second) = (pool.get(), pool.get());
    let other = pool.clone();
    let task = spawn(move || *other.get());
    idle();
    pool.resize(3);
    assert_eq!(task.join().unwrap(), 3);
    pool.resize(1);
    assert_eq!((pool.len(), pool.free()), (2, 0));
    drop(first);
    assert_eq!(pool.len(), 1);
    drop(second);
    assert_eq!((pool.len(), pool.free()), (1, 1));
}

#[test]
fn an_object_that_was_promised_is_not_dropped_for_being_too_many() {
    let pool = ObjectPool::new(1, counter());
    let object = pool.get();
    let other = pool.clone();
    let waiting = spawn(move || *other.get());
    idle();
    drop(object);
    pool.resize(0);
    assert_eq!(waiting.join().unwrap(), 1, "none was made in its place");
    assert_eq!(pool.len(), 0);
}

#[test]
fn an_object_can_be_waited_for_with_other_things() {
    let pool = ObjectPool::new(1, counter());
    let object = pool.get();
    let slow = spawn(|| sleep(LONG));
    assert_eq!(wait(&[&slow, &pool]).timeout(ms(1)).first(), None);
    let holder = spawn(move || drop(object));
    assert_eq!(wait(&[&slow, &pool]).first(), Some(1));
    holder.join().unwrap();
    slow.kill();
}

#[test]
fn the_objects_are_dropped_with_the_last_handle() {
    let token = Rc::new(());
    let made = token.clone();
    let pool = ObjectPool::new(2, move || made.clone());
    let object = pool.get();
    drop(pool);
    assert_eq!(Rc::strong_count(&token), 3);
    drop(object);
    assert_eq!(Rc::strong_count(&token), 1);
}
