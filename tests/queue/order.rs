//! Who runs when, and who gets what.

use super::LONG;
use crate::trace::Trace;
use greenlet::sync::queue::{LifoQueue, PriorityQueue, Queue};
use greenlet::{idle, join_all, kill_all, spawn, yield_now};

#[test]
fn put_does_not_switch() {
    let (queue, trace) = (Queue::unbounded(), Trace::default());
    let (getter, log) = (queue.clone(), trace.clone());
    let second = spawn(move || {
        for _ in 0..3 {
            log.add("ask");
            log.add(format!("--> {}", getter.get().unwrap()));
        }
    });
    let log = trace.clone();
    let first = spawn(move || {
        for _ in 0..3 {
            log.add("put");
            queue.put("test").unwrap();
        }
    });
    join_all([second, first]).join();
    assert_eq!(trace.take(), "ask, put, put, put, --> test, ask, --> test, ask, --> test");
}

#[test]
fn a_putter_that_yields_lets_the_getter_run() {
    let (queue, trace) = (Queue::unbounded(), Trace::default());
    let (getter, log) = (queue.clone(), trace.clone());
    let second = spawn(move || {
        for _ in 0..2 {
            log.add("ask");
            log.add(format!("--> {}", getter.get().unwrap()));
        }
    });
    let log = trace.clone();
    let first = spawn(move || {
        for _ in 0..2 {
            log.add("put");
            queue.put("test").unwrap();
            yield_now();
        }
    });
    join_all([second, first]).join();
    assert_eq!(trace.take(), "ask, put, --> test, ask, put, --> test");
}

#[test]
fn a_queue_of_one_alternates() {
    let (queue, trace) = (Queue::bounded(1), Trace::default());
    let (putter, log) = (queue.clone(), trace.clone());
    let producer = spawn(move || {
        for i in 0..4 {
            putter.put(i).unwrap();
            log.add(format!("put{i}"));
        }
    });
    let log = trace.clone();
    let consumer =
        spawn(move || (0..4).for_each(|_| log.add(format!("got{}", queue.get().unwrap()))));
    join_all([producer, consumer]).join();
    assert_eq!(trace.take(), "put0, got0, put1, got1, put2, got2, put3, got3");
}

#[test]
fn getters_are_served_in_the_order_of_their_coming() {
    let (queue, trace) = (Queue::unbounded(), Trace::default());
    let getters: Vec<_> = (0..3)
        .map(|name| {
            let (queue, log) = (queue.clone(), trace.clone());
            spawn(move || {
                for _ in 0..2 {
                    log.add(format!("{name} got {}", queue.get().unwrap()));
                }
            })
        })
        .collect();
    idle();
    assert_eq!(queue.getting(), 3);
    (0..6).for_each(|item| queue.put(item).unwrap());
    join_all(getters).join();
    // The three that waited own the first three; then each takes what is free when it asks.
    assert_eq!(trace.take(), "0 got 0, 0 got 1, 1 got 2, 1 got 3, 2 got 4, 2 got 5");
}

#[test]
fn putters_are_served_in_the_order_of_their_coming() {
    let (queue, trace) = (Queue::bounded(1), Trace::default());
    queue.put(0).unwrap();
    let putters: Vec<_> = (1..4)
        .map(|item| {
            let (queue, log) = (queue.clone(), trace.clone());
            spawn(move || {
                queue.put(item).unwrap();
                log.add(format!("put {item}"));
            })
        })
        .collect();
    idle();
    assert_eq!((queue.putting(), queue.is_full()), (3, true));
    let gotten: Vec<_> = (0..4).map(|_| queue.get().unwrap()).collect();
    join_all(putters).join();
    assert_eq!((gotten, trace.take().as_str()), (vec![0, 1, 2, 3], "put 1, put 2, put 3"));
}

#[test]
fn nobody_overtakes_one_that_was_promised_an_item() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get());
    idle();
    queue.put("first").unwrap();
    assert_eq!(queue.len(), 1);
    assert!(queue.try_get().is_err() && queue.try_peek().is_err());
    queue.put("second").unwrap();
    assert_eq!(queue.get(), Ok("first")); // the store's order; the promise is one item, not this one
    assert_eq!(task.join().unwrap(), Ok("second"));
}

#[test]
fn nobody_overtakes_one_that_was_promised_room() {
    let queue = Queue::bounded(1);
    queue.put(1).unwrap();
    let putter = queue.clone();
    let task = spawn(move || putter.put(2));
    idle();
    assert_eq!(queue.get(), Ok(1));
    assert!(queue.try_put(3).unwrap_err().is_full() && queue.is_full() && queue.is_empty());
    task.join().unwrap().unwrap();
    assert_eq!(queue.try_get(), Ok(2));
}

#[test]
fn the_killed_getter_loses_no_item() {
    let (queue, trace) = (Queue::unbounded(), Trace::default());
    let getters: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let (queue, log) = (queue.clone(), trace.clone());
            spawn(move || log.add(format!("{name} got {}", queue.get().unwrap())))
        })
        .collect();
    idle();
    getters[0].kill();
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    idle();
    assert_eq!((trace.take().as_str(), queue.try_get()), ("b got 1", Ok(2)));
}

#[test]
fn a_getter_that_is_killed_once_it_was_promised_an_item_passes_it_on() {
    let (queue, trace) = (Queue::unbounded(), Trace::default());
    let getters: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let (queue, log) = (queue.clone(), trace.clone());
            spawn(move || log.add(format!("{name} got {}", queue.get().unwrap())))
        })
        .collect();
    idle();
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    getters[0].kill_soon();
    idle();
    assert_eq!(trace.take(), "b got 1, c got 2");
    assert!(queue.is_empty() && getters.iter().all(|task| task.is_finished()));
}

#[test]
fn an_item_that_nobody_is_left_for_stays() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get());
    idle();
    queue.put("kept").unwrap();
    task.kill();
    assert_eq!((queue.try_get(), queue.getting()), (Ok("kept"), 0));
}

#[test]
fn a_killed_putter_puts_nothing_and_its_room_goes_to_the_next() {
    let queue = Queue::bounded(1);
    queue.put(0).unwrap();
    let putters: Vec<_> = (1..4)
        .map(|item| {
            let queue = queue.clone();
            spawn(move || queue.put(item))
        })
        .collect();
    idle();
    putters[0].kill();
    assert_eq!(queue.get(), Ok(0)); // promises room to 2,
    putters[1].kill_soon(); // which is killed before it runs
    assert_eq!(queue.get(), Ok(3));
    kill_all(&putters).wait();
    assert!(queue.is_empty() && !queue.is_full());
}

#[test]
fn a_limit_around_a_get_loses_nothing() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || greenlet::timeout(super::ms(1), || getter.get()).is_err());
    assert!(task.join().unwrap());
    queue.put(1).unwrap();
    assert_eq!(queue.get_timeout(LONG), Ok(1));
}

#[test]
fn a_getter_of_a_priority_queue_gets_the_lowest_at_its_turn() {
    let queue = PriorityQueue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get().unwrap());
    idle();
    [3, 1, 2].into_iter().for_each(|item| queue.put(item).unwrap());
    assert_eq!(task.join().unwrap(), 1);
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(2), Ok(3)));
}

#[test]
fn a_getter_of_a_stack_gets_the_newest_at_its_turn() {
    let queue = LifoQueue::bounded(3);
    let getter = queue.clone();
    let task = spawn(move || getter.get().unwrap());
    idle();
    [1, 2, 3].into_iter().for_each(|item| queue.put(item).unwrap());
    assert_eq!(task.join().unwrap(), 3);
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(2), Ok(1)));
}
