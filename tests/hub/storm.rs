//! Everything at once, at random: tasks, raw greenlets, limits, shields, kills, throws, lost handles,
//! destructors that wait. In the end nobody is left and every value is dropped once.

use crate::random::Random;
use greenlet::{
    Greenlet, JoinHandle, Received, Timeout, run, set_trace, shield, sleep, spawn, timeout,
    try_suspend, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// `run` waits for so long until all have ended.
const PATIENCE: Duration = Duration::from_secs(1);

/// A value that waits when it is dropped, and is counted.
struct Guard(Rc<World>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
        if self.0.random(8) == 0 {
            let _ = catch_unwind(|| sleep(Duration::from_micros(3)));
        }
    }
}

struct World {
    random: Random,
    live: Cell<isize>,
    spawned: Cell<u32>,
    tasks: RefCell<Vec<Rc<JoinHandle<u32>>>>,
    raw: RefCell<Vec<Greenlet>>,
    limits: RefCell<Vec<Timeout>>,
}

impl World {
    fn random(&self, below: u64) -> u64 {
        self.random.below(below)
    }

    fn one_of<T: Clone>(&self, list: &RefCell<Vec<T>>) -> Option<T> {
        let list = list.borrow();
        let index = self.random(list.len().max(1) as u64) as usize;
        list.get(index).cloned()
    }

    /// Takes one out; it is dropped by the caller, while nothing is borrowed.
    fn remove<T>(&self, list: &RefCell<Vec<T>>) -> Option<T> {
        let mut list = list.borrow_mut();
        let index = self.random(list.len().max(1) as u64) as usize;
        (index < list.len()).then(|| list.swap_remove(index))
    }

    fn guard(self: &Rc<World>) -> Guard {
        self.live.set(self.live.get() + 1);
        Guard(self.clone())
    }
}

fn micros(world: &World) -> Duration {
    Duration::from_micros(world.random(40))
}

/// What a body does: some steps, each of which may be interrupted.
fn work(world: &Rc<World>, depth: u32) -> u32 {
    let _guard = world.guard();
    for _ in 0..world.random(6) {
        let caught = catch_unwind(AssertUnwindSafe(|| step(world, depth)));
        if let Err(payload) = caught
            && world.random(3) > 0
        {
            resume_unwind(payload);
        }
    }
    depth
}

fn step(world: &Rc<World>, depth: u32) {
    let _guard = world.guard();
    match world.random(18) {
        0 | 1 => yield_now(),
        2 | 3 => sleep(micros(world)),
        4 | 5 if depth < 4 && world.spawned.get() < 3000 => {
            world.spawned.set(world.spawned.get() + 1);
            let inner = world.clone();
            let task = Rc::new(spawn(move || work(&inner, depth + 1)));
            world.tasks.borrow_mut().push(task.clone());
            if world.random(2) == 0 {
                task.wait();
            }
        }
        6 if depth < 4 => {
            let inner = world.clone();
            let g = Greenlet::new(move |()| {
                work(&inner, depth + 1);
            });
            world.raw.borrow_mut().push(g.clone());
            let _ = g.try_switch_any(());
        }
        7 => drop(timeout(micros(world), || {
            let _guard = world.guard();
            sleep(micros(world) * 2);
        })),
        8 => shield(|| {
            let _guard = world.guard();
            sleep(micros(world));
        }),
        9 => {
            if let Some(task) = world.one_of(&world.tasks) {
                task.kill_soon_with(world.random(9) as u32);
            }
        }
        10 => {
            if let Some(task) = world.one_of(&world.tasks) {
                let _ = task.wait_timeout(micros(world));
            }
        }
        11 => {
            if let Some(g) = world.one_of(&world.raw) {
                let _ = g.try_throw::<()>(world.random(9) as u32);
            }
        }
        12 => drop(world.remove(&world.raw)),
        13 => drop(world.remove(&world.tasks)),
        14 => {
            if let Some(g) = world.one_of(&world.tasks).and_then(|task| task.greenlet()) {
                let _ = g.try_throw::<()>(7_u32);
            }
        }
        15 => {
            let limit = Timeout::start(micros(world));
            world.limits.borrow_mut().push(limit);
            sleep(micros(world));
        }
        16 => drop(world.remove(&world.limits)),
        _ => {
            if depth > 0 && world.random(4) == 0 {
                let _ = try_suspend::<(), Received>(());
            }
        }
    }
}

fn storm(seed: u64) {
    std::thread::spawn(move || {
        let world = Rc::new(World {
            random: Random::new(seed),
            live: Cell::default(),
            spawned: Cell::default(),
            tasks: RefCell::default(),
            raw: RefCell::default(),
            limits: RefCell::default(),
        });
        if seed.is_multiple_of(4) {
            let world = world.clone();
            let inside = Cell::new(false);
            set_trace(Some(Rc::new(move |_| {
                if world.random(50) == 0 && !inside.replace(true) {
                    let waited = catch_unwind(AssertUnwindSafe(|| sleep(micros(&world))));
                    inside.set(false);
                    waited.unwrap_or_else(|payload| resume_unwind(payload));
                }
            })));
        }
        let ends = Cell::new(None);
        run(|| {
            for _ in 0..30 {
                // Whatever is raised in the root, a deadlock among it, ends one step of it.
                let _ = catch_unwind(AssertUnwindSafe(|| step(&world, 0)));
            }
            ends.set(Some(Instant::now()));
        });
        let has_given_up = ends.get().unwrap().elapsed() >= PATIENCE;
        set_trace(None);
        world.limits.take();
        world.raw.take();
        world.tasks.take();
        // Hundreds unwind: on a slow machine that takes longer, and only who never ends is left for ever.
        let mut more = if has_given_up { 60 } else { 0 };
        while more > 0 && greenlet::all().len() > 2 {
            run(|| ());
            more -= 1;
        }
        let left = greenlet::all().len();
        assert!(left <= 2, "seed {seed}: {left} greenlets are left");
        assert_eq!(world.live.get(), 0, "seed {seed}: values are left");
        // What was raised in the root's name, and not in any of its steps.
        while catch_unwind(|| sleep(Duration::from_micros(10))).is_err() {}
        assert_eq!(spawn(|| 5).join().unwrap(), 5, "seed {seed}: the hub works");
    })
    .join()
    .unwrap();
}

#[test]
fn nobody_is_left_after_a_storm() {
    let first = std::env::var("GREENLET_SEED").ok().and_then(|text| text.parse().ok());
    let count = std::env::var("GREENLET_SEEDS").ok().and_then(|text| text.parse().ok());
    let first: u64 = first.unwrap_or(1);
    for seed in first..first + count.unwrap_or(150) {
        storm(seed);
    }
}
