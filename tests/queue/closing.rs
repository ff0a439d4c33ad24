//! The end of a queue.

use crate::trace::Trace;
use greenlet::sync::queue::{Channel, Closed, GetError, PutError, Queue};
use greenlet::{Deadlock, idle, spawn};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn a_closed_queue_is_drained_and_then_fails() {
    let queue: Queue<_> = [1, 2].into_iter().collect();
    queue.close();
    queue.close();
    assert_eq!(queue.put(3), Err(Closed(3)));
    assert_eq!(queue.try_put(3), Err(PutError::Closed(3)));
    assert_eq!(queue.put_timeout(3, super::ms(1)), Err(PutError::Closed(3)));
    assert_eq!(queue.iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((queue.get(), queue.try_get()), (Err(Closed(())), Err(GetError::Closed)));
    assert_eq!((queue.peek(), queue.try_peek()), (Err(Closed(())), Err(GetError::Closed)));
}

#[test]
fn close_now_returns_what_is_left() {
    let queue: Queue<_> = [1, 2].into_iter().collect();
    assert_eq!(queue.close_now(), [1, 2]);
    assert_eq!((queue.get(), queue.is_closed()), (Err(Closed(())), true));
}

#[test]
fn those_who_wait_are_told_in_their_order() {
    let trace = Trace::default();
    let (empty, full) = (Queue::<u32>::unbounded(), Queue::bounded(1));
    full.put(0).unwrap();
    for name in 0..2 {
        let (empty, full) = (empty.clone(), full.clone());
        let (log, other_log) = (trace.clone(), trace.clone());
        greenlet::spawn_detached(move || log.add(format!("get {name} {:?}", empty.get())));
        greenlet::spawn_detached(move || {
            other_log.add(format!("put {name} {}", full.put(name).unwrap_err().0))
        });
    }
    idle();
    empty.close();
    full.close();
    idle();
    assert_eq!(trace.take(), "get 0 Err(Closed), get 1 Err(Closed), put 0 0, put 1 1");
    assert_eq!(full.try_get(), Ok(0));
}

#[test]
fn what_was_promised_before_the_close_is_delivered() {
    let queue = Queue::unbounded();
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.get())
        })
        .collect();
    idle();
    queue.put(1).unwrap();
    queue.close();
    let results: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
    assert_eq!(results, [Ok(1), Err(Closed(()))]);
}

#[test]
fn what_a_killed_getter_was_promised_outlives_the_close() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get());
    idle();
    queue.put(1).unwrap();
    queue.close();
    task.kill();
    assert_eq!((queue.get(), queue.get()), (Ok(1), Err(Closed(()))));
}

#[test]
fn a_putter_that_was_promised_room_gets_its_item_back() {
    let queue = Queue::bounded(1);
    queue.put(1).unwrap();
    let putter = queue.clone();
    let task = spawn(move || putter.put(2));
    idle();
    queue.get().unwrap();
    queue.close();
    assert_eq!(task.join().unwrap(), Err(Closed(2)));
}

#[test]
fn a_rendezvous_gives_items_back_to_their_putters() {
    let channel = Channel::new();
    let putter = channel.clone();
    let task = spawn(move || putter.put("back"));
    idle();
    assert_eq!(channel.len(), 1);
    assert!(channel.close_now().is_empty());
    assert_eq!(task.join().unwrap(), Err(Closed("back")));
    assert_eq!(channel.get(), Err(Closed(())));
}

#[test]
fn a_for_loop_ends_with_the_queue() {
    let queue = Queue::unbounded();
    let getter = queue.clone();
    let task = spawn(move || {
        let mut sum = 0;
        for number in getter {
            sum += number;
        }
        sum
    });
    (1..4).for_each(|number| queue.put(number).unwrap());
    queue.close();
    assert_eq!(task.join().unwrap(), 6);
}

#[test]
fn a_queue_dropped_with_waiters_is_a_deadlock_that_says_so() {
    let queue = Queue::<u32>::unbounded();
    let getter = queue.clone();
    let task = spawn(move || getter.get());
    drop(queue);
    let payload = catch_unwind(AssertUnwindSafe(|| task.wait())).unwrap_err();
    let deadlock = payload.downcast::<Deadlock>().unwrap();
    assert!(deadlock.waiting().iter().any(|line| line.ends_with("waits for an item of a queue")));
    task.kill();
}

#[test]
fn items_are_dropped_with_the_last_handle() {
    let item = std::rc::Rc::new(());
    let queue: Queue<_> = [item.clone(), item.clone()].into_iter().collect();
    let other = queue.clone();
    drop(queue);
    assert_eq!(std::rc::Rc::strong_count(&item), 3);
    drop(other);
    assert_eq!(std::rc::Rc::strong_count(&item), 1);
}
