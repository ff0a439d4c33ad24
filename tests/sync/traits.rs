//! What the types of `sync` can do beside waiting: what those of std can.

use greenlet::sync::queue::{Broadcast, Channel};
use greenlet::sync::thread::unbounded;
use greenlet::sync::{AlreadySent, AlreadySet, OnceCell, ReentrantMutex, RwLock};
use greenlet::{current, spawn};
use std::collections::HashSet;
use std::error::Error;

#[test]
fn guards_are_shown_as_what_they_guard() {
    let (lock, mutex) = (RwLock::new(5), ReentrantMutex::from("in"));
    assert_eq!(format!("{} {}", lock.read(), mutex.lock()), "5 in");
    assert_eq!(lock.write().to_string(), "5");
}

#[test]
fn cells_are_cloned_and_compared_by_their_value() {
    let cell = OnceCell::from(3);
    assert_eq!(cell.clone(), cell);
    assert_ne!(cell, OnceCell::new());
    assert_eq!(OnceCell::<i32>::new().clone().get(), None);
}

#[test]
fn a_value_that_cannot_be_printed_may_lie_in_an_error() {
    struct Plain;
    let errors: [Box<dyn Error + Send + Sync>; 2] =
        [AlreadySet(Plain).into(), AlreadySent(Plain).into()];
    assert_eq!(format!("{errors:?}"), "[AlreadySet, AlreadySent]");
}

#[test]
fn references_to_one_task_are_equal() {
    let (one, other) = (spawn(|| ()), spawn(|| ()));
    let references = HashSet::from([one.task(), one.task(), other.task()]);
    assert_eq!(references.len(), 2);
    assert!(one.task() == one.task() && one.task() != other.task());
    let (weak, again) = (current().downgrade(), current().downgrade());
    assert_eq!(HashSet::from([weak, again]).len(), 1);
}

#[test]
fn a_default_channel_and_a_default_broadcast() {
    let channel = Channel::default();
    let sender = channel.clone();
    let task = spawn(move || sender.put(7));
    assert_eq!(channel.get(), Ok(7));
    task.join().unwrap().unwrap();
    let news = Broadcast::default();
    let receiver = news.subscribe();
    news.put("one").unwrap();
    assert_eq!(receiver.get(), Ok("one"));
}

#[test]
fn a_receiver_is_iterated_by_reference() {
    let (sender, receiver) = unbounded();
    (1..=3).for_each(|n| sender.send(n).unwrap());
    let mut sum = 0;
    for n in &receiver {
        sum += n;
        if n == 2 {
            break;
        }
    }
    drop(sender);
    assert_eq!((sum, receiver.into_iter().collect::<Vec<_>>()), (3, vec![3]));
}
