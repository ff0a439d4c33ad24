//! Waiting for several queues and tasks at once.

use super::{LONG, ms};
use greenlet::sync::Event;
use greenlet::sync::queue::{Broadcast, Channel, PriorityQueue, Queue};
use greenlet::{Waitable, idle, sleep, spawn, wait, wait_each};
use std::cmp::Ordering;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn the_first_of_several_is_told() {
    let (left, right) = (Queue::<u32>::unbounded(), Queue::unbounded());
    let putter = right.clone();
    let task = spawn(move || {
        sleep(ms(1));
        putter.put(1)
    });
    let slow = spawn(|| sleep(LONG));
    assert_eq!(wait(&[&left, &right, &slow]).timeout(LONG).first(), Some(1));
    assert_eq!(wait(&[&left, &slow]).timeout(ms(1)).first(), None);
    task.join().unwrap().unwrap();
    assert_eq!(wait(&[&left, &right]).first(), Some(1), "looking takes nothing");
    left.close();
    assert_eq!(wait(&[&left, &slow]).first(), Some(0), "a closed queue is ready");
    slow.kill();
}

#[test]
fn one_that_waits_for_an_item_comes_before_those_who_look() {
    let queue = Queue::unbounded();
    let (getter, other) = (queue.clone(), queue.clone());
    let looking = spawn(move || wait(&[&other]).timeout(ms(3)).first());
    let getting = spawn(move || getter.get());
    idle();
    queue.put(1).unwrap();
    assert_eq!(getting.join().unwrap(), Ok(1));
    assert_eq!(looking.join().unwrap(), None);
}

#[test]
fn those_who_look_are_told_when_a_killed_getter_leaves_its_item() {
    let queue = Queue::unbounded();
    let (getter, other) = (queue.clone(), queue.clone());
    let getting = spawn(move || getter.get());
    let looking = spawn(move || wait(&[&other]).first());
    idle();
    queue.put(1).unwrap();
    getting.kill();
    assert_eq!(looking.join().unwrap(), Some(0));
}

#[test]
fn room_can_be_waited_for() {
    let (queue, channel) = (Queue::bounded(1), Channel::<u32>::new());
    queue.put(1).unwrap();
    let (getter, other) = (queue.clone(), channel.clone());
    assert_eq!(wait(&[&queue.room(), &channel.room()]).timeout(ms(1)).first(), None);
    let task = spawn(move || other.get());
    assert_eq!(wait(&[&queue.room(), &channel.room()]).first(), Some(1));
    channel.try_put(7).unwrap();
    assert_eq!(task.join().unwrap(), Ok(7));
    let task = spawn(move || getter.get());
    assert_eq!(wait(&[&queue.room(), &channel.room()]).first(), Some(0));
    task.join().unwrap().unwrap();
}

#[test]
fn each_becomes_ready_once() {
    let queues: Vec<_> = (0..3).map(|_| Queue::unbounded()).collect();
    let others = queues.clone();
    let task = spawn(move || {
        for index in [2, 0, 1, 2] {
            others[index].put(index).unwrap();
        }
    });
    let order: Vec<_> = wait_each(&[&queues[0], &queues[1], &queues[2]]).collect();
    assert_eq!(order, [2, 0, 1]);
    task.join().unwrap();
}

#[test]
fn a_broadcast_can_be_waited_for() {
    let news = Broadcast::unbounded();
    let (subscriber, queue) = (news.subscribe(), Queue::<u32>::unbounded());
    let task = spawn(move || news.put("news"));
    assert_eq!(wait(&[&queue, &subscriber]).first(), Some(1));
    assert_eq!(subscriber.try_get(), Ok("news"));
    task.join().unwrap().unwrap();
}

#[test]
fn peek_waits_and_takes_nothing() {
    let queue = Queue::unbounded();
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            spawn(move || queue.peek())
        })
        .collect();
    idle();
    queue.put(1).unwrap();
    for task in tasks {
        assert_eq!(task.join().unwrap(), Ok(1));
    }
    assert_eq!(queue.len(), 1);
}

/// Its comparison waits, as none should.
struct Slow(u32, Rc<Event>);

impl Ord for Slow {
    fn cmp(&self, other: &Slow) -> Ordering {
        self.1.wait();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Slow {
    fn partial_cmp(&self, other: &Slow) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Slow {
    fn eq(&self, other: &Slow) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Slow {}

/// Writes where calls that have returned had their frames.
#[inline(never)]
fn overwrite_old_frames() {
    black_box([0x55_u8; 16 << 10]);
}

#[test]
fn a_wait_for_a_queue_that_cannot_answer_leaves_nothing_with_the_other_things() {
    let (event, go_on) = (Event::new(), Rc::new(Event::new()));
    let queue = PriorityQueue::unbounded();
    queue.put(Slow(1, go_on.clone())).unwrap();
    let (putter, second) = (queue.clone(), Slow(2, go_on.clone()));
    let putting = spawn(move || putter.put(second).is_ok());
    let things: [&dyn Waitable; 2] = [&queue, &event];
    // It is asked before the put begins a comparison, and not again.
    let waited = catch_unwind(AssertUnwindSafe(|| wait(&things).timeout(ms(1)).indices()));
    overwrite_old_frames();
    event.set();
    event.clear();
    assert_eq!(waited.unwrap(), [0]);
    let things: [&dyn Waitable; 2] = [&event, &queue];
    let first = catch_unwind(AssertUnwindSafe(|| wait(&things).first()));
    let each = catch_unwind(AssertUnwindSafe(|| wait_each(&things).count()));
    assert!(first.is_err() && each.is_err(), "the queue is in the middle of a comparison");
    overwrite_old_frames();
    event.set();
    go_on.set();
    assert!(putting.join().unwrap());
    assert_eq!(wait(&things).indices(), [0, 1]);
    assert_eq!((queue.get().unwrap().0, queue.get().unwrap().0), (1, 2));
}
