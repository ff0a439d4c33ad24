//! Many tasks that do random things to one another: each ends exactly once, and nothing is lost.

use crate::random::Random;
use greenlet::{
    JoinHandle, TaskState, Timeout, Waitable, current, idle, join_all, kill_all, scope, shield,
    sleep, spawn, spawn_later, timeout, wait, wait_each, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

struct Storm {
    random: Random,
    tasks: RefCell<Vec<Rc<JoinHandle<()>>>>,
    live: Cell<isize>,
    ends: Cell<usize>,
}

struct Alive(Rc<Storm>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
    }
}

impl Storm {
    fn some_task(&self) -> Rc<JoinHandle<()>> {
        let tasks = self.tasks.borrow();
        tasks[self.random.index(tasks.len())].clone()
    }

    fn spawn(self: &Rc<Storm>) {
        self.live.set(self.live.get() + 1);
        let alive = Alive(self.clone());
        let body = move || {
            for _ in 0..alive.0.random.below(8) {
                alive.0.act();
            }
        };
        let task = match self.random.below(4) {
            0 => spawn_later(Duration::from_micros(self.random.below(500)), body),
            _ => spawn(body),
        };
        let storm = self.clone();
        task.on_done_inline(move |_| storm.ends.set(storm.ends.get() + 1));
        self.tasks.borrow_mut().push(Rc::new(task));
    }

    fn act(self: &Rc<Storm>) {
        let short = Duration::from_micros(self.random.below(300));
        match self.random.below(13) {
            0 => sleep(short),
            1 => yield_now(),
            2 => self.some_task().kill_soon(),
            3 => drop(self.some_task().kill_timeout(short)),
            4 => drop(self.some_task().cancel()),
            5 => {
                let task = self.some_task();
                if task.id() != current().id() {
                    let wait = || catch_unwind(AssertUnwindSafe(|| task.wait())).is_ok();
                    let _ = timeout(short, wait);
                }
            }
            6 => {
                let tasks: Vec<_> = (0..12).map(|_| self.some_task()).collect();
                let things: Vec<_> = tasks.iter().map(|task| &**task as &dyn Waitable).collect();
                drop(wait(&things).timeout(short).count(3).indices());
            }
            7 => {
                let tasks: Vec<_> = (0..3).map(|_| self.some_task()).collect();
                let things: Vec<_> = tasks.iter().map(|task| &**task as &dyn Waitable).collect();
                wait_each(&things).timeout(short).take(2).for_each(|_| yield_now());
            }
            8 => shield(|| sleep(short)),
            9 => {
                let count = Cell::new(0);
                scope(|s| {
                    for _ in 0..3 {
                        s.spawn(|| {
                            sleep(short);
                            count.set(count.get() + 1);
                        });
                    }
                });
                assert_eq!(count.get(), 3);
            }
            10 => {
                let limit = Timeout::start(short);
                let _ = catch_unwind(|| sleep(Duration::from_micros(150)));
                limit.cancel();
            }
            11 => drop(join_all((0..2).map(|_| spawn(yield_now))).timeout(short).join()),
            _ => drop(kill_all([&*self.some_task(), &*self.some_task()]).timeout(short).wait()),
        }
    }
}

#[test]
fn each_task_ends_exactly_once() {
    for seed in 1..=40_u64 {
        println!("seed {seed}");
        let random = Random::new(seed);
        let storm = Rc::new(Storm {
            random,
            tasks: RefCell::default(),
            live: Cell::new(0),
            ends: Cell::new(0),
        });
        for _ in 0..200 {
            storm.spawn();
        }
        let tasks = storm.tasks.borrow().clone();
        for task in &tasks {
            task.wait();
            assert!(matches!(task.state(), TaskState::Succeeded | TaskState::Killed), "{task:?}");
        }
        idle();
        assert_eq!((storm.live.get(), storm.ends.get()), (0, 200));
    }
}
