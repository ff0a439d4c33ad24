//! A function over many items.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{GreenPool, Group, Pile, Pool};
use greenlet::sync::Event;
use greenlet::sync::queue::Queue;
use greenlet::{JoinError, sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;

fn text<T: std::fmt::Display>(result: Result<T, JoinError>) -> String {
    result.map_or_else(|error| error.downcast_ref::<&str>().unwrap().to_string(), |v| v.to_string())
}

#[test]
fn map_keeps_the_order_and_stops_at_the_first_error() {
    let pool = Pool::new(3);
    let slow_first = |n: u64| {
        sleep(ms(5 - n));
        n
    };
    assert_eq!(pool.map(0..5, slow_first).unwrap(), [0, 1, 2, 3, 4]);
    let error =
        pool.map(0..5, |n| if n > 2 { resume_unwind(Box::new("three")) } else { n }).unwrap_err();
    assert_eq!(text::<u32>(Err(error)), "three");
    assert_eq!(Group::new().map(["a", "b"], str::len).unwrap(), [1, 1]);
    assert_eq!(pool.map([0; 0], |n| n).unwrap(), []);
}

#[test]
fn an_error_stands_at_its_position_and_the_rest_follows() {
    let pool = Pool::new(2);
    let divide = |n: u32| 10_u32.checked_div(n).unwrap_or_else(|| resume_unwind(Box::new("Z")));
    let results: Vec<_> = pool.imap([1, 0, 5], divide).map(text).collect();
    assert_eq!(results, ["10", "Z", "2"]);
    let odd = |n: u32| if n % 3 == 1 { resume_unwind(Box::new("r")) } else { n };
    let results: Vec<_> = GreenPool::new(4).imap(0..10, odd).map(text).collect();
    assert_eq!(results, ["0", "r", "2", "3", "r", "5", "6", "r", "8", "9"]);
}

#[test]
fn unordered_results_come_as_they_end() {
    let pool = Pool::new(3);
    let slow = |turns: u32| {
        (0..turns).for_each(|_| yield_now());
        turns
    };
    let results: Vec<_> = pool.imap_unordered([12, 6, 1, 25], slow).map(Result::unwrap).collect();
    assert_eq!(results, [1, 6, 12, 25]);
}

#[test]
fn equal_inputs_give_equal_orders() {
    let run = || -> Vec<u32> {
        let echo = |n| {
            sleep(ms(1));
            n
        };
        Pool::new(10).imap_unordered(0..10, echo).map(Result::unwrap).collect()
    };
    let first = run();
    assert!((0..3).all(|_| run() == first));
    assert_eq!(first, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_function_of_several_arguments_takes_a_tuple() {
    let pool = Pool::new(2);
    let sums: Vec<_> = pool.imap([(1, 2), (3, 4)], |(a, b)| a + b).map(Result::unwrap).collect();
    assert_eq!(sums, [3, 7]);
}

#[test]
fn no_more_are_begun_than_the_buffer_allows() {
    for (buffer, most) in [(None, 3), (Some(1), 1), (Some(5), 5)] {
        let (pool, begun) = (Pool::new(3), Rc::new(Cell::new(0)));
        let counter = begun.clone();
        let mut results = pool.imap(0.., move |n| {
            counter.set(counter.get() + 1);
            n
        });
        if let Some(buffer) = buffer {
            results = results.buffer(buffer);
        }
        for taken in 0..20 {
            (0..10).for_each(|_| yield_now());
            let ahead = begun.get() - taken;
            assert!(ahead <= most, "{ahead} begun of {buffer:?}");
            assert_eq!(results.next().unwrap().unwrap(), taken);
        }
        drop(results);
        pool.join();
    }
}

#[test]
fn none_is_begun_before_the_first_result_or_a_buffer_is_asked_for() {
    let begun = Rc::new(Cell::new(0));
    let counter = begun.clone();
    let count = move |n: u64| {
        counter.set(counter.get() + 1);
        n
    };
    let pool = Pool::new(4);
    let mut results = pool.imap(0..8, count.clone());
    yield_now();
    assert_eq!(begun.get(), 0);
    assert_eq!((results.next().unwrap().unwrap(), begun.get()), (0, 4));
    drop(results);
    begun.set(0);
    let results = pool.imap_unordered(0..8, count).buffer(2);
    yield_now();
    assert_eq!(begun.get(), 2);
    assert_eq!(results.count(), 8);
}

#[test]
fn a_buffer_makes_an_endless_map_in_a_group_possible() {
    let results = Group::new().imap(0_u64.., |n| n * n).buffer(8);
    assert_eq!(results.take(20).map(Result::unwrap).sum::<u64>(), 2470);
}

#[test]
fn a_slow_first_one_does_not_hold_up_a_map() {
    let (pool, trace) = (Pool::new(2), Trace::default());
    let (log, others_done) = (trace.clone(), Event::new());
    let results = pool.map([0, 1, 2, 3], move |n| {
        match n {
            0 => others_done.wait(),
            3 => others_done.set(),
            _ => {}
        }
        log.add(n);
        n
    });
    assert_eq!((results.unwrap(), trace.take().as_str()), (vec![0, 1, 2, 3], "1, 2, 3, 0"));
}

#[test]
fn the_items_may_be_waited_for() {
    let (pool, queue) = (Pool::new(2), Queue::bounded(1));
    let putter = queue.clone();
    let task = spawn(move || {
        (0..6).for_each(|n| {
            sleep(ms(1));
            putter.put(n).unwrap();
        });
        putter.close();
    });
    let sum: u32 = pool.imap_unordered(&queue, |n| n).map(Result::unwrap).sum();
    assert_eq!(sum, 15);
    task.join().unwrap();
}

#[test]
fn a_limit_around_next_loses_no_result() {
    let pool = Pool::new(2);
    let mut results = pool.imap(0..5_u64, |n| {
        sleep(ms(3));
        n
    });
    let mut seen = Vec::new();
    while seen.len() < 5 {
        if let Ok(Some(result)) = timeout(ms(1), || results.next()) {
            seen.push(result.unwrap());
        }
    }
    assert_eq!((seen, results.next().is_none()), (vec![0, 1, 2, 3, 4], true));
}

#[test]
fn a_pool_full_of_others_is_waited_for() {
    let pool = Pool::new(1);
    let other = pool.spawn(|| sleep(ms(2)));
    let results = pool.imap(0..3, |n| n);
    assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(other.is_finished());
}

#[test]
fn members_of_a_map_can_be_killed() {
    let pool = Pool::new(2);
    let mut results = pool.imap_unordered([60_000, 1], |n| sleep(ms(n)));
    assert!(results.next().unwrap().is_ok());
    pool.tasks()[0].kill_soon();
    assert!(results.next().unwrap().unwrap_err().is_killed());
    assert!(results.next().is_none());
}

#[test]
fn many_items_in_a_small_pool() {
    let pool = Pool::new(10);
    let sum: u64 = pool.imap_unordered(0..10_000_u64, |n| n).map(Result::unwrap).sum();
    assert_eq!(sum, 49_995_000);
    assert_eq!(pool.map(0..10_000_u64, |n| n + 1).unwrap().len(), 10_000);
    assert_eq!((pool.running(), pool.len()), (0, 0));
}

#[test]
fn a_pile_gives_results_in_the_order_of_spawning() {
    let mut pile = Pile::new(3);
    for n in [4, 0, 2] {
        pile.spawn(move || {
            sleep(ms(n));
            if n == 0 { resume_unwind(Box::new("none")) } else { n }
        });
    }
    assert_eq!(pile.len(), 3);
    assert_eq!(pile.by_ref().map(text).collect::<Vec<_>>(), ["4", "none", "2"]);
    assert!(pile.next().is_none());
    pile.spawn(|| 9);
    assert_eq!(pile.next().unwrap().unwrap(), 9);
}

#[test]
fn a_pile_in_a_pool_shares_its_places() {
    let pool = Pool::new(1);
    let mut pile = Pile::in_pool(&pool);
    pile.spawn(|| sleep(LONG));
    assert!(pool.is_full() && pile.pool().running() == 1);
    assert!(timeout(ms(1), || pile.next()).is_err());
    pool.kill();
    assert!(pile.next().unwrap().unwrap_err().is_killed() && pile.is_empty());
}
