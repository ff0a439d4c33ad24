//! The cases for queues, for broadcasts, and for several things at once. `tests/queue` has the rest.

use crate::cases::{Subject, cases};
use greenlet::sync::queue::{Broadcast, Buffer, Channel, Counted, Fifo, Lifo, Lowest, QueueOf};
use greenlet::sync::{Event, wait, wait_each};
use std::rc::Rc;
use std::time::Duration;

/// Empty: those who get an item put it back.
fn empty<S: Buffer<Item = u32> + 'static>() -> Subject {
    let queue = Rc::new(QueueOf::<S>::unbounded());
    let (itself, opened, asked) = (Rc::downgrade(&queue), queue.clone(), queue.clone());
    Subject {
        wait: Rc::new(move |limit| {
            let item = match limit {
                None => queue.get().ok(),
                Some(limit) => queue.get_timeout(limit).ok(),
            };
            item.is_some_and(|item| queue.try_put(item).is_ok())
        }),
        open: Rc::new(move || opened.put(1).unwrap()),
        state: Rc::new(move || format!("{} {}", asked.len(), asked.getting())),
        hands_over: true,
        itself,
    }
}

/// Full: those who put an item get one back.
fn full<S: Buffer<Item = u32> + 'static>() -> Subject {
    let queue = Rc::new(QueueOf::<S>::bounded(1));
    queue.put(0).unwrap();
    let (itself, opened, asked) = (Rc::downgrade(&queue), queue.clone(), queue.clone());
    Subject {
        wait: Rc::new(move |limit| {
            let put = match limit {
                None => queue.put(1).is_ok(),
                Some(limit) => queue.put_timeout(1, limit).is_ok(),
            };
            put && queue.try_get().is_ok()
        }),
        open: Rc::new(move || _ = opened.try_get()),
        state: Rc::new(move || format!("{} {}", asked.len(), asked.putting())),
        hands_over: true,
        itself,
    }
}

fn uncontended<S: Buffer<Item = u32>>() {
    let queue = QueueOf::<S>::bounded(2);
    queue.put(1).unwrap();
    queue.try_put(1).unwrap();
    assert_eq!((queue.get(), queue.try_get()), (Ok(1), Ok(1)));
    assert_eq!((queue.len(), queue.getting(), queue.putting()), (0, 0, 0));
}

macro_rules! buffer {
    ($getting:ident, $putting:ident, $store:ty) => {
        mod $getting {
            use super::*;
            cases!(empty::<$store>, uncontended::<$store>);
        }
        mod $putting {
            use super::*;
            cases!(full::<$store>, uncontended::<$store>);
        }
    };
}

buffer!(getting_the_oldest, putting_the_oldest, Fifo<u32>);
buffer!(getting_the_newest, putting_the_newest, Lifo<u32>);
buffer!(getting_the_lowest, putting_the_lowest, Lowest<u32>);
buffer!(getting_what_is_counted, putting_what_is_counted, Counted<Fifo<u32>>);

mod receiving {
    use super::*;

    /// Whoever has an item hands it to the next that waits.
    fn without_putter() -> Subject {
        let channel = Rc::new(Channel::new());
        let (itself, opened, asked) = (Rc::downgrade(&channel), channel.clone(), channel.clone());
        Subject {
            wait: Rc::new(move |limit| {
                let item = match limit {
                    None => channel.get().ok(),
                    Some(limit) => channel.get_timeout(limit).ok(),
                };
                item.inspect(|item| _ = channel.try_put(*item)).is_some()
            }),
            open: Rc::new(move || _ = opened.try_put(1)),
            state: Rc::new(move || format!("{} {}", asked.len(), asked.getting())),
            hands_over: true,
            itself,
        }
    }

    cases!(without_putter, || ());
}

mod sending {
    use super::*;

    /// Whoever had its item taken has put it, whatever comes.
    fn without_getter() -> Subject {
        let channel = Rc::new(Channel::new());
        let (itself, opened, asked) = (Rc::downgrade(&channel), channel.clone(), channel.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => channel.put(1).is_ok(),
                Some(limit) => channel.put_timeout(1, limit).is_ok(),
            }),
            open: Rc::new(move || while opened.try_get().is_ok() {}),
            state: Rc::new(move || format!("{} {}", asked.len(), asked.putting())),
            hands_over: false,
            itself,
        }
    }

    cases!(without_getter, || ());
}

mod joining {
    use super::*;

    fn unfinished() -> Subject {
        let queue = Rc::new(QueueOf::<Counted<Fifo<u32>>>::unbounded());
        queue.put(1).unwrap();
        let (itself, opened, asked) = (Rc::downgrade(&queue), queue.clone(), queue.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => [queue.join()].len() == 1,
                Some(limit) => queue.join_timeout(limit),
            }),
            open: Rc::new(move || opened.task_done()),
            state: Rc::new(move || asked.unfinished().to_string()),
            hands_over: false,
            itself,
        }
    }

    cases!(unfinished, || ());
}

mod listening {
    use super::*;

    /// Each has a receiver of its own; one that is killed leaves its items to nobody.
    fn silent() -> Subject {
        let broadcast = Rc::new(Broadcast::unbounded());
        let (itself, opened, asked) =
            (Rc::downgrade(&broadcast), broadcast.clone(), broadcast.clone());
        Subject {
            wait: Rc::new(move |limit| {
                let receiver = broadcast.subscribe();
                match limit {
                    None => receiver.get().is_ok(),
                    Some(limit) => receiver.get_timeout(limit).is_ok(),
                }
            }),
            open: Rc::new(move || opened.put(1).unwrap()),
            state: Rc::new(move || format!("{asked:?}")),
            hands_over: true,
            itself,
        }
    }

    fn uncontended() {
        let broadcast = Broadcast::bounded(1);
        let receiver = broadcast.subscribe();
        broadcast.put(1).unwrap();
        assert_eq!((receiver.get(), broadcast.len()), (Ok(1), 0));
    }

    cases!(silent, uncontended);
}

/// Waits for the second of two events.
fn of_two(first: fn(&[&dyn greenlet::Waitable], Option<Duration>) -> bool) -> Subject {
    let events = Rc::new([Event::new(), Event::new()]);
    let (itself, opened, asked) = (Rc::downgrade(&events), events.clone(), events.clone());
    Subject {
        wait: Rc::new(move |limit| first(&[&events[0], &events[1]], limit)),
        open: Rc::new(move || opened[1].set()),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false,
        itself,
    }
}

mod waiting_for_the_first {
    use super::*;

    fn unset() -> Subject {
        of_two(|things, limit| {
            let waiting = wait(things);
            let first = match limit {
                None => waiting.first(),
                Some(limit) => waiting.timeout(limit).first(),
            };
            first == Some(1)
        })
    }

    cases!(unset, || ());
}

mod waiting_for_each {
    use super::*;

    fn unset() -> Subject {
        of_two(|things, limit| {
            let mut each = match limit {
                None => wait_each(things),
                Some(limit) => wait_each(things).timeout(limit),
            };
            each.next() == Some(1)
        })
    }

    cases!(unset, || ());
}
