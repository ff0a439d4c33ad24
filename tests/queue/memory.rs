//! What costs no allocation once memory is warm.

use crate::counting;
use greenlet::sync::queue::{Channel, JoinableQueue, LifoQueue, PriorityQueue, Queue};
use greenlet::{spawn, wait};

/// How often `f` asks for memory when it is called again.
fn allocations(mut f: impl FnMut()) -> usize {
    (0..3).for_each(|_| f());
    counting::allocations(f)
}

#[test]
fn handing_over_is_free() {
    fn check<S: greenlet::sync::queue::Store<Item = u64> + 'static>(
        queue: greenlet::sync::queue::QueueOf<S>,
    ) {
        let count = allocations(|| {
            let getter = queue.clone();
            let task = spawn(move || (0..20).map(|_| getter.get().unwrap()).sum::<u64>());
            (0..20).for_each(|item| queue.put(item).unwrap());
            assert_eq!(task.join().unwrap(), 190);
        });
        assert_eq!(count, 0);
    }
    check(Queue::bounded(1));
    check(Queue::unbounded());
    check(Queue::rendezvous());
    check(Channel::new());
    check(LifoQueue::bounded(2));
    check(PriorityQueue::bounded(2));
    check(JoinableQueue::bounded(2));
}

#[test]
fn waiting_for_several_queues_is_free() {
    let (left, right) = (Queue::<u64>::unbounded(), Queue::unbounded());
    let count = allocations(|| {
        let putter = right.clone();
        let task = spawn(move || putter.put(1).unwrap());
        assert_eq!(wait(&[&left, &right]).first(), Some(1));
        assert_eq!(right.try_get(), Ok(1));
        task.join().unwrap();
    });
    assert_eq!(count, 0);
}
