//! Who waits for another thread allocates nothing.

use crate::LONG;
use crate::counting;
use greenlet::sync::thread::{Event, bounded, unbounded};
use greenlet::{spawn, yield_now};
use std::sync::Arc;
use std::thread;

#[test]
fn by_channels_and_events() {
    for capacity in [0, 1, usize::MAX] {
        let (ask, asked) = unbounded();
        let (answer, answers) = bounded(capacity);
        let event = Arc::new(Event::new());
        ask.send(0).unwrap(); // nobody waits for it yet: the channel gets room
        let other = {
            let event = event.clone();
            thread::spawn(move || {
                for n in asked {
                    event.set();
                    answer.send(n).unwrap();
                }
            })
        };
        let hear = |n: u32| {
            assert!(event.wait_timeout(LONG));
            event.clear();
            assert_eq!(answers.recv_timeout(LONG), Ok(n));
        };
        hear(0);
        let exchange = |n: u32| {
            ask.send(n).unwrap();
            hear(n);
        };
        (0..50).for_each(exchange);
        assert_eq!(counting::allocations(|| (0..300).for_each(exchange)), 0);
        drop(ask);
        other.join().unwrap();
    }
}

#[test]
fn by_those_who_are_served_on_their_own_thread() {
    let (sender, receiver) = bounded(0);
    let sending = spawn(move || (0..500).try_for_each(|n| sender.send(n)));
    let take = |n| assert_eq!(receiver.recv(), Ok(n));
    (0..50).for_each(take);
    assert_eq!(counting::allocations(|| (50..500).for_each(take)), 0);
    yield_now();
    assert_eq!(sending.join().unwrap(), Ok(()));
}
