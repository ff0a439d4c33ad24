//! Waiting for several: `wait`, `wait_each`, `join_all`.

use super::trace::Trace;
use super::{LONG, SHORT, until};
use greenlet::{
    JoinHandle, Waitable, join_all, kill_all, sleep, spawn, timeout, wait, wait_each, yield_now,
};
use std::borrow::Borrow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// A task that ends in its so many-th turn.
fn turns(count: usize) -> JoinHandle<usize> {
    spawn(move || {
        for _ in 1..count {
            yield_now();
        }
        count
    })
}

#[test]
fn indices_come_in_the_order_of_the_ends() {
    let tasks = [3, 1, 2].map(turns);
    let text = spawn(|| "another type");
    assert_eq!(wait(&[&tasks[0], &tasks[1], &tasks[2], &text]).indices(), [1, 3, 2, 0]);
    // Now all are ready: in the order given.
    assert_eq!(wait(&[&tasks[0], &text, &tasks[1]]).indices(), [0, 1, 2]);
    assert_eq!(wait(&[]).indices(), []);
    assert_eq!(wait(&[]).first(), None);
}

#[test]
fn a_wait_ends_with_its_count_or_its_time() {
    let (slow, fast) = (spawn(|| sleep(LONG)), turns(2));
    assert_eq!(wait(&[&slow, &fast]).count(0).indices(), []);
    assert_eq!(wait(&[&slow, &slow]).timeout(Duration::ZERO).indices(), [0; 0]);
    assert_eq!(wait(&[&slow, &fast]).first(), Some(1));
    assert_eq!(wait(&[&slow, &fast]).count(1).indices(), [1]);
    assert_eq!(wait(&[&slow, &fast]).timeout(SHORT).indices(), [1]);
    assert_eq!(wait(&[&slow]).timeout(SHORT).first(), None);
    slow.kill();
}

#[test]
fn many_things_are_waited_for() {
    let tasks: Vec<_> = (0..100).map(|n| turns(100 - n)).collect();
    let things: Vec<_> = tasks.iter().map(|task| task as &dyn Waitable).collect();
    let reversed: Vec<_> = (0..100).rev().collect();
    assert_eq!(wait(&things).indices(), reversed);
}

#[test]
fn tasks_that_are_joined_by_reference_keep_their_results() {
    let tasks = [5, 1, 2].map(turns);
    assert_eq!(join_all(&tasks).count(2).wait(), [1, 2]);
    assert_eq!(tasks.each_ref().map(|task| task.value()), [None, Some(&1), Some(&2)]);
    assert_eq!(join_all(&tasks).wait(), [1, 2, 0]);
    let values = join_all(tasks).join().values().unwrap();
    assert_eq!(values, [5, 1, 2]);

    let (slow, killed) = (spawn(|| sleep(LONG)), spawn(|| sleep(LONG)));
    killed.kill_soon();
    assert_eq!(join_all([&slow, &killed]).fail_fast().wait(), [1]);
    assert_eq!(join_all([&slow]).timeout(SHORT).wait(), [0; 0]);
    slow.kill();
}

#[test]
fn the_same_thing_may_be_waited_for_twice() {
    let task = turns(2);
    assert_eq!(wait(&[&task, &task]).indices(), [0, 1]);
}

#[test]
fn whoever_is_interrupted_leaves_no_trace_in_the_things() {
    let tasks: Rc<Vec<_>> = Rc::new((0..10).map(|_| spawn(|| sleep(LONG))).collect());
    for how in 0..3 {
        let waited = tasks.clone();
        let waiter = spawn(move || {
            let things: Vec<_> = waited.iter().map(|task| task as &dyn Waitable).collect();
            match how {
                0 => drop(wait(&things).indices()),
                1 => drop(wait_each(&things).next()),
                _ => drop(timeout(Duration::ZERO, || wait(&things[..2]).indices()).unwrap_err()),
            }
            sleep(LONG);
        });
        yield_now();
        yield_now();
        if how == 1 {
            waiter.greenlet().unwrap().throw::<()>("thrown");
        }
        waiter.kill();
        assert_eq!(waiter.join().unwrap_err().is_killed(), how != 1);
    }
    assert!(kill_all(tasks.iter()).wait());
}

#[test]
fn each_comes_once_and_as_it_becomes_ready() {
    let trace = Trace::default();
    let tasks = [3, 1, 5].map(turns);
    for index in wait_each(&[&tasks[0], &tasks[1], &tasks[2]]) {
        trace.add(index);
        yield_now(); // while nobody asks, the order is kept
        yield_now();
    }
    trace.is(&["1", "0", "2"]);
}

#[test]
fn an_iterator_may_be_left_early_carried_elsewhere_and_forgotten() {
    let tasks = [1, 2, 3].map(turns);
    let things: [&dyn Waitable; 3] = [&tasks[0], &tasks[1], &tasks[2]];
    let mut each = wait_each(&things);
    assert_eq!(each.next(), Some(0));
    drop(each);
    std::mem::forget(wait_each(&things));
    let mut each = wait_each(&things);
    assert_eq!(each.next(), Some(0)); // anew
    let rest = greenlet::scope(|s| s.spawn(move || each.collect::<Vec<_>>()).join().unwrap());
    assert_eq!(rest, [1, 2]);
}

#[test]
fn the_time_of_an_iterator_is_for_all() {
    let (slow, fast) = (spawn(|| sleep(LONG)), turns(1));
    assert_eq!(wait_each(&[&slow, &fast]).timeout(SHORT).collect::<Vec<_>>(), [1]);
    // After an interrupt it goes on.
    let things: [&dyn Waitable; 1] = [&slow];
    let mut each = wait_each(&things);
    assert!(timeout(Duration::ZERO, || each.next()).is_err());
    slow.kill_soon();
    assert_eq!((each.next(), each.next()), (Some(0), None));
}

#[test]
fn results_come_in_the_order_of_the_ends() {
    let joined = join_all([3, 1, 2].map(turns)).join();
    let ended: Vec<_> = joined.ended.into_iter().map(|(i, result)| (i, result.unwrap())).collect();
    assert_eq!(ended, [(1, 1), (2, 2), (0, 3)]);
    assert!(joined.left.is_empty());
    assert_eq!(join_all([3, 1, 2].map(turns)).join().values().unwrap(), [3, 1, 2]);
    assert!(join_all([] as [JoinHandle<()>; 0]).join().values().unwrap().is_empty());
}

#[test]
fn a_join_of_several_ends_with_its_count_or_its_time() {
    let joined = join_all([3, 1, 2].map(turns)).count(2).join();
    assert_eq!(joined.ended.len(), 2);
    let [(0, left)] = &joined.left[..] else { panic!("{joined:?}") };
    left.wait();
    let tasks = || [spawn(|| sleep(LONG)), spawn(|| ())];
    let joined = join_all(tasks()).timeout(SHORT).join();
    assert_eq!((joined.ended.len(), joined.left[0].0), (1, 0));
    joined.left[0].1.kill();
    assert_eq!(join_all(tasks()).count(0).join().left.len(), 2);
}

#[test]
fn a_failure_is_a_result_or_ends_the_join() {
    let tasks = || [turns(1), spawn(|| resume_unwind(Box::new("first"))), turns(3)];
    let joined = join_all(tasks()).join();
    assert_eq!((joined.ended.len(), joined.ended[1].0), (3, 1));
    assert!(joined.values().is_err());
    let joined = join_all(tasks()).fail_fast().join();
    assert_eq!((joined.ended.len(), joined.left.len()), (2, 1));
    assert_eq!(joined.values().unwrap_err().downcast_ref(), Some(&"first"));
}

#[test]
fn tasks_go_on_when_their_joiner_is_interrupted() {
    let trace = Trace::default();
    let tasks = ["a", "b"].map(|name| {
        let told = trace.clone();
        spawn(move || {
            sleep(SHORT);
            told.add(name);
        })
    });
    assert!(timeout(Duration::ZERO, || join_all(tasks).join()).is_err());
    until(|| trace.has(2));
    trace.is(&["a", "b"]);
}

#[test]
fn nothing_is_waited_for_while_the_thread_unwinds() {
    struct WaitInDrop(JoinHandle<()>);
    impl Drop for WaitInDrop {
        fn drop(&mut self) {
            let things: [&dyn Waitable; 1] = [&self.0];
            let refused = catch_unwind(AssertUnwindSafe(|| wait(&things).indices()));
            assert!(refused.is_err());
            assert!(catch_unwind(AssertUnwindSafe(|| wait_each(&things).next())).is_err());
        }
    }
    let guard = WaitInDrop(spawn(|| ()));
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _guard = guard;
        resume_unwind(Box::new(()));
    }));
    assert!(outcome.is_err());
}

/// A user's `Borrow` may answer otherwise the second time: it is asked once.
#[test]
fn join_all_asks_once_which_task_is_meant() {
    struct OneOf {
        tasks: [JoinHandle<()>; 2],
        second: Rc<Cell<bool>>,
        asked: Rc<Cell<u32>>,
    }
    impl Borrow<JoinHandle<()>> for OneOf {
        fn borrow(&self) -> &JoinHandle<()> {
            self.asked.set(self.asked.get() + 1);
            &self.tasks[usize::from(self.second.get())]
        }
    }
    let second = Rc::new(Cell::new(false));
    let tasks = [(); 2].map(|()| spawn(|| sleep(LONG)));
    let asked = Rc::new(Cell::new(0));
    let one_of = OneOf { tasks, second: second.clone(), asked: asked.clone() };
    let first = spawn(move || second.set(true));
    let join = join_all::<(), OneOf>([one_of]);
    assert_eq!(join.timeout(SHORT).wait(), []);
    assert_eq!(asked.get(), 1);
    assert!(first.is_finished());
}
