use crate::cases::{Subject, cases};
use crate::random::{Random, seeds};
use crate::trace::{Trace, turns};
use greenlet::sync::{Condvar, Mutex, MutexGuard};
use greenlet::{JoinHandle, Timeout, run_until_idle, sleep, spawn, yield_now};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

type Shared = Rc<(Mutex<i32>, Condvar)>;

fn shared() -> Shared {
    Rc::new((Mutex::new(0), Condvar::new()))
}

/// Waits for one notification; `open` notifies one, and each passes it on when it has gone on.
fn quiet() -> Subject {
    let shared = shared();
    let (itself, opened, asked) = (Rc::downgrade(&shared), shared.clone(), shared.clone());
    Subject {
        wait: Rc::new(move |limit| {
            let mut guard = shared.0.lock();
            let notified = match limit {
                None => [shared.1.wait(&mut guard)].len() == 1,
                Some(limit) => shared.1.wait_timeout(&mut guard, limit),
            };
            *guard += 1; // it is there
            if notified {
                shared.1.notify_one();
            }
            notified
        }),
        open: Rc::new(move || _ = opened.1.notify_one()),
        state: Rc::new(move || format!("{:?} locked: {}", asked.1, asked.0.is_locked())),
        hands_over: true,
        itself,
    }
}

fn uncontended() {
    let (mutex, condvar) = (Mutex::new(1), Condvar::default());
    assert!(!condvar.notify_one());
    condvar.notify_all();
    condvar.wait_while(&mut mutex.lock(), |value| *value == 0);
    assert_eq!(format!("{condvar:?}"), "Condvar { waiting: 0 }");
}

cases!(quiet, uncontended);

fn waiter(trace: &Trace, shared: &Shared, name: &'static str) -> JoinHandle<()> {
    let shared = shared.clone();
    trace.task(name, move || {
        let mut guard = shared.0.lock();
        shared.1.wait(&mut guard);
        *guard += 1;
        *guard
    })
}

#[test]
fn notifications_reach_the_first_or_all() {
    let (trace, shared) = (Trace::default(), shared());
    let _tasks = ["a", "b", "c", "d"].map(|name| waiter(&trace, &shared, name));
    yield_now();
    assert!(shared.1.notify_one());
    yield_now();
    trace.is(&["a: 1"]);
    let guard = shared.0.lock();
    shared.1.notify_all();
    yield_now();
    trace.is(&[]); // they wait for the mutex
    drop(guard);
    turns(3);
    trace.is(&["b: 2", "c: 3", "d: 4"]);
    assert!(!shared.1.notify_one());
}

/// Killed after the notification, while it waits for the mutex: then the next has it.
#[test]
fn a_notification_of_one_that_is_killed_goes_to_the_next() {
    let (trace, shared) = (Trace::default(), shared());
    let a = waiter(&trace, &shared, "a");
    let _b = waiter(&trace, &shared, "b");
    let _c = waiter(&trace, &shared, "c");
    yield_now();
    let guard = shared.0.lock();
    shared.1.notify_one();
    yield_now();
    a.kill_soon();
    turns(2);
    trace.is(&[]); // it has to have the mutex before
    drop(guard);
    turns(3);
    trace.is(&["a: killed", "b: 1"]);
}

/// What was for all who waited then is for nobody who came later.
#[test]
fn a_notification_for_all_goes_to_no_latecomer() {
    let (trace, shared) = (Trace::default(), shared());
    let a = waiter(&trace, &shared, "a");
    yield_now();
    shared.1.notify_all();
    a.kill_soon();
    let mut guard = shared.0.lock();
    assert!(!shared.1.wait_timeout(&mut guard, Duration::from_millis(1)));
    trace.is(&["a: killed"]);
}

#[test]
fn the_mutex_is_held_while_a_kill_unwinds() {
    struct Looks<'a, 'b>(&'a mut greenlet::sync::MutexGuard<'b, i32>, Trace);
    impl Drop for Looks<'_, '_> {
        fn drop(&mut self) {
            **self.0 += 10;
            self.1.say(format!("in the destructor: {}", **self.0));
        }
    }
    let (trace, shared) = (Trace::default(), shared());
    let (one, inside) = (shared.clone(), trace.clone());
    let task = trace.task("task", move || {
        let mut guard = one.0.lock();
        let looks = Looks(&mut guard, inside);
        one.1.wait(looks.0);
        ""
    });
    yield_now();
    let mut guard = shared.0.lock();
    task.kill_soon();
    turns(2);
    *guard = 1;
    trace.is(&[]);
    drop(guard);
    task.wait();
    trace.is(&["in the destructor: 11", "task: killed"]);
    assert!(!shared.0.is_locked());
}

#[test]
fn limits_count_from_the_first_wait() {
    let shared = shared();
    let one = shared.clone();
    let restless = spawn(move || {
        loop {
            sleep(Duration::from_millis(1));
            one.1.notify_all();
        }
    });
    let mut guard = shared.0.lock();
    let limit = Duration::from_millis(5);
    assert!(!shared.1.wait_timeout_while(&mut guard, limit, |value| *value == 0));
    assert!(shared.1.wait_timeout_while(&mut guard, limit, |value| *value != 0));
    restless.kill();
}

/// A task whose wait a limit has ended, before the limit is raised: that has to wait for the mutex.
fn held_up<'a>(
    trace: &Trace,
    shared: &'a Shared,
    until: Option<Duration>,
) -> (JoinHandle<()>, Timeout, MutexGuard<'a, i32>) {
    let (one, given) = (shared.clone(), Rc::new(Cell::new(None)));
    let slot = given.clone();
    let task = trace.task("task", move || {
        let mut guard = one.0.lock();
        yield_now(); // now somebody waits for the mutex
        slot.set(Some(Timeout::start(Duration::ZERO)));
        match until {
            None => [one.1.wait(&mut guard)].len() == 1,
            Some(limit) => one.1.wait_timeout(&mut guard, limit),
        }
    });
    yield_now();
    let guard = shared.0.lock();
    (task, given.take().unwrap(), guard)
}

#[test]
fn a_wait_goes_on_if_the_limit_that_has_ended_it_is_cancelled() {
    let (trace, shared) = (Trace::default(), shared());
    let (task, limit, guard) = held_up(&trace, &shared, None);
    limit.cancel();
    drop(guard);
    turns(3);
    trace.is(&[]);
    assert!(!shared.0.is_locked() && shared.1.notify_one());
    task.join().unwrap();
    trace.is(&["task: true"]);
    let (task, limit, guard) = held_up(&trace, &shared, Some(Duration::from_millis(1)));
    limit.cancel();
    drop(guard);
    task.join().unwrap();
    trace.is(&["task: false"]);
}

/// Notifications that came while it had to wait for the mutex, and nobody else waited.
#[test]
fn a_wait_whose_limit_is_cancelled_misses_nothing() {
    let (trace, shared) = (Trace::default(), shared());
    for notify in [|condvar: &Condvar| _ = condvar.notify_one(), Condvar::notify_all] {
        let (task, limit, guard) = held_up(&trace, &shared, None);
        notify(&shared.1);
        limit.cancel();
        drop(guard);
        task.join().unwrap();
        trace.is(&["task: true"]);
    }
}

/// Producers and consumers, some of which are killed: each item wakes somebody.
#[test]
fn no_item_waits_while_a_consumer_does() {
    seeds(100, |seed| {
        let random = Random::new(seed);
        let (shared, taken) = (shared(), Rc::new(Cell::new(0)));
        let mut consumers = Vec::new();
        let mut produced = 0;
        for _ in 0..30 {
            let (shared, taken) = (shared.clone(), taken.clone());
            let limit = random.one_in(4).then(|| Duration::from_micros(random.below(500)));
            match random.below(3) {
                0 => {
                    produced += 1;
                    *shared.0.lock() += 1;
                    shared.1.notify_one();
                }
                1 if !consumers.is_empty() => {
                    let victim: &JoinHandle<()> =
                        &consumers[random.below(consumers.len() as u64) as usize];
                    victim.kill_soon();
                }
                _ => consumers.push(spawn(move || {
                    let mut items = shared.0.lock();
                    let is_empty = |items: &mut i32| *items == 0;
                    match limit {
                        None => shared.1.wait_while(&mut items, is_empty),
                        Some(limit) => {
                            if !shared.1.wait_timeout_while(&mut items, limit, is_empty) {
                                return;
                            }
                        }
                    }
                    *items -= 1; // at once: one that is killed now keeps its notification
                    taken.set(taken.get() + 1);
                    yield_now(); // with the mutex
                })),
            }
            if random.one_in(3) {
                yield_now();
            }
        }
        run_until_idle();
        let waiting = consumers.iter().filter(|task| !task.is_finished()).count();
        let items = *shared.0.lock();
        assert!(waiting == 0 || items == 0, "{waiting} wait, {items} items");
        assert_eq!(taken.get() + items, produced);
        consumers.iter().for_each(JoinHandle::kill);
        assert!(!shared.0.is_locked());
    });
}
