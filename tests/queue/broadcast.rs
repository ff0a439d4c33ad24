//! Items for everybody.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::sync::queue::{Broadcast, BroadcastError, Closed};
use greenlet::{idle, spawn};
use std::rc::Rc;

#[test]
fn each_subscriber_gets_each_item_in_the_order_of_waiting() {
    let (news, trace) = (Broadcast::unbounded(), Trace::default());
    for name in ["a", "b"] {
        let (subscriber, log) = (news.subscribe(), trace.clone());
        greenlet::spawn_detached(move || {
            subscriber.for_each(|item| log.add(format!("{name}{item}")))
        });
    }
    idle();
    news.put(1).unwrap();
    news.put(2).unwrap();
    trace.add("put");
    idle();
    news.close();
    idle();
    assert_eq!(trace.take(), "put, a1, a2, b1, b2");
    assert_eq!(news.put(3), Err(Closed(3)));
    assert_eq!(news.subscribers(), 0);
}

#[test]
fn who_comes_later_gets_what_comes_later() {
    let news = Broadcast::unbounded();
    news.put(0).unwrap();
    let early = news.subscribe();
    news.put(1).unwrap();
    let late = news.subscribe();
    news.put(2).unwrap();
    news.close();
    assert_eq!(early.collect::<Vec<_>>(), [1, 2]);
    assert_eq!((late.try_get(), late.try_get()), (Ok(2), Err(BroadcastError::Closed)));
}

#[test]
fn one_that_lags_is_told_how_much_it_missed() {
    let news = Broadcast::bounded(2);
    let (slow, fast) = (news.subscribe(), news.subscribe());
    for item in 0..5 {
        news.put(item).unwrap();
        assert_eq!(fast.try_get(), Ok(item));
    }
    assert_eq!(news.len(), 2);
    assert_eq!(slow.get(), Err(BroadcastError::Lagged(3)));
    assert_eq!((slow.get(), slow.get()), (Ok(3), Ok(4)));
    assert_eq!(slow.get_timeout(ms(1)), Err(BroadcastError::Empty));
}

#[test]
fn an_item_is_kept_until_all_have_got_it() {
    let (news, item) = (Broadcast::unbounded(), Rc::new(()));
    news.put(item.clone()).unwrap();
    assert_eq!(Rc::strong_count(&item), 1, "nobody receives");
    let (first, second, third) = (news.subscribe(), news.subscribe(), news.subscribe());
    news.put(item.clone()).unwrap();
    news.put(item.clone()).unwrap();
    first.get().unwrap();
    second.get().unwrap();
    second.get().unwrap();
    assert_eq!((news.len(), Rc::strong_count(&item)), (2, 3));
    drop(third);
    assert_eq!((news.len(), Rc::strong_count(&item)), (1, 2));
    drop(first);
    assert_eq!((news.len(), Rc::strong_count(&item)), (0, 1));
}

#[test]
fn a_killed_subscriber_leaves_its_items() {
    let news = Broadcast::unbounded();
    let subscriber = Rc::new(news.subscribe());
    let other = subscriber.clone();
    let task = spawn(move || other.get());
    idle();
    news.put(1).unwrap();
    task.kill();
    assert_eq!(subscriber.get_timeout(LONG), Ok(1));
}
