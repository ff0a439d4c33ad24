//! Pools whose members run on threads of their own.

use crate::{LONG, ms};
use greenlet::pool::ThreadPool;
use greenlet::{sleep, spawn, wait, yield_now};
use std::collections::HashSet;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Gives the pool something that runs until what is returned is dropped, and waits until it has begun.
fn occupy(pool: &ThreadPool) -> (greenlet::JoinHandle<u32>, Sender<()>) {
    let (gate, wait) = channel::<()>();
    let (begun, has_begun) = channel();
    let task = pool.spawn(move || {
        begun.send(()).unwrap();
        let _ = wait.recv();
        7
    });
    yield_now();
    has_begun.recv_timeout(LONG).unwrap();
    (task, gate)
}

#[test]
fn results_come_in_the_order_of_the_items() {
    let pool = ThreadPool::new(3);
    let here = thread::current().id();
    let squares = pool.map(1..=20_u32, move |n| {
        assert_ne!(thread::current().id(), here);
        n * n
    });
    assert!(squares.unwrap().into_iter().eq((1..=20).map(|n| n * n)));
    assert!((1..=3).contains(&pool.threads()));
    let pairs = pool.imap([(1, 2), (3, 4)], |(a, b)| a + b);
    assert!(pairs.map(|sum| sum.unwrap()).eq([3, 7]));
}

#[test]
fn an_error_stands_at_its_position() {
    let pool = ThreadPool::new(2);
    let tenths = pool.imap([1, 0, 5], |n| match n {
        0 => std::panic::resume_unwind(Box::new("Z")),
        n => 10 / n,
    });
    let texts = tenths.map(|result| match result {
        Ok(n) => n.to_string(),
        Err(error) => error.downcast_ref::<&str>().unwrap().to_string(),
    });
    assert_eq!(Vec::from_iter(texts), ["10", "Z", "2"]);
    assert!(pool.map([0], |_| std::panic::resume_unwind(Box::new(1))).is_err());
}

#[test]
fn unordered_results_come_as_they_are_there() {
    let pool = ThreadPool::new(2);
    let (gate, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let mut results = pool.imap_unordered(["slow", "quick", "third"], move |word| {
        if word == "slow" {
            let _ = wait.lock().unwrap().recv();
        }
        word
    });
    assert_eq!(results.next().unwrap().unwrap(), "quick");
    assert_eq!(results.next().unwrap().unwrap(), "third");
    drop(gate);
    assert_eq!(results.next().unwrap().unwrap(), "slow");
    assert!(results.next().is_none());
}

#[test]
fn others_run_while_the_threads_are_blocked() {
    let pool = ThreadPool::new(2);
    let (send, receive) = channel();
    let task = pool.spawn(move || receive.recv().unwrap());
    sleep(ms(1));
    send.send("sent").unwrap();
    assert_eq!(task.join().unwrap(), "sent");
    assert_eq!(pool.apply(|| 5).unwrap(), 5);
    assert_eq!(pool.apply_async(|| 6).join().unwrap(), 6);
}

#[test]
fn spawn_parks_while_all_places_are_taken() {
    let pool = ThreadPool::new(1);
    let (first, gate) = occupy(&pool);
    assert!(pool.is_full() && pool.free() == 0 && pool.len() == 1);
    assert_eq!((pool.try_spawn(|| 1).unwrap_err().0)(), 1);
    assert_eq!((pool.spawn_timeout(ms(1), || 2).unwrap_err().0)(), 2);
    let later = pool.apply_async(|| 3); // never parks
    let spawner = spawn({
        let pool = pool.clone();
        move || pool.spawn(|| 4).join().unwrap()
    });
    yield_now();
    assert!(!spawner.is_finished() && !later.is_finished());
    assert!(!pool.join_timeout(ms(1)));
    drop(gate);
    assert_eq!(first.join().unwrap(), 7);
    assert_eq!(later.join().unwrap(), 3);
    assert_eq!(spawner.join().unwrap(), 4);
    assert_eq!(pool.spawn_timeout(LONG, || 5).unwrap().join().unwrap(), 5);
    assert_eq!(pool.try_spawn(|| 6).unwrap().join().unwrap(), 6);
    pool.join();
    assert!(pool.is_empty());
    assert_eq!(pool.threads(), 1);
}

#[test]
fn a_pool_can_be_waited_for() {
    let pool = ThreadPool::new(1);
    let (task, gate) = occupy(&pool);
    greenlet::spawn_detached(move || {
        sleep(ms(1));
        drop(gate);
    });
    assert_eq!(wait(&[&pool]).first(), Some(0));
    pool.wait_available();
    assert_eq!(task.join().unwrap(), 7);
}

#[test]
fn a_kill_leaves_what_has_begun_and_keeps_the_rest_from_beginning() {
    let pool = ThreadPool::new(1);
    let (task, gate) = occupy(&pool);
    let (said, heard) = channel();
    let later = pool.apply_async(move || said.send(()).unwrap());
    pool.kill();
    assert!(task.join().unwrap_err().is_killed() && later.join().unwrap_err().is_killed());
    assert!(pool.is_empty());
    // The place is free, the thread is not: what comes next waits for it.
    let next = pool.spawn(|| 8);
    sleep(ms(2));
    assert!(!next.is_finished());
    drop(gate);
    assert_eq!(next.join().unwrap(), 8);
    assert!(heard.recv().is_err(), "it was dropped uncalled");
}

#[test]
fn a_kill_waits_no_longer_than_it_is_told_and_what_is_discarded_goes_on() {
    let pool = ThreadPool::new(1);
    let (task, gate) = occupy(&pool);
    let stubborn = pool.apply_async(|| ());
    assert_eq!((pool.running(), pool.waiting(), pool.contains(&task)), (1, 0, true));
    sleep(ms(1));
    assert_eq!(pool.waiting(), 1, "it has begun to wait for its place");
    assert!(!pool.wait_available_timeout(ms(1)));
    assert!(pool.discard(&task) && !pool.contains(&task) && !task.is_finished());
    assert!(pool.kill_timeout(LONG) && stubborn.is_finished());
    drop(gate);
    assert_eq!(task.join().unwrap(), 7);
    let (said, heard) = channel();
    pool.spawn_detached(move || said.send(()).unwrap());
    pool.join();
    assert_eq!(heard.try_recv(), Ok(()));
    assert!(pool.wait_available_timeout(LONG));
}

#[test]
fn a_pool_is_resized() {
    let pool = ThreadPool::new(0);
    let waits = pool.apply_async(|| 1);
    sleep(ms(1));
    assert!(!waits.is_finished());
    pool.resize(3);
    assert_eq!(waits.join().unwrap(), 1);
    let held: Vec<_> = (0..3).map(|_| occupy(&pool)).collect();
    assert_eq!((pool.threads(), pool.size()), (3, 3));
    pool.resize(1);
    assert_eq!(pool.free(), -2);
    for (task, gate) in held {
        drop(gate);
        assert_eq!(task.join().unwrap(), 7);
    }
    let ids = pool.map(0..20, |_| thread::current().id()).unwrap();
    assert_eq!(HashSet::<thread::ThreadId>::from_iter(ids).len(), 1);
}

#[test]
fn what_runs_on_a_pool_may_use_the_shared_threads() {
    let pool = ThreadPool::new(1);
    let (own, shared) = pool
        .apply(|| (thread::current().id(), greenlet::offload(|| thread::current().id())))
        .unwrap();
    assert_ne!(own, shared);
}

#[test]
fn the_threads_end_with_their_pool() {
    let (said, heard) = channel::<()>();
    thread_local! {
        static TELL: std::cell::RefCell<Option<Sender<()>>> = const { std::cell::RefCell::new(None) };
    }
    let pool = ThreadPool::default();
    assert_eq!(pool.size(), 10);
    pool.apply(move || TELL.with(|tell| tell.replace(Some(said)).is_none())).unwrap();
    drop(pool);
    assert!(heard.recv_timeout(LONG).is_err(), "the thread's locals are gone");
}
