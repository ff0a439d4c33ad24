//! Tasks that depend on one another.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{Collision, DagPool, Failed};
use greenlet::{idle, sleep, spawn, timeout, yield_now};
use std::panic::resume_unwind;

#[test]
fn inputs_come_as_they_are_ready() {
    let (pool, trace) = (DagPool::new(), Trace::default());
    let log = trace.clone();
    pool.spawn("all", ["slow", "fast", "there"], move |inputs| {
        for input in inputs {
            log.add(input.unwrap().0);
        }
        0
    })
    .unwrap();
    pool.spawn("slow", [], |_| {
        sleep(ms(4));
        1
    })
    .unwrap();
    pool.spawn("fast", ["there"], |inputs| inputs.map(|input| input.unwrap().1).sum()).unwrap();
    pool.post("there", 5).unwrap();
    assert_eq!(pool.running(), ["all", "fast", "slow"]);
    let results = pool.join().unwrap();
    assert_eq!(trace.take(), "there, fast, slow");
    assert_eq!(
        results.into_iter().collect::<Vec<_>>(),
        [("all", 0), ("fast", 5), ("slow", 1), ("there", 5)]
    );
}

#[test]
fn a_key_has_one_result() {
    let pool: DagPool<_, _> = [("a", 1)].into_iter().collect();
    assert_eq!(pool.post("a", 2), Err(Collision("a")));
    assert_eq!(pool.spawn("a", [], |_| 2), Err(Collision("a")));
    pool.spawn("b", [], |_| 2).unwrap();
    assert_eq!(pool.post("b", 3), Err(Collision("b")));
    assert_eq!((pool.get(&"a"), pool.get(&"b"), pool.try_get(&"c")), (Ok(1), Ok(2), None));
}

/// A result whose copies are made slowly, by one who looks at the pool meanwhile.
struct Slow(DagPool<u32, Slow>, u32);

impl Clone for Slow {
    fn clone(&self) -> Slow {
        yield_now();
        assert!(self.0.running().is_empty());
        Slow(self.0.clone(), self.1)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        assert!(self.0.try_get(&99).is_none());
        yield_now();
    }
}

#[test]
fn copying_and_dropping_results_may_wait_and_use_the_pool() {
    let pool = DagPool::new();
    pool.post(1, Slow(pool.clone(), 1)).unwrap();
    let others = pool.clone();
    let posting = spawn(move || others.post(2, Slow(others.clone(), 2)).unwrap());
    assert_eq!(pool.get(&1).unwrap().1, 1);
    posting.join().unwrap();
    let others = pool.clone();
    let posting = spawn(move || others.post(3, Slow(others.clone(), 3)).unwrap());
    let numbers: Vec<_> = pool.results().into_values().map(|slow| slow.unwrap().1).collect();
    assert_eq!(numbers, [1, 2]);
    posting.join().unwrap();
    let again = [4, 4].map(|key| (key, Slow(pool.clone(), key)));
    assert_eq!(again.into_iter().collect::<DagPool<_, _>>().get(&4).unwrap().1, 4);
}

#[test]
fn a_failure_is_told_to_those_who_depend_on_it() {
    let pool = DagPool::new();
    pool.spawn("bad", [], |_| resume_unwind(Box::new("no"))).unwrap();
    pool.spawn("careful", ["bad"], |mut inputs| match inputs.next().unwrap() {
        Ok(_) => 0,
        Err(Failed(key)) => key.len(),
    })
    .unwrap();
    pool.spawn("careless", ["bad"], |mut inputs| {
        inputs.next().unwrap().unwrap_or_else(|error| resume_unwind(Box::new(error))).1
    })
    .unwrap();
    assert_eq!((pool.get(&"careful"), pool.get(&"careless")), (Ok(3), Err(Failed("careless"))));
    assert_eq!(pool.join(), Err(Failed("bad")));
}

#[test]
fn what_is_killed_has_failed() {
    let pool = DagPool::new();
    pool.spawn(1, [2], |mut inputs| inputs.next().map_or(0, |_| 1)).unwrap();
    pool.spawn(3, [], |_| {
        sleep(LONG);
        0
    })
    .unwrap();
    idle();
    pool.kill();
    assert_eq!(
        (pool.get(&1), pool.get(&3), pool.running()),
        (Err(Failed(1)), Err(Failed(3)), vec![])
    );
}

#[test]
fn one_that_waits_may_give_up() {
    let pool = DagPool::<u32, u32>::new();
    assert!(timeout(ms(1), || pool.get(&1)).is_err());
    let other = pool.clone();
    let task = spawn(move || other.get(&1));
    idle();
    pool.post(1, 7).unwrap();
    assert_eq!(task.join().unwrap(), Ok(7));
}

#[test]
fn it_says_what_a_task_still_needs_and_what_there_is() {
    let pool = DagPool::new();
    pool.spawn("sum", ["b", "a", "lost"], |inputs| inputs.flatten().map(|(_, value)| value).sum())
        .unwrap();
    pool.spawn("lost", ["a"], |_| resume_unwind(Box::new("lost"))).unwrap();
    assert_eq!(pool.waiting_for(&"sum"), ["b", "a", "lost"]);
    assert!(pool.waiting_for(&"a").is_empty(), "it was never spawned");
    pool.post("a", 1).unwrap();
    idle();
    assert_eq!(pool.waiting_for(&"sum"), ["b"]);
    let there = pool.results();
    assert_eq!(
        there.into_iter().collect::<Vec<_>>(),
        [("a", Ok(1)), ("lost", Err(Failed("lost")))]
    );
    pool.post("b", 2).unwrap();
    assert_eq!(pool.get(&"sum"), Ok(3));
    assert!(pool.waiting_for(&"sum").is_empty(), "it has ended");
    assert_eq!(pool.join(), Err(Failed("lost")));
}
