//! Queues that hold nothing.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::sync::queue::{Channel, Closed, GetError, PutError, Queue};
use greenlet::{idle, join_all, spawn};

#[test]
fn a_channel_has_its_order() {
    for getter_first in [true, false] {
        let (channel, trace) = (Channel::new(), Trace::default());
        let (putter, log) = (channel.clone(), trace.clone());
        let put = move || {
            for i in 0..3 {
                putter.put(i).unwrap();
                log.add(format!("put{i}"));
            }
        };
        let log = trace.clone();
        let get = move || (0..3).for_each(|_| log.add(format!("got{}", channel.get().unwrap())));
        let tasks = match getter_first {
            true => [spawn(get), spawn(put)],
            false => [spawn(put), spawn(get)],
        };
        join_all(tasks).join();
        assert_eq!(trace.take(), "got0, put0, got1, put1, got2, put2");
    }
}

#[test]
fn a_put_returns_after_the_get() {
    let (queue, trace) = (Queue::rendezvous(), Trace::default());
    let (putter, log) = (queue.clone(), trace.clone());
    let task = spawn(move || {
        putter.put(1).unwrap();
        log.add("put done");
    });
    trace.add("main");
    trace.add(queue.get().unwrap());
    task.join().unwrap();
    assert_eq!(trace.take(), "main, 1, put done");
}

#[test]
fn try_put_needs_a_getter_and_try_get_a_putter() {
    let channel = Channel::new();
    assert_eq!(channel.try_put(1), Err(PutError::Full(1)));
    assert_eq!(channel.try_get(), Err(GetError::Empty));
    let getter = channel.clone();
    let task = spawn(move || getter.get());
    idle();
    assert_eq!(channel.try_put(1), Ok(()));
    assert_eq!(channel.try_put(2), Err(PutError::Full(2)));
    assert_eq!(task.join().unwrap(), Ok(1));
    let putter = channel.clone();
    let task = spawn(move || putter.put(3));
    idle();
    assert_eq!(channel.try_get(), Ok(3));
    task.join().unwrap().unwrap();
}

#[test]
fn a_killed_putter_takes_its_item_back() {
    let channel = Channel::new();
    let tasks: Vec<_> = (0..3)
        .map(|item| {
            let channel = channel.clone();
            spawn(move || channel.put(item))
        })
        .collect();
    idle();
    tasks[1].kill();
    assert_eq!((channel.get(), channel.get()), (Ok(0), Ok(2)));
    assert_eq!(channel.get_timeout(ms(1)), Err(GetError::Empty));
}

#[test]
fn a_putter_killed_while_its_item_is_promised_takes_it_back_and_the_getter_keeps_its_place() {
    let (channel, trace) = (Channel::new(), Trace::default());
    let getters: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let (channel, log) = (channel.clone(), trace.clone());
            spawn(move || log.add(format!("{name} got {}", channel.get().unwrap())))
        })
        .collect();
    idle();
    let putter = channel.clone();
    let victim = spawn(move || putter.put(1)); // promises its item to `a`
    let log = trace.clone();
    let killer = spawn(move || {
        // `a` passes the promise on to `b`, but then it is withdrawn before `b` runs.
        getters[0].kill_soon();
        victim.kill_soon();
        log.add("killed");
        getters
    });
    let getters = killer.join().unwrap();
    idle();
    assert_eq!((trace.take().as_str(), channel.getting(), channel.len()), ("killed", 2, 0));
    assert_eq!((channel.try_put(2), channel.try_put(3)), (Ok(()), Ok(())));
    assert_eq!(join_all(getters).timeout(LONG).join().left.len(), 0);
    assert_eq!(trace.take(), "b got 2, c got 3");
}

#[test]
fn a_putter_killed_after_its_item_was_taken_has_put_it() {
    let channel = Channel::new();
    let (putter, trace) = (channel.clone(), Trace::default());
    let log = trace.clone();
    let task = spawn(move || {
        log.add(format!("{:?}", putter.put(1)));
        greenlet::yield_now();
        log.add("never");
    });
    idle();
    assert_eq!(channel.get(), Ok(1));
    task.kill();
    assert_eq!(trace.take(), "Ok(())");
}

#[test]
fn a_killed_getter_leaves_the_item_to_the_next() {
    let channel = Channel::new();
    let getters: Vec<_> = (0..2)
        .map(|_| {
            let channel = channel.clone();
            spawn(move || channel.get())
        })
        .collect();
    idle();
    channel.try_put("item").unwrap();
    getters[0].kill_soon();
    idle();
    let results: Vec<_> = getters.into_iter().map(|task| task.join().ok()).collect();
    assert_eq!(results, [None, Some(Ok("item"))]);
}

#[test]
fn an_item_put_without_waiting_outlives_its_getter() {
    let channel = Channel::new();
    let getter = channel.clone();
    let task = spawn(move || getter.get());
    idle();
    channel.try_put(1).unwrap();
    task.kill();
    let putter = channel.clone();
    let task = spawn(move || putter.put(2));
    idle();
    assert_eq!(channel.get(), Ok(1));
    idle();
    assert!(!task.is_finished(), "the item that was taken is not the one that it waits for");
    assert_eq!(channel.get(), Ok(2));
    task.join().unwrap().unwrap();
}

#[test]
fn close_now_returns_what_nobody_waits_for() {
    let channel = Channel::new();
    let getter = channel.clone();
    let killed = spawn(move || getter.get());
    idle();
    assert_eq!(channel.try_put(1), Ok(()));
    killed.kill_soon(); // before it gets what it was promised
    idle();
    assert_eq!(channel.close_now(), [1]);
    assert_eq!(channel.get(), Err(Closed(())));
}

/// Two getters wait, in order; two putters whose end is decided promise them nothing.
#[test]
fn a_put_that_is_to_be_killed_changes_no_order() {
    let (channel, trace) = (Channel::new(), Trace::default());
    let getters = [1, 2].map(|number| {
        let (channel, trace) = (channel.clone(), trace.clone());
        spawn(move || {
            if let Ok(item) = channel.get() {
                trace.add(format!("{number} got {item}"));
            }
        })
    });
    idle();
    let killed = [1, 2].map(|_| {
        let (before, channel) = (Channel::new(), channel.clone());
        let putter = before.clone();
        let task = spawn(move || {
            putter.put("taken").unwrap();
            channel.put("nothing")
        });
        (task, before)
    });
    idle();
    let killed = killed.map(|(task, before)| {
        assert_eq!(before.try_get(), Ok("taken"));
        task.kill_soon(); // its first put has succeeded, so that this is raised in the second
        task
    });
    idle();
    assert!(killed.into_iter().all(|task| task.join().is_err_and(|end| end.is_killed())));
    assert_eq!(channel.try_put("first"), Ok(()));
    assert_eq!(channel.try_put("second"), Ok(()));
    join_all(getters).join();
    assert_eq!(trace.take(), "1 got first, 2 got second");
}
