//! Each kind of queue, without waiting; and counting what is done.

use super::ms;
use greenlet::sync::queue::{
    Counted, GetError, JoinableQueue, LifoQueue, Lowest, PriorityQueue, PutError, Queue, QueueOf,
};
use greenlet::{idle, sleep, spawn};
use std::cell::Cell;
use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn items_come_in_the_order_of_their_kind() {
    let fifo: Queue<_> = [2, 3, 1].into_iter().collect();
    let lifo: LifoQueue<_> = [2, 3, 1].into_iter().collect();
    let lowest: PriorityQueue<_> = [2, 3, 1].into_iter().collect();
    let highest: PriorityQueue<_> = [2, 3, 1].into_iter().map(Reverse).collect();
    assert_eq!((fifo.peek(), lifo.peek(), lowest.peek()), (Ok(2), Ok(1), Ok(1)));
    fifo.close();
    lifo.close();
    lowest.close();
    highest.close();
    assert_eq!(fifo.iter().collect::<Vec<_>>(), [2, 3, 1]);
    assert_eq!(lifo.iter().collect::<Vec<_>>(), [1, 3, 2]);
    assert_eq!(lowest.iter().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(highest.iter().map(|item| item.0).collect::<Vec<_>>(), [3, 2, 1]);
}

#[test]
fn equals_in_a_priority_queue_keep_their_order() {
    #[derive(Debug)]
    struct Job(u32, &'static str);
    impl Ord for Job {
        fn cmp(&self, other: &Job) -> std::cmp::Ordering {
            self.0.cmp(&other.0)
        }
    }
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Job) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl PartialEq for Job {
        fn eq(&self, other: &Job) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Job {}
    let jobs = [Job(1, "a"), Job(0, "b"), Job(1, "c"), Job(0, "d"), Job(1, "e")];
    let queue: PriorityQueue<_> = jobs.into_iter().collect();
    let order: String = (0..5).map(|_| queue.get().unwrap().1).collect();
    assert_eq!(order, "bdace");
}

thread_local!(static PANICS: Cell<bool> = const { Cell::new(false) });

/// Its comparison may panic.
#[derive(PartialEq, Eq, Debug)]
struct Moody(u32);

impl PartialOrd for Moody {
    fn partial_cmp(&self, other: &Moody) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moody {
    fn cmp(&self, other: &Moody) -> std::cmp::Ordering {
        assert!(!PANICS.get(), "moody");
        self.0.cmp(&other.0)
    }
}

fn in_bad_mood(f: &dyn Fn()) {
    PANICS.set(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    PANICS.set(false);
    assert!(result.is_err());
}

#[test]
fn a_comparison_that_panics_holds_nobody_up() {
    let queue = PriorityQueue::<Moody>::bounded(3);
    let getters = [(); 2].map(|()| {
        let queue = queue.clone();
        spawn(move || queue.get().unwrap().0)
    });
    idle();
    queue.put(Moody(1)).unwrap(); // promised to the first
    in_bad_mood(&|| queue.put(Moody(2)).unwrap());
    let sum: u32 = getters.into_iter().map(|getter| getter.join().unwrap()).sum();
    assert_eq!(sum, 3);
    (1..=3).for_each(|n| queue.put(Moody(n)).unwrap());
    let other = queue.clone();
    let putter = spawn(move || other.put(Moody(4)).unwrap());
    idle();
    in_bad_mood(&|| drop(queue.get()));
    putter.join().unwrap();
    assert_eq!(queue.len(), 3);
}

#[test]
fn a_comparison_that_panics_is_counted_as_what_it_did() {
    let queue = QueueOf::<Counted<Lowest<Moody>>>::unbounded();
    queue.put(Moody(1)).unwrap();
    in_bad_mood(&|| queue.put(Moody(2)).unwrap());
    assert_eq!((queue.len(), queue.unfinished()), (2, 2), "it was put");
    queue.put(Moody(3)).unwrap();
    in_bad_mood(&|| drop(queue.get()));
    assert_eq!((queue.len(), queue.unfinished()), (2, 2), "nobody can do what was lost");
    for _ in 0..2 {
        queue.get().unwrap();
        queue.task_done();
    }
    assert!(queue.is_empty() && queue.join_timeout(ms(0)));
}

#[test]
fn full_and_empty_are_told_and_the_item_comes_back() {
    let queue = Queue::bounded(2);
    assert_eq!((queue.try_get(), queue.try_peek()), (Err(GetError::Empty), Err(GetError::Empty)));
    assert_eq!((queue.capacity(), queue.len(), queue.is_empty()), (Some(2), 0, true));
    queue.try_put(1).unwrap();
    queue.put(2).unwrap();
    assert_eq!((queue.try_put(3), queue.is_full()), (Err(PutError::Full(3)), true));
    assert_eq!(queue.try_put(3).unwrap_err().into_item(), 3);
    assert_eq!(queue.try_get(), Ok(1));
    assert_eq!(Queue::<u32>::unbounded().capacity(), None);
    assert_eq!(format!("{queue:?}"), "Queue { len: 1, capacity: Some(2), is_closed: false }");
}

#[test]
fn more_room_wakes_putters_and_less_keeps_what_is_there() {
    let queue = Queue::bounded(1);
    let tasks: Vec<_> = (0..3)
        .map(|item| {
            let queue = queue.clone();
            spawn(move || queue.put(item))
        })
        .collect();
    idle();
    assert_eq!((queue.len(), queue.putting()), (1, 2));
    queue.resize(3);
    idle();
    assert!(tasks.iter().all(|task| task.is_finished()));
    queue.resize(1);
    assert_eq!((queue.len(), queue.is_full()), (3, true));
    assert_eq!((queue.try_get(), queue.is_full()), (Ok(0), true));
    assert!(queue.try_put(9).is_err());
}

#[test]
fn join_waits_until_all_is_done() {
    let queue = JoinableQueue::bounded(2);
    assert!(queue.join_timeout(ms(0)));
    let getter = queue.clone();
    let worker = spawn(move || {
        for item in &getter {
            sleep(ms(item));
            getter.task_done();
        }
    });
    (0..4).for_each(|item| queue.put(item).unwrap());
    assert!(queue.unfinished() > 0 && !queue.join_timeout(ms(0)));
    queue.join();
    assert_eq!((queue.unfinished(), queue.is_empty()), (0, true));
    queue.close();
    worker.join().unwrap();
}

#[test]
fn a_joiner_that_is_killed_leaves_the_others() {
    let queue = JoinableQueue::unbounded();
    queue.put(()).unwrap();
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.join())
        })
        .collect();
    idle();
    tasks[0].kill();
    queue.get().unwrap();
    queue.task_done();
    idle();
    assert!(tasks[1].is_success());
}

#[test]
fn too_many_task_done_is_an_error() {
    let queue = JoinableQueue::unbounded();
    queue.put(1).unwrap();
    queue.task_done();
    let payload = catch_unwind(AssertUnwindSafe(|| queue.task_done())).unwrap_err();
    assert!(payload.downcast_ref::<&str>().unwrap().starts_with("task_done was called more often"));
}

#[test]
fn close_now_counts_what_is_left_as_done() {
    let queue = JoinableQueue::unbounded();
    (0..3).for_each(|item| queue.put(item).unwrap());
    queue.get().unwrap();
    let other = queue.clone();
    let joiner = spawn(move || other.join());
    idle();
    assert_eq!((queue.close_now(), queue.unfinished()), (vec![1, 2], 1));
    idle();
    assert!(joiner.is_success());
    queue.task_done();
}

#[test]
fn every_buffer_can_be_counted() {
    let queue: QueueOf<Counted<Lowest<u32>>> = [2, 1].into_iter().collect();
    assert_eq!((queue.get(), queue.unfinished()), (Ok(1), 2));
}

#[test]
fn only_queues_and_channels_hand_over() {
    assert!(catch_unwind(|| LifoQueue::<u32>::bounded(0)).is_err());
    assert_eq!(Queue::<u32>::bounded(0).capacity(), Some(0));
    assert!(catch_unwind(|| Queue::<u32>::bounded(0).resize(1)).is_err());
}
