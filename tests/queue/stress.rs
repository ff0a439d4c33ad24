//! Random programs against a plain model: no item is lost, doubled or reordered, whoever is killed or
//! timed out meanwhile. A failure names its seed.
//!
//! A put that does not hand over puts its item right before it returns, and a get takes its item right
//! before it returns, so what the greenlets note is the order in which the store changed.

use super::ms;
use crate::random::{Random, seeds};
use greenlet::sync::queue::{
    Buffer, Channel, Fifo, GetError, Lifo, LifoQueue, Lowest, PriorityQueue, Queue, QueueOf, Store,
};
use greenlet::{JoinHandle, TaskState, idle, spawn, timeout, yield_now};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// What a store must do.
trait Model: Default {
    fn put(&mut self, item: u64);
    fn get(&mut self) -> Option<u64>;
}

#[derive(Default)]
struct Line(VecDeque<u64>);
impl Model for Line {
    fn put(&mut self, item: u64) {
        self.0.push_back(item);
    }
    fn get(&mut self) -> Option<u64> {
        self.0.pop_front()
    }
}

#[derive(Default)]
struct Stack(Vec<u64>);
impl Model for Stack {
    fn put(&mut self, item: u64) {
        self.0.push(item);
    }
    fn get(&mut self) -> Option<u64> {
        self.0.pop()
    }
}

#[derive(Default)]
struct Sorted(BTreeSet<u64>);
impl Model for Sorted {
    fn put(&mut self, item: u64) {
        self.0.insert(item);
    }
    fn get(&mut self) -> Option<u64> {
        self.0.pop_first()
    }
}

/// A number for an item; not in the order of making, so that the lowest is not the oldest.
fn scrambled(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// One action of one greenlet; what it did is told to `put` and `got`.
fn act<S: Store<Item = u64>>(
    queue: &QueueOf<S>,
    choice: u64,
    item: u64,
    put: impl Fn(u64),
    got: impl Fn(u64),
) {
    let limit = ms(choice / 10 % 2);
    match choice % 10 {
        0..3 => {
            if queue.put(item).is_ok() {
                put(item);
            }
        }
        3 => {
            if queue.try_put(item).is_ok() {
                put(item);
            }
        }
        4 => {
            if queue.put_timeout(item, limit).is_ok() {
                put(item);
            }
        }
        5..8 => {
            if let Ok(item) = queue.get() {
                got(item);
            }
        }
        8 => {
            if let Ok(item) = queue.try_get() {
                got(item);
            }
        }
        _ => {
            let outcome = timeout(limit, || queue.get_timeout(ms(1)));
            if let Ok(Ok(item)) = outcome {
                got(item);
            }
        }
    }
}

/// Spawns greenlets that act on the queue, lets them run, kills some.
fn disturb<S: Store<Item = u64> + 'static>(
    queue: &QueueOf<S>,
    random: &Random,
    put: impl Fn(u64) + Clone + 'static,
    got: impl Fn(u64) + Clone + 'static,
) {
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    let mut made = 0;
    for _ in 0..random.below(60) + 20 {
        match random.below(10) {
            0..5 => {
                let actions: Vec<_> = (0..random.below(4) + 1)
                    .map(|_| {
                        made += 1;
                        (random.next(), made)
                    })
                    .collect();
                let (queue, put, got) = (queue.clone(), put.clone(), got.clone());
                tasks.push(spawn(move || {
                    for (choice, item) in actions {
                        act(&queue, choice, scrambled(item), &put, &got);
                    }
                }));
            }
            5..7 if !tasks.is_empty() => {
                let index = random.below(tasks.len() as u64) as usize;
                tasks[index].kill_soon();
            }
            7 => {
                made += 1;
                act(queue, [3, 8][(made % 2) as usize], scrambled(made), &put, &got);
            }
            8 => idle(),
            _ => yield_now(),
        }
    }
    idle();
    // Whoever still waits is ended by a kill or by the close.
    for task in &tasks {
        if random.below(2) == 0 {
            task.kill_soon();
        }
    }
    if random.below(2) == 0 {
        idle();
    }
    queue.close();
    idle();
    while queue.getting() + queue.putting() > 0 {
        greenlet::sleep(ms(1));
    }
    idle();
    assert!(tasks.iter().all(|task| task.is_finished() && task.state() != TaskState::Failed));
}

fn compare<S: Buffer<Item = u64> + 'static, M: Model + 'static>(
    seed: u64,
    capacity: Option<usize>,
) {
    let queue = match capacity {
        None => QueueOf::<S>::unbounded(),
        Some(capacity) => QueueOf::bounded(capacity),
    };
    let model = Rc::new(RefCell::new(M::default()));
    let (puts, gets) = (model.clone(), model.clone());
    disturb(
        &queue,
        &Random::new(seed),
        move |item| puts.borrow_mut().put(item),
        move |item| assert_eq!(gets.borrow_mut().get(), Some(item), "seed {seed}, {capacity:?}"),
    );
    for item in &queue {
        assert_eq!(model.borrow_mut().get(), Some(item), "seed {seed}, {capacity:?}, at the end");
    }
    assert_eq!(model.borrow_mut().get(), None, "seed {seed}, {capacity:?}: an item was lost");
}

#[test]
fn buffers_agree_with_their_models() {
    seeds(400, |seed| {
        let capacity = [None, Some(1), Some(2), Some(5)][seed as usize % 4];
        compare::<Fifo<u64>, Line>(seed, capacity);
        compare::<Lifo<u64>, Stack>(seed, capacity);
        compare::<Lowest<u64>, Sorted>(seed, capacity);
    });
    let _: (Queue<u64>, LifoQueue<u64>, PriorityQueue<u64>) = Default::default();
}

#[test]
fn a_channel_hands_over_exactly_what_was_put() {
    seeds(400, |seed| {
        let channel = Channel::new();
        let (put, got) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
        let (puts, gets) = (put.clone(), got.clone());
        disturb(
            &channel,
            &Random::new(seed),
            move |item| puts.borrow_mut().push(item),
            move |item| gets.borrow_mut().push(item),
        );
        while let Ok(item) = channel.try_get() {
            got.borrow_mut().push(item);
        }
        assert_eq!((channel.get().is_err(), channel.try_get()), (true, Err(GetError::Closed)));
        let (mut put, mut got) = (put.take(), got.take());
        put.sort_unstable();
        got.sort_unstable();
        assert_eq!(put, got, "seed {seed}");
    });
}

#[test]
fn one_getter_gets_the_items_of_each_putter_in_their_order() {
    seeds(100, |seed| {
        let random = Random::new(seed);
        let queue = match random.below(4) {
            0 => Queue::rendezvous(),
            1 => Queue::unbounded(),
            capacity => Queue::bounded(capacity as usize),
        };
        let putters: Vec<_> = (0..4_u64)
            .map(|putter| {
                let (queue, seed) = (queue.clone(), random.next());
                spawn(move || {
                    let random = Random::new(seed);
                    for number in 0..20_u64 {
                        queue.put((putter, number)).unwrap();
                        (0..random.below(3)).for_each(|_| yield_now());
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        for _ in 0..80 {
            let (putter, number) = queue.get().unwrap();
            assert_eq!(number, next[putter as usize], "seed {seed}");
            next[putter as usize] += 1;
        }
        assert!(putters.into_iter().all(|task| task.join().is_ok()));
    });
}
